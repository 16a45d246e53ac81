"""Sums over the rows at risk at every time of an event.

Rows are in order of their strata, in a stratum the latest first, at one time the events last: so the rows at risk at a time are
all rows of the stratum up to the last event of that time. m events at one time are one term of the likelihood, of all their
weight (Breslow), or m terms of a mth of it, in which the tied rows count with the factors 1, 1 − 1/m, 1 − 2/m, … (Efron).
Sums are kept as logarithms, so that no η overflows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LARGEST = 700.0  # an exponent that double precision holds
_SPREAD = 600.0  # of η: with sums over all rows, e^η and e^−η stay in double precision
_REMEMBERED = 3  # η whose sums are kept: before and after a step, and where the model was built


@dataclass
class _Known:
    """What was computed at η."""

    eta: np.ndarray
    sums: tuple
    expected: np.ndarray | None = None


class RiskSets:
    """Of records y with weights s; `ties` is "efron" or "breslow".

    Attributes
    ----------
    order : (n,) rows in the order above;  events : positions in it of the events, time after time.
    start, end : (K,) where the events of a time start and end in it;  of_event : (e,) the time of each event.
    time, stratum : (K,);  weight : (K,) of the events of a time.
    of_term : (T,) the time of each term;  term_weight : (T,);  share : (T,) the factor of the tied rows.
    """

    def __init__(self, y, s, ties: str):
        events = y["event"] & (s > 0)
        self.order = np.lexsort((events, -y["time"], y["stratum"]))
        y, s, events = y[self.order], s[self.order], events[self.order]
        self.weights = s
        with np.errstate(divide="ignore"):
            self.log_s = np.log(s)
        bounds = np.flatnonzero(np.diff(y["stratum"], prepend=y["stratum"][:1] - 1))
        self.strata = list(zip(bounds, [*bounds[1:], len(y)], strict=True))
        self.events = np.flatnonzero(events)
        here = y[self.events]
        new = np.ones(len(here), dtype=bool)
        new[1:] = (here["time"][1:] != here["time"][:-1]) | (here["stratum"][1:] != here["stratum"][:-1])
        first = np.flatnonzero(new)
        counts = np.diff([*first, len(here)])
        self.start, self.end = self.events[first], self.events[first] + counts
        self.time, self.stratum = here["time"][first], here["stratum"][first]
        self.of_event = np.repeat(np.arange(len(first)), counts)
        self.weight = np.bincount(self.of_event, s[self.events], len(first))
        self.low = bounds[np.searchsorted(bounds, self.start, side="right") - 1] if len(first) else self.start
        parts = counts if ties == "efron" else np.ones_like(counts)
        self.of_term = np.repeat(np.arange(len(first)), parts)
        self.first_term = np.cumsum(parts) - parts
        self.share = 1.0 - (np.arange(len(self.of_term)) - np.repeat(self.first_term, parts)) / np.repeat(parts, parts)
        self.term_weight = (self.weight / parts)[self.of_term]
        self.alone = (parts == 1)[self.of_event]  # events whose time is one term
        self.pairs = np.column_stack([self.start, self.end]).ravel()
        self.untied = bool((counts == 1).all())
        ends = [np.searchsorted(self.start, part) for part in self.strata]
        self.times = [slice(first, last) for first, last in ends]  # of each stratum
        # Of each row, how many times of its stratum are over before it.
        self.over = np.concatenate(
            [
                np.searchsorted(self.end[times], np.arange(a, b), side="right")
                for times, (a, b) in zip(self.times, self.strata, strict=True)
            ]
        )
        self._last: list[_Known] = []

    def log_sums(self, eta):
        """(log Σ s e^η of the tied rows of each time (K,), of each term (T,)) for η (n,)."""
        top, tied, terms = self.sums_below(eta)
        return tied + top, terms + top

    def sums_below(self, eta):
        """(the largest η, and `log_sums` less it); those of the last η are remembered.

        A Newton step asks for them at one η for the value, the gradient and the certificate, and where its model was built.
        """
        return self._known(eta).sums

    def _known(self, eta) -> _Known:
        for known in self._last:
            if np.array_equal(known.eta, eta):
                return known
        known = _Known(eta.copy(), self._sums_below(eta))
        self._last = [*self._last[1 - _REMEMBERED :], known]
        return known

    def _sums_below(self, eta):
        top = eta.max()
        z, sums = eta[self.order] - top, np.empty(len(eta))
        if _is_narrow(z):
            mass = self.weights * np.exp(z)
            for a, b in self.strata:
                np.cumsum(mass[a:b], out=sums[a:b])
            tied = self._tied(mass)
            rest = np.where(self.start > self.low, sums[self.start - 1], 0.0)
            return top, np.log(tied), np.log(rest[self.of_term] + tied[self.of_term] * self.share)
        z = np.append(z + self.log_s, -np.inf)
        for a, b in self.strata:
            sums[a:b] = np.logaddexp.accumulate(z[a:b])
        tied = np.logaddexp.reduceat(z, self.pairs)[::2]
        rest = np.where(self.start > self.low, sums[self.start - 1], -np.inf)
        return top, tied, np.logaddexp(rest[self.of_term], tied[self.of_term] + np.log(self.share))

    def _tied(self, values):
        """Σ of values (n,) or (m, n) over the events of each time."""
        if self.untied:
            return values[..., self.start]
        wide = np.concatenate([values, np.zeros((*values.shape[:-1], 1))], axis=-1)
        return np.add.reduceat(wide, self.pairs, axis=-1)[..., ::2]

    def led_by_events(self, moves) -> bool:
        """Whether at every time the events have the largest of the moves (n,) at risk, and not all of them are equal."""
        z, room = moves[self.order], 1e-9 * float(np.abs(moves).max(initial=0.0))
        top, least = np.empty_like(z), np.empty_like(z)
        for a, b in self.strata:
            top[a:b], least[a:b] = np.maximum.accumulate(z[a:b]), np.minimum.accumulate(z[a:b])
        highest, spread = top[self.end - 1], (top - least)[self.end - 1]
        lowest = np.minimum.reduceat(np.append(z, np.inf), np.column_stack([self.start, self.end]).ravel())[::2]
        return bool((lowest >= highest - room).all() and (spread > room).any())

    def mean_log_sums(self, terms):
        """The mean of the terms of each time, (K,)."""
        return self._by_time(terms * self.term_weight) / self.weight

    def _by_time(self, values):
        """Σ of values (T,) over the terms of each time."""
        return values if len(values) == len(self.first_term) else np.add.reduceat(values, self.first_term)

    def log_hazards(self, terms):
        """log of the increments of the baseline hazard, and of those that tied rows have, (K,) each."""
        rates = np.log(self.term_weight) - terms
        return (np.logaddexp.reduceat(r, self.first_term) for r in (rates, rates + np.log(self.share)))

    def expected(self, eta, factors=None):
        """e^η times the baseline hazard up to the time of each row: the expected events, (n,).

        With `factors` (T,), of any sign, those of the terms times the factors, for η that are `_is_narrow`.
        """
        if factors is not None:
            return self._expected(eta, factors)
        known = self._known(eta)
        if known.expected is None:
            known.expected = self._expected(eta, None)
        return known.expected.copy()

    def _expected(self, eta, factors):
        top, _, terms = self.sums_below(eta)
        z = eta[self.order] - top
        narrow = _is_narrow(z)
        add: np.ufunc
        if narrow:
            hazards = self.term_weight * np.exp(-terms) * (1.0 if factors is None else factors)
            whole, shared, add, none = self._by_time(hazards), self._by_time(hazards * self.share), np.add, 0.0
        else:
            (whole, shared), add, none = self.log_hazards(terms), np.logaddexp, -np.inf
        behind = np.full(len(eta), none)
        for times, (a, b) in zip(self.times, self.strata, strict=True):
            total = np.append(add.accumulate(whole[times][::-1])[::-1], none)
            behind[a:b] = total[self.over[a:b]]
            mine = slice(*np.searchsorted(self.events, (a, b)))
            k = self.of_event[mine]
            behind[self.events[mine]] = add(total[k - times.start + 1], shared[k])
        out = np.empty(len(eta))
        out[self.order] = np.exp(z) * behind if narrow else np.exp(z + behind)
        return out

    def at_risk(self, values, terms):
        """Σ s e^η values over the rows at risk / Σ s e^η, for each term, and the part of it from tied rows; η is in `terms`.

        `values` (m, n) carry s e^{η − c} already, `terms` are less the same c; (m, T) each.
        """
        sums = np.empty((len(values), values.shape[1] + 1))
        for a, b in self.strata:
            np.cumsum(values[:, a:b], axis=1, out=sums[:, a + 1 : b + 1])
        inside = self._tied(values)
        rest = np.where(self.start > self.low, sums[:, self.start], 0.0)
        scale = np.exp(np.minimum(-terms, _LARGEST))
        return rest[:, self.of_term] * scale, self.share * inside[:, self.of_term] * scale


def _is_narrow(z) -> bool:
    """Whether all e^z of z ≤ 0, and their inverses, are numbers: their sums then err no more than those of logarithms."""
    return bool(z.min(initial=0.0) >= -_SPREAD)
