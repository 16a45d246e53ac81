"""
Two inputs that are nearly copies
=================================

The second input is the first plus a little noise, and only the first acts on the target. The lasso prefers one of them
by chance, the ridge gives both the same weight, and the elastic net does likewise with zeros elsewhere. Each point is
one sample of 60 rows.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

penalties = {"L1": sw.L1(0.3), "elastic net, ρ = 0.5": sw.ElasticNet(0.3, 0.5), "L2": sw.L2(0.15)}
figure, axis = plt.subplots(figsize=(6, 5), layout="constrained")
for name, penalty in penalties.items():
    pairs = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(60, 6))
        X[:, 1] = X[:, 0] + 0.1 * rng.normal(size=60)
        y = 2 * X[:, 0] + rng.normal(size=60)
        pairs.append(sw.PenalizedRegressor(penalty).fit(X, y).coef_[:2])
    axis.scatter(*np.transpose(pairs), label=name, alpha=0.7)
axis.set(xlabel="weight of the input", ylabel="weight of its copy", aspect="equal")
axis.legend()
plt.show()
