"""The networks of papers on pruning, written out: LeNet-300-100, ResNet-20 and a transformer of four blocks."""

from __future__ import annotations

import itertools

import torch
from torch import nn


class Block(nn.Module):
    """Two convolutions and a shortcut; a 1 × 1 convolution where the width changes (option B of the paper)."""

    def __init__(self, before: int, width: int):
        super().__init__()
        stride = 1 if before == width else 2
        self.first = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(2))
        short = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.short = nn.Identity() if before == width else short

    def forward(self, x):
        """ReLU of the sum of both ways."""
        inner = self.norms[0](self.first(x)).relu()
        return (self.norms[1](self.second(inner)) + self.short(x)).relu()


def resnet20(width: int = 16) -> nn.Module:
    """ResNet-20 for images of 32 × 32 (He et al., 2016)."""
    widths = [width] * 4 + [2 * width] * 3 + [4 * width] * 3
    blocks = [Block(before, after) for before, after in itertools.pairwise(widths)]
    stem = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10))


def lenet300() -> nn.Module:
    """LeNet-300-100 for 28 × 28 pixels."""
    return nn.Sequential(nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))


def transformer() -> nn.Module:
    """Four encoder blocks of width 128 with 8 heads and 512 units."""
    layer = nn.TransformerEncoderLayer(128, 8, 512, batch_first=True, activation="gelu")
    return nn.TransformerEncoder(layer, 4)


MODELS = {
    "lenet-300-100": (lenet300, (64, 784)),
    "resnet-20": (lambda: resnet20(16), (16, 3, 32, 32)),
    "resnet-20 of width 32": (lambda: resnet20(32), (16, 3, 32, 32)),
    "transformer of 4 blocks": (transformer, (8, 32, 128)),
}


def example(name: str) -> torch.Tensor:
    """Normal inputs of the usual shape."""
    return torch.randn(*MODELS[name][1])
