"""The axes of a new figure."""

from __future__ import annotations


def new_axes(*shape, **options):
    """`matplotlib.pyplot.subplots` of this shape: its axes, or one sentence where matplotlib is missing."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('Plots need matplotlib; install it with pip install "shrinkwise[plot]"') from error
    return plt.subplots(*shape, **options)[1]
