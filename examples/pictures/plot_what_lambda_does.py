"""
What λ does
===========

The coefficients of a lasso from a λ at which all are zero (left) to a small one (right). Three of the twelve inputs act
on the target; they enter first, and every solution along the path has its duality gap.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

rng = np.random.default_rng(1)
X = rng.normal(size=(80, 12))
y = 3 * X[:, 0] - 2 * X[:, 3] + X[:, 7] + rng.normal(size=80)

path = sw.path(X, y, sw.L1(1.0))
print(path)
figure, axis = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
path.plot(names=[f"x{j}" for j in range(12)], ax=axis)
axis.set_title(f"{len(path)} values of λ, largest duality gap {path.gaps.max():.0e}")
plt.show()
