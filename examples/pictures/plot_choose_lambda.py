"""
How λ is chosen
===============

The held-out loss of ten folds along λ, with its standard error. The smallest mean (best) often keeps inputs that do not
matter; the largest λ within one standard error of it keeps fewer and predicts about as well.
"""

import matplotlib.pyplot as plt
import numpy as np

import shrinkwise as sw

rng = np.random.default_rng(2)
X = rng.normal(size=(150, 40))
y = X[:, :4] @ [2.0, -1.5, 1.0, 0.8] + 1.5 * rng.normal(size=150)

model = sw.PenalizedRegressorCV(sw.L1(1.0), select="1se", cv=10).fit(X, y)
kept = {
    name: model.path_.at(lam).n_nonzero for name, lam in (("best", model.lambda_best_), ("1-SE", model.lambda_1se_))
}
print(f"inputs kept: {kept['best']} at the best λ, {kept['1-SE']} at the 1-SE λ; 4 act on the target")
figure, axis = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
model.plot(ax=axis)
plt.show()
