"""
Inputs that a network needs
===========================

How many of 60 sonar bands does a network need? A group lasso on its inputs, along λ from dense to sparse.

At every λ the network is refitted on the selected bands without the penalty, and scored on held-out folds. The largest
λ within one standard error of the best selects fewer bands and is not detectably worse. The 16 weights of a removed
band are exactly 0.0.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from torch import nn

import shrinkwise as sw

table = np.genfromtxt(Path("../sonar.csv"), delimiter=",", skip_header=1, dtype=str)
X, y = table[:, :60].astype(float), (table[:, 60] == "mine").astype(int)
X = (X - X.mean(0)) / X.std(0)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(60, 16), nn.ReLU(), nn.Linear(16, 2))


inputs = sw.rule(sw.GroupLasso(1.0, groups=sw.Groups.columns()), names="0.weight")
options = {"n_lambdas": 8, "lambda_min_ratio": 0.03, "cv": 3, "refit": True, "select": "1se"}
path = sw.NetworkPath(network, inputs, nn.CrossEntropyLoss(), **options).fit(X, y)

print(f"{'λ':>10}{'bands kept':>12}{'held-out log loss':>20}")
for lam, kept, score, error in zip(path.lambdas_, path.kept_, path.scores_, path.scores_se_, strict=True):
    mark = {path.lambda_best_: "  best", path.lambda_1se_: "  1-SE"}.get(lam, "")
    print(f"{lam:10.4f}{kept:12}{score:14.3f} ± {error:.3f}{mark}")
bands = path.best_model_[0].weight.detach().norm(dim=0).nonzero()[:, 0] + 1
print("kept at 1-SE:", ", ".join(map(str, bands.tolist())))

path.plot()
plt.show()
