"""Peak memory and seconds of `shrinkwise fit` on a table of a million rows and 50 columns of numbers.

python -m benchmarks.tables.evidence_memory [--rows 1000000] [--format parquet|csv] [--methods ridge,lasso]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

COLUMNS = 50


def write(path: Path, rows: int) -> None:
    """49 normal inputs, ten of which make the target together with noise."""
    rng = np.random.default_rng(0)
    columns = {f"x{j}": rng.normal(size=rows) for j in range(COLUMNS - 1)}
    y = sum(columns[f"x{j}"] for j in range(10)) + rng.normal(size=rows)
    frame = pl.DataFrame(columns | {"y": y})
    if path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)


def main() -> None:
    """Write the table in a process of its own, fit it in this one, print the peak of this one."""
    import multiprocessing

    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--format", default="parquet")
    parser.add_argument("--methods", default="ridge,lasso")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"large.{asked.format}"
        writer = multiprocessing.get_context("spawn").Process(target=write, args=(path, asked.rows))
        writer.start()
        writer.join()
        from shrinkwise import cli

        start, busy = time.perf_counter(), time.process_time()
        run = ["fit", str(path), "--target", "y", "--effort", "quick", "--methods", asked.methods, "--jobs", "1"]
        code = cli.run([*run, "--out", str(Path(folder) / "run"), "--quiet"])
        size = asked.rows * COLUMNS * 8
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(
            f"exit {code}; {asked.rows} × {COLUMNS} from {asked.format} ({path.stat().st_size / 2**20:.0f} MiB on disk): peak "
            f"{peak / 2**20:.0f} MiB = {peak / size:.2f} × the numbers ({size / 2**20:.0f} MiB); "
            f"{time.perf_counter() - start:.0f} s, {time.process_time() - busy:.0f} s of processor time"
        )


if __name__ == "__main__":
    main()
