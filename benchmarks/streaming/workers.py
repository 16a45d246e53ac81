"""A cross-validated lasso on one and on two Dask workers of this machine, each bound to a core, and what one process does.

    POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 python -m benchmarks.streaming.workers [--rows 10_000_000] [--rounds 3]

The client plans, merges nothing and solves the path: its processor time is the part that workers cannot share.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from distributed import Client, LocalCluster

import shrinkwise as sw

COLUMNS, FILES = 30, 20


def write(folder: Path, rows: int) -> None:
    """Files of normal inputs and a target of which three are the cause."""
    for k in range(FILES):
        X = np.random.default_rng(k).normal(size=(rows // FILES, COLUMNS))
        y = X[:, :3] @ [1.0, -0.5, 0.25] + np.random.default_rng(FILES + k).normal(size=len(X))
        pl.DataFrame({f"x{j}": X[:, j] for j in range(COLUMNS)}).with_columns(y=y).write_parquet(
            folder / f"{k:02d}.parquet"
        )


def bound(workers: list[str], dask_worker) -> float:
    """Bind a worker to its core; called on each of them."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[workers.index(dask_worker.address) % len(cores)]})
    return time.process_time()


def measured(files: list[Path], n_workers: int) -> tuple[float, float, list[float], np.ndarray]:
    """(seconds, processor seconds of the client, of every worker, coefficients) of a fit."""
    options = {"threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(n_workers=n_workers, **options) as cluster, Client(cluster) as client:
        client.run(bound, sorted(client.scheduler_info()["workers"]))
        fitted(files[:2], client)  # the workers import what they need
        before, busy, start = client.run(time.process_time), time.process_time(), time.perf_counter()
        model = fitted(files, client)
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        after = client.run(time.process_time)
    return seconds, busy, [after[worker] - before[worker] for worker in before], model.coef_


def fitted(files: list[Path], client: Client):
    """The model of all files."""
    return sw.PenalizedRegressorCV(sw.L1(1.0), cv=5).fit(sw.rows(files, target="y", scheduler=client))


def main() -> None:
    """Write the files, measure in turn, print medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), asked.rows)
        files = sorted(Path(folder).iterdir())
        found = [(measured(files, 1), measured(files, 2)) for _ in range(asked.rounds)]
    for name, runs in zip(("one worker", "two workers"), zip(*found, strict=True), strict=True):
        seconds, client, work, _ = zip(*runs, strict=True)
        seconds, client, work = map(statistics.median, (seconds, client, map(max, work)))
        print(
            f"{name}: {seconds:.2f} s; processor seconds: {client:.2f} of the client, {work:.2f} of the busiest worker"
        )
    by_clock = statistics.median(one[0] / two[0] for one, two in found)
    busy = statistics.median((one[1] + max(one[2])) / (two[1] + max(two[2])) for one, two in found)
    print(f"two workers: {by_clock:.2f} × by the clock, {busy:.2f} × by processor seconds")
    print("the same digits:", all(np.array_equal(one[3], two[3]) for one, two in found))


if __name__ == "__main__":
    main()
