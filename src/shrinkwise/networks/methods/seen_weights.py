"""Whether the weights of a parameter were changed between two steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from shrinkwise.networks.memory.kernels import local
from shrinkwise.networks.memory.layout import in_pass, sampled


def _stamp(p: torch.Tensor) -> tuple:
    """What differs when the parameter was written to, or given other memory."""
    here = local(p)
    return p._version, here._version, here.data_ptr()


class SeenWeights(NamedTuple):
    """A parameter as a step has left it."""

    stamp: tuple
    entries: np.ndarray | None  # a view of some of the weights, which shows most changes through ``.data``
    values: bytes = b""  # of these entries


def seen(p: torch.Tensor, before: SeenWeights | None) -> SeenWeights:
    """What to compare at the next step; `before` is what the last step left."""
    here, stamp = local(p), _stamp(p)
    if before is not None and before.stamp[-1] == stamp[-1]:
        entries = before.entries  # of the same memory
    else:
        # Elsewhere than on the processor the comparison would wait for the device.
        entries = sampled(here.detach()).numpy() if in_pass(here) else None
    return SeenWeights(stamp, entries, b"" if entries is None else entries.tobytes())


def changed_since(last: SeenWeights | None, p: torch.Tensor) -> bool:
    """Whether the weights may have been changed since a step left them."""
    if last is None or last.stamp != _stamp(p):
        return True
    return last.entries is not None and last.entries.tobytes() != last.values
