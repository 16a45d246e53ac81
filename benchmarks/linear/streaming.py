"""Rows in blocks: rows per CPU second, peak memory, passes, and equality with the same rows in memory.

    python benchmarks/linear/streaming.py [--rows 10_000_000] [--columns 30] [--folder DIR] [--tasks read squares ...]

It writes Parquet files of a million rows each into a temporary folder and deletes them. Each measurement runs in a process of
its own, whose peak memory it reports. CPU seconds count all threads, also those that decode Parquet.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

FILE_ROWS = 1_000_000
FOLDS, N_LAMBDAS, REPEATS = 5, 100, 3


def write(folder: Path, rows: int, columns: int) -> tuple[float, float]:
    """(CPU seconds, megabytes) of Parquet files with a measured and a binary target."""
    start = time.process_time()
    w = np.where(np.arange(columns) % 3 == 0, 1.0 / (1.0 + np.arange(columns)), 0.0)
    for k, first in enumerate(range(0, rows, FILE_ROWS)):
        rng, n = np.random.default_rng(k), min(FILE_ROWS, rows - first)
        X = rng.normal(size=(n, columns))
        X[:, 1:] += 0.5 * X[:, :-1]
        eta = X @ w
        frame = pl.DataFrame({f"x{j}": X[:, j] for j in range(columns)})
        c = (rng.uniform(size=n) < 1.0 / (1.0 + np.exp(-eta))).astype(float)
        frame.with_columns(y=eta + rng.normal(size=n), c=c).write_parquet(folder / f"part-{k:03d}.parquet")
    return time.process_time() - start, sum(each.stat().st_size for each in folder.glob("*.parquet")) / 1e6


def measured(task: str, folder: Path) -> dict:
    """What one task in its own process reports."""
    run = subprocess.run(
        [sys.executable, __file__, "--task", task, "--folder", str(folder)], capture_output=True, text=True
    )
    if run.returncode:
        raise SystemExit(run.stderr)
    return json.loads(run.stdout.splitlines()[-1])


def rows_of(folder: Path, target: str, files: str = "*.parquet", scheduler=None):
    """The rows of the files with one of the two targets."""
    import shrinkwise as sw

    other = "c" if target == "y" else "y"
    rows = sw.rows(folder / files, target, scheduler=scheduler)
    return rows.map(lambda frame: frame.drop(other), [name for name in rows.inputs if name != other])


def squares(folder: Path) -> dict:
    """The lasso path of 100 λ with five folds."""
    import shrinkwise as sw

    rows = rows_of(folder, "y")
    fitted = sw.PenalizedRegressorCV(sw.L1(1.0), cv=FOLDS, n_lambdas=N_LAMBDAS).fit(rows)
    return {"rows": rows.n, "passes": fitted.n_passes_, "gap": float(fitted.path_.gaps.max())}


def read(folder: Path) -> dict:
    """Reading alone."""
    rows = rows_of(folder, "y")
    return {"rows": sum(len(block.matrix(rows.inputs)) for block in rows.blocks()), "passes": 1}


def logistic(folder: Path) -> dict:
    """The L1 path of 20 λ of logistic regression."""
    import shrinkwise as sw
    from shrinkwise.linear.losses import loss_of
    from shrinkwise.linear.paths.streamed import path_of_rows, read_rows

    rows = rows_of(folder, "c")
    data = read_rows(rows, loss_of("logistic"), True, False)
    fitted = path_of_rows(data, sw.L1(1.0), None, (20, None), 1e-6, 1000)
    solved = bool(fitted.solved.all())
    return {"rows": rows.n, "passes": data.passes, "gap": float(fitted.gaps.max()), "solved": solved}


def equality(folder: Path) -> dict:
    """The first file, in blocks and in memory: the largest difference of a coefficient."""
    import shrinkwise as sw
    from shrinkwise.streaming import fold_numbers

    frame = pl.read_parquet(folder / "part-000.parquet").drop("c")
    X, y = frame.drop("y").to_numpy(), frame["y"].to_numpy()
    fold = fold_numbers(0, len(y), FOLDS)
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS)]
    blocks = sw.PenalizedRegressorCV(sw.L1(1.0), cv=FOLDS).fit(sw.rows(frame, "y"))
    memory = sw.PenalizedRegressorCV(sw.L1(1.0), cv=folds).fit(X, y)
    path = float(np.abs(blocks.path_.coefs - memory.path_.coefs).max())
    losses = float(np.abs(blocks.cv_losses_ / memory.cv_losses_ - 1.0).max())
    return {
        "rows": len(y),
        "coefficients": path,
        "held-out losses": losses,
        "same λ": bool(np.isclose(blocks.lambda_, memory.lambda_, rtol=1e-12)),
    }


def growth(folder: Path) -> dict:
    """CPU seconds of the least-squares pass, with reading Parquet, against rows (30 columns) and columns (50,000 rows)."""
    from shrinkwise.linear.problem.row_triangles import triangles_of_rows

    triangles_of_rows(rows_of(folder, "y"), FOLDS)  # loads what is needed
    found: dict = {}
    sizes = {
        "n": [(n, 30) for n in (50_000, 100_000, 200_000, 400_000)],
        "p": [(50_000, p) for p in (25, 50, 100, 200)],
    }
    for what, shapes in sizes.items():
        seconds = []
        for shape in shapes:
            part = folder / f"{shape[0]}x{shape[1]}"
            part.mkdir()
            write(part, *shape)
            start = time.process_time()
            triangles_of_rows(rows_of(part, "y"), FOLDS)
            seconds.append(time.process_time() - start)
        axis = [shape["np".index(what)] for shape in shapes]
        slope = np.polyfit(np.log(axis), np.log(seconds), 1)[0]
        last = np.log(seconds[-1] / seconds[-2]) / np.log(2)
        found |= {f"seconds at {what} = {at:,}": s for at, s in zip(axis, seconds, strict=True)}
        found |= {f"slope in {what}": float(slope), f"slope of the last doubling of {what}": float(last)}
    return found


def cluster(folder: Path) -> dict:
    """Seconds of the least-squares pass with one and with two workers, each bound to a core of its own, in turn; the CPU
    seconds of every worker and of the client, with the scheduler, in the fastest run, and the ratio of the fastest runs, which
    says something on an idle machine only.

    A worker that is not bound decodes Parquet on other cores besides, so that one worker alone uses more than one.
    """
    found, best, known = {}, {}, None
    for _ in range(REPEATS):
        for workers in (1, 2):
            seconds, spent, client, factors, n = _on_workers(folder, workers)
            known = factors if known is None else known
            assert all(np.array_equal(a.R, b.R) for a, b in zip(factors, known, strict=True))
            if seconds < best.get(workers, np.inf):
                best[workers] = found[f"{workers} workers, seconds"] = seconds
                found[f"{workers} workers, CPU seconds of each"] = spent
                found[f"{workers} workers, CPU seconds of the client"] = client
    size = sum(each.R.nbytes for each in known)
    return found | {"ratio": best[1] / best[2], "rows": n, "bytes of a merge": size, "same digits": True}


def _bind(core: int) -> None:
    """Run all threads of this process on one core."""
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), {core})


def _on_workers(folder: Path, workers: int):
    """(seconds, CPU seconds of every worker and of the client, factors, rows) of the least-squares pass on a new cluster."""
    from distributed import Client, LocalCluster

    from shrinkwise.linear.problem.row_triangles import triangles_of_rows

    alone = {"POLARS_MAX_THREADS": "1"}  # a worker decodes Parquet on its own core only
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, env=alone) as local,
        Client(local) as client,
    ):
        client.run(__import__, "polars")
        cores = sorted(os.sched_getaffinity(0))
        for core, address in zip(cores, client.scheduler_info()["workers"], strict=False):
            client.run(_bind, core, workers=[address])
        triangles_of_rows(rows_of(folder, "y", "part-000.parquet", client), FOLDS)
        before, own, start = client.run(time.process_time), time.process_time(), time.perf_counter()
        rows = rows_of(folder, "y", scheduler=client)
        factors = triangles_of_rows(rows, FOLDS)
        seconds, own, after = time.perf_counter() - start, time.process_time() - own, client.run(time.process_time)
        return seconds, [round(after[k] - before[k], 2) for k in after], round(own, 2), factors, rows.n


TASKS = {task.__name__: task for task in (read, squares, logistic, equality, growth, cluster)}


def main() -> None:
    """Write the files, measure, print a table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=10_000_000)
    options.add_argument("--columns", type=int, default=30)
    options.add_argument("--folder", type=Path)
    options.add_argument("--tasks", nargs="+", choices=TASKS, default=["read", "squares", "logistic", "equality"])
    options.add_argument("--task", choices=TASKS)
    given = options.parse_args()
    if given.task:
        start = time.perf_counter(), time.process_time()
        found = TASKS[given.task](given.folder)
        found |= {"seconds": time.perf_counter() - start[0], "CPU seconds": time.process_time() - start[1]}
        status = Path("/proc/self/status").read_text().splitlines()  # ru_maxrss counts the parent process too
        found["peak MB"] = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1e3
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        seconds, size = write(folder, given.rows, given.columns)
        print(f"{given.rows:,} rows × {given.columns}: written in {seconds:.0f} CPU seconds, {size:,.0f} MB")
        for task in given.tasks:
            found = measured(task, folder)
            if "passes" in found:
                found["rows per CPU second and pass"] = round(found["rows"] * found["passes"] / found["CPU seconds"])
            print(
                task,
                {key: float(f"{value:.3g}") if isinstance(value, float) else value for key, value in found.items()},
            )


if __name__ == "__main__":
    main()
