"""Does the nested score say what fresh rows will show? Many splits of one table, the lasso beside no penalty.

A random quarter of the rows takes no part; the kept model's nested score is compared with its score on them. Printed for
each table: the share of splits in which the 95 % interval of the difference (`independent_interval`) holds zero, and the
mean difference with its standard error, which would show a bias.

    SHRINKWISE_DATA=../shared/data python -m benchmarks.tables.evidence_nested [--splits 40] [TABLE …]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.tables.evidence_tables import loaded
from joblib import Parallel, delayed

import shrinkwise as sw

RESULTS = Path(__file__).parents[1] / "results" / "nested.json"
TABLES = ("credit_g", "sonar", "anneal", "spam")


def difference(name: str, split: int) -> tuple[float, float, float]:
    """The interval of fresh minus nested score, on one split."""
    parts = loaded(name)
    frame, target = pl.concat(parts[:2]), parts[2]
    order = np.random.default_rng([split, 1]).permutation(frame.height)
    fresh, known = frame[order[: frame.height // 4]], frame[order[frame.height // 4 :]]
    asked = {"effort": "quick", "methods": ("none", "lasso"), "stability_pairs": 0, "n_jobs": 1, "seed": split}
    return sw.fit(known, target, test=fresh, **asked).comparison.fresh_interval()


def main() -> None:
    """Print a line for each table and keep the numbers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs="*", default=TABLES, metavar="TABLE")
    parser.add_argument("--splits", type=int, default=40)
    asked = parser.parse_args()
    found = {}
    for name in asked.tables:
        tries = np.array(Parallel(n_jobs=2)(delayed(difference)(name, split) for split in range(asked.splits)))
        held = float(np.mean((tries[:, 1] <= 0) & (tries[:, 2] >= 0)))
        mean, se = float(tries[:, 0].mean()), float(tries[:, 0].std(ddof=1) / np.sqrt(len(tries)))
        found[name] = {"splits": asked.splits, "interval_holds_zero": held, "fresh_minus_nested": [mean, se]}
        print(
            f"{name:10} {held:.0%} of {asked.splits} intervals hold zero; fresh − nested {mean:+.4f} ± {se:.4f}",
            flush=True,
        )
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
