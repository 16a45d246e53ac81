"""The coefficients over λ."""

from __future__ import annotations

import numpy as np

from .axes import new_axes

_LABELLED = 8


def coefficient_path(lambdas, coefs, names=None, *, mark=None, ax=None):
    """Draw each coefficient over λ, with strong penalties on the left; the largest at the smallest λ are labelled.

    Parameters
    ----------
    lambdas : (L,) decreasing, > 0.
    coefs : (L, p).
    names : p texts, by default the column numbers.
    mark : a λ to mark with a line, e.g. the one selected by cross-validation.
    ax : matplotlib axes to draw on; by default new ones.

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes() if ax is None else ax
    lambdas, coefs = np.asarray(lambdas), np.asarray(coefs)
    names = [str(j) for j in range(coefs.shape[1])] if names is None else list(map(str, names))
    largest = np.argsort(-np.abs(coefs[-1]), kind="stable")[:_LABELLED]
    for j in np.flatnonzero(coefs.any(0)):
        named = j in largest
        ax.plot(
            lambdas, coefs[:, j], lw=1.6 if named else 0.8, color=None if named else "0.75", zorder=2 if named else 1
        )
        if named:
            ax.annotate(
                names[j], (lambdas[-1], coefs[-1, j]), (4, 0), textcoords="offset points", va="center", fontsize=8
            )
    if mark is not None:
        ax.axvline(mark, color="0.3", lw=1, ls=":")
    ax.axhline(0.0, color="0.3", lw=0.6)
    ax.set(xscale="log", xlabel="λ (stronger penalty on the left)", ylabel="coefficient")
    ax.invert_xaxis()
    return ax
