"""
The lasso shrinks what it keeps
===============================

L1 subtracts about λ from every weight, also from large ones. MCP leaves large weights unchanged but is not convex; the
relaxed lasso refits the kept inputs without a penalty. All three at the λ that keeps the three inputs that matter.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

rng = np.random.default_rng(4)
truth = np.array([3.0, -2.0, 1.5, *[0.0] * 17])
X = rng.normal(size=(120, 20))
y = X @ truth + rng.normal(size=120)

lasso = sw.path(X, y, sw.L1(0.5), lambdas=[0.5])[0]
concave = sw.path(X, y, sw.MCP(0.5, 3.0), lambdas=[0.5])[0]
refit = np.zeros(20)
refit[lasso.used] = sw.PenalizedRegressor(sw.L2(1e-9)).fit(X[:, lasso.used], y).coef_
print(f"certificates: duality gap {lasso.gap:.0e} (L1), KKT violation {concave.kkt:.0e} (MCP)")

figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
for k, (name, w) in enumerate(
    {"true weights": truth, "L1": lasso.coef, "L1, then refit": refit, "MCP": concave.coef}.items()
):
    axis.bar(np.arange(6) + 0.2 * k - 0.3, w[:6], 0.2, label=name)
axis.axhline(0.0, color="0.3", lw=0.8)
axis.set(xlabel="input (those from 3 on do not matter)", ylabel="weight")
axis.legend()
plt.show()
