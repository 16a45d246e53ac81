"""Problems the linear tests share."""

import csv
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes

EXAMPLES = Path(__file__).parents[2] / "examples"


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
