"""The benchmark's side of the workers: start a solver in its own interpreter, ask it to solve, give up after a limit."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.linear.data import Problem
from benchmarks.linear.oracle import BOUNDS, lower_bounds, precision
from scipy import sparse

HERE = Path(__file__).parent
PEERS = ("scikit-learn", "celer", "skglm", "adelie", "glum", "glmnet")
CROSS_VALIDATING = ("scikit-learn", "adelie", "glmnet")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "BLIS_NUM_THREADS")


CLOCKS = ("wall", "cpu")  # cpu: for a machine that others use too; every solver here is one thread


class SolverFailed(RuntimeError):
    """A solver ended with an error, or ran past its limit."""


@dataclass
class Task:
    """A problem stored in a folder for the workers, and the precision it is to be solved to."""

    problem: Problem
    folder: Path
    target: float

    known: np.ndarray | float = -np.inf  # the best lower bounds seen, of the classifiers

    def __post_init__(self):
        self.problem.save(self.folder)

    def learn(self, contender: Contender, limit: float) -> None:
        """Lower bounds for the classifiers from a solution driven to 1e-12, by whom does not matter."""
        if self.problem.kind in BOUNDS:
            _, coefs = contender.solve(self, 1e-12, limit)
            self.known = lower_bounds(self.problem, coefs)

    def read(self, result: Path) -> sparse.csr_matrix | None:
        """Weights (L, p), or a curve (L, 1), as the workers write them; None from a solver that writes none."""
        if not Path(f"{result}.indptr").exists():
            return None
        kinds = {"data": np.float64, "indices": np.int32, "indptr": np.int32}
        data, indices, indptr = (np.fromfile(f"{result}.{end}", dtype) for end, dtype in kinds.items())
        problem = self.problem
        width = problem.X.shape[1] * problem.n_outputs
        width = 1 if problem.kind in ("ridge", "cv") else width
        return sparse.csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, width))

    def measure(self, coefs) -> float:
        """Largest measure of `oracle.precision` over the λ."""
        return float(precision(self.problem, coefs, self.known).max())


class Contender:
    """One solver in its own process; started when first asked, and again after it had to be stopped."""

    def __init__(self, name: str, clock: str = "wall"):
        self.name, self.clock = name, clock
        self.process: Any = None  # a Popen while it runs
        self.version = ""
        self.reason = ""  # why it takes no part

    def command(self) -> list[str] | None:
        """How it is started: peers by the interpreter of $SHRINKWISE_PEERS, glmnet by Rscript, ours by this one."""
        if self.name == "glmnet":
            return [shutil.which("Rscript"), str(HERE / "glmnet.R")] if shutil.which("Rscript") else None
        python = os.environ.get("SHRINKWISE_PEERS", sys.executable) if self.name in PEERS else sys.executable
        return [python, "-m", "benchmarks.linear.worker", self.name]

    def ready(self) -> bool:
        """Start if need be; False, with `reason` set, when the library cannot be loaded."""
        if self.process is not None or self.reason:
            return not self.reason
        command = self.command()
        if command is None:
            self.reason = "not installed"
            return False
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            cwd=HERE.parents[1],
            env=os.environ | dict.fromkeys(THREADS, "1"),
        )
        answer = self._answer(120.0)
        if not answer.startswith("ready "):
            self.stop()
            self.reason = "not installed"
            return False
        self.version = answer.split()[1]
        return True

    def solve(self, task: Task, tol: float, limit: float) -> tuple[float, sparse.csr_matrix | None]:
        """Seconds and weights (L, p) of the stored problem."""
        if not self.ready():
            raise SolverFailed(self.reason)
        result = task.folder / f"result-{self.name.replace(' ', '-')}"
        self.process.stdin.write(f"{task.folder}\t{tol!r}\t{result}\n".encode())
        self.process.stdin.flush()
        answer = self._answer(limit)
        if not answer.startswith("ok "):
            raise SolverFailed(answer.removeprefix("error "))
        return float(answer.split()[CLOCKS.index(self.clock) + 1]), task.read(result)

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout, self.errors):
                stream.close()
            self.process = None

    def _answer(self, limit: float) -> str:
        waiting, _, _ = select.select([self.process.stdout], [], [], limit)
        line = self.process.stdout.readline().decode() if waiting else ""
        if line:
            return line.strip()
        if waiting:
            self.errors.seek(0)
            lines = self.errors.read().decode(errors="replace").strip().splitlines() or ["it ended without a word"]
        self.stop()
        return f"error {lines[-1][:200]}" if waiting else f"error not done after {limit:.0f} s"


def ladder(name: str, kind: str) -> list[float]:
    """Tolerances from loose to tight, in the solver's own meaning; ridge is solved in closed form and has none."""
    if kind == "ridge":
        return [1.0]
    first, last = {"glmnet": (5, 16), "adelie": (5, 18)}.get(name, (2, 12))
    return [float(f"1e-{k}") for k in range(first, last + 1)]


def choose_tolerance(contender: Contender, task: Task, limit: float, guess: float | None) -> dict:
    """The loosest rung that reaches the target, searched from `guess`; where none does, the one with the smallest measure.

    {"tol", "gap"}, or {"failed"}.
    """
    rungs, tried = ladder(contender.name, task.problem.kind), {}
    index, step = rungs.index(guess) if guess in rungs else len(rungs) // 2, 0
    while 0 <= index < len(rungs) and index not in tried:
        try:
            _, coefs = contender.solve(task, rungs[index], limit)
            tried[index] = task.measure(coefs)
        except SolverFailed as error:
            if "not done after" not in str(error):
                return {"failed": str(error)}
            tried[index] = np.inf
        # One that ran out of time is tried looser; what it then reaches is its own best.
        looser = tried[index] <= task.target or np.isinf(tried[index])
        if step and looser != (step < 0):
            break
        step = -1 if looser else 1
        index += step
    reached = [k for k, gap in tried.items() if gap <= task.target]
    best = min(reached) if reached else min(tried, key=tried.get)
    if np.isinf(tried[best]):
        return {"failed": f"not done after {limit:.0f} s at any tolerance"}
    return {"tol": rungs[best], "gap": tried[best]}
