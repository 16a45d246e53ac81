"""
Times until an event
====================

Half of the times are censored: the event had not occurred when observation ended. Cox's partial likelihood uses them
nevertheless. The curves are predictions for three rows, with a low, middle and high hazard.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw
from shrinkwise.linear import survival

rng = np.random.default_rng(10)
X = rng.normal(size=(300, 10))
event, limit = rng.exponential(np.exp(-X[:, 0] + 0.5 * X[:, 1])), rng.exponential(1.0, size=300)
y = survival(np.minimum(event, limit), event=event <= limit)

model = sw.PenalizedCoxCV(sw.L1(1.0), select="best", cv=5, n_lambdas=30).fit(X, y)
print(
    f"{np.mean(event > limit):.0%} censored; inputs kept: {np.flatnonzero(model.coef_)}; concordance {model.score(X, y):.2f}"
)

times = np.linspace(0, 2, 100)
order = np.argsort(model.predict(X))
figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
for name, row in {"low": order[30], "middle": order[150], "high": order[270]}.items():
    axis.plot(times, model.predict_survival(X[[row]], times)[0], label=f"{name} hazard")
axis.set(xlabel="time", ylabel="probability of no event until then", ylim=(0, 1))
axis.legend()
plt.show()
