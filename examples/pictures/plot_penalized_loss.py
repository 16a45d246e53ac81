"""
The penalized loss
==================

Regularization minimizes L(w) + λ f(w). Each curve is this sum for one weight and one λ, its minimum marked. Under L1
the minimum reaches exactly 0 at a finite λ; under L2 it only comes closer to 0.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

w, target = np.linspace(-0.6, 1.4, 401), 1.0
loss = 0.5 * (w - target) ** 2

figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for axis, penalty, name in zip(axes, (sw.L1(1.0), sw.L2(1.0)), ("L1: λ|w|", "L2: λw²"), strict=True):
    for lam in (0.0, 0.4, 0.8, 1.2):
        term = penalty.with_lam(lam)
        objective = loss + np.array([term.value(np.array([v])) for v in w])
        best = term.prox(np.array([target]), 1.0)  # argmin of ½(w − target)² + λ f(w), in closed form
        (line,) = axis.plot(w, objective, label=f"λ = {lam:g}: w = {best[0]:.2f}")
        axis.plot(best, 0.5 * (best - target) ** 2 + term.value(best), "o", color=line.get_color())
    axis.set(title=name, xlabel="w")
    axis.legend()
axes[0].set_ylabel("½(w − 1)² + λ f(w)")
plt.show()
