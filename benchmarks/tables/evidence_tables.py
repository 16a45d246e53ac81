"""Ten real tables through `shrinkwise fit`: seconds, the model kept, and its score beside plain scikit-learn's.

A quarter of each table (the official test part of adult) takes no part and is the fresh test. Printed for each: seconds;
the candidate kept; its nested score and its score on the fresh rows, and whether they agree (the 95 % interval of their
difference, `independent_interval`, holds zero); scikit-learn's LogisticRegression (C = 1) or Ridge (α = 1) on the same
encoded inputs, and gradient-boosted trees, on the same fresh rows. One table at a time; each goes into results/tables.json.

    SHRINKWISE_DATA=../shared/data python -m benchmarks.tables.evidence_tables [--effort normal] [--budget SECONDS] [TABLE …]
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression, Ridge

from shrinkwise.compare.candidates.trees import tune_trees
from shrinkwise.compare.metrics import held_out_score
from shrinkwise.compare.options import Options
from shrinkwise.compare.splits.splits import training_problem
from shrinkwise.service import FitRequest, Question
from shrinkwise.tables import Encoder, InputError, read_table

DATA = Path(os.environ.get("SHRINKWISE_DATA", "../shared/data"))
RESULTS = Path(__file__).parents[1] / "results" / "tables.json"
TABLES = ("sonar", "anneal", "car", "credit_g", "segment", "kr_vs_kp", "spam", "golub", "california", "adult")


def loaded(name: str) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """(the table to learn from, fresh rows, target)."""
    if name == "adult":
        frame = read_table(DATA / "adult.csv.gz")
        parts = [frame.filter(pl.col("split") == part).drop("split") for part in ("train", "test")]
        return parts[0], parts[1], "income"
    frame, target = all_rows(name)
    order = np.random.default_rng(0).permutation(frame.height)
    quarter = frame.height // 4
    return frame[order[quarter:]], frame[order[:quarter]], target


def all_rows(name: str) -> tuple[pl.DataFrame, str]:
    """All rows of a table, and its target."""
    if (DATA / f"tab_{name}.csv.gz").exists():
        frame = read_table(DATA / f"tab_{name}.csv.gz")
        return frame, frame.columns[-1]
    arrays = np.load(DATA / {"golub": "micro_golub.npz"}.get(name, f"{name}.npz"), allow_pickle=True)
    X, y = arrays["X"], arrays["y"]
    columns = {f"x{j}": X[:, j] for j in range(X.shape[1])}
    if name == "california":
        names = ["longitude", "latitude", "age", "rooms", "bedrooms", "population", "households", "income", "ocean"]
        columns = dict(zip(names, X.T, strict=True))
        columns["ocean"] = np.array([str(arrays["ocean"][int(code)]) for code in X[:, 8]])
        return pl.DataFrame(columns | {"value": y}), "value"
    return pl.DataFrame(columns | {"y": y.astype(int).astype(str)}), "y"


def plain(frame: pl.DataFrame, fresh: pl.DataFrame, plan) -> tuple[float, float]:
    """Scores on the fresh rows of scikit-learn's default linear model and of the trees, on the same encoded inputs."""
    encoder = Encoder(plan).fit(frame)
    X, y = encoder.transform(frame), plan.target_values(frame)
    Z, truth = encoder.transform(fresh), plan.target_values(fresh)
    model = Ridge() if plan.classes is None else LogisticRegression(max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    output = model.predict(Z) if plan.classes is None else model.predict_proba(Z)
    trees = tune_trees(training_problem(X, y, plan, Options(), 0), Options()).best.predictor
    return held_out_score(plan.task, truth, output), held_out_score(plan.task, truth, trees.output(Z))


def measured(name: str, effort: str, budget: float | None) -> dict:
    """What one table showed."""
    frame, fresh, target = loaded(name)
    start = time.perf_counter()
    question = Question.of(FitRequest(frame, target, test=fresh, effort=effort, budget=budget))
    result = question.answer().comparison
    seconds = time.perf_counter() - start
    kept, scored, plan = result.kept, result.fresh, question.plan
    linear, trees = plain(plan.used_rows(frame), plan.used_rows(fresh), plan)
    shared = {"effort": effort, "rows": frame.height, "inputs": len(plan.kept), "seconds": round(seconds)}
    return shared | {
        "score": "RMSE" if plan.classes is None else "log loss",
        "kept": f"{result.chosen.candidate.name}, {result.choice}",
        "nested": kept.score,
        "nested_interval": result.fold_interval(kept.scores),
        "nested_at_best": result.chosen.best.score,
        "fresh": scored.score,
        "fresh_interval": (scored.low, scored.high),
        "difference": result.fresh_interval(),
        "sklearn": linear,
        "trees": trees,
        "left_out": list(result.left_out),
        "candidates": {
            row.candidate.name: {
                "best": row.best.score,
                "one_se": row.one_se and row.one_se.score,
                "balanced_accuracy": row.best.balanced,
                "seconds": round(row.seconds, 1),
            }
            for row in result.rows
        },
    }


def line(name: str, found: dict) -> str:
    """One line on one table."""
    _, low, high = found["difference"]
    agree = "agree" if low <= 0 <= high else "DIFFER"
    left = f"  left out: {', '.join(found['left_out'])}" if found["left_out"] else ""
    nested, fresh = found["nested_interval"], found["fresh_interval"]
    return (
        f"{name:10} {found['rows']:6} × {found['inputs']:<5} {found['seconds']:5} s  {found['kept']:30} "
        f"nested {nested[0]:9.4g} [{nested[1]:.4g}, {nested[2]:.4g}] fresh {found['fresh']:9.4g} [{fresh[0]:.4g}, "
        f"{fresh[1]:.4g}] {agree}  sklearn {found['sklearn']:9.4g}  trees {found['trees']:9.4g}{left}"
    )


def main() -> None:
    """Run the tables one after the other; a line each as soon as it is there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs="*", default=TABLES, metavar="TABLE")
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--budget", type=float)
    asked = parser.parse_args()
    for name in asked.tables:
        try:
            found = measured(name, asked.effort, asked.budget)
            kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            RESULTS.write_text(json.dumps(kept | {name: found}, indent=1) + "\n")
            print(line(name, found), flush=True)
        except InputError as error:
            print(f"{name:10} {error}", flush=True)


if __name__ == "__main__":
    main()
