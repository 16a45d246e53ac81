"""What dropout means: every mask of a layer is a thinned network, and training averages over them."""

from __future__ import annotations

from typing import NamedTuple

import torch

from .functional import check_keep

_MOST_UNITS = 20


class Subnetworks(NamedTuple):
    """All thinned versions of a layer of m units: `masks` (2^m, m), True = kept, and their `probabilities` (2^m,)."""

    masks: torch.Tensor
    probabilities: torch.Tensor


def enumerate_subnetworks(n_units: int, *, keep: float) -> Subnetworks:
    """All 2^m masks of a layer of m units, with the probability keep^kept · (1 − keep)^dropped of each.

    With it an expectation over dropout is a finite sum. Refused above 20 units (a million masks).

    >>> masks, probabilities = enumerate_subnetworks(2, keep=0.75)
    >>> masks.tolist()
    [[False, False], [True, False], [False, True], [True, True]]
    >>> probabilities.tolist()
    [0.0625, 0.1875, 0.1875, 0.5625]
    """
    keep = check_keep(keep, (), "enumerate_subnetworks(4, keep=0.8)")
    if not 0 <= n_units <= _MOST_UNITS:
        raise ValueError(f"expected between 0 and {_MOST_UNITS} units (2^m masks are listed), got {n_units}")
    numbers = torch.arange(2**n_units)
    masks = (numbers[:, None] >> torch.arange(n_units)) & 1 == 1
    kept = masks.sum(1).double()
    probabilities = torch.pow(keep, kept) * torch.pow(1.0 - keep, n_units - kept)
    return Subnetworks(masks, probabilities)
