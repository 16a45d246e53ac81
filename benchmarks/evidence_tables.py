"""Ten real tables through `shrinkwise fit`: seconds, the model kept, and its score beside plain scikit-learn's.

A quarter of each table (the official test part of adult) takes no part and is the fresh test. Printed for each: seconds;
the candidate kept; its nested score and its score on the fresh rows with their 95 % intervals, and whether they agree
(differ by no more than 1.96 standard errors of the difference); scikit-learn's LogisticRegression (C = 1) or Ridge (α = 1)
on the same encoded inputs, and gradient-boosted trees, on the same fresh rows. One table at a time.

    SHRINKWISE_DATA=../shared/data python benchmarks/evidence_tables.py [--effort normal] [--budget SECONDS] [TABLE …]
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression, Ridge

from shrinkwise.compare.nested import training_problem
from shrinkwise.compare.options import Options
from shrinkwise.compare.reference import tune_trees
from shrinkwise.compare.scores import held_out_score
from shrinkwise.fitting import prepare
from shrinkwise.tables import Encoder, InputError, read_table

DATA = Path(os.environ.get("SHRINKWISE_DATA", "../shared/data"))
TABLES = ("sonar", "anneal", "car", "credit_g", "segment", "kr_vs_kp", "spam", "golub", "california", "adult")


def loaded(name: str) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """(the table to learn from, fresh rows, target)."""
    if name == "adult":
        frame = read_table(DATA / "adult.csv.gz")
        parts = [frame.filter(pl.col("split") == part).drop("split") for part in ("train", "test")]
        return parts[0], parts[1], "income"
    frame, target = _table(name)
    order = np.random.default_rng(0).permutation(frame.height)
    quarter = frame.height // 4
    return frame[order[quarter:]], frame[order[:quarter]], target


def _table(name: str) -> tuple[pl.DataFrame, str]:
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


def report(name: str, effort: str, budget: float | None) -> str:
    """One line on one table."""
    frame, fresh, target = loaded(name)
    start = time.perf_counter()
    question = prepare(frame, target, effort=effort, budget=budget)
    result = question.answer(test=fresh).comparison
    seconds = time.perf_counter() - start
    kept, exam = result.kept, result.exam
    error = np.hypot(kept.se, (exam.high - exam.low) / 3.92)
    agree = "agree" if abs(kept.score - exam.score) <= 1.96 * error else "DIFFER"
    linear, trees = plain(question.plan.used_rows(frame), question.plan.used_rows(fresh), question.plan)
    left = f"  left out: {', '.join(result.left_out)}" if result.left_out else ""
    return (
        f"{name:10} {frame.height:6} × {len(question.plan.kept):<5} {seconds:6.0f} s  {result.chosen.candidate.name:22} "
        f"nested {kept.score:9.4g} ± {kept.se:<8.3g} fresh {exam.score:9.4g} [{exam.low:.4g}, {exam.high:.4g}] {agree}  "
        f"sklearn {linear:9.4g}  trees {trees:9.4g}{left}"
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
            print(report(name, asked.effort, asked.budget), flush=True)
        except InputError as error:
            print(f"{name:10} {error}", flush=True)


if __name__ == "__main__":
    main()
