"""Sums over the rows at risk at every time of an event.

Rows are in order of their strata, in a stratum the latest first, at one time the events last: so the rows at risk at a time are
all rows of the stratum up to the last event of that time. m events at one time are one term of the likelihood, of all their
weight (Breslow), or m terms of a mth of it, in which the tied rows count with the factors 1, 1 − 1/m, 1 − 2/m, … (Efron).
Sums are kept as logarithms, so that no η overflows.
"""

from __future__ import annotations

import numpy as np


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

    def log_sums(self, eta):
        """(log Σ s e^η of the tied rows of each time (K,), of each term (T,)) for η (n,)."""
        z = np.append(eta[self.order] + self.log_s, -np.inf)
        sums = np.empty(len(z) - 1)
        for a, b in self.strata:
            sums[a:b] = np.logaddexp.accumulate(z[a:b])
        tied = np.logaddexp.reduceat(z, np.column_stack([self.start, self.end]).ravel())[::2]
        rest = np.where(self.start > self.low, sums[self.start - 1], -np.inf)
        return tied, np.logaddexp(rest[self.of_term], tied[self.of_term] + np.log(self.share))

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
        return np.add.reduceat(terms * self.term_weight, self.first_term) / self.weight

    def log_hazards(self, terms):
        """log of the increments of the baseline hazard, and of those that tied rows have, (K,) each."""
        rates = np.log(self.term_weight) - terms
        return (np.logaddexp.reduceat(r, self.first_term) for r in (rates, rates + np.log(self.share)))

    def expected(self, eta):
        """e^η times the baseline hazard up to the time of each row: the expected events, (n,)."""
        whole, shared = self.log_hazards(self.log_sums(eta)[1])
        behind = np.full(len(eta), -np.inf)
        for a, b in self.strata:
            first, last = np.searchsorted(self.start, (a, b))
            total = np.append(np.logaddexp.accumulate(whole[first:last][::-1])[::-1], -np.inf)
            behind[a:b] = total[np.searchsorted(self.end[first:last], np.arange(a, b), side="right")]
            mine = slice(*np.searchsorted(self.events, (a, b)))
            k = self.of_event[mine]
            behind[self.events[mine]] = np.logaddexp(total[k - first + 1], shared[k])
        out = np.empty(len(eta))
        out[self.order] = np.exp(eta[self.order] + behind)
        return out

    def at_risk(self, values, terms):
        """Σ s e^η values over the rows at risk / Σ s e^η, for each term, and the part of it from tied rows; η is in `terms`.

        `values` (n, m) carry s e^{η − c} already, `terms` are less the same c.
        """
        sums = np.empty((len(values) + 1, values.shape[1]))
        for a, b in self.strata:
            sums[a + 1 : b + 1] = np.cumsum(values[a:b], axis=0)
        inside = np.add.reduceat(
            np.vstack([values, np.zeros((1, values.shape[1]))]), np.column_stack([self.start, self.end]).ravel()
        )[::2]
        rest = np.where((self.start > self.low)[:, None], sums[self.start], 0.0)
        scale = np.exp(-terms)[:, None]
        return rest[self.of_term] * scale, self.share[:, None] * inside[self.of_term] * scale
