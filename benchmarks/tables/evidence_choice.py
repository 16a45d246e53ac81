"""Which setting is kept: what the 1-SE rule costs on fresh rows and saves in inputs, the rule as it was beside as it is.

before: the strongest λ within one standard error of the lowest mean; the best instead where on the held-out rows it is more
        than one standard error of the best score worse.
now:    the strongest λ within one standard error of the *paired* difference to the best (`paired_one_standard_error`), the
        same on the held-out rows.
best:   `select="best"`.

Ten tables, split at random into at most 500 rows to learn from and at most 4000 fresh ones, and eight simulations; no
penalty, ridge and lasso, quick effort. Printed: the regret, the score on fresh rows less that of the best of the three, as
a share of the score of a constant prediction, mean ± standard error over the splits, and the mean number of inputs kept.

    SHRINKWISE_DATA=../shared/data python -m benchmarks.tables.evidence_choice [--splits 4] [--repeats 16] [NAME …]
"""

from __future__ import annotations

import argparse
import json
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.tables.evidence_tables import TABLES, loaded

import shrinkwise as sw
from shrinkwise.compare.candidates import choice, linear
from shrinkwise.compare.metrics import guess, held_out_score
from shrinkwise.compare.result import Row
from shrinkwise.compare.splits import splits
from shrinkwise.selection import mean_and_se, one_standard_error

RESULTS = Path(__file__).parents[1] / "results" / "choice.json"
MOST, FRESH = 500, 4000
RULES = {"before": "1se", "now": "1se", "best": "best"}

# rows, inputs, those that matter, their weight, task
SIMULATIONS = {
    "numbers, 100 × 20, 3 matter": (100, 20, 3, 0.3, "regression"),
    "numbers, 100 × 20, all matter": (100, 20, 20, 0.1, "regression"),
    "numbers, 100 × 8, all weak": (100, 8, 8, 0.15, "regression"),
    "numbers, 400 × 40, 5 matter": (400, 40, 5, 0.2, "regression"),
    "numbers, 100 × 10, noise": (100, 10, 0, 0.0, "regression"),
    "classes, 150 × 15, 3 matter": (150, 15, 3, 0.6, "binary"),
    "classes, 150 × 15, all matter": (150, 15, 15, 0.2, "binary"),
    "classes, 500 × 30, 5 matter": (500, 30, 5, 0.4, "binary"),
}


def simulated(name: str, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """(rows to learn from, fresh rows, target); neighbouring inputs are correlated by .5."""
    n, p, true, size, task = SIMULATIONS[name]
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + FRESH, p))
    for j in range(1, p):
        X[:, j] = 0.5 * X[:, j - 1] + np.sqrt(0.75) * X[:, j]
    signal = X[:, :: max(p // max(true, 1), 1)][:, :true].sum(axis=1) * size
    noise = rng.normal(size=len(X)) if task == "regression" else rng.logistic(size=len(X))
    y = signal + noise
    target = y if task == "regression" else np.where(y > 0, "yes", "no")
    frame = pl.DataFrame({f"x{j}": X[:, j] for j in range(p)} | {"y": target})
    return frame[:n], frame[n:], "y"


def split(name: str, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """A random split of a real table."""
    *parts, target = loaded(name)
    frame = pl.concat(parts)
    if frame[target].n_unique() < 50:  # classes that 500 rows would hold too few of are left out
        frame = frame.filter(pl.len().over(target) >= frame.height / 20)
    order = np.random.default_rng([seed, 7]).permutation(frame.height)
    known = min(MOST, 3 * frame.height // 4)
    return frame[order[:known]], frame[order[known : known + FRESH]], target


@contextmanager
def as_before(rule: str):
    """The rule as it was, while it is asked for."""
    paired, holds = choice.paired_one_standard_error, Row.one_se_holds

    def held(row: Row) -> bool:
        worse = "one_se" in row.differences and row.differences["one_se"].interval()[1] > 0
        return row.one_se is None or not (worse or row.one_se.score > row.best.score + row.best.se)

    if rule == "before":
        choice.paired_one_standard_error = lambda losses: one_standard_error(*mean_and_se(np.asarray(losses).T))
        Row.one_se_holds = property(held)
    try:
        yield
    finally:
        choice.paired_one_standard_error, Row.one_se_holds = paired, holds


@contextmanager
def fitted_once():
    """The rules differ in what they choose, not in what is fitted: every cross-validation is done once."""
    names, known = ("cross_validate", "_unpenalised_classifier"), {}

    def remembered(name, fit):
        def same(*args, **asked):
            problem = next(each for each in args if hasattr(each, "n_classes"))
            key = (name, repr(args[0])[:20], problem.seed, problem.X.shape, float(np.sum(problem.y)))
            if key not in known:
                known[key] = fit(*args, **asked)
            return known[key]

        return same

    fits = {name: getattr(linear, name) for name in names}
    of = splits.Disturbance.of
    splits.Disturbance.of = classmethod(lambda cls, encoder: None)  # no stress curves: nobody looks at them here
    for name, fit in fits.items():
        setattr(linear, name, remembered(name, fit))
    try:
        yield
    finally:
        for name, fit in fits.items():
            setattr(linear, name, fit)
        splits.Disturbance.of = of


def once(known: pl.DataFrame, fresh: pl.DataFrame, target: str, seed: int) -> dict[str, tuple[float, int]]:
    """Score on fresh rows, as a share of a constant prediction's, and inputs, for each rule."""
    found = {}
    for rule, select in RULES.items():
        with as_before(rule):
            asked = {"effort": "quick", "methods": ("none", "ridge", "lasso"), "stability_pairs": 0, "n_jobs": 1}
            result = sw.fit(known, target, test=fresh, select=select, seed=seed, **asked).comparison
        plan = result.plan
        rows = plan.used_rows(fresh)
        y = plan.target_values(plan.used_rows(known))
        constant = guess(plan.task, y, rows.height, len(plan.classes or []))
        base = held_out_score(plan.task, plan.target_values(rows), constant)
        found[rule] = (result.fresh.score / base, result.kept_usage.inputs)
    return found


def summarized(tries: list[dict[str, tuple[float, int]]]) -> dict:
    """Regret with its standard error and inputs, by rule; the regret of before less that of now likewise."""
    scores = np.array([[each[rule][0] for rule in RULES] for each in tries])
    regret = scores - scores.min(axis=1, keepdims=True)
    found: dict = {}
    for i, rule in enumerate(RULES):
        inputs = float(np.mean([each[rule][1] for each in tries]))
        found[rule] = {"score": float(scores[:, i].mean()), "regret": mean_and_se(regret[:, i]), "inputs": inputs}
    return found | {"before − now": mean_and_se(scores[:, 0] - scores[:, 1]), "repeats": len(tries)}


def main() -> None:
    """A line for each table and simulation; the numbers are kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=[*SIMULATIONS, *TABLES], metavar="NAME")
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=16)
    asked = parser.parse_args()
    for name in asked.names:
        make, repeats = (simulated, asked.repeats) if name in SIMULATIONS else (split, asked.splits)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tries = []
            for seed in range(repeats):
                with fitted_once():
                    tries.append(once(*make(name, seed), seed))
            found = summarized(tries)
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(kept | {name: found}, indent=1) + "\n")
        each = "   ".join(
            f"{rule} {found[rule]['regret'][0]:.4f} ± {found[rule]['regret'][1]:.4f} ({found[rule]['inputs']:.1f})"
            for rule in RULES
        )
        mean, se = found["before − now"]
        print(f"{name:32} regret (inputs): {each}   before − now {mean:+.4f} ± {se:.4f}", flush=True)


if __name__ == "__main__":
    main()
