"""How the lasso path grows: seconds against n, p, non-zeros and number of λ, log-log with the slope, and peak memory over X.

Memory is the peak of a fresh process during the path, X included, as a multiple of the bytes of X: libraries are loaded and
a small path is fitted before X is read, so that only X and the solver count. The path that is returned is part of it: its
non-zero coefficients, 12 bytes each, are stated beside the peak.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from benchmarks.common import RESULTS, save
from benchmarks.linear.data import Problem, grid, regression, sparse_regression
from benchmarks.linear.peers import SOLVERS
from threadpoolctl import threadpool_limits

from shrinkwise import L1, path
from shrinkwise.linear.problem.gram_storage import GrowingGram

# (what grows, the arguments of `lasso` for it)
SERIES: dict[str, list[tuple[int, tuple]]] = {
    "rows n (p = 500)": [(n, ((n, 500),)) for n in (1000, 2000, 4000, 8000, 16000, 32000)],
    "columns p (n = 500)": [(p, ((500, p),)) for p in (1000, 2000, 4000, 8000, 16000, 32000)],
    "non-zeros (sparse 4000×20000)": [(4000 * k, ((4000, 20000, k),)) for k in (5, 10, 20, 40, 80, 160, 320)],
    "number of λ (2000×1000)": [(k, ((2000, 1000), k)) for k in (10, 30, 100, 300, 1000)],
}
MEMORY = {
    "dense 10000×1000": (10000, 1000),
    "dense 1000×10000": (1000, 10000),
    "dense 100×20000": (100, 20000),
    "sparse 20000×100000, 100 a row": (20000, 100000, 100),
}


def lasso(size: tuple, n_lambdas: int = 100) -> Problem:
    """Dense (n, p) or sparse (n, p, values a row), λ down to λ_max/100."""
    X, y = regression(*size) if len(size) == 2 else sparse_regression(*size)
    problem = Problem("l1", X, y, lambdas=None)
    problem.lambdas = grid(problem, n_lambdas, 0.01)
    return problem


def seconds(problem: Problem, rounds: int) -> float:
    """Median processor time of the path."""
    solve = SOLVERS["shrinkwise"]()["l1"]
    solve(problem.small(), 1e-6)
    times = []
    for _ in range(rounds):
        start = time.process_time()  # one thread: what other programs do in between does not count
        solve(problem, 1e-6)
        times.append(time.process_time() - start)
    return statistics.median(times)


def slope(x, y) -> float:
    """Exponent of growth: the least-squares line through the logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def growth(rounds: int) -> list[dict]:
    """Seconds of every size of every series."""
    rows = []
    for name, sizes in SERIES.items():
        x = [size for size, _ in sizes]
        try:
            y = [seconds(lasso(*arguments), rounds) for _, arguments in sizes]
        except (ValueError, TypeError) as error:
            rows.append({"series": name, "failed": str(error)})
            print(f"{name}: {error}")
            continue
        rows.append({"series": name, "size": x, "seconds": [round(v, 5) for v in y], "slope": round(slope(x, y), 2)})
        print(f"time grows like {name} to the power {rows[-1]['slope']}: " + ", ".join(f"{v:.3g} s" for v in y))
    return rows


def draw(rows: list[dict]) -> None:
    """results/linear_growth.png: one panel a series."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in rows if "slope" in row]
    figure, panels = plt.subplots(1, len(rows), figsize=(4 * len(rows), 3.4), squeeze=False, layout="constrained")
    for row, panel in zip(rows, panels[0], strict=True):
        panel.loglog(row["size"], row["seconds"], "o-")
        panel.set(xlabel=row["series"], ylabel="seconds", title=f"slope {row['slope']:.2f}")
        panel.grid(True, which="both", alpha=0.3)
    figure.savefig(RESULTS / "linear_growth.png", dpi=120)


def peak_bytes() -> int:
    """Most memory this process has held (VmHWM: unlike getrusage it starts anew with the program)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return 1024 * int(line.split()[1])
    raise OSError("expected VmHWM in /proc/self/status: peak memory is measured on Linux")


def peak_of_one_path(folder: str) -> None:
    """In a fresh process: print, over the bytes of X, the peak during the path and what of it are X'X and the result."""

    def solve(problem):
        return path(problem.X, problem.y, L1(1.0), lambdas=problem.lambdas, fit_intercept=False, tol=1e-6)

    solve(lasso((60, 40), 5))
    before, gram = peak_bytes(), [0]
    reserve = GrowingGram._reserve

    def noted(self, m):
        old = self._G.nbytes
        reserve(self, m)  # while it grows the old and the new one are there
        gram[0] = max(gram[0], self._G.nbytes + (old if old < self._G.nbytes else 0))

    GrowingGram._reserve = noted
    problem = Problem.load(Path(folder))
    found, X = solve(problem), problem.X
    peak = peak_bytes() - before
    size = X.nbytes if isinstance(X, np.ndarray) else X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    print(json.dumps([peak / size, gram[0] / size, 12 * found.coefs_sparse.nnz / size]))


def memory() -> list[dict]:
    """Peak over X for every shape."""
    rows = []
    for name, size in MEMORY.items():
        with tempfile.TemporaryDirectory() as folder:
            lasso(size).save(Path(folder))
            command = [sys.executable, "-m", "benchmarks.linear.growth", "--peak", folder]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            rows.append({"memory": name, "failed": run.stderr.strip().splitlines()[-1]})
            print(f"{name}: {rows[-1]['failed']}")
            continue
        (multiple, gram, result), bar = json.loads(run.stdout), 1.3 if len(size) == 2 else 1.5
        rest = round(multiple - gram, 2)
        found = {"peak over X": round(multiple, 2), "without X'X": rest, "the path itself": round(result, 2)}
        rows.append({"memory": name, **found, "bar": bar, "met": rest <= bar})
        print(
            f"peak memory {name}: {multiple:.2f} × X, {rest:.2f} without the Gram matrix, of which the path itself "
            f"{result:.2f} (bar {bar})"
        )
    return rows


def main() -> None:
    """Measure, print, write results/linear_growth.json and .png."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak", metavar="FOLDER", help="measure the memory of one stored problem in this process")
    options = parser.parse_args()
    if options.peak:
        peak_of_one_path(options.peak)
        return
    with threadpool_limits(1):
        rows = growth(options.rounds)
    draw(rows)
    save("linear_growth", [*rows, *memory()], ["shrinkwise", "numpy", "scipy"])


if __name__ == "__main__":
    main()
