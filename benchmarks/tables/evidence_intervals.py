"""Coverage and power of the interval of a difference: cross-validated models on tables whose truth is known.

For each kind of table and each number of rows, `repeats` tables are drawn. Two models at a time are scored on the same five
folds; the interval of their difference is compared with

    the given models:    the mean over the folds of the difference of the two fitted models on all rows there could be,
    models of that size: its mean over the drawn tables (models trained on as many other rows).

Both are known from 20 n fresh rows, at least 8000. Printed for `row_difference` (what a comparison says) and for the t
interval of the five folds, corrected (`paired_interval`): coverage of both, power (share of the tables in which a difference is
found with the right sign) and the share in which it is found with the wrong one, and the mean width.

    python -m benchmarks.tables.evidence_intervals [--repeats 1000] [--rows 60 120 500 5000]
"""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

import shrinkwise as sw
from shrinkwise.compare.metrics import held_out_score, row_losses
from shrinkwise.models.predictors import class_probabilities
from shrinkwise.selection import folds, paired_interval, row_difference

RESULTS = Path(__file__).parents[1] / "results" / "intervals.json"
FOLDS = 5


@dataclass(frozen=True)
class Kind:
    """A kind of table: inputs, those that matter, their weight, the noise ("normal" or "heavy", Student's t with 3)."""

    task: str
    p: int
    true: int
    size: float
    noise: str = "normal"

    def draw(self, n: int, rng) -> tuple[np.ndarray, np.ndarray]:
        """Rows, neighbours correlated by .5 (heavy: inputs of Student's t with 5 degrees), and the target."""
        Z = rng.standard_t(5, (n, self.p)) if self.noise == "heavy" else rng.normal(size=(n, self.p))
        X = Z.copy()
        for j in range(1, self.p):
            X[:, j] = 0.5 * X[:, j - 1] + np.sqrt(0.75) * Z[:, j]
        w = np.zeros(self.p)
        w[:: max(self.p // max(self.true, 1), 1)][: self.true] = self.size
        if self.task == "regression":
            return X, X @ w + (rng.standard_t(3, n) if self.noise == "heavy" else rng.normal(size=n))
        return X, (rng.random(n) < 1 / (1 + np.exp(-X @ w))).astype(int)


KINDS = {
    "numbers, noise": Kind("regression", 10, 0, 0.0),
    "numbers, sparse": Kind("regression", 30, 3, 0.5),
    "numbers, dense": Kind("regression", 10, 10, 0.15),
    "numbers, heavy tails": Kind("regression", 10, 2, 0.5, "heavy"),
    "numbers, one input": Kind("regression", 1, 1, 1.9),
    "classes, noise": Kind("binary", 5, 0, 0.0),
    "classes, sparse": Kind("binary", 15, 3, 0.8),
    "classes, heavy tails": Kind("binary", 8, 2, 0.6, "heavy"),
}
PAIRS = (("none", "ridge"), ("none", "lasso"), ("guess", "ridge"), ("guess", "lasso"), ("ridge", "lasso"))


def fitted(method: str, kind: Kind, X: np.ndarray, y: np.ndarray):
    """A function from rows to outputs. λ by a formula; for ridge on numbers by generalized cross-validation."""
    if method == "guess":
        share = y.mean()
        return lambda Z: _output(
            kind, np.full(len(Z), share if kind.task == "regression" else np.log(share / (1 - share)))
        )
    mean = X.mean(axis=0)
    coef, intercept = (_numbers if kind.task == "regression" else _classes)(method, X - mean, y)
    return lambda Z: _output(kind, (Z - mean) @ coef + intercept)


def _output(kind: Kind, scores: np.ndarray) -> np.ndarray:
    if kind.task == "regression":
        return scores
    return class_probabilities(np.stack([np.zeros(len(scores)), scores], axis=1))


def _numbers(method: str, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    n, center = len(y), y.mean()
    if method == "lasso":
        return _lasso(X, y, 0.5 * float(y.std()), "squared")
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    lams = np.zeros(1) if method == "none" else s[0] ** 2 * np.logspace(-5, 1, 25)
    shrink = s**2 / (s**2 + lams[:, None])
    rest = np.square((y - center) - (shrink * (U.T @ y)) @ U.T).mean(axis=1) / np.square(
        1 - (shrink.sum(axis=1) + 1) / n
    )
    return Vt.T @ ((shrink / s)[rest.argmin()] * (U.T @ y)), float(center)


def _lasso(X: np.ndarray, y: np.ndarray, scale: float, loss: str) -> tuple[np.ndarray, float]:
    path = sw.path(X, y, sw.L1(1.0), loss=loss, lambdas=[scale * np.sqrt(2 * np.log(X.shape[1] + 1) / len(y))])
    return np.ravel(path.coefs[0]), float(np.ravel(path.intercepts[0])[0])


def _classes(method: str, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Logistic regression by Newton steps; without penalty with the tiny ridge of the comparison."""
    n, p = X.shape
    if method == "lasso":
        return _lasso(X, y, 0.25, "logistic")
    lam = 2e-6 if method == "none" else 0.5 * p / n
    A, w, penalty = np.column_stack([X, np.ones(n)]), np.zeros(p + 1), np.append(np.full(p, lam), 0.0)
    for _ in range(30):
        q = 1 / (1 + np.exp(-np.clip(A @ w, -30, 30)))
        step = np.linalg.solve(
            (A.T * (q * (1 - q))) @ A / n + np.diag(penalty + 1e-12), A.T @ (q - y) / n + penalty * w
        )
        w = w - step * min(1.0, 5.0 / np.abs(step).max())
        if np.abs(step).max() < 1e-8:
            break
    return w[:-1], float(w[-1])


def once(kind: Kind, n: int, seed: int, fresh: tuple[np.ndarray, np.ndarray]) -> dict:
    """One table: for each pair the truth about the given models and the two intervals."""
    rng = np.random.default_rng(seed)
    X, y = kind.draw(n, rng)
    splits = folds(y, FOLDS, task=kind.task, random_state=seed)
    methods = sorted({name for pair in PAIRS for name in pair})
    scores = {name: np.empty(FOLDS) for name in methods}
    risks = {name: np.empty(FOLDS) for name in methods}
    losses: dict[str, list[np.ndarray]] = {name: [] for name in methods}
    for k, (train, test) in enumerate(splits):
        for name in methods:
            model = fitted(name, kind, X[train], y[train])
            output = model(X[test])
            scores[name][k] = held_out_score(kind.task, y[test], output)
            risks[name][k] = held_out_score(kind.task, fresh[1], model(fresh[0]))
            losses[name].append(row_losses(kind.task, y[test], output))
    sizes = n * (1 - 1 / FOLDS), n / FOLDS
    found = {}
    for a, b in PAIRS:
        old = paired_interval(scores[b] - scores[a], *sizes)
        new = row_difference(losses[b], losses[a], sizes[0], root=kind.task == "regression").interval()
        found[f"{b} − {a}"] = [float((risks[b] - risks[a]).mean()), old, new]
    return found


def summarized(truth: np.ndarray, intervals: np.ndarray) -> dict:
    """Coverage of both targets, power and wrong claims, width."""
    low, high = intervals[:, 1], intervals[:, 2]
    typical = truth.mean()
    return {
        "covers_given": float(np.mean((low <= truth) & (truth <= high))),
        "covers_size": float(np.mean((low <= typical) & (typical <= high))),
        "found": float(np.mean(((low > 0) & (truth > 0)) | ((high < 0) & (truth < 0)))),
        "wrong": float(np.mean(((low > 0) & (truth <= 0)) | ((high < 0) & (truth >= 0)))),
        "width": float(np.mean(high - low)),
    }


def measured(name: str, n: int, repeats: int) -> dict:
    """All pairs on one kind of table."""
    kind = KINDS[name]
    fresh = kind.draw(max(8000, 20 * n), np.random.default_rng(10**6))
    tries = [once(kind, n, seed, fresh) for seed in range(repeats)]
    found = {}
    for pair in tries[0]:
        truth = np.array([each[pair][0] for each in tries])
        found[pair] = {"true_difference": float(truth.mean())} | {
            rule: summarized(truth, np.array([each[pair][i] for each in tries]))
            for i, rule in ((1, "folds"), (2, "rows"))
        }
    return found


def main() -> None:
    """Run all kinds and numbers of rows; a line for each pair, and the numbers are kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--rows", type=int, nargs="+", default=[60, 120, 500, 5000])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="KIND")
    asked = parser.parse_args()
    cells = [(name, n) for n in asked.rows for name in asked.kinds]
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        many = Parallel(n_jobs=asked.jobs, return_as="generator")(
            delayed(measured)(name, n, asked.repeats) for name, n in cells
        )
        for (name, n), found in zip(cells, many, strict=True):
            kept[f"{name}, n = {n}"] = {"repeats": asked.repeats} | found
            for pair, each in found.items():
                old, new = each["folds"], each["rows"]
                print(
                    f"{name:22} {n:5} {pair:14} {each['true_difference']:+.4f}   rows: covers {new['covers_given']:.3f} "
                    f"{new['covers_size']:.3f} found {new['found']:.3f} wrong {new['wrong']:.3f} width {new['width']:.4f}   "
                    f"folds: covers {old['covers_given']:.3f} {old['covers_size']:.3f} found {old['found']:.3f} "
                    f"wrong {old['wrong']:.3f} width {old['width']:.4f}",
                    flush=True,
                )
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
