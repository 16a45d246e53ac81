"""
Weights that must not be negative
=================================

A mixture of known spectra has weights of at least 0 that sum to 1: a constraint, which is a penalty with the values 0
and ∞. Least squares without it has weights below 0.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

rng = np.random.default_rng(13)
wave = np.linspace(0, 1, 80)
spectra = np.exp(-(((wave[:, None] - np.linspace(0.1, 0.9, 9)) / 0.12) ** 2))
truth = np.array([0, 0.5, 0, 0, 0.3, 0, 0, 0.2, 0])
mixture = spectra @ truth + 0.03 * rng.normal(size=80)

models = {"no constraint": sw.L2(1e-9), "NonNegative()": sw.NonNegative(), "Simplex(1)": sw.Simplex(1.0)}
figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
for k, (name, penalty) in enumerate(models.items()):
    w = sw.PenalizedRegressor(penalty, fit_intercept=False).fit(spectra, mixture).coef_
    axis.bar(np.arange(9) + 0.25 * k - 0.25, w, 0.25, label=f"{name}: Σ = {w.sum():.3f}")
axis.plot(range(9), truth, "k_", ms=22, label="truth")
axis.axhline(0.0, color="0.3", lw=0.8)
axis.set(xlabel="spectrum", ylabel="weight")
axis.legend()
plt.show()
