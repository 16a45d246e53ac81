"""How precise a solution is: one check for every solver of the benchmark, written from the formulas.

For convex problems the relative duality gap (P − D)/P(0) at every λ. With the slopes θ_i = −∂f(y_i, η_i)/∂η_i, scaled by
α ≤ 1 until αX'θ/n is dual feasible,

    ½ squared loss   D = αy'θ/n − α²‖θ‖²/2n                 (L1: α|x_j'θ|/n ≤ λ; groups: α‖X_g'θ‖/n ≤ λ√size)
    elastic net      D = αy'θ/n − α²‖θ‖²/2n − Σ (α|x_j'θ|/n − λρ)₊² / (2λ(1−ρ)),   any α
    logistic         D = (1/n) Σ H(u_i), u = y − αθ, H the entropy of (u, 1−u)          (groups: as above)
    multinomial      D = (1/n) Σ H(u_i), u = Y − αθ, H the entropy of the row u_i
    Poisson          D = (1/n) Σ u_i − u_i log u_i, u = y − αθ
    gamma            D = (1/n) Σ a_i + a_i log(y_i/a_i), a = 1 + αθ
    Cox              D = (1/n) Σ H(q_i), q_i = (1 − α) e_i + α softmax of η over those at risk at the time of i

For all but the squared losses this dual point is far from the best one: at p ≫ n a solution whose objective is off by 1e-6
shows 1e-3. There `known`, the largest D of any solution seen (among them one driven to 1e-12), takes its place where it is
larger: by weak duality it is a lower bound for everybody.

MCP has no such bound: its measure is the largest distance of X'θ/n to the slopes of the penalty, over λ. Ridge with
leave-one-out: the largest relative error of the curve, at three λ, against the closed form.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_softmax, softmax, xlogy


def precision(problem, coefs, known=-np.inf) -> np.ndarray:
    """The measure above for each row of coefs, a sparse (L, p) or (L, K·p) array; inf where a weight is not finite.

    known : (L,) lower bounds of the objective, for the losses in BOUNDS.
    """
    if problem.kind == "ridge":
        return loo_error(problem, np.asarray(coefs.todense()).ravel())
    if not np.isfinite(coefs.data).all():
        return np.full(coefs.shape[0], np.inf)
    if problem.kind in BOUNDS:
        primal, dual = BOUNDS[problem.kind](problem, coefs)
        return (primal - np.maximum(dual, known)) / NULL[problem.kind](problem)
    return (mcp_violation if problem.kind == "mcp" else squared_gap)(problem, coefs)


def lower_bounds(problem, coefs) -> np.ndarray:
    """D at every λ, a lower bound of the objective."""
    return BOUNDS[problem.kind](problem, coefs)[1]


def predictors(X, coefs) -> np.ndarray:
    """Xw for every row of sparse coefs, (n, L), by the columns in use alone."""
    used = np.unique(coefs.indices)
    part = X[:, used] @ coefs[:, used].T.toarray() if len(used) else np.zeros((X.shape[0], coefs.shape[0]))
    return np.asarray(part)


def squared_gap(problem, coefs):
    """Lasso, elastic net, group lasso."""
    X, y, lambdas, n = problem.X, problem.y, problem.lambdas, len(problem.y)
    theta = y[:, None] - predictors(X, coefs)
    slope = X.T @ theta / n  # (p, L)
    slope = np.maximum(slope, 0.0) if problem.positive else np.abs(slope)
    weights = np.abs(coefs)
    rr, yr = (theta * theta).sum(0) / n, y @ theta / n
    ratio = problem.l1_ratio
    size = np.asarray(weights.sum(1)).ravel()
    if problem.kind == "group":
        blocks = coefs.toarray().reshape(len(lambdas), -1, problem.group_size)
        size = np.sqrt(problem.group_size) * np.linalg.norm(blocks, axis=2).sum(1)
        slope = np.linalg.norm(slope.reshape(-1, problem.group_size, len(lambdas)), axis=1)
        slope /= np.sqrt(problem.group_size)
    primal = 0.5 * rr + lambdas * ratio * size
    if ratio == 1.0:
        limit = lambdas / np.maximum(slope.max(0), 1e-300)
        alpha = np.clip(yr / np.maximum(rr, 1e-300), -limit, limit)
        dual = alpha * yr - 0.5 * alpha**2 * rr
    else:
        primal += 0.5 * lambdas * (1 - ratio) * np.asarray(weights.multiply(weights).sum(1)).ravel()
        over = np.maximum(slope - lambdas * ratio, 0.0)
        dual = yr - 0.5 * rr - (over * over).sum(0) / (2 * lambdas * (1 - ratio))
    return (primal - dual) / (0.5 * float(y @ y) / n)


def norms(problem, W):
    """‖w_g‖ of every group of W (K, p) over its columns and all classes, and their factor; |w| and 1 without groups."""
    if not problem.kind.startswith("group"):
        return np.abs(W), 1.0
    blocks = W.reshape(len(W), -1, problem.group_size)
    return np.linalg.norm(blocks, axis=(0, 2)), np.sqrt(len(W) * problem.group_size)


def penalty(problem, W) -> float:
    """Σ |w|, or Σ √|g| ‖w_g‖."""
    size, factor = norms(problem, W)
    return float(factor * size.sum())


def largest_slope(problem, U) -> float:
    """The λ from which on 0 is optimal at the gradient U (K, p)."""
    size, factor = norms(problem, U)
    return max(float(size.max()) / factor, 1e-300)


def logistic_bounds(problem, coefs):
    """(P, D) of logistic regression with L1 or groups, without intercept."""
    X, y, lambdas, n = problem.X, problem.y[:, None], problem.lambdas, len(problem.y)
    eta = predictors(X, coefs)
    theta = y - expit(eta)
    sizes = [penalty(problem, coefs[[i]].toarray()) for i in range(len(lambdas))]
    primal = (np.logaddexp(0.0, eta) - y * eta).mean(0) + lambdas * sizes
    slopes = [largest_slope(problem, u[None]) for u in (X.T @ theta).T / n]
    alpha = np.minimum(1.0, lambdas / slopes)
    u = y - alpha * theta
    return primal, -(xlogy(u, u) + xlogy(1 - u, 1 - u)).mean(0)


def multinomial_bounds(problem, coefs):
    """(P, D) of multinomial regression with L1 or groups, without intercepts, K weights a column."""
    X, lambdas, n, K = problem.X, problem.lambdas, len(problem.y), problem.n_classes
    Y = (problem.y[:, None] == np.arange(K)).astype(float)
    bounds = []
    for lam, w in zip(lambdas, coefs.toarray().reshape(len(lambdas), K, -1), strict=True):
        eta = X @ w.T
        theta = Y - softmax(eta, axis=1)
        primal = -(Y * log_softmax(eta, axis=1)).sum() / n + lam * penalty(problem, w)
        alpha = min(1.0, lam / largest_slope(problem, (X.T @ theta).T / n))
        u = Y - alpha * theta
        bounds.append((primal, -xlogy(u, u).sum() / n))
    return np.array(bounds).T


def scaled_dual(problem, theta):
    """α of every λ."""
    return np.minimum(1.0, problem.lambdas / np.maximum(np.abs(problem.X.T @ theta).max(0) / len(theta), 1e-300))


def poisson_bounds(problem, coefs):
    """(P, D) of L1 Poisson regression without intercept."""
    y, eta = problem.y[:, None], predictors(problem.X, coefs)
    mu = np.exp(np.minimum(eta, 500.0))
    u = y - scaled_dual(problem, y - mu) * (y - mu)
    primal = (mu - y * eta).mean(0) + problem.lambdas * np.asarray(np.abs(coefs).sum(1)).ravel()
    return primal, (u - xlogy(u, u)).mean(0)


def gamma_bounds(problem, coefs):
    """(P, D) of L1 gamma regression with the logarithm as link, without intercept."""
    y, eta = problem.y[:, None], predictors(problem.X, coefs)
    share = y * np.exp(np.minimum(-eta, 500.0))
    a = 1.0 + scaled_dual(problem, share - 1.0) * (share - 1.0)
    primal = (eta + share).mean(0) + problem.lambdas * np.asarray(np.abs(coefs).sum(1)).ravel()
    return primal, (a + a * np.log(y / a)).mean(0)


def cox_bounds(problem, coefs):
    """(P, D) of L1 Cox regression, all times distinct events."""
    order = np.argsort(problem.y)
    eta = predictors(problem.X, coefs)[order]
    n, later = len(eta), np.triu(np.ones((len(eta), len(eta)), dtype=bool))
    bounds = []
    for k, lam in enumerate(problem.lambdas):
        e = np.where(later, eta[:, k], -np.inf)
        top = e.max(1)
        q = np.exp(e - top[:, None])
        total = q.sum(1)
        q /= total[:, None]
        theta = 1.0 - q.sum(0)
        alpha = min(1.0, lam / max(np.abs(problem.X[order].T @ theta).max() / n, 1e-300))
        primal = (top + np.log(total) - eta[:, k]).mean() + lam * np.abs(coefs[k]).sum()
        q *= alpha
        q[np.arange(n), np.arange(n)] += 1.0 - alpha
        bounds.append((primal, -xlogy(q, q).sum() / n))
    return np.array(bounds).T


BOUNDS = {
    "logistic": logistic_bounds,
    "multinomial": multinomial_bounds,
    "group-logistic": logistic_bounds,
    "group-multinomial": multinomial_bounds,
    "poisson": poisson_bounds,
    "gamma": gamma_bounds,
    "cox": cox_bounds,
}
# The loss at w = 0 less the least value of any η.
NULL = {
    "logistic": lambda problem: np.log(2.0),
    "multinomial": lambda problem: np.log(problem.n_classes),
    "group-logistic": lambda problem: np.log(2.0),
    "group-multinomial": lambda problem: np.log(problem.n_classes),
    "poisson": lambda problem: float(np.mean(1.0 - problem.y + xlogy(problem.y, problem.y))),
    "gamma": lambda problem: float(np.mean(problem.y - 1.0 - np.log(problem.y))),
    "cox": lambda problem: float(np.mean(np.log(np.arange(1, len(problem.y) + 1)))),
}


def mcp_violation(problem, coefs):
    """Largest distance of the loss's slope to λ∂MCP, over λ."""
    X, y, n, gamma = problem.X, problem.y, len(problem.y), problem.gamma
    slope = X.T @ (y[:, None] - predictors(X, coefs)) / n
    W = coefs.T.toarray()
    inside = np.maximum(problem.lambdas - np.abs(W) / gamma, 0.0) * np.sign(W)
    off = np.where(W != 0, np.abs(slope - inside), np.maximum(np.abs(slope) - problem.lambdas, 0.0))
    return off.max(0) / problem.lambdas


def mcp_objective(problem, coefs):
    """½‖y − Xw‖²/n + MCP at every λ, over ½‖y‖²/n."""
    theta = problem.y[:, None] - predictors(problem.X, coefs)
    W, lam, gamma = np.abs(coefs.T.toarray()), problem.lambdas, problem.gamma
    value = np.where(lam * gamma > W, lam * W - W * W / (2 * gamma), 0.5 * gamma * lam * lam).sum(0)
    return ((theta * theta).mean(0) / 2 + value) / (0.5 * (problem.y**2).mean())


def loo_error(problem, curve):
    """Relative error of a leave-one-out curve at the first, middle and last λ, by one Cholesky factor each."""
    X, y, n = problem.X, problem.y, len(problem.y)
    wide = X.shape[1] > n
    gram = X @ X.T if wide else X.T @ X
    errors = []
    for index in (0, len(curve) // 2, len(curve) - 1):
        A = gram + 2 * n * problem.lambdas[index] * np.eye(len(gram))
        inverse = np.linalg.inv(A)
        if wide:  # e_i/(1 − h_i) = (A⁻¹y)_i / (A⁻¹)_ii
            left_out = (inverse @ y) / np.diagonal(inverse)
        else:
            half = X @ inverse
            left_out = (y - half @ (X.T @ y)) / (1.0 - (half * X).sum(1))
        exact = float((left_out**2).mean())
        errors.append(abs(curve[index] - exact) / exact)
    return np.array(errors)


__all__ = ["BOUNDS", "lower_bounds", "mcp_objective", "precision"]
