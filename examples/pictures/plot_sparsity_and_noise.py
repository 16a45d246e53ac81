"""
Sparsity and noise
==================

Five inputs act on the target, and ever more columns of pure noise are added. Least squares fits the noise and fails
when there are as many columns as rows; L2 spreads the effect over all columns; L1 ignores most of the noise.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

rng = np.random.default_rng(3)
n, counts = 100, [5, 20, 40, 60, 80, 95, 150, 300]
X, test = rng.normal(size=(n, 300)), rng.normal(size=(1000, 300))
y, truth = X[:, :5].sum(1) + rng.normal(size=n), test[:, :5].sum(1)
models = {
    "L1, λ by cross-validation": sw.PenalizedRegressorCV(sw.L1(1.0), cv=5, n_lambdas=40),
    "L2, λ by cross-validation": sw.PenalizedRegressorCV(sw.L2(1.0), cv=5, n_lambdas=40),
    "no penalty": sw.PenalizedRegressor(sw.L2(1e-8)),
}

figure, axis = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
for name, model in models.items():
    fits = [model.fit(X[:, :p], y).predict(test[:, :p]) for p in counts]
    axis.plot(counts, [np.sqrt(np.mean((fit - truth) ** 2)) for fit in fits], "o-", label=name)
axis.axhline(np.std(truth), color="0.5", ls=":", label="a constant prediction")
axis.set(xlabel="inputs, of which 5 matter", ylabel="error on new rows (RMSE)", yscale="log")
axis.legend()
plt.show()
