"""Certificates: the duality gap and the KKT violation of  (1/n) Σ s_i f(y_i, x_i'w + b) + λ f(w).

With θ = −α ∇f(η), α ∈ [0, 1] the largest that makes θ dual feasible,

    D(θ) = −(1/n) Σ s_i (f*(y_i, −θ_i) + θ_i o_i) − pen*(X'(sθ)/n) ≤ the minimum,        o the offset,

so gap = P − D bounds how far the objective is from its minimum. The relative gap divides by the loss of the null model
(w = 0 and the intercept fitted), measured from the smallest loss that any η gives; it is 0 if that is 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_AT_ONCE = 2_000_000  # values of X
_ROUNDING = 8 * np.finfo(float).eps


@dataclass
class FitCertificate:
    """The certificate of one fit."""

    objective: float
    gap: float  # relative duality gap; for nonconvex penalties nan
    kkt: float  # largest violation of a stationarity condition, in units of the gradient

    def proves(self, tol: float, scale: float) -> bool:
        """Whether the gap is ≤ tol or, where rounding keeps it up (bounds far away), the violation is at rounding too.

        scale : the largest gradient of the null model.
        """
        return bool(self.gap <= tol or at_rounding(self.kkt, scale))


def at_rounding(kkt, scale: float):
    """Whether a violation of stationarity is no more than the rounding of gradients of this size."""
    return kkt <= _ROUNDING * scale


@dataclass
class Solutions:
    """The solutions that a solver finds at k successive λ, each array with k rows.

    w : weights.  b : intercepts.  objective, gap, kkt : as in `FitCertificate`.  solved : whether tol was reached.
    n_iter : sweeps or steps taken.
    """

    w: np.ndarray
    b: np.ndarray
    objective: np.ndarray
    gap: np.ndarray
    kkt: np.ndarray
    solved: np.ndarray
    n_iter: np.ndarray

    @classmethod
    def one(cls, w, b, certificate: FitCertificate, solved: bool, n_iter: int) -> Solutions:
        """The solution at one λ, k = 1."""
        rest = (certificate.objective, certificate.gap, certificate.kkt, solved, n_iter)
        return cls(w[None], np.asarray(b)[None], *(np.array([x]) for x in rest))

    def __len__(self) -> int:
        return len(self.gap)

    def __getitem__(self, rows: slice) -> Solutions:
        return Solutions(*(part[rows] for part in vars(self).values()))

    def each(self) -> Iterator[Solutions]:
        """The solutions one by one, each with k = 1."""
        return (self[i : i + 1] for i in range(len(self)))


def certify(data, penalty, w, eta, u=None, dual=None, known=None) -> FitCertificate:
    """FitCertificate of weights w (shape of `data.weights_shape`) with linear predictor eta (its intercept fitted).

    `u` is X's∇f(η)/n in the shape of w, if the caller has it already; `dual` is a pair (v, X'sv/n) with v in place of
    ∇f(η), if the caller has a better dual point; `known` is (f(η), ∇f(η)).
    """
    s, n = data.s, data.n
    rows, g_eta = known or data.loss.value_and_gradient(data.y, eta)
    mean = s @ g_eta / n
    u = data.correlate((s * g_eta.T).T) if u is None else u
    u, kkt = (
        (_centred(data, u, mean), float(np.abs(mean).max()) * data.intercept_unit) if data.fit_intercept else (u, 0.0)
    )
    value = float(penalty.value(w))
    objective = float(s @ rows) / n + value
    kkt = max(kkt, largest_violation(penalty, w, u))
    if not penalty.has_conjugate:
        return FitCertificate(objective, np.nan, kkt)
    if dual is not None:
        g_eta, u = dual[0], _centred(data, dual[1], s @ dual[0] / n) if data.fit_intercept else dual[1]
    beside = beside_domain(penalty, -u)
    alpha, term, slack = dual_term(penalty, w, -u - beside)
    if beside.any():
        slack += float((np.abs(beside) * (np.abs(w) + _unit_moves(data, beside))).sum())
    return FitCertificate(objective, relative_gap(data, eta, rows, g_eta, (alpha, value + term, slack)), kkt)


def _centred(data, u, mean):
    """X'v/n of the centred columns, given the mean of v."""
    return u - np.multiply.outer(mean, data.design.means)


def largest_violation(penalty, w, g) -> float:
    """The largest distance of −g to ∂pen(w), of an entry or a group; entries in no group, which are free, count too."""
    return max(
        float(np.max(penalty.violation(w, g), initial=0.0)),
        float(np.max(np.abs(g[penalty.unpenalised(w.shape)]), initial=0.0)),
    )


def beside_domain(penalty, v):
    """What is to be taken off v where no scaling makes the conjugate finite: all of it in unpenalised entries, the part on the
    open side of weights with one bound and no other penalty.
    """
    pieces = penalty.pieces(v)
    return np.where(penalty.unpenalised(v.shape), v, 0.0) if pieces is None else pieces.beside_domain(v)


def _unit_moves(data, beside):
    """How far each weight with `beside` ≠ 0 moves to change η by 1 (root mean square); 0 for the other columns.

    Unpenalised columns require X'θ = 0 exactly, weights with one bound X'θ ≤ 0 or ≥ 0. The remainder enters the gap as if
    the weight could still move by its own size and by this.
    """
    columns = np.flatnonzero(beside.reshape(-1, data.p).any(0))
    moves = np.zeros(data.p)
    step = max(1, _AT_ONCE // data.n)  # few columns at a time: of many rows a copy of all would be as large as X
    for part in (columns[start : start + step] for start in range(0, len(columns), step)):
        size = np.sqrt((data.design.centred_columns(part) ** 2).mean(0))
        moves[part] = 1.0 / np.where(size > 0, size, np.inf)
    return moves


def relative_gap(data, eta, rows, v, terms) -> float:
    """(P − D) / null loss from f(η) (`rows`), the dual point −αv and terms = (α, pen + pen*, slack).

    An intercept requires that sv sums to 0. The remainder enters the gap as if the intercept could still move by the
    largest |η|, and by 1 or, where η is in the units of y, by the largest |y|; there both are counted from the mean of y.
    """
    if not data.null_loss > 0:
        return 0.0
    alpha, penalties, slack = terms
    rows = rows + data.loss.conjugate_at(data.y, alpha, v, eta)
    offset = dual_offset(data)
    if offset is not None:  # f(y, z + o) as a function of z has the conjugate f*(v) − vo
        along = alpha * v * offset
        rows = rows - (along if along.ndim == 1 else along.sum(1))
    if data.fit_intercept:
        unit = float(np.abs(data.y - offset).max()) if data.loss.location else 1.0
        eta = eta - offset if data.loss.location else eta
        farthest = max(float(eta.max()), -float(eta.min()))
        slack = slack + float(np.abs(data.s @ v).max()) / data.n * (unit + farthest)
    return (max(float(data.s @ rows) / data.n + penalties, 0.0) + slack) / data.null_loss


def dual_offset(data):
    """The offset or None; with an intercept, where sv sums to 0, shifted so that sums of large terms do not leave rounding."""
    if not data.fit_intercept or (data.offset is None and not data.loss.location):
        return data.offset
    offset = np.zeros_like(data.y) if data.offset is None else data.offset
    seen = offset - data.y if data.loss.location else offset
    return offset - (data.s * seen.T).T.sum(0) / data.n


def l1_l2_term(a, b, w, u):
    """`dual_term` for Σ a|w| + ½ b w² with the gradient u: (α, pen*(αu), slack of the unpenalised entries)."""
    size, kinked = np.abs(u), (b == 0) & (a > 0)
    with np.errstate(over="ignore"):  # of a gradient of nearly 0
        alpha = min(1.0, float((a[kinked] / np.maximum(size[kinked], 1e-300)).min(initial=1.0)))
    curved = b > 0
    excess = np.maximum(alpha * size[curved] - a[curved], 0.0)
    free = ~(curved | kinked)
    return alpha, float((0.5 * excess * excess / b[curved]).sum()), float((np.abs(w) * size)[free].sum())


def certify_least_squares(data, penalty, w, g, yr: float, rr: float, yy: float) -> FitCertificate:
    """`certify` for (1/2n)‖y − X̃w‖², y and X̃ weighted and centred, from inner products.

    With r = y − X̃w: g = −X̃'r/n, yr = y'r/n, rr = r'r/n, yy = y'y/n (½yy is the loss of the null model).
    """
    value = float(penalty.value(w))
    kkt = largest_violation(penalty, w, g)
    if not penalty.has_conjugate:
        return FitCertificate(0.5 * rr + value, np.nan, kkt)
    beside = beside_domain(penalty, -g)
    alpha, term, slack = dual_term(penalty, w, -g - beside)
    if beside.any():
        slack += float((np.abs(beside) * (np.abs(w) + np.sqrt(yy) * _unit_moves(data, beside))).sum())
    dual = alpha * yr - 0.5 * alpha * alpha * rr - term
    gap = max(0.5 * rr + value - dual, 0.0) + slack
    return FitCertificate(0.5 * rr + value, gap / (0.5 * yy) if yy > 0 else 0.0, kkt)


def dual_term(penalty, w, v):
    """(α, pen*(αv), slack) with the largest α ≤ 1 for which the conjugate is finite.

    If the conjugate is finite only on a set without interior (a constraint, differences that must sum to zero),
    rounding errors put v outside it. Then v may be moved by up to 1e-9 of its size to the nearest subgradient, and the
    change in value is the slack.
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
    pieces = penalty.pieces(u)
    if pieces is not None:
        return pieces.dual_scale(u)
    if np.isfinite(penalty.conjugate(u)):
        return 1.0
    if penalty.lam == 0:
        return 0.0
    low, high = 0.0, 1.0
    guess = min(1.0, penalty.lam / (penalty.lambda_max(u) or np.inf)) * (1.0 - 4e-16)
    if np.isfinite(penalty.conjugate(guess * u)):
        if not np.isfinite(penalty.conjugate(min(1.0, guess * (1.0 + 1e-12)) * u)):
            return guess
        low = guess
    for _ in range(60):  # a sum: λ_max leaves out its fixed terms, and counts groups that an L2 part leaves unbounded
        middle = 0.5 * (low + high)
        low, high = (middle, high) if np.isfinite(penalty.conjugate(middle * u)) else (low, middle)
    return low
