"""A network next to one of its sub-networks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .axes import new_axes

_MOST_UNITS = 14  # of a layer that are drawn; of wider layers this many, evenly spread


def thinned(kept, *, axes=None):
    """Draw a chain of layers twice: with all units, and with those that one draw of dropout keeps.

    Parameters
    ----------
    kept : list of bool arrays, one per layer from the inputs to the outputs, True = kept.
    axes : two matplotlib axes to draw on; by default new ones.

    Returns
    -------
    the two axes
    """
    axes = new_axes(1, 2, figsize=(10, 5), layout="constrained") if axes is None else axes
    kept = [np.asarray(k, dtype=bool) for k in kept]
    shown = [np.unique(np.linspace(0, len(k) - 1, min(len(k), _MOST_UNITS)).round().astype(int)) for k in kept]
    everything = [np.ones_like(k) for k in kept]
    units, weights = sum(k.sum() for k in kept[1:-1]), _weights(kept)
    _draw(axes[0], everything, shown)
    _draw(axes[1], kept, shown)
    axes[0].set_title(f"all units: {sum(len(k) for k in kept[1:-1])} hidden, {_weights(everything)} weights")
    axes[1].set_title(f"one draw: {units} hidden, {weights} weights")
    return axes


def _weights(kept) -> int:
    return sum(int(a.sum()) * int(b.sum()) for a, b in pairwise(kept))


def _draw(ax, kept, shown):
    from matplotlib.collections import LineCollection

    heights = [
        np.linspace(0.5 + len(s) / 2, 0.5 - len(s) / 2, len(s)) if len(s) > 1 else np.array([0.5]) for s in shown
    ]
    for k in range(len(kept) - 1):
        left, right = (kept[j][shown[j]] for j in (k, k + 1))
        lines = [
            ((k, a), (k + 1, b))
            for a, used in zip(heights[k], left, strict=True)
            for b, read in zip(heights[k + 1], right, strict=True)
            if used and read
        ]
        ax.add_collection(LineCollection(lines, colors="#0b62c4", linewidths=0.5, alpha=0.55, zorder=1))
    for k, (here, y) in enumerate(zip(shown, heights, strict=True)):
        on = kept[k][here]
        x = np.full(len(here), k)
        ax.scatter(x[on], y[on], s=70, color="white", edgecolors="#0b62c4", linewidths=1.6, zorder=3)
        ax.scatter(x[~on], y[~on], s=70, color="white", edgecolors="0.8", linewidths=1.0, zorder=2)
        ax.scatter(x[~on], y[~on], s=22, color="0.75", marker="x", linewidths=1.0, zorder=3)
        total = f"{int(kept[k].sum())} of {len(here) if len(here) == len(kept[k]) else len(kept[k])}"
        note = total if len(here) == len(kept[k]) else f"{total}\n({len(here)} drawn)"
        ax.annotate(
            note, (k, min(h.min() for h in heights)), (0, -22), textcoords="offset points", ha="center", va="top"
        )
    ax.set(xticks=[], yticks=[], xlim=(-0.5, len(kept) - 0.5))
    ax.margins(y=0.12)
    ax.set_frame_on(False)
