"""
Which inputs are selected again?
================================

The λ that predicts best keeps irrelevant inputs too. Fits on random halves of the rows show which ones: inputs that
matter are selected in nearly every half, others only in some.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

rng = np.random.default_rng(11)
X = rng.normal(size=(150, 40)) + 0.7 * rng.normal(size=(150, 1))  # correlated inputs
y = X[:, :5].sum(1) + 1.5 * rng.normal(size=150)

chosen = sw.PenalizedRegressorCV(sw.L1(1.0), cv=5).fit(X, y)
found = sw.stability_selection(X, y, sw.L1(chosen.lambda_), pairs=25)
kept = np.flatnonzero(chosen.coef_)
print(f"kept at the best λ: {len(kept)}; in at least 90 % of 50 halves: {found.stable}")

order = np.argsort(-found.frequencies)
figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
axis.bar(range(40), found.frequencies[order], color=["#0b62c4" if j < 5 else "0.75" for j in order])
axis.axhline(found.threshold, color="0.3", ls=":")
axis.set(xlabel="inputs, sorted (blue: they act on the target)", ylabel="share of the halves that select it")
plt.show()
