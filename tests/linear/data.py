"""Problems the linear tests share."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

EXAMPLES = Path(__file__).parents[2] / "examples"


def stored(name):
    """A published data set that is not ours to ship; the test is skipped where it is absent."""
    folder = os.environ.get("SHRINKWISE_DATA", Path(__file__).parents[3] / "shared" / "data")
    file = Path(folder) / f"{name}.npz"
    if not file.exists():
        pytest.skip(f"needs {file.name}, which is not ours to ship: put it in $SHRINKWISE_DATA")
    with np.load(file) as content:
        return {key: content[key] for key in content.files}


def standardised(X):
    return (X - X.mean(0)) / X.std(0)


def concrete():
    with open(EXAMPLES / "concrete.csv", encoding="utf-8") as file:
        rows = np.array(list(csv.reader(file))[1:], dtype=float)
    return standardised(rows[:, :-1]), rows[:, -1]


def sonar():
    with open(EXAMPLES / "sonar.csv", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    X = np.array([row[:-1] for row in rows], dtype=float)
    return standardised(X), (np.array([row[-1] for row in rows]) == rows[0][-1]).astype(float)


def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return standardised(X), y


def random_problem(seed, n=60, p=12, loss="squared"):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) @ (np.eye(p) + 0.4 * rng.normal(size=(p, p)))
    eta = X[:, :3] @ np.array([1.0, -1.0, 0.5]) + 0.3
    if loss == "squared":
        return X, eta + rng.normal(size=n)
    if loss == "logistic":
        return X, (eta + rng.logistic(size=n) > 0).astype(float)
    return X, np.argmax(np.column_stack([eta, -eta, 0 * eta]) + rng.gumbel(size=(n, 3)), axis=1)
