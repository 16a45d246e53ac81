"""Targets that are classes, numbered from 0."""

from __future__ import annotations

import numpy as np


def class_codes(y, loss: str, known: str, most: float = np.inf):
    """The codes 0, 1, … of `y` if all are present; ValueError otherwise."""
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(f"Expected at least two classes in y, got one class, {classes[0]:g}")
    if (classes != np.arange(len(classes))).any() or len(classes) > most:
        shown = ", ".join(f"{c:g}" for c in classes[:6]) + (", …" if len(classes) > 6 else "")
        raise ValueError(
            f"The {loss} loss expects classes numbered {known}, got {shown}; PenalizedClassifier takes any labels"
        )
    return y
