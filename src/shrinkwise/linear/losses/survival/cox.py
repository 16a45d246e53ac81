"""Cox's proportional hazards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base import Loss
from .deviations import Deviations
from .records import as_records
from .risk_sets import RiskSets

_NEAR = 20.0  # the most that η may differ from where a model was built for it to offer a dual point
_SPREAD = 600.0  # of η in a stratum, beyond which e^η leaves double precision


@dataclass
class _Mass:
    """Of probabilities q of the rows at risk, for each term (T,): Σ q and Σ q log(q/s) without the tied rows, and that of the
    tied rows, or bounds of these; `alone` are q/s of the events whose time is one term.
    """

    at_risk: np.ndarray
    rest: np.ndarray
    tied: np.ndarray
    alone: np.ndarray


class _Offered(np.ndarray):
    """A dual point that is no gradient, with the `_Mass` that its conjugate is computed from."""

    mass: _Mass | None = None


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
        """An upper bound of f* at αv, v = ∇f(η) or from `offered`, that is exact at α = 1 for ∇f(η).

        Each term is log Σ s e^η, whose conjugate at probabilities q of the rows at risk is Σ q log(q/s). ∇f(η) has those of η;
        αv has αq + (1 − α)r with r on the tied events, by their weights. Where tied rows have several terms, x log x of such a
        sum is bounded by the sum of both.
        """
        risk, rows = self._risk, np.zeros(len(eta))
        mass = getattr(v, "mass", None) or self._mass(eta)
        if mass is None:
            return np.full(len(eta), np.inf)
        log_alpha = np.log(alpha) if alpha > 0 else 0.0
        found = alpha * (mass.rest + mass.at_risk * log_alpha)
        weights = np.log(risk.weight)[risk.of_term] + np.log(risk.share)
        mixed = alpha * mass.tied - (1.0 - alpha) * weights
        alone = np.zeros(len(risk.weight))
        at = risk.of_event[risk.alone]
        both = alpha * mass.alone + (1.0 - alpha) / risk.weight[at]
        np.add.at(alone, at, risk.weights[risk.events[risk.alone]] * both * np.log(both))
        single = np.zeros(len(risk.weight), dtype=bool)
        single[at] = True
        found += np.where(single[risk.of_term], alone[risk.of_term], mixed)
        rows[risk.order[risk.events]] = risk.mean_log_sums(found)[risk.of_event]
        return rows

    def _is_wide(self, z) -> bool:
        """Whether e^η leaves double precision in some stratum, z the η in the order of the risk sets."""
        return max(np.ptp(z[a:b]) for a, b in self._risk.strata) > _SPREAD

    def _mass(self, eta) -> _Mass | None:
        """Of the probabilities at η."""
        risk = self._risk
        z = eta[risk.order]
        if self._is_wide(z):
            return None
        top, _, terms = risk.sums_below(eta)
        mass = risk.weights * np.exp(z - top)
        rest, tied = risk.at_risk(np.stack([mass, mass * (z - top)]), terms)
        return _Mass(rest[0], rest[1] - rest[0] * terms, tied[1] - tied[0] * terms, self._alone(z - top, terms))

    def _alone(self, z, terms):
        """The probabilities, over the weights, of the events whose time is one term."""
        risk = self._risk
        return np.exp(z[risk.events[risk.alone]] - terms[risk.first_term[risk.of_event[risk.alone]]])

    def offered(self, y, v, step):
        """v from the probabilities that a quadratic model predicts: q + q'(a − m) for a step a from η, q' the probabilities
        where the model was built and m = Σ q'a, with the sums its conjugate is bounded by; None where these are not near q.

        They are q(1 + δ) with Σ qδ = 0, and (1 + δ) log(1 + δ) ≤ δ + δ²/(2(1 − D)) for |δ| ≤ D < 1.
        """
        eta, along, built = step
        risk = self._risk
        z, a, away = (each[risk.order] for each in (eta, along, built - eta))
        away = away - away.mean()
        if self._is_wide(z) or np.ptp(away) > _NEAR:
            return None
        top, _, terms = risk.sums_below(eta)
        z, ratio = z - top, np.exp(away)  # q'/q but for a factor of each term
        q, moved = risk.weights * np.exp(z), ratio * a
        values = np.stack([np.ones_like(z), z, ratio, moved, ratio**2, ratio * moved, moved**2, z * ratio, z * moved])
        parts = risk.at_risk(q * values, terms)
        total = sum(parts)
        c, m = 1.0 / total[2], total[3] / total[2]
        largest = float((c.max() * ratio.max()) * np.ptp(a))  # of |δ|, every m being a mean of a
        if not largest < 0.5:
            return None
        sums = []
        for s0, s1, r, ra, rr, rra, rraa, zr, zra in parts:
            change, square = c * (ra - m * r), c * c * (rraa - 2.0 * m * rra + m * m * rr)
            there = s0 + change
            sums.append((there, s1 + c * (zra - m * zr) - there * terms + change + square / (2.0 * (1.0 - largest))))
        (at_risk, rest), (_, tied) = sums
        event, term = risk.events[risk.alone], risk.first_term[risk.of_event[risk.alone]]
        alone = self._alone(z, terms) * (1.0 + c[term] * ratio[event] * (a[event] - m[term]))
        found = self.gradient(y, eta) + along * risk.expected(built) - risk.expected(built, m)
        found = found.view(_Offered)
        found.mass = _Mass(at_risk, rest, tied, alone)
        return found

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
        Z = self.rooted_curvature(eta).of(np.ascontiguousarray(X.T, dtype=float))
        return Z @ Z.T

    def rooted_curvature(self, eta):
        """See `deviations`."""
        return Deviations(self._risk, eta)
