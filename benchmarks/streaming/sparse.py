"""Sparse rows in blocks: an L1 path of logistic regression, beside scikit-learn's saga on the same rows in memory.

    python benchmarks/streaming/sparse.py [--rows 2_000_000] [--columns 200_000] [--peer] [--epochs 400]

The rows have 40 normal entries in random columns, of which one in a hundred has a weight, and lie in blocks in a temporary
folder that every pass reads. Each measurement runs in a process of its own. With --peer saga solves the same λ, each from the
last solution; its epochs are doubled until the gap is that of the path or 1e-6, up to --epochs at one λ.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array, vstack

BLOCK, STORED, N_LAMBDAS, RATIO = 50_000, 40, 10, 0.1


def weights(columns: int) -> np.ndarray:
    """The weights from which the classes are drawn, (p,)."""
    rng = np.random.default_rng(columns)
    w = np.zeros(columns)
    w[rng.choice(columns, columns // 100, replace=False)] = 2.0 * rng.normal(size=columns // 100)
    return w


def write(folder: Path, rows: int, columns: int) -> None:
    """The blocks as arrays of NumPy."""
    w = weights(columns)
    for k, first in enumerate(range(0, rows, BLOCK)):
        rng, n = np.random.default_rng([k, columns]), min(BLOCK, rows - first)
        values = rng.normal(size=n * STORED)
        X = csr_array(
            (
                values,
                rng.integers(0, columns, n * STORED, dtype=np.int32),
                np.arange(0, n * STORED + 1, STORED, dtype=np.int32),
            ),
            shape=(n, columns),
        )
        X.sum_duplicates()
        y = (rng.random(n) < 1.0 / (1.0 + np.exp(-(X @ w) - 0.3))).astype(float)
        for name, part in (("data", X.data), ("indices", X.indices), ("indptr", X.indptr), ("y", y)):
            np.save(folder / f"{k:04d}-{name}.npy", part)


def blocks(folder: Path, columns: int):
    """(X, y) of BLOCK rows each."""
    for k in range(len(list(folder.glob("*-y.npy")))):
        data, indices, indptr, y = (
            np.load(folder / f"{k:04d}-{name}.npy") for name in ("data", "indices", "indptr", "y")
        )
        yield csr_array((data, indices, indptr), shape=(len(y), columns)), y


def ours(folder: str, columns: int) -> dict:
    """The path."""
    import shrinkwise as sw
    from shrinkwise.linear.losses import loss_of
    from shrinkwise.linear.paths.streamed import path_of_rows, read_rows

    data = read_rows(sw.rows(lambda: blocks(Path(folder), columns)), loss_of("logistic"), True, False)
    found = path_of_rows(data, sw.L1(1.0), None, (N_LAMBDAS, RATIO), 1e-6, 1000)
    return {
        "passes": data.passes,
        "λ": found.lambdas.tolist(),
        "non-zero": found.n_nonzero.tolist(),
        "gaps": found.gaps.tolist(),
        "solved": bool(found.solved.all()),
        "working columns": int(data.store.there.sum()),
    }


def saga(folder: str, columns: int, lambdas: list, gaps: list, epochs: int) -> dict:
    """LogisticRegression(solver="saga"), whose intercept is not penalised, at the same λ until the gap is that of the path."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    X, y = (each for each in zip(*blocks(Path(folder), columns), strict=True))
    X, y = vstack(X, format="csr"), np.concatenate(y)
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)  # saga takes no others
    rows, model, found, seconds = len(y), None, [], 0.0
    for lam, gap in zip(lambdas, gaps, strict=True):
        model = (
            LogisticRegression(
                l1_ratio=1.0, C=1.0 / (lam * rows), solver="saga", tol=0.0, warm_start=True, max_iter=1, random_state=0
            )
            if model is None
            else model.set_params(C=1.0 / (lam * rows))
        )
        spent, size = 0, 1
        while True:
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.set_params(max_iter=size).fit(X, y)
            seconds += time.process_time() - start
            spent += size
            reached = relative_gap(X, y, model.coef_[0], model.intercept_[0], lam)
            if reached <= max(gap, 1e-6) or spent >= epochs:
                break
            size = min(spent, epochs - spent)
        found.append({"epochs": spent, "gap": reached})
    return {"λ": found, "CPU seconds of the fits": seconds}


def relative_gap(X, y, w, b, lam: float) -> float:
    """(P − D) / null loss of the L1 problem, with the residuals centred so that the dual point is feasible."""
    eta = X @ w + b
    v = 1.0 / (1.0 + np.exp(-eta)) - y
    v = v - v.mean()
    q = np.clip(y + min(1.0, lam / np.abs(X.T @ v / len(y)).max()) * v, 1e-300, 1.0 - 1e-16)
    dual = -np.mean(q * np.log(q) + (1.0 - q) * np.log1p(-q))
    rate = y.mean()
    null = -(rate * np.log(rate) + (1.0 - rate) * np.log1p(-rate))
    return float(np.mean(np.logaddexp(0.0, eta) - y * eta) + lam * np.abs(w).sum() - dual) / null


def measured(options: dict) -> dict:
    """What one of the two reports from a process of its own."""
    run = subprocess.run(
        [sys.executable, __file__, "--task", json.dumps(options)], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(run.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=2_000_000)
    options.add_argument("--columns", type=int, default=200_000)
    options.add_argument("--peer", action="store_true")
    options.add_argument("--epochs", type=int, default=400)
    options.add_argument("--task")
    given = options.parse_args()
    if given.task:
        task = json.loads(given.task)
        start = time.process_time()
        found = (saga if "lambdas" in task else ours)(**task)
        found["CPU seconds"] = time.process_time() - start
        found["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), given.rows, given.columns)
        source = {"folder": folder, "columns": given.columns}
        found = measured(source)
        print(json.dumps(found, ensure_ascii=False), flush=True)
        if given.peer:
            found = measured(source | {"lambdas": found["λ"], "gaps": found["gaps"], "epochs": given.epochs})
            print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main()
