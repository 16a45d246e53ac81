"""Regularized candidates and boosted trees on the same fresh quarters of a table, over ten random splits.

For every split each candidate is tuned on three quarters of the rows and scored on the rest: log loss, or RMSE. Printed
are the mean and its standard error over the splits, and the mean of the paired differences from the trees with its own.
Splits of one table share rows, so that these standard errors are too small by up to a half. Goes into results/splits.json.

    SHRINKWISE_DATA=../shared/data python -m benchmarks.tables.evidence_splits [--splits 10] [TABLE …]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from benchmarks.tables.evidence_tables import all_rows

from shrinkwise.compare.candidates.registry import CANDIDATES
from shrinkwise.compare.metrics import held_out_score
from shrinkwise.compare.splits.splits import training_problem
from shrinkwise.service import FitRequest, Question
from shrinkwise.tables import Encoder

RESULTS = Path(__file__).parents[1] / "results" / "splits.json"
TABLES = ("sonar", "segment", "credit_g", "car")
COMPARED = ("lasso", "additive-lasso", "network-dropout", "network-cocktail", "trees")


def scored(name: str, split: int) -> dict[str, float]:
    """The scores of the candidates on the fresh rows of one split."""
    frame, target = all_rows(name)
    order = np.random.default_rng(1000 + split).permutation(frame.height)
    quarter = frame.height // 4
    train, fresh = frame[order[quarter:]], frame[order[:quarter]]
    question = Question.of(FitRequest(train, target, seed=split))
    plan, options = question.plan, question.options
    encoder, rows = Encoder(plan).fit(train), plan.used_rows(train)
    problem = training_problem(encoder.transform(rows), plan.target_values(rows), plan, options, split)
    Z, truth, found = encoder.transform(fresh), plan.target_values(fresh), {}
    has_numbers = any(column.kind == "number" for column in plan.kept)
    for each in CANDIDATES:
        if each.slug in COMPARED and (has_numbers or not each.needs_numbers):
            predictor = each.tune(problem, options).best.predictor
            found[each.slug] = held_out_score(plan.task, truth, predictor.output(Z))
    return found


def summary(scores: list[dict[str, float]]) -> dict[str, tuple[float, ...]]:
    """(mean, standard error, mean difference from the trees, its standard error) of each candidate."""
    found = {}
    for slug in scores[0]:
        own, trees = (np.array([row[of] for row in scores]) for of in (slug, "trees"))
        pair = [(each.mean(), each.std(ddof=1) / np.sqrt(len(each))) for each in (own, own - trees)]
        found[slug] = tuple(float(value) for both in pair for value in both)
    return found


def main() -> None:
    """Run the tables one after the other; lines as soon as they are there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs="*", default=TABLES, metavar="TABLE")
    parser.add_argument("--splits", type=int, default=10)
    asked = parser.parse_args()
    for name in asked.tables:
        start = time.perf_counter()
        found = summary([scored(name, split) for split in range(asked.splits)])
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(kept | {name: {"splits": asked.splits} | found}, indent=1) + "\n")
        for slug, (mean, error, difference, its) in found.items():
            print(
                f"{name:10} {slug:18} {mean:8.4f} ± {error:.4f}   minus trees {difference:+.4f} ± {its:.4f}", flush=True
            )
        print(f"{name:10} {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
