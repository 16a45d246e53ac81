"""Proximal maps beside torch's fused AdamW step on the same 25M parameters, one thread, medians of interleaved rounds.

Bars: separable prox ≤ 0.30 of the step; group prox over columns ≤ 1.5 times the same over rows.
"""

from __future__ import annotations

import numpy as np
import torch
from benchmarks.common import interleave, medians, save

from shrinkwise import kernels

SHAPE = (5000, 5000)


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    w = torch.nn.Parameter(torch.randn(SHAPE) * 0.02)
    w.grad = torch.randn(SHAPE)
    optimizer = torch.optim.AdamW([w], lr=1e-3, fused=True)
    x = (torch.randn(SHAPE) * 0.02).numpy()
    one, rows = np.full(1, 1e-9), np.full(5000, 1e-9)

    def prox(kind, thresholds):
        return lambda: kernels.prox(kind, [x], [x], [thresholds], [1.0])

    y = torch.from_numpy(x)

    def torch_columns():
        norms = torch.linalg.vector_norm(y, dim=0, keepdim=True)
        return y * (1 - 1e-9 / norms.clamp_min(1e-9))

    contenders = {
        "AdamW fused step": optimizer.step,
        "L1 prox, kernel": prox("separable", one),
        "L1 prox, torch": lambda: y - y.clamp(-1e-9, 1e-9),
        "group prox rows, kernel": prox("rows", rows),
        "group prox columns, kernel": prox("columns", rows),
        "group prox columns, torch": torch_columns,
    }
    found = medians(interleave(contenders))
    step = found["AdamW fused step"]
    rows_out = [{"what": k, "seconds": round(v, 5), "of the AdamW step": round(v / step, 3)} for k, v in found.items()]
    for row in rows_out:
        print(f"{row['what']:28} {1e3 * row['seconds']:8.1f} ms {row['of the AdamW step']:7.2f} of the AdamW step")
    ratio = found["group prox columns, kernel"] / found["group prox rows, kernel"]
    print(f"columns / rows: {ratio:.2f}")
    save("prox", [*rows_out, {"what": "columns / rows", "ratio": round(ratio, 3)}], ["torch", "numpy"])


if __name__ == "__main__":
    main()
