"""Cold start: seconds of a fresh process that imports one library and fits one lasso path, 200×50, 100 λ.

Bar: at most half the time of the fastest peer.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time

from benchmarks.common import save
from benchmarks.linear.contenders import PEERS, THREADS, Contender
from benchmarks.linear.table import OURS, sentence

DATA = """
import numpy as np
rng = np.random.default_rng(0)
X = np.asfortranarray(rng.standard_normal((200, 50)))
y = X[:, :5].sum(1) + rng.standard_normal(200)
lambdas = np.geomspace(1.0, 0.01, 100) * np.abs(X.T @ y).max() / 200
"""
PATHS = {
    "shrinkwise": """
import shrinkwise as sw
from shrinkwise.linear import path
path(X, y, sw.L1(1.0), lambdas=lambdas, fit_intercept=False)
""",
    "scikit-learn": """
from sklearn.linear_model import lasso_path
lasso_path(X, y, alphas=lambdas, tol=1e-6, max_iter=100_000)
""",
    "celer": """
from celer import celer_path
celer_path(X, y, "lasso", alphas=lambdas, tol=1e-6)
""",
    "skglm": """
from skglm import Lasso
Lasso(fit_intercept=False, tol=1e-6).path(X, y, lambdas)
""",
    "glum": """
from glum import GeneralizedLinearRegressor
GeneralizedLinearRegressor(l1_ratio=1.0, fit_intercept=False, alpha_search=True, alpha=lambdas.tolist()).fit(X, y)
""",
    "adelie": """
import adelie
adelie.grpnet(X, adelie.glm.gaussian(y), lmda_path=lambdas, intercept=False, early_exit=False, progress_bar=False)
""",
}
GLMNET = """
suppressPackageStartupMessages(library(glmnet))
set.seed(0); X <- matrix(rnorm(200 * 50), 200); y <- rowSums(X[, 1:5]) + rnorm(200)
invisible(glmnet(X, y, nlambda = 100, lambda.min.ratio = 0.01, standardize = FALSE, thresh = 1e-10))
"""


def command(name: str) -> list[str]:
    """The fresh process of one library."""
    start = Contender(name).command()
    return [start[0], "-e", GLMNET] if name == "glmnet" else [start[0], "-c", DATA + PATHS[name]]


def seconds_of(command: list[str], clock: str) -> float:
    """Wall or processor seconds of a process."""
    start, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=os.environ | dict.fromkeys(THREADS, "1"), check=True, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall if clock == "wall" else after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime


def cold_start_row(rounds: int, peers, clock: str = "wall") -> dict:
    """Median seconds of each library, in the form of the other rows of the linear benchmark."""
    solvers = []
    for name in (OURS, *peers):
        contender = Contender(name)
        reason = "" if contender.ready() else contender.reason
        contender.stop()
        solvers.append({"solver": name, "version": contender.version} | ({"failed": reason} if reason else {}))
    taken: dict[str, list[float]] = {s["solver"]: [] for s in solvers if "failed" not in s}
    for _ in range(rounds):
        for name, seconds in taken.items():
            seconds.append(seconds_of(command(name), clock))
    for solver in solvers:
        if solver["solver"] in taken:
            solver |= {"seconds": statistics.median(taken[solver["solver"]]), "rounds": rounds}
    row = {"row": "cold start", "shape": "200×50", "clock": clock, "n_lambdas": 100, "bar": 2.0, "target": 1e-6}
    return row | {"solvers": solvers}


def main() -> None:
    """Measure, print and write results/cold_start.json."""
    row = cold_start_row(9, PEERS)
    print(sentence(row))
    save("cold_start", [row], ["shrinkwise", "numpy", "scipy", "scikit-learn"])


if __name__ == "__main__":
    main()
