"""
Quantiles instead of a mean
===========================

The pinball loss fits a quantile of y given x. Here the noise grows with x: the lines of the quantiles 0.1, 0.5 and 0.9
spread, and about 80 % of new rows are between the outer ones.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw
from shrinkwise.linear.losses import Quantile

rng = np.random.default_rng(1)
x = rng.uniform(0, 3, size=(2, 400))  # rows to fit, and new rows
y = 1 + x + (0.2 + 0.5 * x) * rng.normal(size=(2, 400))

figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
axis.plot(x[0], y[0], ".", color="0.7")
new = {}
for level in (0.1, 0.5, 0.9):
    model = sw.PenalizedRegressor(sw.L1(1e-3), loss=Quantile(level)).fit(x[0][:, None], y[0])
    axis.plot([0, 3], model.predict([[0.0], [3.0]]), lw=2, label=f"quantile {level}")
    new[level] = model.predict(x[1][:, None])
inside = np.mean((y[1] > new[0.1]) & (y[1] < new[0.9]))
axis.set(xlabel="x", ylabel="y", title=f"{inside:.0%} of 400 new rows are between the outer lines")
axis.legend()
plt.show()
