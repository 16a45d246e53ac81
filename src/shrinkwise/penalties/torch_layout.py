"""The index of labelled groups as tensors: imported only if torch is already in use."""

from __future__ import annotations

import torch


@torch.compiler.assume_constant_result
def torch_layout(groups, shape, device):
    """(gather index, labels, sizes) of `LabelledGroups` for a weight of this shape, on its device; a constant when compiled."""
    key = (tuple(shape), device)
    if key not in groups._layouts:
        groups._layouts[key] = tuple(torch.as_tensor(part, device=device) for part in groups.layout(tuple(shape)))
    return groups._layouts[key]
