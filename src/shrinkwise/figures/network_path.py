"""The held-out score and the number of kept groups or weights over λ."""

from __future__ import annotations

import numpy as np

from .axes import new_axes


def network_path(lambdas, scores, errors, kept, *, best=None, chosen=None, ax=None):
    """Draw the held-out score with its standard error over λ, with strong penalties on the left, and the number of kept
    groups or weights.

    Parameters
    ----------
    lambdas : (L,) decreasing, > 0.
    scores, errors : (L,) mean held-out score, lower is better, and its standard error (NaN: not drawn).
    kept : (L,) number of nonzero groups or weights.
    best, chosen : λ to mark, optional: the best one with a dotted line, the selected one with a solid line.
    ax : matplotlib axes to draw on; by default new ones.

    Returns
    -------
    matplotlib Axes, that of the scores; the number kept is on a twin axis.
    """
    ax = new_axes() if ax is None else ax
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
