"""The strength that a candidate selects on a cross-validation curve."""

from __future__ import annotations

import numpy as np

from shrinkwise.compare.options import Options
from shrinkwise.selection import paired_one_standard_error


def choose_strength(losses, inputs_used, options: Options, *, squared: bool) -> tuple[int, int]:
    """The indices (best, one_se) on a curve from the strongest to the weakest strength.

    one_se is the strongest within one standard error of the paired difference to the best (`paired_one_standard_error`),
    or within the share `options.within` of its score. Strengths that use more inputs than `options.max_features` are
    skipped, unless all do. `squared` means that the losses are squared errors and the score is their root.

    Parameters
    ----------
    losses : (L, K) by strength and fold;  inputs_used : (L,) or None if unknown before fitting.
    """
    losses = np.array(losses, dtype=float)
    if options.max_features is not None and inputs_used is not None:
        allowed = np.asarray(inputs_used) <= options.max_features
        if allowed.any():
            losses[~allowed] = np.nan
    best, one_se = paired_one_standard_error(losses)
    if options.within is not None:
        mean = losses.mean(axis=1)
        limit = mean[best] * (1 + options.within) ** (2 if squared else 1)
        one_se = int(np.flatnonzero(mean <= limit)[0])
    return best, one_se
