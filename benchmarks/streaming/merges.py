"""The tree of merges with 64 simulated workers: bytes that each of them sends, and the same digits as with one.

    python benchmarks/streaming/merges.py [--workers 64] [--rows 640_000] [--columns 30]

The source has four parts for each worker. A worker holds what its parts contribute; a merge of two contributions is done where
the left one is, so that the worker of the right one sends it, pickled as Dask does it.
"""

from __future__ import annotations

import argparse
import pickle
from collections import Counter
from functools import partial

import numpy as np
import polars as pl

import shrinkwise as sw
from shrinkwise.linear.losses import loss_of
from shrinkwise.linear.paths.streamed import SmoothRows
from shrinkwise.linear.problem.row_triangles import contribution, merged, triangles_of_rows
from shrinkwise.linear.solvers.streamed import sums
from shrinkwise.streaming.tree import Tree

FOLDS, N_LAMBDAS, PARTS = 5, 20, 4


def frames(rows: int, columns: int, count: int) -> list[pl.DataFrame]:
    """`count` frames with a measured target y and a binary one c."""
    rng, found = np.random.default_rng(0), []
    for _ in range(count):
        X = rng.normal(size=(rows // count, columns))
        eta = X[:, 0] - X[:, 1]
        frame = pl.DataFrame({f"x{j}": X[:, j] for j in range(columns)})
        c = (rng.uniform(size=len(X)) < 1.0 / (1.0 + np.exp(-eta))).astype(float)
        found.append(frame.with_columns(y=eta + rng.normal(size=len(X)), c=c))
    return found


def simulated(rows, contribute, merge, workers: int):
    """(the sum over all parts, Counter of the bytes that each worker sent, Counter of the messages)."""
    sent: Counter = Counter()
    messages: Counter = Counter()

    def joined(left, right):
        (here, a), (there, b) = left, right
        if here != there:
            message = pickle.dumps(b)
            sent[there] += len(message)
            messages[there] += 1
            b = pickle.loads(message)
        return here, merge(a, b)

    tree, first = Tree(joined), 0
    for k, part in enumerate(rows.parts):
        tree.add((k * workers // len(rows.parts), contribute(rows.blocks_of(part, first))))
        first += part.count()
    return tree.total()[1], sent, messages


def report(what: str, sent: Counter, messages: Counter, workers: int) -> None:
    """One line."""
    each = [sent[k] for k in range(workers)]
    print(
        f"{what}: {sum(messages.values())} messages, {sum(each) / 1e6:.2f} MB in all; a worker sends "
        f"{np.mean(each) / 1e3:.1f} kB on average and {max(each) / 1e3:.1f} kB at most, in {max(messages.values())} message(s)"
    )


def main() -> None:
    """Simulate the pass of least squares and a pass of logistic regression."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--workers", type=int, default=64)
    options.add_argument("--rows", type=int, default=640_000)
    options.add_argument("--columns", type=int, default=30)
    given = options.parse_args()
    parts = frames(given.rows, given.columns, PARTS * given.workers)
    rows = sw.rows([frame.drop("c") for frame in parts], "y")
    work = partial(contribution, rows=rows.shell, n_folds=FOLDS, seed=0)
    found, sent, messages = simulated(rows, work, merged, given.workers)
    known = triangles_of_rows(rows, FOLDS)
    assert all(np.array_equal(a.R, b.R) for a, b in zip(found, known, strict=True))
    report(f"least squares, {given.columns} columns, {FOLDS} folds", sent, messages, given.workers)

    rows = sw.rows([frame.drop("y") for frame in parts], "c")
    data = SmoothRows(rows, loss_of("logistic"), True, False)
    every = np.arange(given.columns)
    for what, columns in (("without Hessians", None), ("with a Hessian for each λ", every)):
        trials = [sums.Trial(np.zeros((1, given.columns)), np.zeros(1), columns=columns) for _ in range(N_LAMBDAS)]
        work = partial(sums._contribution, prepared=data.prepared, trials=trials)
        summed, sent, messages = simulated(rows, work, sums._merged, given.workers)
        alone = sums.evaluate(data.prepared, trials)
        assert all(np.array_equal(a.g, b.g) and a.loss == b.loss for a, b in zip(summed, alone, strict=True))
        report(f"a pass of logistic regression, {N_LAMBDAS} λ, {what}", sent, messages, given.workers)
    print("The digits are those of one worker.")


if __name__ == "__main__":
    main()
