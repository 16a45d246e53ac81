"""One solver in its own process: reads "folder TAB tol TAB result", solves, answers "ok WALL CPU" (seconds) or "error REASON".

Only the call of the solver is timed. Before the first problem of a folder the solver runs once on its small version, so
that compilation and lazy imports are over. The weights go to `result`.data, .indices and .indptr, raw, as CSR (L, p).
"""

from __future__ import annotations

import gc
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from benchmarks.linear.data import Problem
from benchmarks.linear.peers import SOLVERS, version
from benchmarks.linear.table import NOT_OFFERED, YARDSTICKS
from scipy import sparse


def main(name: str) -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not look like an answer
    warnings.simplefilter("ignore")  # not converged: the precision is measured on the result
    try:
        solvers = SOLVERS[name]()
    except ImportError as error:
        print(f"missing {error}", file=answers)
        return
    print(f"ready {version(name)}", file=answers)
    here, problem = None, None
    for line in sys.stdin:
        folder, tol, result = line.rstrip("\n").split("\t")
        try:
            if folder != here:
                here, problem = folder, Problem.load(Path(folder))
                if problem.kind in solvers:
                    solvers[problem.kind](problem.small(), float(tol))
            if problem.kind not in solvers:
                raise NotImplementedError(NOT_OFFERED)
            gc.collect()
            start = time.perf_counter(), time.process_time()
            found = solvers[problem.kind](problem, float(tol))
            wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
            if name not in YARDSTICKS:
                write(result, found)
            print(f"ok {wall!r} {cpu!r}", file=answers)
        except Exception as error:
            here = None
            reason = str(error) or type(error).__name__
            print(f"error {' '.join(reason.split())[:200]}", file=answers)


def write(result: str, found) -> None:
    """CSR arrays of weights (L, p), or of a curve (L,), to three raw files."""
    if not sparse.issparse(found):
        found = np.asarray(found, dtype=float)
        found = found.reshape(len(found), -1)
    found = sparse.csr_matrix(found)
    found.data.astype(np.float64).tofile(f"{result}.data")
    found.indices.astype(np.int32).tofile(f"{result}.indices")
    found.indptr.astype(np.int32).tofile(f"{result}.indptr")


if __name__ == "__main__":
    main(sys.argv[1])
