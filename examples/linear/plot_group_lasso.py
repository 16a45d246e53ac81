"""
Groups enter together
=====================

The group lasso λ Σ √size ‖w_g‖ has zeros of whole groups: all indicators of a category, or all terms of an input. The
sparse group lasso also has zeros within the groups.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

rng = np.random.default_rng(5)
groups = np.repeat(np.arange(5), 4)
X = rng.normal(size=(150, 20))
y = X[:, :4] @ [1.0, -1.0, 2.0, 0.5] + 2.0 * X[:, 8] + rng.normal(size=150)

figure, axes = plt.subplots(1, 3, figsize=(11, 4), sharey=True, layout="constrained")
for axis, penalty in zip(axes, (sw.L1(1.0), sw.GroupLasso(1.0, groups), sw.SparseGroupLasso(1.0, groups)), strict=True):
    path = sw.path(X, y, penalty, n_lambdas=50)
    for j in range(20):
        axis.plot(path.lambdas, path.coefs[:, j], color=f"C{groups[j]}")
    axis.set(title=type(penalty).__name__, xscale="log", xlabel="λ")
    axis.invert_xaxis()
axes[0].set_ylabel("weight (one color for each group)")
plt.show()
