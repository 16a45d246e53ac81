"""Cox's proportional hazards."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import Loss
from .records import as_records
from .risk_sets import RiskSets

_SPREAD = 600.0  # of η in a stratum, beyond which e^η leaves double precision


class Cox(Loss):
    """Cox's partial likelihood of right-censored times, −log:  Σ s_i δ_i (log Σ_{j at risk} s_j e^{η_j} − η_i).

    δ_i is whether the event of row i was observed; at risk are the rows of the same stratum whose time is not earlier. η is
    defined up to a constant, so there is no intercept. The loss joins all rows: its value by row is the term of that row's
    event. Its dual bound is computed from the probabilities of the rows at risk (see `conjugate_at`).

    Parameters
    ----------
    ties : "efron" or "breslow"
        How events at one time count. Efron's is closer to the likelihood of times that are not tied.

    References: Cox, Regression models and life-tables, JRSS B 1972. Efron, The efficiency of Cox's likelihood function for
    censored data, JASA 1977. Breslow, Covariance analysis of censored survival data, Biometrics 1974. Simon, Friedman, Hastie,
    Tibshirani, Regularization paths for Cox's proportional hazards model via coordinate descent, JSS 2011.

    >>> import numpy as np, shrinkwise as sw
    >>> from shrinkwise.linear import survival
    >>> X, y = np.array([[0.0], [1.0], [0.0], [1.0]]), survival([1.0, 2.0, 3.0, 4.0], event=[1, 1, 1, 0])
    >>> fitted = sw.path(X, y, sw.L2(0.0), loss="cox", lambdas=[0.0], tol=1e-12)
    >>> round(float(np.exp(fitted.coefs[0, 0])), 4)     # the hazard ratio h: 1 − 2h/(1 + h) − 2h/(1 + 2h) = 0, (√17 − 1)/8
    0.3904
    """

    name = "cox"
    is_partial = is_likelihood = True
    farthest = _SPREAD
    _risk: Any = None

    def __init__(self, ties: str = "efron"):
        if ties not in ("efron", "breslow"):
            raise ValueError(f'Expected ties to be "efron" or "breslow", got {ties!r}')
        self.ties = ties

    def checked(self, y):
        """Records of time, event and stratum."""
        y = as_records(y)
        self.check(y)
        return y

    def check(self, y):
        """Some event has to be observed."""
        if not y["event"].any():
            raise ValueError("Expected at least one observed event in y, got only censored rows")

    def scaled_to(self, y, s):
        """With the rows at risk of these records."""
        bound = Cox(self.ties)
        bound._risk = RiskSets(y, np.asarray(s, dtype=float), self.ties)
        return bound

    def falls_along(self, moves) -> bool:
        """Whether every event has the largest move of the rows at risk, and some row a smaller one (a monotone likelihood)."""
        return self._risk.led_by_events(np.asarray(moves, dtype=float))

    def value(self, y, eta):
        """log Σ at risk − η_i for events, else 0; with leading axes of η too."""
        if eta.ndim > 1:
            return np.stack([self.value(y, each) for each in eta])
        risk, rows = self._risk, np.zeros(len(eta))
        means = risk.mean_log_sums(risk.log_sums(eta)[1])
        where = risk.order[risk.events]
        rows[where] = means[risk.of_event] - eta[where]
        return rows

    def gradient(self, y, eta):
        """The expected less the observed events of a row."""
        found = self._risk.expected(eta)
        found[self._risk.order[self._risk.events]] -= 1.0
        return found

    def hessian(self, y, eta):
        """The expected events of a row: a diagonal that the Hessian, which is not diagonal, lies below."""
        return self._risk.expected(eta)

    def conjugate_at(self, y, alpha, v, eta):
        """An upper bound of f* at αv, v = ∇f(η), that is exact at α = 1.

        Each term is log Σ s e^η, whose conjugate at probabilities q of the rows at risk is Σ q log(q/s). ∇f(η) has those of η;
        αv has αq + (1 − α)r with r on the tied events, by their weights. Where tied rows have several terms, x log x of such a
        sum is bounded by the sum of both.
        """
        risk, rows = self._risk, np.zeros(len(eta))
        z = eta[risk.order]
        if max(np.ptp(z[a:b]) for a, b in risk.strata) > _SPREAD:
            return np.full(len(eta), np.inf)
        top, _, terms = risk.sums_below(eta)
        mass = risk.weights * np.exp(z - top)
        rest, inside = risk.at_risk(np.column_stack([mass, mass * (z - top)]), terms)
        log_alpha = np.log(alpha) if alpha > 0 else 0.0
        found = alpha * (rest[:, 1] + rest[:, 0] * (log_alpha - terms))
        weights = np.log(risk.weight)[risk.of_term] + np.log(risk.share)
        mixed = alpha * (inside[:, 1] - inside[:, 0] * terms) - (1.0 - alpha) * weights
        alone = np.zeros(len(risk.weight))
        at = risk.of_event[risk.alone]
        q = np.exp(z[risk.events[risk.alone]] - top - terms[risk.first_term[at]])
        r = 1.0 / risk.weight[at]
        both = alpha * q + (1.0 - alpha) * r
        np.add.at(alone, at, risk.weights[risk.events[risk.alone]] * both * np.log(both))
        single = np.zeros(len(risk.weight), dtype=bool)
        single[at] = True
        found += np.where(single[risk.of_term], alone[risk.of_term], mixed)
        rows[risk.order[risk.events]] = risk.mean_log_sums(found)[risk.of_event]
        return rows

    def dual_feasible(self, y, v):
        """None: only gradients are known to be sums of probabilities."""

    def lowest(self, y):
        """That of events which all others at risk never reach: the logarithm of the tied weights, less Efron's shares."""
        risk, rows = self._risk, np.zeros(len(y))
        least = risk.mean_log_sums(np.log(risk.weight)[risk.of_term] + np.log(risk.share))
        rows[risk.order[risk.events]] = least[risk.of_event]
        return rows

    def null_intercept(self, y, s):
        """0: a constant changes nothing."""
        return np.array(0.0)

    def effective_rows(self, y):
        """The number of events."""
        return int(np.count_nonzero(y["event"]))

    def information(self, X, eta):
        """X'∇²fX for X (n, m), over all rows."""
        R = self.shared_curvature(X, eta)
        return X.T @ ((self._risk.expected(eta) * self._weights())[:, None] * X) - R.T @ R

    def shared_curvature(self, X, eta):
        """The means of X over the rows at risk in every term, times the roots of the weights of the terms."""
        risk = self._risk
        z, X = eta[risk.order], X[risk.order]
        top, _, terms = risk.sums_below(eta)
        mass = (risk.weights * np.exp(z - top))[:, None]
        return np.sqrt(risk.term_weight)[:, None] * sum(risk.at_risk(mass * X, terms))

    def _weights(self):
        weights = np.empty_like(self._risk.weights)
        weights[self._risk.order] = self._risk.weights
        return weights
