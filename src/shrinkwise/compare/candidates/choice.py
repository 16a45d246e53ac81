"""Which strength of a cross-validation curve a candidate takes."""

from __future__ import annotations

import numpy as np

from shrinkwise.compare.options import Options
from shrinkwise.selection import one_standard_error


def choose_strength(mean, se, inputs_used, options: Options, *, squared: bool) -> tuple[int, int]:
    """The best strength on a curve from the strongest to the weakest, and the one that is kept for simplicity: (best, one_se).

    one_se is the strongest within one standard error of the best, or within the share `options.within` of its score.
    Strengths that use more inputs than `options.max_features` are passed over; where all do, none is. `squared` says that
    the curve holds squared errors, of which the score is the root.

    Parameters
    ----------
    mean, se : (L,) of the curve;  inputs_used : (L,) or None where it is not known beforehand.
    """
    mean = np.array(mean, dtype=float)
    if options.max_features is not None and inputs_used is not None:
        allowed = np.asarray(inputs_used) <= options.max_features
        if allowed.any():
            mean[~allowed] = np.nan
    best, one_se = one_standard_error(mean, se)
    if options.within is not None:
        limit = mean[best] * (1 + options.within) ** (2 if squared else 1)
        one_se = int(np.flatnonzero(mean <= limit)[0])
    return best, one_se
