"""Dropout that is configured but never acts: a layer that forward does not call, a probability that it does not use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import nn

from shrinkwise.networks.audit.evidence.calls import Tape
from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

from .layers import drop_of, is_dropout

_ATTRIBUTE = re.compile(r"(.*_)?(dropout|dropout_p|dropout_rate|dropout_prob|drop_rate|drop_prob|drop_p|p_drop)")


def detect(subject: Subject) -> Iterator[Finding]:
    """One warning for all of them. Needs a batch."""
    if subject.passes is None:
        return
    tape = subject.passes.train
    unused = [*_layers(subject, tape), *_numbers(subject, tape), *_switched_off(tape)]
    if unused:
        yield Finding(
            "dropout-never-called",
            "warning",
            listed(unused),
            f"{len(unused)} dropout probabilities are configured, but nothing is dropped there in training mode.",
            "call the layer in forward, or use the probability (dropout_p=self.p if self.training else 0.0)",
            "https://github.com/NX-AI/tirex/issues/19; https://github.com/dimitymiller/cac-openset/issues/1",
        )


def _layers(subject: Subject, tape: Tape) -> Iterator[str]:
    at_work = {call.module for call in tape.active()}
    # Where another module of the same class calls its own, forward decides: a block without a residual needs no drop path.
    called = {
        _place(subject, name) for name, module in subject.modules.items() if tape.entered[name] and is_dropout(module)
    }
    for name, module in subject.modules.items():
        if (
            is_dropout(module)
            and drop_of(module) > 0
            and not tape.entered[name]
            and _place(subject, name) not in called
        ):
            parent = _at_work_parent(subject, name)
            # A layer may only keep the probability that its parent gives to a function.
            if parent not in at_work and (tape.entered[parent] or parent == ""):
                yield f"{name} (p={drop_of(module):g})"


def _place(subject: Subject, name: str) -> tuple[type, str]:
    parent, _, attribute = name.rpartition(".")
    return type(subject.modules[parent]), attribute


def _at_work_parent(subject: Subject, name: str) -> str:
    parent = name.rpartition(".")[0]
    while parent and isinstance(subject.modules[parent], (nn.ModuleList, nn.ModuleDict)):
        parent = parent.rpartition(".")[0]
    return parent


def _numbers(subject: Subject, tape: Tape) -> Iterator[str]:
    for name, module in subject.modules.items():
        if is_dropout(module) or isinstance(module, nn.RNNBase) or name in tape.noisy:
            continue
        if not tape.entered[name] and name:
            continue
        for key, value in vars(module).items():
            if isinstance(value, float) and 0 < value < 1 and _ATTRIBUTE.fullmatch(key):
                yield f"{name + '.' if name else ''}{key} = {value:g}"


def _switched_off(tape: Tape) -> Iterator[str]:
    """Calls with p > 0 that a constant False switches off in training mode."""
    for call in tape.noises():
        if call.noise is not None and call.noise.p and not call.noise.on and call.noise.mode:
            yield f"{call.module or 'model'} ({call.noise.site}, p={call.noise.p:g})"
