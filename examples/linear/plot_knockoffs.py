"""
Inputs with a false discovery rate
==================================

A knockoff is a copy of an input that cannot matter. An input whose weight exceeds its knockoff's by the threshold is
selected; as many irrelevant inputs fall on either side of 0, which estimates how many of the selected are false.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

rng = np.random.default_rng(12)
X = rng.normal(size=(300, 30))
y = X[:, :12].sum(1) + rng.normal(size=300)

found = sw.knockoffs(X, y, fdr=0.1, random_state=1)
print(found.status)
order = np.argsort(-found.statistics)
figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
axis.bar(range(30), found.statistics[order], color=["#0b62c4" if j < 12 else "0.75" for j in order])
axis.axhline(found.threshold, color="0.3", ls=":", label=f"threshold for a rate of {found.fdr:g}")
axis.set(xlabel="inputs, sorted (blue: they act on the target)", ylabel="statistic W")
axis.legend()
plt.show()
