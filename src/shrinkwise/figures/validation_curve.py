"""The cross-validation curve over λ."""

from __future__ import annotations

import numpy as np

from .axes import new_axes


def validation_curve(lambdas, mean, se, *, n_nonzero=None, marks=None, ylabel="held-out loss", ax=None):
    """Draw the mean held-out loss over λ with a band of one standard error, strong penalties on the left.

    Parameters
    ----------
    lambdas : (L,) decreasing, > 0.
    mean, se : (L,).
    n_nonzero : (L,) numbers of inputs, written on the upper axis.
    marks : dict of text to λ, each a vertical line with an entry in the legend.
    ax : matplotlib axes to draw on; by default new ones.

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes() if ax is None else ax
    lambdas, mean, se = (np.asarray(values, dtype=float) for values in (lambdas, mean, se))
    ax.fill_between(lambdas, mean - se, mean + se, color="0.85", label="± one standard error")
    ax.plot(lambdas, mean, color="C0", lw=1.6, label="mean over the folds")
    for k, (text, lam) in enumerate((marks or {}).items()):
        ax.axvline(lam, color="0.3", lw=1, ls=(":", "--", "-.")[k % 3], label=text)
    ax.set(xscale="log", xlabel="λ (stronger penalty on the left)", ylabel=ylabel)
    ax.invert_xaxis()
    if n_nonzero is not None:
        _count_inputs(ax, lambdas, np.asarray(n_nonzero))
    ax.legend(fontsize=8)
    return ax


def _count_inputs(ax, lambdas, n_nonzero):
    at = np.unique(np.linspace(0, len(lambdas) - 1, 6).astype(int))
    top = ax.secondary_xaxis("top")
    top.set_xticks(lambdas[at], [str(count) for count in n_nonzero[at]])
    top.minorticks_off()
    top.set_xlabel("inputs used")
