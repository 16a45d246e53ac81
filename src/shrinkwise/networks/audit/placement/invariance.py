"""Which weights are followed directly by a normalisation, seen from the tape."""

from __future__ import annotations

import torch

from shrinkwise.networks.attaching.rules import NamedParameter
from shrinkwise.networks.audit.evidence.calls import Call, Tape
from shrinkwise.networks.audit.evidence.passes import Passes
from shrinkwise.networks.audit.subject.subject import Subject

NORMS = frozenset({"batch_norm", "group_norm", "layer_norm", "instance_norm", "rms_norm", "local_response_norm"})
VIEWS = frozenset(
    {
        *("view", "reshape", "flatten", "transpose", "permute", "contiguous", "unsqueeze", "squeeze", "unflatten"),
        *(
            "movedim",
            "swapaxes",
            "to",
            "float",
            "half",
            "bfloat16",
            "clone",
            "detach",
            "__get__",
            "Identity",
            "t",
            "mT",
        ),
    }
)
_PRODUCTS = frozenset({"linear", "conv1d", "conv2d", "conv3d"})
_COSINE = 1e-2  # of weights and gradient; exactly 0 but for the normalisation's eps


def scale_invariant(subject: Subject) -> set[int]:
    """Ids of weights whose only use is a product that goes into a normalisation at once."""
    if subject.passes is None:
        return set()
    tape = subject.passes.train
    users: dict[int, list[Call]] = {}
    for call in tape.calls:
        for key in call.weights:
            users.setdefault(key, []).append(call)
    normalised = {before.index for call in tape.calls if call.name in NORMS and (before := _source(tape, call))}
    followed = _consumers(tape)
    return {
        key
        for key, calls in users.items()
        if all(c.name in _PRODUCTS and c.index in normalised and followed.get(c.index, 0) == 1 for c in calls)
        and _orthogonal(subject.passes, subject.by_id.get(key), key)
    }


def _source(tape: Tape, norm: Call) -> Call | None:
    return tape.back_through(norm.index, VIEWS)


def _consumers(tape: Tape) -> dict[int, int]:
    """How many calls read each call's output, those that give no tensor left out."""
    counts: dict[int, int] = {}
    for call in tape.calls:
        for parent in set(call.parents):
            counts[parent] = counts.get(parent, 0) + 1
    return counts


def _orthogonal(passes: Passes, candidate: NamedParameter | None, key: int) -> bool:
    """Whether the gradient has no part along the weights, as it must."""
    gradient = passes.gradients.get(key)
    if candidate is None or candidate.param.dim() < 2:
        return False
    if gradient is None:
        return not passes.differentiated
    w = candidate.param.detach()
    product = torch.sum(w * gradient).abs()
    return bool(product <= _COSINE * w.norm() * gradient.norm())
