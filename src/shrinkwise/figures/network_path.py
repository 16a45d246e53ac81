"""Held-out score and what is kept, over λ."""

from __future__ import annotations

import numpy as np


def network_path(lambdas, scores, errors, kept, *, best=None, chosen=None, ax=None):
    """Draw the held-out score with its standard error over λ, strong penalties on the left, and what is kept beside it.

    Parameters
    ----------
    lambdas : (L,) decreasing, > 0.
    scores, errors : (L,) mean held-out score, lower is better, and its standard error (NaN: not drawn).
    kept : (L,) groups or weights that are not zero.
    best, chosen : λ to mark, optional: the best one with a dotted line, the one kept with a solid one.
    ax : matplotlib axes to draw on; by default new ones.

    Returns
    -------
    matplotlib Axes, that of the scores; what is kept is on a twin of it.
    """
    if ax is None:
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError('pictures need matplotlib: pip install "shrinkwise[plot]"') from error
        ax = plt.subplots()[1]
    lambdas, errors = np.asarray(lambdas, dtype=float), np.nan_to_num(np.asarray(errors, dtype=float))
    ax.errorbar(lambdas, scores, yerr=errors, fmt=".-", lw=1.2, capsize=2, color="C0", label="held-out score")
    for value, style in ((best, ":"), (chosen, "-")):
        if value is not None:
            ax.axvline(value, color="0.3", lw=1, ls=style)
    ax.set(xscale="log", xlabel="λ (stronger penalty on the left)", ylabel="held-out score")
    ax.invert_xaxis()
    beside = ax.twinx()
    beside.step(lambdas, kept, where="mid", lw=1, color="C1")
    beside.set_ylabel("kept", color="C1")
    beside.set_ylim(bottom=0)
    return ax
