"""After a Cox fit: the baseline hazard, and how well the linear predictor orders the times."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.losses.survival.risk_sets import RiskSets

_AT_ONCE = 4_000_000  # pairs of rows


class Baseline:
    """The cumulative baseline hazard of every stratum, a step function of time: Breslow's estimator, or Efron's.

    At the time t_k of an event it rises by Σ s_i / Σ_{j at risk} s_j e^{η_j}; with Efron's ties by the sum of such terms.

    Attributes
    ----------
    times, cumulative : the times of events, ascending, and the cumulative hazard from each of them on, one array per stratum.

    References: Breslow, JRSS B 1972, in the discussion of Cox. Therneau and Grambsch, Modeling Survival Data, 2000.
    """

    def __init__(self, y, eta, weights, ties: str):
        risk = RiskSets(y, weights, ties)
        jumps = np.exp(next(iter(risk.log_hazards(risk.log_sums(eta)[1]))))[::-1]
        time, stratum = risk.time[::-1], risk.stratum[::-1]
        self.times = [time[stratum == k] for k in range(int(y["stratum"].max()) + 1)]
        self.cumulative = [np.cumsum(jumps[stratum == k]) for k in range(len(self.times))]

    def at(self, times, stratum: int = 0) -> np.ndarray:
        """The cumulative baseline hazard of a stratum at `times`."""
        if isinstance(stratum, bool) or not (isinstance(stratum, (int, np.integer)) and 0 <= stratum < len(self.times)):
            raise ValueError(
                f"Expected stratum, its position among the sorted labels, below {len(self.times)}, got {stratum!r}"
            )
        steps = np.concatenate([[0.0], self.cumulative[stratum]])
        return steps[np.searchsorted(self.times[stratum], times, side="right")]


def concordance(y, eta) -> float:
    """Harrell's C: the fraction of comparable pairs in which the row with the larger η has the earlier event; ties count ½.

    A pair of one stratum is comparable when the earlier time is an event; at equal times when just one of them is. NaN where
    no pair is comparable. Cost: rows times events.

    Reference: Harrell, Lee, Mark, Multivariable prognostic models, Statistics in Medicine 1996.
    """
    right = pairs = 0.0
    for stratum in np.unique(y["stratum"]):
        rows = np.flatnonzero(y["stratum"] == stratum)
        time, event, risk = y["time"][rows], y["event"][rows], np.asarray(eta)[rows]
        events = np.flatnonzero(event)
        step = max(1, _AT_ONCE // len(rows))
        for part in (events[i : i + step, None] for i in range(0, len(events), step)):
            later = (time > time[part]) | ((time == time[part]) & ~event)
            right += float(np.sum(later & (risk < risk[part]))) + 0.5 * float(np.sum(later & (risk == risk[part])))
            pairs += float(np.sum(later))
    return right / pairs if pairs else float("nan")
