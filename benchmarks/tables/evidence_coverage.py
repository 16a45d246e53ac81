"""Intervals of predictions on fresh rows: coverage and width of `shrinkwise fit --effort quick`, and MAPIE's on the same model.

A quarter of each table is drawn as fresh rows, `--splits` times. Printed for each table, as means over the splits, at 90 %:
fresh rows; coverage, coverage in the worst third of the predictions, mean width; the same of MAPIE's cross-conformal
regressor (CV+, absolute residuals, five folds) around the estimator that was kept, with its λ; seconds of the intervals. For
classes: coverage and mean size of the sets. MAPIE is used if it can be imported.

    SHRINKWISE_DATA=../shared/data python -m benchmarks.tables.evidence_coverage [--splits 5] [TABLE …]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.tables.evidence_tables import loaded as classes_loaded

import shrinkwise as sw
from shrinkwise.compare.scoring import conformal
from shrinkwise.models.table_model import TableModel

DATA = Path(os.environ.get("SHRINKWISE_DATA", "../shared/data"))
RESULTS = Path(__file__).parents[1] / "results" / "coverage.json"
LEVEL = 0.9
FILES = {"california": "california", "diabetes": "diabetes64", "prostate": "prostate"}
FILES |= {name: f"uci_{name}" for name in ("concrete", "energy", "yacht", "wine")}
FILES |= {name: f"ucireg_{name}" for name in ("airfoil", "bike")}
NUMBERS = ("concrete", "energy", "yacht", "wine", "airfoil", "bike", "california", "diabetes", "prostate", "simulated")
CLASSES = ("segment", "car", "adult")


def numbers(name: str) -> pl.DataFrame:
    """A table with a numeric target y."""
    if name == "simulated":
        rng = np.random.default_rng(9)
        X = rng.normal(size=(2000, 6))
        y = 2 * X[:, 0] + X[:, 1] + np.exp(0.7 * X[:, 2]) * rng.normal(size=2000)
    else:
        arrays = np.load(DATA / f"{FILES[name]}.npz", allow_pickle=True)
        X, y = np.asarray(arrays["X"], dtype=float), np.asarray(arrays["y"], dtype=float)
    columns = {f"x{j}": pl.Series(X[:, j], nan_to_null=True) for j in range(X.shape[1])}
    return pl.DataFrame(columns | {"y": y})


class Kept:
    """The estimator that was kept, as scikit-learn's interface: ridge or lasso at its λ, on encoded inputs."""

    def __init__(self, model=None):
        self.model = model

    def get_params(self, deep: bool = True) -> dict:
        """The penalty."""
        return {"model": self.model}

    def set_params(self, **given):
        """Another penalty."""
        self.model = given.get("model", self.model)
        return self

    def fit(self, X, y, sample_weight=None):
        """Fit with the target in units of its standard deviation, as the candidates do."""
        self.scale_ = float(np.std(y))
        self.fitted_ = sw.PenalizedRegressor(self.model).fit(X, y / self.scale_, sample_weight)
        return self

    def predict(self, X):
        """Predictions."""
        return self.fitted_.predict(X) * self.scale_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fitted_")

    def __sklearn_tags__(self):
        from sklearn.base import BaseEstimator, RegressorMixin

        return type("Tagged", (RegressorMixin, BaseEstimator), {})().__sklearn_tags__()


PENALTIES = {
    "no penalty": lambda settings: sw.L2(0.0),
    "ridge": lambda settings: sw.L2(settings["λ"]),
    "lasso": lambda settings: sw.L1(settings["λ"]),
    "elastic net": lambda settings: sw.ElasticNet(settings["λ"], settings["l1_ratio"]),
    "MCP": lambda settings: sw.MCP(settings["λ"]),
}


def mapie(result, frame: pl.DataFrame, fresh: pl.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    """MAPIE's intervals of the fresh rows around the kept estimator; None without MAPIE or for another candidate."""
    name, model = result.comparison.chosen.candidate.name, result.model
    if name not in PENALTIES or find_spec("mapie") is None:
        return None
    from mapie.regression import CrossConformalRegressor

    X, y = model.encoder.transform(frame), model.plan.target_values(frame)
    penalty = PENALTIES[name](result.comparison.fit.settings)
    wrapped = CrossConformalRegressor(Kept(penalty), confidence_level=LEVEL, cv=5, method="plus", random_state=0)
    found = wrapped.fit_conformalize(X, y).predict_interval(model.encoder.transform(fresh))[1]
    return found[:, 0, 0], found[:, 1, 0]


def measured(low, high, truth, predicted) -> dict:
    """Coverage, that of the worst third of the predictions, and mean width."""
    inside = (low <= truth) & (truth <= high)
    thirds = np.array_split(np.argsort(predicted, kind="stable"), 3)
    return {"coverage": inside.mean(), "worst": min(inside[t].mean() for t in thirds), "width": np.mean(high - low)}


def on_numbers(name: str, split: int) -> dict:
    """One split of one table."""
    frame = numbers(name)
    order = np.random.default_rng([split, 1]).permutation(frame.height)
    frame, fresh = frame[order[frame.height // 4 :]], frame[order[: frame.height // 4]]
    spent = Stopwatch()
    result = sw.fit(frame, "y", effort="quick", n_jobs=1, seed=split, methods=("ridge", "lasso"), stability_pairs=0)
    seconds = spent.stop()
    table, truth = result.predict(fresh, interval=LEVEL), fresh["y"].to_numpy()
    low, high, predicted = (table[column].to_numpy() for column in ("low", "high", "prediction"))
    found = {"fresh": fresh.height, **measured(low, high, truth, predicted), "seconds": seconds}
    found["how"] = result.comparison.intervals.how
    theirs = mapie(result, frame, fresh)
    return found | ({} if theirs is None else {f"MAPIE {k}": v for k, v in measured(*theirs, truth, predicted).items()})


class Stopwatch:
    """Seconds spent in `kept_intervals`, which `compare_table` calls once."""

    def __init__(self):
        from shrinkwise.compare import comparison

        self.module, self.real, self.seconds = comparison, conformal.kept_intervals, 0.0
        comparison.kept_intervals = self._timed

    def _timed(self, *args):
        start = time.perf_counter()
        try:
            return self.real(*args)
        finally:
            self.seconds += time.perf_counter() - start

    def stop(self) -> float:
        """The seconds."""
        self.module.kept_intervals = self.real
        return self.seconds


def on_classes(name: str, split: int) -> dict:
    """One split of one table of classes."""
    frame, fresh, target = classes_loaded(name)
    if name != "adult":  # the other has an official split
        whole = pl.concat([frame, fresh])
        order = np.random.default_rng([split, 1]).permutation(whole.height)
        frame, fresh = whole[order[whole.height // 4 :]], whole[order[: whole.height // 4]]
    result = sw.fit(frame, target, effort="quick", n_jobs=1, seed=split, methods=("ridge", "lasso"), stability_pairs=0)
    model: TableModel = result.model
    inside = model.within(model.encoded(fresh), model.output(fresh), LEVEL)
    truth = model.plan.target_values(fresh).astype(int)
    right = model.output(fresh).argmax(axis=1) == truth
    covered = inside[np.arange(len(truth)), truth]
    return {
        "fresh": len(truth),
        "coverage": covered.mean(),
        "size": inside.sum(axis=1).mean(),
        "accuracy": right.mean(),
    }


def main() -> None:
    """Measure the tables asked for, and add them to results/coverage.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs="*", default=[*NUMBERS, *CLASSES], metavar="TABLE")
    parser.add_argument("--splits", type=int, default=5)
    asked = parser.parse_args()
    stored = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in asked.tables:
        once = on_numbers if name in NUMBERS else on_classes
        runs = [once(name, split) for split in range(1 if name == "adult" else asked.splits)]
        mean = {
            k: float(np.mean([run[k] for run in runs])) for k in runs[0] if k != "how" and all(k in r for r in runs)
        }
        mean |= {"splits": len(runs)} | ({"how": [run["how"] for run in runs]} if "how" in runs[0] else {})
        stored[name] = mean
        print(name, {k: round(v, 3) if isinstance(v, float) else v for k, v in mean.items()}, flush=True)
        RESULTS.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
