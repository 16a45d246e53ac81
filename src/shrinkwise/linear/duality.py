"""Certificates: the duality gap and the KKT violation of  (1/n) Σ s_i f(y_i, x_i'w + b) + λ f(w).

With θ = −α ∇f(η), α ∈ [0, 1] the largest that makes θ dual feasible,

    D(θ) = −(1/n) Σ s_i f*(y_i, −θ_i) − pen*(X'(sθ)/n) ≤ the minimum,

so gap = P − D bounds how far the objective is from its minimum. The relative gap divides by the loss of the null model
(intercept and unpenalised columns only); it is 0 where that loss is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Certificate:
    """What is known about one fit."""

    objective: float
    gap: float  # relative duality gap; for nonconvex penalties nan
    kkt: float  # largest violation of a stationarity condition, in units of the gradient


@dataclass
class Solution:
    """One fit: weights, intercept, certificate, whether tol was reached, sweeps or steps taken."""

    w: np.ndarray
    b: np.ndarray
    certificate: Certificate
    solved: bool
    n_iter: int


def certify(data, penalty, w, eta) -> Certificate:
    """Certificate of weights w (shape of `data.weights_shape`) with linear predictor eta (its intercept fitted)."""
    s, n = data.s, data.n
    g_eta = data.loss.gradient(data.y, eta)
    weighted = (s * g_eta.T).T
    u = data.correlate(weighted)  # the gradient in w
    objective = float(np.sum(s * data.loss.value(data.y, eta)) / n + penalty.value(w))
    violation = penalty.violation(w, u)
    kkt = float(np.max(violation, initial=0.0))
    if data.fit_intercept:
        kkt = max(kkt, float(np.abs(weighted.sum(0) / n).max()))
    if not penalty.convex:
        return Certificate(objective, np.nan, kkt)
    # Unpenalised columns and the intercept ask X'θ = 0 exactly; what rounding leaves of it is added to the gap.
    free = penalty.unpenalised(w.shape)
    alpha, term, slack = dual_term(penalty, w, np.where(free, 0.0, -u))
    slack += float(np.abs(w * u)[..., free].sum())
    conjugate = data.loss.conjugate(data.y, alpha * g_eta)
    dual = -float(np.sum(s * conjugate)) / n - term
    gap = max(objective - dual, 0.0) + slack
    return Certificate(objective, gap / data.null_loss if data.null_loss > 0 else 0.0, kkt)


def certify_least_squares(penalty, w, g, yr: float, rr: float, yy: float) -> Certificate:
    """`certify` for (1/2n)‖y − X̃w‖², y and X̃ weighted and centred, from inner products.

    With r = y − X̃w: g = −X̃'r/n, yr = y'r/n, rr = r'r/n, yy = y'y/n (½yy is the loss of the null model).
    """
    value = float(penalty.value(w))
    kkt = float(np.max(penalty.violation(w, g), initial=0.0))
    if not penalty.convex:
        return Certificate(0.5 * rr + value, np.nan, kkt)
    free = penalty.unpenalised(w.shape)
    alpha, term, slack = dual_term(penalty, w, np.where(free, 0.0, -g))
    slack += float(np.abs(w * g)[free].sum())
    dual = alpha * yr - 0.5 * alpha * alpha * rr - term
    gap = max(0.5 * rr + value - dual, 0.0) + slack
    return Certificate(0.5 * rr + value, gap / (0.5 * yy) if yy > 0 else 0.0, kkt)


def dual_term(penalty, w, v):
    """(α, pen*(αv), slack) with α ≤ 1 as large as leaves the conjugate finite.

    Where the conjugate is finite only on a thin set (a constraint, differences that must sum to zero) rounding puts v beside
    it. Then v may be moved by up to 1e-9 of its size to the subgradient nearest by, and what that is worth is the slack.
    """
    alpha = feasible_scale(penalty, v)
    if alpha < 0.999:
        p = penalty.prox(w + v, 1.0)
        near = w + v - p  # ∈ ∂pen(p), so pen*(near) = ⟨near, p⟩ − pen(p)
        if np.abs(near - v).max(initial=0.0) <= 1e-9 * np.abs(v).max(initial=0.0):
            return 1.0, float((near * p).sum() - penalty.value(p)), float(np.abs(w * (near - v)).sum())
    return alpha, float(penalty.conjugate(alpha * v)), 0.0


def feasible_scale(penalty, u) -> float:
    """Largest α ≤ 1 with conjugate(αu) finite."""
    if np.isfinite(penalty.conjugate(u)):
        return 1.0
    if penalty.lam == 0:
        return 0.0
    low, high = 0.0, 1.0
    guess = min(1.0, penalty.lam / (penalty.lambda_max(u) or np.inf)) * (1.0 - 4e-16)
    if np.isfinite(penalty.conjugate(guess * u)):
        return guess
    for _ in range(60):  # a sum with a fixed term: λ_max speaks of the scaled terms alone
        middle = 0.5 * (low + high)
        low, high = (middle, high) if np.isfinite(penalty.conjugate(middle * u)) else (low, middle)
    return low
