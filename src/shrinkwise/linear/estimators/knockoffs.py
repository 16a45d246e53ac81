"""Inputs selected with control of the false discovery rate: model-X knockoffs with the lasso."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from sklearn.covariance import LedoitWolf

from shrinkwise.linear.losses import loss_of
from shrinkwise.linear.paths.columns import column_names, labels_of
from shrinkwise.linear.paths.streamed import refuse_rows
from shrinkwise.linear.problem.checks import checked_X, finite_numbers
from shrinkwise.linear.problem.design import is_sparse
from shrinkwise.penalties import L1
from shrinkwise.selection import gaussian_knockoffs, knockoff_threshold

from .cross_validation import PenalizedClassifierCV, PenalizedRegressorCV


@dataclass(frozen=True)
class Knockoffs:
    """The inputs selected by knockoffs.

    Attributes
    ----------
    selected : indices of the selected inputs, the largest statistic first.
    statistics : (p,) W_j = σ_j |b_j| − σ̃_j |b̃_j|, b and b̃ the lasso's coefficients of the inputs and of their knockoffs.
    threshold : inputs with W_j at least this are selected;  fdr : the false discovery rate that was asked for.
    lam : λ of the lasso;  names : p texts;  status : a sentence.
    """

    selected: np.ndarray
    statistics: np.ndarray = field(repr=False)
    threshold: float
    fdr: float
    lam: float
    names: list[str] = field(repr=False)
    status: str

    @property
    def selected_names(self) -> list[str]:
        """Names of the selected inputs."""
        return [self.names[j] for j in self.selected]


def knockoffs(
    X, y=None, fdr=0.1, *, loss="squared", covariance=None, mean=None, method="sdp", cv=5, n_jobs=None, random_state=0
) -> Knockoffs:
    """Select inputs so that the expected share of irrelevant ones among the selected is at most `fdr`.

    A knockoff of an input is drawn from the distribution of the inputs without looking at y. The lasso is fitted on inputs
    and knockoffs together, λ selected by cross-validation; an irrelevant input gets the larger weight as often as its
    knockoff does, which gives an estimate of the false discoveries at every threshold. An input is irrelevant if y does not
    depend on it given all other inputs. No linear model of y is assumed. What is assumed is that the rows are independent and
    that the inputs are Gaussian with the given mean and covariance; with an estimated covariance, or inputs that are not
    Gaussian, the control is approximate.

    Parameters
    ----------
    X : (n, p), dense;  y : (n,).
    fdr : float in (0, 1). At least 1/fdr inputs have to be selected, or none is.
    loss : as for `path`; "logistic" for classes.
    covariance, mean : (p, p) and (p,) of the inputs if they are known; by default Ledoit and Wolf's estimate and the means.
    method : "sdp" or "equicorrelated"; see `selection.gaussian_knockoffs`.
    cv, n_jobs : for the choice of λ.
    random_state : int, for knockoffs and folds. Another one draws other knockoffs and may select other inputs.

    Returns
    -------
    Knockoffs

    Raises
    ------
    ValueError : if the covariance is not positive definite, because an input that is a combination of others has no knockoff
        but itself.

    References: Candès, Fan, Janson, Lv, JRSS B 2018, arXiv 1610.02351. Ledoit and Wolf, J. Multivar. Anal. 2004.

    >>> import numpy as np, shrinkwise as sw
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 30))
    >>> y = X[:, :15].sum(1) + rng.normal(size=300)
    >>> set(range(15)) <= set(sw.knockoffs(X, y, fdr=0.1, random_state=1).selected.tolist())
    True
    """
    refuse_rows(X, "The knockoff filter", "use a sample of them")
    names = column_names(X)
    if is_sparse(X):
        raise TypeError("Expected a dense X, because knockoffs of a sparse matrix are dense; pass X.toarray()")
    X = checked_X(X).astype(float)
    names = labels_of(names, X.shape[1])
    knockoff_threshold([], fdr)  # checks fdr before the fit
    mean, covariance, note = _distribution(X, mean, covariance)
    varies = np.flatnonzero(np.diagonal(covariance) > 0)
    part = X[:, varies]
    copies = gaussian_knockoffs(part, mean[varies], covariance[np.ix_(varies, varies)], method, random_state)
    estimator = PenalizedClassifierCV if loss_of(loss).coded else PenalizedRegressorCV
    model = estimator(
        L1(1.0), loss=loss, standardize=True, select="best", cv=cv, n_jobs=n_jobs, random_state=random_state
    )
    both = np.hstack([part, copies])
    model.fit(both, y)
    size = np.abs(np.atleast_2d(model.coef_)).sum(0) * both.std(0)
    statistics = np.zeros(X.shape[1])
    statistics[varies] = size[: len(varies)] - size[len(varies) :]
    threshold = knockoff_threshold(statistics, fdr)
    selected = np.flatnonzero(statistics >= threshold)
    selected = selected[np.argsort(-statistics[selected], kind="stable")]
    found = f"{len(selected)} of {X.shape[1]} inputs selected at a false discovery rate of {fdr:g}"
    return Knockoffs(selected, statistics, threshold, float(fdr), model.lambda_, names, f"{found}; {note}")


def _distribution(X, mean, covariance):
    """(mean, covariance, what the control of the false discovery rate rests on)."""
    n, p = X.shape
    mean = X.mean(0) if mean is None else finite_numbers(mean, "mean").astype(float)
    if mean.shape != (p,):
        raise ValueError(f"Expected mean of shape ({p},), one number per column, got {mean.shape}")
    if covariance is not None:
        covariance = finite_numbers(covariance, "covariance").astype(float)
        if covariance.shape != (p, p) or not np.allclose(covariance, covariance.T):
            raise ValueError(f"Expected a symmetric covariance of shape ({p}, {p}), got shape {covariance.shape}")
        return mean, covariance, "the rate holds if the inputs are Gaussian with the given covariance"
    scale = np.where(X.std(0) > 0, X.std(0), 1.0)
    found = LedoitWolf().fit((X - mean) / scale).covariance_ * np.outer(scale, scale)
    found[X.std(0) == 0] = found[:, X.std(0) == 0] = 0.0
    if p >= n:
        note = f"with {p} inputs and {n} rows the estimated covariance is far from the true one, so the rate is not assured"
    else:
        note = (
            "the rate is approximate, because the covariance of the inputs was estimated and they are taken as Gaussian"
        )
    return mean, found, note
