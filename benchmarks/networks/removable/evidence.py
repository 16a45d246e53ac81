"""Networks trained with a penalty on removable groups, then compacted: what is gone, what it costs, how much faster.

Protocol. Every λ of a case's grid is tried with one seed and scored on 10 000 held-out training images; the λ kept is the
smallest one whose reduction there reaches the aim. Networks of three other seeds are trained at it, and dense ones for
equally many epochs; both are scored on the test images, without any training after the penalty. Milliseconds are of
processor time, medians of passes of 64 images in turn on one thread.

Aims, means over the seeds: LeNet-5 and ResNet-20 ≥ 2.1× fewer multiply-adds at ≤ .1 point of error and ≥ 1.5× faster; the
transformer ≥ 40 % of the parameters gone at ≤ 1 % of the loss, and onnxruntime's outputs within 1e-5; LeNet-300-100 ≤ 25 %
of the parameters at ≤ .1 point.

    python -m benchmarks.networks.removable.evidence [CASE ...]

Every finished run is kept in results/removable.json and is not repeated; delete the file to start anew. Data: MNIST (LeCun,
Cortes, Burges) from $SHRINKWISE_DATA. One to four minutes of processor time a run.
"""

from __future__ import annotations

import json
import statistics
import sys

import torch
from benchmarks.common import RESULTS, save
from benchmarks.networks.removable.training import CASES, Run, mnist

CHOICE_SEED, SEEDS = 100, (0, 1, 2)
#: name: (what is reduced, by how much, grid)
AIMS = {
    "LeNet-5": ("macs", 2.1, (8e-5,)),
    "ResNet-20": ("macs", 2.1, (4.5e-5, 6e-5)),
    "transformer": ("parameters", 1.7, (2e-4, 2.5e-4)),
    "LeNet-300-100": ("parameters", 4.0, (1.4e-5,)),
}


class Results:
    """The finished runs, on disk as soon as they are finished."""

    def __init__(self):
        path = RESULTS / "removable.json"
        self.rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
        self.train, self.held_out, self.test = mnist()

    def of(self, case: str, lam: float, seed: int) -> dict:
        """The row of a run, carried out if it is not there yet: the seed of the choice is scored on held-out images."""
        for row in self.rows:
            if (row["case"], row["lam"], row["seed"]) == (case, lam, seed):
                return row
        row = Run(case, lam, seed).carry_out(self.train, self.held_out if seed == CHOICE_SEED else self.test)
        self.rows.append(row)
        save("removable", self.rows, ["shrinkwise", "torch"])
        print(f"{case}, λ {lam:g}, seed {seed}: {row['trained']}, {row['processor_seconds']:.0f} CPU s", flush=True)
        return row


def reduction(row: dict, what: str) -> float:
    """How many times less of it there is."""
    return row[what][0] / row[what][1]


def chosen(results: Results, case: str) -> float | None:
    """The smallest λ of the grid whose reduction on the seed of the choice reaches the aim."""
    what, least, grid = AIMS[case]
    return next((lam for lam in grid if reduction(results.of(case, lam, CHOICE_SEED), what) >= least), None)


def report(results: Results, case: str) -> None:
    """Print the means over the seeds."""
    lam = chosen(results, case)
    if lam is None:
        print(f"{case}: no λ of the grid reaches the aim")
        return
    dense = [results.of(case, 0.0, seed) for seed in SEEDS]
    sparse = [results.of(case, lam, seed) for seed in SEEDS]

    def spread(values) -> str:
        values = list(values)
        return f"{statistics.mean(values):.3f} ± {statistics.stdev(values) / len(values) ** 0.5:.3f}"

    print(f"\n{case}, λ = {lam:g}, seeds {SEEDS}")
    for name in ("error", "loss"):
        print(
            f"  {name}: dense {spread(r['trained'][name] for r in dense)}, compact {spread(r['compact'][name] for r in sparse)}"
        )
    for what in ("parameters", "macs", "milliseconds"):
        print(f"  {what}: {spread(reduction(r, what) for r in sparse)} times less; {[r[what] for r in sparse]}")
    print(f"  largest relative difference of the outputs: {max(r['relative_diff'] for r in sparse):.1g}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = Results()
    for name in sys.argv[1:] or CASES:
        report(found, name)
