"""The problems of the linear benchmark: how each is made, stored for the workers and cut down to warm a solver up.

Synthetic X: rows are Gaussian with correlation .5^|i−j| between columns i and j, float64, Fortran order (sparse: CSC, 100
standard normal values a row at uniform places). y = Xw + noise with min(50, n/10) non-zero weights ±1 spread evenly and
noise of a third of the signal's variance. Columns of dense X and y are centred and scaled to Σx² = n, so no intercept is
needed and glmnet's rescaling of y changes nothing; sparse X is left as it is. Seeds are fixed.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import sparse

DATA = Path(os.environ.get("SHRINKWISE_DATA", Path(__file__).parents[3] / "shared" / "data"))


@dataclass
class Problem:
    """One task: minimise loss(Xw; y) + λ f(w) without intercept at every λ of `lambdas`.

    kind : "l1" (½ squared loss; elastic net of `l1_ratio`), "logistic" (y 0/1), "multinomial" (y 0 … K−1), "poisson", "gamma"
        (both with the logarithm as link), "cox" (y are times, distinct and all of them events), "group", "group-logistic"
        or "group-multinomial" (groups of `group_size` neighbours, of all classes together, factor √size), "mcp"
        (`gamma`), "ridge" (λ‖w‖², leave-one-out error asked for) or "cv" (lasso with intercept, folds: row i is held out
        in fold `folds[i]`).
    positive : all weights ≥ 0 ("l1" and "cv").
    """

    kind: str
    X: np.ndarray
    y: np.ndarray
    lambdas: np.ndarray
    l1_ratio: float = 1.0
    group_size: int = 1
    gamma: float = 3.0
    n_classes: int = 1
    n_folds: int = 10
    positive: bool = False

    @property
    def loss(self):
        """The kind without its penalty; "squared" for those that name the penalty alone."""
        loss = self.kind.removeprefix("group-")
        return "squared" if loss in ("l1", "group", "mcp", "ridge", "cv") else loss

    @property
    def n_outputs(self):
        """Weights of a column."""
        return self.n_classes if self.loss == "multinomial" else 1

    @property
    def folds(self):
        """(n,) fold of every row."""
        return np.random.default_rng(7).permutation(np.arange(len(self.y)) % self.n_folds)

    @property
    def groups(self):
        """(p,) label of the group of every column."""
        return np.arange(self.X.shape[1]) // self.group_size

    def save(self, folder: Path) -> None:
        """Write arrays as .npy and the rest as spec.json (the same as lines "name value" in spec.txt, for R)."""
        folder.mkdir(parents=True, exist_ok=True)
        spec = {k: v for k, v in vars(self).items() if k not in ("X", "y", "lambdas")}
        spec |= {"sparse": int(sparse.issparse(self.X)), "n": self.X.shape[0], "p": self.X.shape[1]}
        spec["n_lambdas"] = len(self.lambdas)
        arrays = {"y": self.y.astype(float), "lambdas": self.lambdas, "folds": self.folds.astype(float)}
        if spec["sparse"]:
            X = sparse.csc_matrix(self.X)
            arrays |= {"data": X.data, "indices": X.indices.astype(np.int32), "indptr": X.indptr.astype(np.int32)}
        else:
            arrays["X"] = np.asfortranarray(self.X)
        for name, values in arrays.items():
            np.save(folder / f"{name}.npy", values)
        (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        (folder / "spec.txt").write_text("".join(f"{k} {v}\n" for k, v in spec.items()), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Problem:
        """Read what `save` wrote."""
        spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
        shape = (spec.pop("n"), spec.pop("p"))
        spec.pop("n_lambdas")
        if spec.pop("sparse"):
            parts = [np.load(folder / f"{name}.npy") for name in ("data", "indices", "indptr")]
            X = sparse.csc_matrix(tuple(parts), shape=shape)
        else:
            X = np.load(folder / "X.npy")
        return cls(X=X, y=np.load(folder / "y.npy"), lambdas=np.load(folder / "lambdas.npy"), **spec)

    def small(self) -> Problem:
        """The first rows and columns with four λ: what a solver compiles and loads on, before it is timed."""
        n, p = min(80, self.X.shape[0]), min(100, self.X.shape[1])
        p -= p % self.group_size
        X = self.X[:n, :p]
        X = sparse.csc_matrix(X) if sparse.issparse(X) else np.asfortranarray(X)
        y, k = self.y[:n].copy(), self.n_classes
        if self.loss == "multinomial":  # the first rows may lack one of many classes
            y = np.unique(y, return_inverse=True)[1].astype(float)
            k = int(y.max()) + 1
        part = replace(self, X=X, y=y, lambdas=np.ones(1), n_classes=k)
        return replace(part, lambdas=grid(part, 4, 0.2))

    def first_fold(self) -> Problem:
        """The lasso on the rows outside fold 0, centred: where the tolerance for the whole cross-validation is chosen."""
        kept = self.folds != 0
        X, y = self.X[kept], self.y[kept]
        return replace(self, kind="l1", X=np.asfortranarray(X - X.mean(0)), y=y - y.mean())


def grid(problem: Problem, n_lambdas: int, ratio: float) -> np.ndarray:
    """From λ_max down to `ratio` λ_max; ridge: from 100 to 1e-4 times the mean eigenvalue of X'X/n over min(n, p)."""
    X, y, n = problem.X, problem.y, len(problem.y)
    if problem.kind == "ridge":
        return np.geomspace(100.0, 1e-4, n_lambdas) * float((X * X).sum()) / (n * min(X.shape))
    target = y
    if problem.loss == "logistic":
        target = y - 0.5
    elif problem.loss in ("poisson", "gamma"):
        target = y - 1.0
    elif problem.loss == "cox":
        target = 1.0 - at_risk(y)
    elif problem.loss == "multinomial":
        target = (y[:, None] == np.arange(problem.n_classes)) - 1.0 / problem.n_classes
    slope = np.abs(X.T @ target) / n
    if problem.kind.startswith("group"):
        slope = slope.reshape(-1, problem.group_size * problem.n_outputs)
        slope = np.linalg.norm(slope, axis=1) / np.sqrt(slope.shape[1])
    return np.geomspace(1.0, ratio, n_lambdas) * float(slope.max()) / problem.l1_ratio


def standardised(X, y):
    """Columns of X and y centred with Σx² = n; constant columns become zero."""
    X = X - X.mean(0)
    scale = np.sqrt((X * X).mean(0))
    X /= np.where(scale > 0, scale, 1.0)
    y = y - y.mean()
    return np.asfortranarray(X), y / np.sqrt((y * y).mean())


def gaussian(n: int, p: int, seed: int = 0):
    """Dense X, standardised, and the signal Xw of min(50, n/10) weights ±1."""
    rng = np.random.default_rng(seed)
    X = np.empty((n, p), order="F")
    X[:, 0] = rng.standard_normal(n)
    for j in range(1, p):
        X[:, j] = 0.5 * X[:, j - 1] + np.sqrt(0.75) * rng.standard_normal(n)
    X, _ = standardised(X, np.arange(n))
    return X, X @ spread_weights(n, p, rng), rng


def spread_weights(n: int, p: int, rng) -> np.ndarray:
    """min(50, n/10) weights ±1 at even distances."""
    k = max(1, min(50, n // 10))
    w = np.zeros(p)
    w[np.linspace(0, p - 1, k).astype(int)] = rng.choice([-1.0, 1.0], k)
    return w


def regression(n: int, p: int):
    """X and y = signal + noise, standardised."""
    X, signal, rng = gaussian(n, p)
    return standardised(X, signal + signal.std() / np.sqrt(3.0) * rng.standard_normal(n))


def classes(n: int, p: int, n_classes: int):
    """X and labels 0 … K−1 drawn with log odds of standard deviation 2 from one signal per class."""
    X, signal, rng = gaussian(n, p)
    if n_classes == 2:
        return X, (2.0 * signal / signal.std() + rng.logistic(size=n) > 0).astype(float)
    signals = np.column_stack([X @ spread_weights(n, p, rng)[rng.permutation(p)] for _ in range(n_classes)])
    return X, np.argmax(2.0 * signals / signals.std(0) + rng.gumbel(size=signals.shape), axis=1).astype(float)


def segment():
    """The segment table: 18 inputs (one of its 19 is constant) as 8 cosines of their ranks each, 7 classes; in drawn order."""
    import pandas as pd

    table = pd.read_csv(DATA / "tab_segment.csv.gz")
    order = np.random.default_rng(3).permutation(len(table))
    y = np.unique(table.pop("class"), return_inverse=True)[1][order].astype(float)
    inputs = [column for _, column in table.items() if column.nunique() > 1]
    ranks = np.column_stack([column.rank(pct=True) for column in inputs])[order]
    X = np.cos(np.pi * ranks[:, :, None] * np.arange(1, 9)).reshape(len(ranks), -1)
    return standardised(X, y)[0], y


def positive(kind: str, n: int, p: int):
    """X and counts, gamma amounts of shape 2 or uncensored times, log means (hazards) of standard deviation .7."""
    X, signal, rng = gaussian(n, p)
    mean = np.exp(0.7 * signal / signal.std())
    if kind == "poisson":
        return X, rng.poisson(mean).astype(float)
    return X, rng.gamma(2.0, mean / 2.0) if kind == "gamma" else rng.exponential(1.0 / mean)


def at_risk(times) -> np.ndarray:
    """Σ over the events i up to t_j of 1/|those at risk at t_i|, for distinct times, all of them events."""
    order = np.argsort(times)
    out = np.empty(len(times))
    out[order] = np.cumsum(1.0 / np.arange(len(times), 0, -1))
    return out


def sparse_regression(n: int, p: int, per_row: int = 100):
    """CSC X with `per_row` normal values a row and y = signal + noise, centred and scaled."""
    rng = np.random.default_rng(1)
    columns = rng.integers(0, p, n * per_row)
    rows = np.repeat(np.arange(n), per_row)
    X = sparse.csc_matrix((rng.standard_normal(n * per_row), (rows, columns)), shape=(n, p))
    X.sum_duplicates()
    # Every column has the same few entries: many weights are needed for a signal that reaches all rows.
    w = np.zeros(p)
    w[rng.choice(p, p // 100, replace=False)] = rng.choice([-1.0, 1.0], p // 100)
    signal = X @ w
    y = signal + signal.std() / np.sqrt(3.0) * rng.standard_normal(n)
    y -= y.mean()
    return X, y / np.sqrt((y * y).mean())


def stored(name: str):
    """X and y of a file of $SHRINKWISE_DATA, standardised; FileNotFoundError where it is absent."""
    with np.load(DATA / f"{name}.npz") as file:
        return standardised(file["X"].astype(float), file["y"].astype(float))
