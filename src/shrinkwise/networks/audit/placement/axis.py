"""Channel dropout on tensors of shape (batch, time, channels): it drops time steps."""

from __future__ import annotations

from collections.abc import Iterator

from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

_CHANNELWISE = ("dropout1d", "dropout2d", "feature_dropout")
_POINTWISE = frozenset(
    {"relu", "relu_", "gelu", "silu", "tanh", "sigmoid", "leaky_relu", "elu", "dropout", "add", "mul"}
)
_LAST_AXIS = ("linear", "layer_norm", "embedding", "rms_norm", "scaled_dot_product_attention", "lstm", "gru")


def detect(subject: Subject) -> Iterator[Finding]:
    """One warning. Needs a batch."""
    if subject.passes is None:
        return
    tape, found = subject.passes.train, []
    for call in tape.active():
        if call.name in _CHANNELWISE and call.noise is not None and call.noise.axes == 3:
            before = tape.back_through(call.index, _POINTWISE)
            if before is not None and before.name in _LAST_AXIS:
                found.append((call, before))
    if found:
        call, before = found[0]
        yield Finding(
            "channel-dropout-on-time",
            "warning",
            listed(f"{c.module or 'model'} ({c.noise.site})" for c, _ in found if c.noise),
            f"{call.name} treats dimension 1 as channels, but its input of shape {call.shape} comes from "
            f"{before.name}, whose channels are the last dimension, so whole time steps are dropped.",
            "x.transpose(1, 2) around it, or sw.ChannelDropout with channel_dim=-1",
            "https://github.com/pytorch/pytorch/issues/77081",
        )
