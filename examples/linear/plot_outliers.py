"""
Outliers
========

Five of sixty targets are wrong by a large amount. The squared loss follows them; Huber's loss, linear beyond δ, hardly
does.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw
from shrinkwise.linear.losses import Huber

rng = np.random.default_rng(9)
x = np.sort(rng.uniform(0, 4, size=60))
y = 1.5 * x + 0.4 * rng.normal(size=60)
y[-5:] -= 12

figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
axis.plot(x, y, ".", color="0.4")
for name, loss in {"squared": "squared", "Huber, δ = 0.5": Huber(0.5)}.items():
    model = sw.PenalizedRegressor(sw.L2(1e-4), loss=loss).fit(x[:, None], y)
    axis.plot(x, model.predict(x[:, None]), lw=2, label=f"{name}: slope {model.coef_[0]:.2f}")
axis.plot(x, 1.5 * x, "k:", label="truth: slope 1.50")
axis.set(xlabel="x", ylabel="y")
axis.legend()
plt.show()
