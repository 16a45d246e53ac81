"""L1 logistic regression on rows in blocks, beside one epoch of SGDClassifier on the same stream, and saga in memory.

    python -m benchmarks.streaming.beside_sgd [--rows 1_000_000] [--columns 30]

The rows are Parquet files in a temporary folder. The path of 20 λ is solved to a gap of 1e-6. SGD is given one of its λ, and
sees every row once, in standardized columns whose means and deviations it is given. saga solves the same λ on the first tenth
of the rows. What is missing to the minimum is a share of the loss of the null model.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.linear.streaming import write

import shrinkwise as sw
from shrinkwise.linear.losses import loss_of
from shrinkwise.linear.paths.streamed import path_of_rows, read_rows

N_LAMBDAS = 20
LOSS = loss_of("logistic")


def blocks(rows):
    """(X, y) of every block."""
    return ((block.matrix(rows.inputs), block.numbers("c")) for block in rows.blocks())


def objective(rows, w, b) -> float:
    """Mean loss over all rows."""
    total, n = 0.0, 0
    for X, y in blocks(rows):
        total, n = total + float(LOSS.value(y, X @ w + b).sum()), n + len(y)
    return total / n


def sgd(rows, lam: float, mean, scale, average: bool):
    """(w, b, CPU seconds) of one epoch; the penalty counts in standardized columns."""
    from sklearn.linear_model import SGDClassifier

    model, start = (
        SGDClassifier(loss="log_loss", penalty="l1", alpha=lam, average=average, random_state=0),
        time.process_time(),
    )
    for X, y in blocks(rows):
        model.partial_fit((X - mean) / scale, y, classes=[0.0, 1.0])
    w = model.coef_[0] / scale
    return w, float(model.intercept_[0] - mean @ w), time.process_time() - start


def saga(X, y, lam: float):
    """(relative gap, CPU seconds) of saga with scikit-learn's tol of 1e-4 and of 1e-6."""
    from benchmarks.streaming.sparse import relative_gap
    from sklearn.linear_model import LogisticRegression

    for tol in (1e-4, 1e-6):
        model = LogisticRegression(
            l1_ratio=1.0, C=1.0 / (lam * len(y)), solver="saga", tol=tol, max_iter=1000, random_state=0
        )
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
        spent = time.process_time() - start
        yield tol, relative_gap(X, y, model.coef_[0], model.intercept_[0], lam), spent


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--columns", type=int, default=30)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), given.rows, given.columns)
        compare(
            sw.rows(Path(name) / "*.parquet", "c").map(
                lambda frame: frame.drop("y"), [f"x{j}" for j in range(given.columns)]
            )
        )


def compare(rows) -> None:
    """The three on the same rows, at the λ in the middle and at the end of the path."""
    list(blocks(rows))  # loads what is needed
    start = time.process_time()
    data = read_rows(rows, LOSS, True, True)
    found = path_of_rows(data, sw.L1(1.0), None, (N_LAMBDAS, None), 1e-6, 1000)
    seconds = time.process_time() - start
    print(
        f"{rows.n:,} rows × {data.p}, {N_LAMBDAS} λ: {seconds:.1f} CPU s, {data.passes} passes, gap ≤ {found.gaps.max():.1e}"
    )
    mean, scale, null = data.prepared.centre, data.column_scale, found.data.null_loss
    head = sw.rows(_head(rows, rows.n // 10), "c")
    X, y = (np.concatenate(each) for each in zip(*blocks(head), strict=True))
    for i in (N_LAMBDAS // 2, N_LAMBDAS - 1):
        lam = float(found.lambdas[i])
        own = found.coefs[i] * scale  # the penalty counts in standardized columns
        least = objective(rows, found.coefs[i], found.intercepts[i]) + lam * np.abs(own).sum()
        print(f"λ = λ_max / {found.lambdas[0] / lam:.0f}, {np.count_nonzero(own)} of {len(own)} inputs")
        for average in (False, True):
            w, b, seconds = sgd(rows, lam, mean, scale, average)
            above = objective(rows, w, b) + lam * np.abs(w * scale).sum() - least
            away = float(np.abs(w * scale - own).max())
            print(
                f"  SGD, one epoch{', averaged' if average else ''}: {seconds:.1f} CPU s, objective {above / null:.1e} of the "
                f"null loss above the minimum, a coefficient off by {away:.1e} at most (largest: {np.abs(own).max():.2g}), "
                f"{np.count_nonzero(w)} non-zero"
            )
        for tol, gap, seconds in saga((X - mean) / scale, y, lam):
            print(f"  saga in memory on {len(y):,} rows, tol {tol:g}: {seconds:.1f} CPU s, gap {gap:.1e}")


def _head(rows, n: int) -> pl.DataFrame:
    """The first n rows."""
    frames, there = [], 0
    for block in rows.blocks():
        frames.append(block.frame.head(n - there))
        there += frames[-1].height
        if there == n:
            break
    return pl.concat(frames)


if __name__ == "__main__":
    main()
