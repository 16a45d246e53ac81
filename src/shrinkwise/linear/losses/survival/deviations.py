"""A root of the Hessian of Cox's partial likelihood: H = X'∇²fX = Z'Z, in one product of matrices.

The Hessian is the sum over the terms of w_l times the covariance of the rows at risk with the probabilities p_l. Sets of rows
at risk grow from term to term, and a covariance splits into scatter within a part, within the rest and between their means.
So the scatter of all sets is a weighted sum of the same n squares: for every row its deviation from the mean of the rows
before it, which enters with the hazard of all terms that have it at risk. Of tied events those beside the first deviate from
the mean of the tied before them, and the first stands for the mean of all tied, whose terms (Efron's) count a share of them.
No two large numbers are subtracted, as in X'DX less the squares of means. Weights are computed from logarithms: no η overflows.
"""

from __future__ import annotations

import numpy as np

from shrinkwise.kernels import prefix_deviations

from .risk_sets import RiskSets


class Deviations:
    """Z at η (n,) for the rows at risk `risk`."""

    def __init__(self, risk: RiskSets, eta):
        self.risk, n = risk, len(eta)
        first = np.ones(n, dtype=bool)
        first[risk.events] = False
        first[risk.start] = True
        self.starts = np.append(np.flatnonzero(first), n)
        block = np.cumsum(first) - 1
        mass = eta[risk.order] + risk.log_s
        before, after = self._sums(mass)
        own = np.logaddexp.reduceat(mass, self.starts[:-1])
        lead = self.starts[:-1]
        self.joins = _share(own, after[self.starts[1:] - 1])
        later, tied, pairs = self._hazards(eta)
        between = before[lead] + own
        self.root, self.within = np.zeros(n), np.ones(n)
        self.root[lead] = np.exp(between - _finite(after[self.starts[1:] - 1]) + later[lead])
        self.root[risk.start] += np.exp(between[block[risk.start]] + pairs)
        for k in np.flatnonzero(risk.end - risk.start > 1):
            here = slice(risk.start[k] + 1, risk.end[k])
            total = np.logaddexp.accumulate(mass[risk.start[k] : risk.end[k]])
            self.within[here] = _share(mass[here], total[1:])
            hazard = np.logaddexp(later[risk.start[k]], tied[k])
            self.root[here] = np.exp(mass[here] + total[:-1] - _finite(total[1:]) + hazard)
        self.root = np.sqrt(self.root)

    def of(self, rows, dtype=np.float64):
        """Z' (m, n) for m columns of X, `rows` (m, n), each contiguous."""
        return prefix_deviations(rows, self.risk.order, self.starts, self.root, self.within, self.joins, dtype)

    def _sums(self, mass):
        """log Σ of the rows of the stratum before each position, and up to it."""
        before, after = np.full(len(mass), -np.inf), np.empty(len(mass))
        for a, b in self.risk.strata:
            after[a:b] = np.logaddexp.accumulate(mass[a:b])
            before[a + 1 : b] = after[a : b - 1]
        return before, after

    def _hazards(self, eta):
        """(log of the hazard of the terms of later times by position; that which the tied rows of a time have, Σ w share/S,
        and Σ w share/S², by time).
        """
        risk = self.risk
        terms = risk.log_sums(eta)[1]
        whole, tied = risk.log_hazards(terms)
        rates = np.log(risk.term_weight) + np.log(risk.share) - 2.0 * terms
        later = np.full(len(eta), -np.inf)
        for times, (a, b) in zip(risk.times, risk.strata, strict=True):
            total = np.append(np.logaddexp.accumulate(whole[times][::-1])[::-1], -np.inf)
            # Of an event the terms of its own time are not later.
            later[a:b] = total[np.searchsorted(risk.start[times], np.arange(a, b), side="right")]
        return later, tied, np.logaddexp.reduceat(rates, risk.first_term)


def _finite(logs):
    """`logs` with 0 for −∞: of rows without weight, whose share is 0 whatever it is of."""
    return np.where(np.isfinite(logs), logs, 0.0)


def _share(part, whole):
    """e^part/e^whole, 1 where both are nothing: the first mean is the row itself."""
    return np.where(np.isfinite(whole), np.exp(part - _finite(whole)), 1.0)
