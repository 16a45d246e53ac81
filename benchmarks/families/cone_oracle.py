"""Every family's minimum beside that of a cone solver: cvxpy with Clarabel, which shares no formula with this library.

The loss is written twice more here, once as cvxpy's cones and once in NumPy. Both solutions are put into the NumPy form; their
difference is given over the loss of the constant model. L1 and elastic net, λ = λ_max/10, an intercept, observation weights.

    SHRINKWISE_PEERS=peers/bin/python python -m benchmarks.families.cone_oracle
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

N, P = 150, 10
FAMILIES = (
    "poisson",
    "gamma",
    "tweedie",
    "negative_binomial",
    "quantile",
    "huber",
    "squared_hinge",
    "square_root",
    "cox breslow",
    "cox efron",
    "multi_logistic",
    "multinomial",
)
TAU, DELTA, POWER, THETA, KNEE, CLASSES = 0.8, 0.05, 1.6, 2.0, 1.35, 3


def problem(family: str):
    """X (n, p), y, weights s of mean 1; of Cox y is (time, event), with ties."""
    rng = np.random.default_rng(FAMILIES.index(family))
    X = rng.normal(size=(N, P)) @ (np.eye(P) + 0.3 * rng.normal(size=(P, P)))
    eta = X[:, :3] @ np.array([0.4, -0.4, 0.2]) + 0.2
    mu, s = np.exp(eta), rng.uniform(0.5, 2.0, N)
    y = {
        "poisson": lambda: rng.poisson(mu).astype(float),
        "gamma": lambda: rng.gamma(2.0, mu / 2.0),
        "tweedie": lambda: rng.gamma(2.0, mu / 2.0) * (rng.random(N) < 0.7),
        "negative_binomial": lambda: rng.negative_binomial(THETA, THETA / (THETA + mu)).astype(float),
        "squared_hinge": lambda: (eta + rng.logistic(size=N) > 0).astype(float),
        "cox breslow": lambda: np.stack([np.ceil(8 * rng.exponential(1 / mu)), rng.random(N) < 0.7], 1).astype(float),
        "multi_logistic": lambda: (eta[:, None] * [1.0, -1.0, 0.5] + rng.logistic(size=(N, CLASSES)) > 0).astype(float),
        "multinomial": lambda: (eta[:, None] * [1.0, -1.0, 0.0] + rng.gumbel(size=(N, CLASSES))).argmax(1),
    }
    y["cox efron"] = y["cox breslow"]
    made = y.get(family, lambda: eta + 0.5 * rng.standard_t(3, size=N))()
    return X, made, s / s.mean()


def risk_sets(y, ties: str):
    """Of every event: (row, rows at risk, their shares)."""
    time, event = y.T
    for t in np.unique(time[event == 1]):
        dying, at_risk = np.flatnonzero((time == t) & (event == 1)), np.flatnonzero(time >= t)
        for rank, row in enumerate(dying):
            share = np.ones(len(at_risk))
            if ties == "efron":
                share[np.isin(at_risk, dying)] -= rank / len(dying)
            yield row, at_risk, share


def mean_loss(family: str, y, eta, s) -> float:
    """The family's loss in NumPy, eta (n,) or (n, K); constants as in the library's definitions. Cox: weights of one."""
    if family.startswith("cox"):
        sets = risk_sets(y, family.split()[1])
        return sum(np.log(share @ np.exp(eta[rows])) - eta[row] for row, rows, share in sets) / N
    if family == "square_root":
        return float(np.sqrt(np.mean(s * (y - eta) ** 2)))
    mu, r = np.exp(eta), y - eta if y.shape == eta.shape else 0.0
    values = {
        "poisson": lambda: mu - y * eta,
        "gamma": lambda: y / mu + eta,
        "tweedie": lambda: mu ** (2 - POWER) / (2 - POWER) - y * mu ** (1 - POWER) / (1 - POWER),
        "negative_binomial": lambda: (y + THETA) * np.log(THETA + mu) - y * eta,
        "quantile": lambda: TAU * r + DELTA * np.logaddexp(0.0, -r / DELTA),
        "huber": lambda: np.where(abs(r) <= KNEE, r * r / 2, KNEE * abs(r) - KNEE**2 / 2),
        "squared_hinge": lambda: np.maximum(0.0, 1.0 - (2.0 * y - 1.0) * eta) ** 2,
        "multi_logistic": lambda: (np.logaddexp(0.0, eta) - y * eta).sum(1),
        "multinomial": lambda: np.log(mu.sum(1)) - eta[np.arange(N), y],
    }
    return float(np.mean(s * values[family]()))


def in_cones(cp, family: str, y, eta, s):
    """The same as a cvxpy expression."""
    if family.startswith("cox"):
        sets = risk_sets(y, family.split()[1])
        return sum(cp.log_sum_exp(eta[rows] + np.log(share)) - eta[row] for row, rows, share in sets) / N
    values = {
        "poisson": lambda: cp.exp(eta) - cp.multiply(y, eta),
        "gamma": lambda: cp.multiply(y, cp.exp(-eta)) + eta,
        "tweedie": lambda: (
            cp.exp((2 - POWER) * eta) / (2 - POWER) + cp.multiply(y, cp.exp((1 - POWER) * eta)) / (POWER - 1)
        ),
        "negative_binomial": lambda: (
            cp.multiply(y + THETA, cp.logistic(eta - np.log(THETA)) + np.log(THETA)) - cp.multiply(y, eta)
        ),
        "quantile": lambda: TAU * (y - eta) + DELTA * cp.logistic((eta - y) / DELTA),
        "huber": lambda: cp.huber(y - eta, KNEE) / 2,
        "squared_hinge": lambda: cp.square(cp.pos(1.0 - cp.multiply(2.0 * y - 1.0, eta))),
        "multi_logistic": lambda: cp.sum(cp.logistic(eta) - cp.multiply(y, eta), axis=1),
        "multinomial": lambda: cp.log_sum_exp(eta, axis=1) - cp.sum(cp.multiply(np.eye(CLASSES)[y], eta), axis=1),
    }
    if family == "square_root":
        return cp.norm(cp.multiply(np.sqrt(s / N), y - eta))
    return cp.sum(cp.multiply(s, values[family]())) / N


def cone_solution(family: str, lam: float, l1_ratio: float):
    """(weights, intercepts) of the cone solver."""
    import cvxpy as cp

    X, y, s = problem(family)
    several = (CLASSES,) if family.startswith("multi") else ()
    w, b = cp.Variable((P, *several)), cp.Variable(several or 1)
    eta = X @ w
    if several:
        eta = eta + np.ones((N, 1)) @ cp.reshape(b, (1, CLASSES), order="C")
    elif not family.startswith("cox"):
        eta = eta + b
    penalty = lam * (l1_ratio * cp.sum(cp.abs(w)) + (1 - l1_ratio) / 2 * cp.sum_squares(w))
    cp.Problem(cp.Minimize(in_cones(cp, family, y, eta, s) + penalty)).solve(
        solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10
    )
    return w.value.tolist(), 0.0 if family.startswith("cox") else b.value.tolist()


def own_solution(family: str, l1_ratio: float):
    """(λ, weights, intercepts) of this library."""
    import shrinkwise as sw
    from shrinkwise.linear import losses, path

    X, y, s = problem(family)
    named = {
        "tweedie": losses.Tweedie(POWER),
        "negative_binomial": losses.NegativeBinomial(THETA),
        "quantile": losses.Quantile(TAU, delta=DELTA),
        "huber": losses.Huber(KNEE),
    }
    loss, extra = named.get(family, family), {"sample_weight": s}
    if family.startswith("cox"):
        loss, extra = losses.Cox(family.split()[1]), {"fit_intercept": False}
    penalty = sw.ElasticNet(1.0, l1_ratio) if l1_ratio < 1 else sw.L1(1.0)
    found = path(X, y, penalty, loss=loss, n_lambdas=2, lambda_min_ratio=0.1, tol=1e-10, **extra)
    if not found.solved.all():
        raise RuntimeError(f"{family}: {found.status}")
    return float(found.lambdas[1]), found.coefs[1], found.intercepts[1]


def main() -> None:
    """One line a family and penalty: the difference over the loss of the constant model."""
    if len(sys.argv) > 1:  # in the interpreter of the peers
        asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        print(json.dumps([cone_solution(*each) for each in asked]))
        return
    own = {(family, ratio): own_solution(family, ratio) for family in FAMILIES for ratio in (1.0, 0.5)}
    asked = [(family, found[0], ratio) for (family, ratio), found in own.items()]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(asked, file)
        file.flush()
        python = os.environ.get("SHRINKWISE_PEERS", sys.executable)
        command = [python, "-m", "benchmarks.families.cone_oracle", file.name]
        cones = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    worst = 0.0
    for (family, lam, ratio), (w, b) in zip(asked, cones, strict=True):
        X, y, s = problem(family)
        null = abs(mean_loss(family, y, np.zeros((N, CLASSES) if family.startswith("multi") else N), s))
        values = []
        for weights, intercept in (own[family, ratio][1:], (np.array(w).T, np.array(b))):
            size = ratio * np.abs(weights).sum() + (1 - ratio) / 2 * (weights**2).sum()
            values.append(mean_loss(family, y, X @ weights.T + intercept, s) + lam * size)
        difference = (values[0] - values[1]) / null
        worst = max(worst, abs(difference))
        print(f"{family:18} l1_ratio {ratio}: {values[0]:.10f} {values[1]:.10f}  difference {difference:+.1e}")
    print(f"largest difference {worst:.1e}: {'met' if worst <= 1e-6 else 'NOT met'} (1e-6)")


if __name__ == "__main__":
    main()
