"""`shrinkwise fit --engine stream` on a CSV file, end to end, beside pandas with scikit-learn's LassoCV on the same file.

python -m benchmarks.tables.evidence_streamed [--rows 1000000] [--format csv|parquet]

Either runs in a process of its own on one thread. shrinkwise finds the types of the columns, compares no penalty with the
lasso by 5-fold nested cross-validation on 50 λ and writes the report and the model; the other reads the numbers and fits
LassoCV with 5 folds on 50 λ.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .evidence_memory import COLUMNS, write

_PEER = """
import sys, pandas
from sklearn.linear_model import LassoCV
frame = getattr(pandas, "read_" + sys.argv[2])(sys.argv[1])
y = frame.pop("y").to_numpy()
model = LassoCV(cv=5, alphas=50).fit(frame.to_numpy(), y)
print(model.alpha_)
"""


def measured(command: list[str]) -> tuple[float, float, float]:
    """(seconds, seconds of processor time, peak memory in MiB) of a command on one thread."""
    single = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")}
    start = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **single}, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{command[:4]} ended with status {status}")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Write the table, run both, print what they took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--format", default="csv")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"large.{asked.format}"
        write(path, asked.rows)
        run = [sys.executable, "-m", "shrinkwise", "fit", str(path), "--target", "y", "--engine", "stream", "--quiet"]
        own = measured([*run, "--methods", "lasso", "--jobs", "1", "--out", str(Path(folder) / "run")])
        peer = measured([sys.executable, "-c", _PEER, str(path), asked.format])
        size = path.stat().st_size / 2**20
        print(f"{asked.rows} × {COLUMNS} from {asked.format} ({size:.0f} MiB on disk)")
        for name, (seconds, busy, peak) in (("shrinkwise", own), ("pandas, LassoCV", peer)):
            print(f"{name}: {seconds:.0f} s, {busy:.0f} s of processor time, peak {peak:.0f} MiB")
        print(f"ratios: {own[0] / peer[0]:.2f}, {own[1] / peer[1]:.2f}, {own[2] / peer[2]:.2f}")


if __name__ == "__main__":
    main()
