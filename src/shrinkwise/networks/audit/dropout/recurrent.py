"""Recurrent dropout with one layer: it acts only between layers, so it has no effect."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject


def detect(subject: Subject) -> Iterator[Finding]:
    """One warning."""
    found = [
        f"{name} (dropout={module.dropout:g})"
        for name, module in subject.modules.items()
        if isinstance(module, nn.RNNBase) and module.dropout > 0 and module.num_layers == 1
    ]
    if found:
        yield Finding(
            "recurrent-dropout-one-layer",
            "warning",
            listed(found),
            "Dropout of nn.LSTM, nn.GRU and nn.RNN acts on the outputs of all layers but the last; with one layer nothing "
            "is dropped.",
            "num_layers=2, or an nn.Dropout after it",
            "https://github.com/pytorch/pytorch/issues/5985",
        )
