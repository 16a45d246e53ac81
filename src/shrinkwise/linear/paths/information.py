"""The complexity of a fit and criteria that penalise it: degrees of freedom, AIC, BIC, EBIC, deviance.

Degrees of freedom of a penalised fit are Σ ∂ŷ_i/∂y_i (Stein). Where the active weights A move smoothly,

    df = tr( (G_A + P_A)⁻¹ G_A )        G_A = X̃_A'S X̃_A/n (S the curvature f'' of the loss),  P_A the penalty's curvature there:

for the lasso (P = 0) the rank of X̃_A, so usually the number of non-zero weights; for ridge and elastic net the trace
of the smoother; for the group lasso with P_g = λc_g/‖w_g‖ (I − w_g w_g'/‖w_g‖²) the formula of Vaiter et al., which for
orthonormal columns is Yuan and Lin's Σ_g 1 + (p_g − 1)‖w_g‖/‖w_g^LS‖.

References: Zou, Hastie, Tibshirani, Ann. Statist. 2007. Tibshirani and Taylor, Ann. Statist. 2012. Vaiter, Deledalle, Peyré,
Fadili, Dossal, The degrees of freedom of the group lasso, arXiv 1205.1481. Yuan and Lin, JRSS B 2006.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from shrinkwise.linear.solvers.squares.ridge import RidgeDecomposition, ridge_of
from shrinkwise.penalties import Grouped, Pieces, terms


def smoother(path) -> RidgeDecomposition:
    """The ridge decomposition of a path, for leave-one-out and GCV."""
    problem = path.data
    if problem.stands_for != problem.n:
        raise ValueError(
            "Leave-one-out and GCV need the rows themselves, which a fit to rows in blocks does not keep; use cross-validation"
        )
    ridge = _ridge(path)
    if ridge is None:
        raise ValueError(
            f"Leave-one-out and GCV need a linear smoother (least squares with L2 at λ > 0), got {path.penalty!r} "
            f"with the {path.loss} loss; use cross-validation"
        )
    return ridge


def _ridge(path) -> RidgeDecomposition | None:
    """The decomposition of a path of linear smoothers, computed now if the path was solved without it; None for other
    paths."""
    if path.ridge is None:
        path.ridge = ridge_of(path.data, path.penalty, path.lambdas)
    return path.ridge


# --- degrees of freedom -----------------------------------------------------------------------------------------
def degrees_of_freedom(path) -> np.ndarray:
    """df at every λ of a path, (L,); NaN, with a warning, if no formula is known."""
    problem, penalty = path.data, path.penalty
    if (ridge := _ridge(path)) is not None:
        return ridge.degrees_of_freedom(path.lambdas) * _targets(problem)
    if len(problem.weights_shape) == 2 and problem.loss.is_quadratic:
        return _nan(path, "several targets and this penalty")
    if len(problem.weights_shape) == 2:
        return (
            path.coefs.reshape(len(path), -1).astype(bool).sum(1).astype(float)
            if _only_l1(path)
            else _nan(path, "several classes and a penalty other than L1")
        )
    found = [_df_at(problem, penalty.with_lam(lam), path, i) for i, lam in enumerate(path.lambdas)]
    return _nan(path, repr(penalty)) if None in found else np.array(found, dtype=float)


def _targets(problem) -> int:
    return problem.y.shape[1] if np.ndim(problem.y) == 2 else 1


def _only_l1(path) -> bool:
    parts = path.penalty.with_lam(1.0).l1_l2(path.data.weights_shape)
    return parts is not None and not parts[1].any() and bool(parts[0].all())


def _nan(path, what: str) -> np.ndarray:
    warnings.warn(
        f"There is no formula for the degrees of freedom with {what}, so they are NaN", UserWarning, stacklevel=6
    )
    return np.full(len(path), np.nan)


def _df_at(problem, penalty, path, i: int) -> float | None:
    w = path.coefficients[i]
    active = _active(penalty, w)
    if active is None:
        return None
    if not len(active):
        return 0.0
    curvature = _curvature(penalty, w, active)
    X = problem.design.centred_columns(active)
    if problem.loss.is_partial:
        X = _root_of(problem, active, problem.eta(w, path.intercepts[i]))
    elif not problem.loss.is_quadratic:
        X = _weighted(problem, X, problem.eta(w, path.intercepts[i]))
    if X.shape[0] < len(active) and not curvature.any():
        return float(np.linalg.matrix_rank(X))
    G = X.T @ X / problem.n
    if not curvature.any():
        return _rank(G, X)
    try:
        factor = cho_factor(G + curvature, check_finite=False)
    except LinAlgError:
        return float(np.trace(np.linalg.lstsq(G + curvature, G, rcond=None)[0]))
    return float(len(active) - np.trace(cho_solve(factor, curvature, check_finite=False)))


def _rank(G, X) -> float:
    """Rank of X: full if the Cholesky factor of G shows it clearly, else from singular values."""
    try:
        diagonal = np.abs(np.diagonal(cho_factor(G, check_finite=False)[0]))
        if diagonal.min() > 1e-6 * diagonal.max():
            return float(len(G))
    except LinAlgError:
        pass
    return float(np.linalg.matrix_rank(X))


def _weighted(problem, X, eta):
    """√f'' X̃, centred with the weights f'', from X̃ = √s(X − x̄)."""
    h = problem.loss.hessian(problem.y, eta)
    root = np.sqrt(h)
    if problem.fit_intercept and h.sum() > 0:
        rooted = np.sqrt(problem.s)
        X = X - np.outer(rooted, (rooted * h) @ X / np.sum(problem.s * h))
    return X * root[:, None]


def _root_of(problem, columns, eta):
    """A square matrix R with R'R = X'∇²fX of some columns, up to the factor that `_df_at` divides by."""
    X = problem.X[:, columns]
    values, vectors = np.linalg.eigh(problem.loss.information(X.toarray() if problem.design.sparse else X, eta))
    return np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T


def _active(penalty, w) -> np.ndarray | None:
    """Entries that vary with the data: not at a kink and not at a bound; None if the penalty does not define this."""
    active = np.ones(len(w), dtype=bool)
    for term in terms(penalty):
        form = term.family(w)
        if isinstance(form, Grouped):
            norms = _norms(form, w)
            active &= (form.labels < 0) | (norms[form.labels] > 0)
            active &= ~((form.l1 > 0) & (w == 0))
        elif isinstance(form, Pieces):
            for a, m in form.kinks:
                active &= ~((np.broadcast_to(a, w.shape) > 0) & (w == (0.0 if m is None else m)))
            active &= (w > form.low) & (w < form.high)
        else:
            return None
    return np.flatnonzero(active)


def _norms(form: Grouped, w) -> np.ndarray:
    """‖w_g‖ of every group; the last entry is for weights without a group."""
    inside = form.labels >= 0
    squares = np.bincount(form.labels[inside], w[inside] ** 2, minlength=len(form.strengths))
    return np.sqrt(np.append(squares, 0.0))


def _curvature(penalty, w, active) -> np.ndarray:
    """Second derivative of the penalty on the active entries, (m, m)."""
    total = np.zeros((len(active), len(active)))
    for term in terms(penalty):
        form = term.family(w)
        if isinstance(form, Pieces):
            total += np.diag(np.broadcast_to(form.b, w.shape)[active])
            continue
        labels, norms = form.labels[active], _norms(form, w)
        for g in np.unique(labels[labels >= 0]):
            members = np.flatnonzero(labels == g)
            v = w[active[members]]
            block = np.eye(len(v)) - np.outer(v, v) / norms[g] ** 2
            total[np.ix_(members, members)] += form.strengths[g] / norms[g] * block
    return total


# --- criteria ---------------------------------------------------------------------------------------------------
def criterion(path, price: float, noise_variance: float | None = None) -> np.ndarray:
    """−2 log-likelihood + price · k, (L,), k = df + intercept (+ the variance, if it is fitted).

    Least squares assumes normal errors. With at least twice as many rows as parameters their variance is fitted at
    every λ, −2 log L = n log(RSS/n) + n(1 + log 2π), as in R's AIC of an lm. With fewer rows this would favour the
    saturated fit, whose RSS is always 0; then one variance σ² is used at all λ, −2 log L = RSS/σ² + n log 2πσ²:
    `noise_variance` if given, else the estimate of that name.
    """
    problem = path.data
    if not (problem.loss.is_likelihood or problem.loss.is_quadratic):
        raise ValueError(
            f"The {path.loss} loss is not a log-likelihood in closed form, so it has no AIC or BIC; use cross-validation"
        )
    intercepts = float(problem.fit_intercept and not problem.loss.is_partial) * max(1, np.size(path.intercepts[0]))
    n, k = problem.stands_for * _targets(problem), path.df + intercepts
    if problem.loss.is_quadratic:
        rss = 2.0 * problem.stands_for * path.losses
        if noise_variance is None and 2 * (problem.p + problem.fit_intercept) <= problem.stands_for:
            with np.errstate(divide="ignore"):
                return n * np.log(rss / n) + n * (1.0 + np.log(2.0 * np.pi)) + price * (k + 1.0)
        variance = estimated_noise(path) if noise_variance is None else float(noise_variance)
        if not 0 < variance < np.inf:
            raise ValueError(
                f"Expected noise_variance (the variance of the errors of y) to be finite and > 0, got {variance!r}"
            )
        return rss / variance + n * np.log(2.0 * np.pi * variance) + price * k
    minus, fitted = problem.loss.minus_log_likelihood(problem.y, problem.s, path.losses)
    if fitted and 2 * (problem.p + problem.fit_intercept) > problem.n:
        raise ValueError(
            f"The dispersion of the {path.loss} loss is estimated at every λ, so AIC and BIC need two rows per column or more; "
            "use cross-validation"
        )
    return 2.0 * minus + price * (k + fitted)


def row_count(problem) -> int:
    """n of BIC: the rows that a problem stands for, or the events of a partial likelihood."""
    return problem.loss.effective_rows(problem.y) if problem.stands_for == problem.n else problem.stands_for


def estimated_noise(path) -> float:
    """σ² = RSS/(n − k) at the λ with the smallest generalized cross-validation RSS/(1 − k/n)² among those with k ≤ n/2.

    Reference: Reid, Tibshirani, Friedman, A study of error variance estimation in lasso regression, Statist. Sinica 2016
    (there at the λ of cross-validation).
    """
    problem = path.data
    n = problem.stands_for * _targets(problem)
    k = path.df + float(problem.fit_intercept) * _targets(problem)
    rss = 2.0 * problem.stands_for * path.losses
    able = np.flatnonzero(k <= 0.5 * n)
    if not len(able):
        raise ValueError(
            "The noise variance cannot be estimated because no λ of this path has at most n/2 degrees of "
            "freedom; start the path at a larger λ, or use criterion(price, noise_variance)"
        )
    best = able[np.argmin(rss[able] / (1.0 - k[able] / n) ** 2)]
    return float(rss[best] / (n - k[best]))


def model_count(path, gamma: float) -> np.ndarray:
    """2γ log C(p, df), with factorials as gamma functions."""
    from scipy.special import gammaln  # slow to load, and a path does without

    if not 0 <= gamma <= 1:
        raise ValueError(f"Expected gamma (the weight of the number of models) to be in [0, 1], got {gamma}")
    p, df = path.data.p * max(1, path.data.n_outputs or 1), path.df
    return 2.0 * gamma * (gammaln(p + 1.0) - gammaln(df + 1.0) - gammaln(p - df + 1.0))


def deviance_explained(path) -> np.ndarray:
    """1 − (loss − saturated) / (null loss − saturated), (L,); 0 if the null model fits perfectly."""
    problem = path.data
    null = null_loss(problem)  # above that of the saturated model, as it scales a gap
    return 1.0 - (path.losses - problem.saturated_loss) / null if null > 0 else np.zeros(len(path))


def null_loss(problem) -> float:
    """Loss of the model without inputs minus that of the saturated model, summed over targets."""
    if not (problem.loss.is_quadratic and np.ndim(problem.y) == 2):
        return problem.null_loss
    y = problem.y if problem.offset is None else problem.y - problem.offset
    centre = problem.s @ y / problem.n if problem.fit_intercept else 0.0
    return float(0.5 * np.sum(problem.s[:, None] * (y - centre) ** 2) / problem.n)
