"""Cold start: seconds of a fresh process that imports one library and fits one lasso path, 200×50, 100 λ.

Bar: at most half the time of the fastest peer.
"""

from __future__ import annotations

import os
import statistics
import subprocess

from common import interleave, save
from linear_contenders import PEERS, THREADS, Contender
from linear_table import sentence

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


def cold_start_row(rounds: int, peers) -> dict:
    """Median seconds of each library, in the form of the other rows of the linear benchmark."""
    runs, solvers = {}, []
    environment = os.environ | dict.fromkeys(THREADS, "1")
    for name in ("shrinkwise", *peers):
        contender = Contender(name)
        installed = contender.ready()
        contender.stop()
        if not installed:
            solvers.append({"solver": name, "version": "", "failed": contender.reason})
            continue
        runs[name] = lambda name=name: subprocess.run(command(name), env=environment, check=True, capture_output=True)
        solvers.append({"solver": name, "version": contender.version})
    for name, seconds in interleave(runs, rounds).items():
        record = next(s for s in solvers if s["solver"] == name)
        record |= {"seconds": statistics.median(seconds), "rounds": rounds}
    return {"row": "cold start", "shape": "200×50", "n_lambdas": 100, "bar": 2.0, "target": 1e-6, "solvers": solvers}


def main() -> None:
    """Measure, print and write results/cold_start.json."""
    row = cold_start_row(9, PEERS)
    print(sentence(row))
    save("cold_start", [row], ["shrinkwise", "numpy", "scipy", "scikit-learn"])


if __name__ == "__main__":
    main()
