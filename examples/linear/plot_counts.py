"""
Counts
======

Least squares predicts negative counts and counts large deviations of large counts too much. Poisson's loss, e^η − yη,
fits the logarithm of the mean; the negative binomial allows a variance above the mean.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw
from shrinkwise.linear.losses import NegativeBinomial

rng = np.random.default_rng(8)
x = np.sort(rng.uniform(-2, 2, size=300))
y = rng.negative_binomial(2, 2 / (2 + np.exp(0.5 + 0.9 * x)))  # variance μ + μ²/2

figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
axis.plot(x, y, ".", color="0.7")
for name, loss in {
    "squared": "squared",
    "poisson": "poisson",
    "negative binomial, θ = 2": NegativeBinomial(2.0),
}.items():
    model = sw.PenalizedRegressor(sw.L1(1e-4), loss=loss).fit(x[:, None], y)
    axis.plot(x, model.predict(x[:, None]), lw=2, label=f"{name}: weight {model.coef_[0]:.2f}")
axis.plot(x, np.exp(0.5 + 0.9 * x), "k:", label="truth: weight 0.90")
axis.set(xlabel="x", ylabel="count")
axis.legend()
plt.show()
