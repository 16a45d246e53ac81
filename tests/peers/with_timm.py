"""timm's own tests of its drop layers, run with this package's noise behind timm's names.

    python tests/peers/with_timm.py [--out FILE] [part of a file's name]

The tests are in timm's source distribution, which is downloaded; timm is not installed. The module `timm.layers.drop` that they
import is made here: `drop_path` and `DropPath` scale a branch, as timm's do, by this package's `drop_path` around a branch.
"""

from __future__ import annotations

import sys
import tempfile
import types
from pathlib import Path

import torch
from outcomes import arguments, downloaded, run
from torch import nn

from shrinkwise.dropout import DropPath as Residual
from shrinkwise.dropout.functional import drop_path as residual

RELEASE = "timm==1.0.31"

# (pattern of the test's name, class, reason)
CLASSES: list[tuple[str, str, str]] = [
    ("TestDropBlock2d*", "not claimed", "there is no DropBlock"),
    (
        "*test_drop_path_no_scaling",
        "not claimed",
        "inverted dropout is the definition: kept branches are divided by keep",
    ),
    ("*test_extra_repr", "not claimed", "keep is what is printed, not the probability of dropping"),
]


def drop_path(x, drop_prob=0.0, training=False, scale_by_keep=True):
    """timm's drop_path: the branch alone, b x/keep, from the residual connection 0 + b x/keep."""
    if not scale_by_keep:
        raise NotImplementedError("this package divides what it keeps by keep")
    return residual(lambda _, kept: kept, torch.zeros_like(x), x, keep=1.0 - drop_prob, training=training)


class DropPath(nn.Module):
    """timm's DropPath: a branch that was computed already."""

    def __init__(self, drop_prob=0.0):
        super().__init__()
        self.layer = Residual(nn.Identity(), keep=1.0 - drop_prob)

    def forward(self, x):
        """b x/keep: the layer's x + b x/keep without the x."""
        return self.layer(x) - x

    def extra_repr(self):
        """What the layer says of itself."""
        return self.layer.extra_repr()


def not_here(*_, **__):
    """DropBlock."""
    raise NotImplementedError("there is no DropBlock in this package")


def main() -> int:
    """Run, list, and return the exit status."""
    only, out = arguments(__doc__, "peers-timm.txt")
    for name in ("timm", "timm.layers", "timm.layers.drop"):
        sys.modules[name] = types.ModuleType(name)
    vars(sys.modules["timm.layers.drop"]).update(
        drop_path=drop_path, DropPath=DropPath, drop_block_2d=not_here, DropBlock2d=not_here
    )
    with tempfile.TemporaryDirectory() as folder:
        unpacked = downloaded(RELEASE, Path(folder), "--no-binary", ":all:")
        test = (unpacked / "tests" / "test_layers_drop.py").rename(Path(folder) / "test_layers_drop.py")
        return run([test] if only in test.name else [], CLASSES, out)


if __name__ == "__main__":
    sys.exit(main())
