"""
The ball of L1 and the ball of L2
=================================

A limit on Σ|w| or Σw² is the other form of a penalty. The least-squares loss grows along its ellipses until they touch
the ball: at a corner of the L1 ball, where one weight is exactly 0, and at some other point of the L2 ball.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

rng = np.random.default_rng(0)
X = rng.normal(size=(100, 2)) @ np.array([[1.0, 0.5], [0.0, 0.8]])
y = X @ [2.0, 0.7] + 0.3 * rng.normal(size=100)

line = np.linspace(-1.5, 2.5, 81)
grid = np.stack(np.meshgrid(line, line), -1)
loss = ((y - grid @ X.T) ** 2).mean(-1) / 2

figure, axes = plt.subplots(1, 2, figsize=(9, 4.5), sharey=True, layout="constrained")
for axis, ball, name in zip(axes, (sw.L1Ball(1.0), sw.L2Ball(1.0)), ("|w₁| + |w₂| ≤ 1", "w₁² + w₂² ≤ 1"), strict=True):
    w = sw.PenalizedRegressor(ball, fit_intercept=False).fit(X, y).coef_
    touching = ((y - X @ w) ** 2).mean() / 2
    edge = np.array([ball.prox(3 * np.array([np.cos(t), np.sin(t)]), 1.0) for t in np.linspace(0, 2 * np.pi, 200)])
    axis.fill(*edge.T, color="#9cc3ea")
    axis.contour(line, line, loss, levels=np.sort([*np.quantile(loss, [0.005, 0.1, 0.3]), touching]), colors="0.5")
    axis.plot(*w, "o", color="#0b62c4", ms=8)
    axis.plot(*np.linalg.lstsq(X, y, rcond=None)[0], "x", color="black")
    axis.set(title=f"{name}: w = ({w[0]:.2f}, {w[1]:.2f})", xlabel="w₁", aspect="equal")
axes[0].set_ylabel("w₂")
plt.show()
