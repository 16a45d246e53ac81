"""The formulas the compiled kernels must agree with, in plain NumPy; they run where no kernel is built."""

from __future__ import annotations

import numpy as np


def prox(kind: str, inputs, outputs, thresholds, shrinks) -> None:
    """Proximal maps of several arrays, outputs[k] written from inputs[k] (which may be the same array).

    "separable": out = soft(in, threshold) · shrink, one threshold and one shrink an array: L1, L2, elastic net.
    "rows", "columns": out = in · max(1 − threshold_g/‖in_g‖, 0) on a matrix, one threshold a row or a column.
    """
    for x, out, threshold, shrink in zip(inputs, outputs, thresholds, shrinks, strict=True):
        if kind == "separable":
            t = float(threshold[0])
            out[...] = (x - np.clip(x, -t, t)) * shrink
            continue
        norms = np.linalg.vector_norm(x.astype(np.float64), axis=1 if kind == "rows" else 0, keepdims=True)
        t = threshold[:, None] if kind == "rows" else threshold[None, :]
        out[...] = x * (1.0 - t / np.maximum(norms, np.where(t > 0, t, 1.0)))
