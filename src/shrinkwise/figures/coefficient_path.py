"""The coefficients over λ."""

from __future__ import annotations

import numpy as np

from .axes import new_axes

_LABELLED = 8
_APART = 0.04  # of the height of the picture: names that are closer would overlap


def coefficient_path(lambdas, coefs, names=None, *, mark=None, ax=None):
    """Draw each coefficient over λ, with strong penalties on the left; the largest at the smallest λ are labelled where
    there is room.

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
    entered = np.flatnonzero(coefs.any(0))
    largest = entered[np.argsort(-np.abs(coefs[-1, entered]), kind="stable")][:_LABELLED]
    for j in entered:
        named = j in largest
        ax.plot(
            lambdas, coefs[:, j], lw=1.6 if named else 0.8, color=None if named else "0.75", zorder=2 if named else 1
        )
    for place in _apart(coefs[-1], largest, _APART * np.ptp(coefs)):
        end = (lambdas[-1], coefs[-1, place])
        ax.annotate(names[place], end, (4, 0), textcoords="offset points", va="center", fontsize=8)
    if mark is not None:
        ax.axvline(mark, color="0.3", lw=1, ls=":")
    ax.axhline(0.0, color="0.3", lw=0.6)
    ax.set(xscale="log", xlabel="λ (stronger penalty on the left)", ylabel="coefficient")
    ax.invert_xaxis()
    return ax


def _apart(levels: np.ndarray, order: np.ndarray, distance: float) -> list[int]:
    """Those of `order` whose level is at least `distance` from the levels of all that were taken before."""
    taken: list[int] = []
    for j in order:
        if all(abs(levels[j] - levels[other]) >= distance for other in taken):
            taken.append(j)
    return taken
