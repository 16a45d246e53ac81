"""Hand-written noise whose mean differs between training and evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from shrinkwise.networks.audit.evidence.calls import Call, Tape
from shrinkwise.networks.audit.evidence.passes import Passes
from shrinkwise.networks.audit.evidence.untouched import untouched
from shrinkwise.networks.audit.subject.finding import Finding, listed
from shrinkwise.networks.audit.subject.subject import Subject

_ROWS = 512
_SIGMAS = 6.0
_KNOWN = ("torch.", "shrinkwise.")  # right by construction, or as AlphaDropout with a mean of another kind


def detect(subject: Subject) -> Iterator[Finding]:
    """One error for modules, one for products with a mask of whole samples. Needs a batch."""
    passes = subject.passes
    if passes is None:
        return
    with untouched(subject.model), torch.no_grad():
        found = [f"{name}: {ratio:.2g}" for name, ratio in _modules(subject, passes.train)]
    named = {name.split(":")[0] for name in found}
    found += [
        f"{call.module or 'model'} ({call.noise.site})"
        for call in _products(passes)
        if call.noise and call.module not in named
    ]
    if found:
        yield Finding(
            "noise-not-rescaled",
            "error",
            listed(found),
            "Kept values are not divided by the keep probability in training, so the mean of the output differs "
            "from that in evaluation (the number is mean in training / mean in evaluation).",
            "x * mask / keep in training and x in evaluation; sw.DropPath(branch, keep=0.9) for whole branches",
            "https://github.com/mosaicml/composer/issues/372; https://github.com/huggingface/pytorch-image-models/issues/887",
        )


def _modules(subject: Subject, tape: Tape) -> Iterator[tuple[str, float]]:
    """Layers without parameters that are random in training: their output for ones, compared with evaluation."""
    for name, (shape, dtype, device) in tape.inputs.items():
        module = subject.modules.get(name)
        if module is None or type(module).__module__.startswith(_KNOWN) or name not in tape.noisy:
            continue
        if any(True for _ in module.parameters()) or len(shape) < 2 or not dtype.is_floating_point:
            continue
        ones = torch.ones((_ROWS, *(min(size, 4) for size in shape[1:])), dtype=dtype, device=device)
        try:
            noisy, calm = module.train()(ones), module.eval()(ones)
        except Exception:  # a module of the user's that takes only the shapes of its place cannot be tried alone
            continue
        ratio = _mean_ratio(noisy, calm)
        if ratio is not None:
            yield name, ratio


def _mean_ratio(noisy, calm) -> float | None:
    """Mean in training / mean in evaluation, if they differ by more than chance and the noise is a mask."""
    if not isinstance(noisy, torch.Tensor) or not isinstance(calm, torch.Tensor) or noisy.shape[:1] != (_ROWS,):
        return None
    if noisy.shape != calm.shape or not bool((noisy == 0).any()) or noisy.unique().numel() > 2:
        return None
    rows = noisy.double().flatten(1)
    blocks = rows.shape[1] > 1 and bool((rows == rows[:, :1]).all(1).logical_not().any()) and _neighbours_agree(rows)
    means, target = rows.mean(1), float(calm.double().mean())
    error = float(means.std()) / _ROWS**0.5
    if blocks or target == 0 or abs(float(means.mean()) - target) <= _SIGMAS * max(error, 1e-3 * abs(target)):
        return None
    return float(means.mean()) / target


def _neighbours_agree(rows: torch.Tensor) -> bool:
    """Whether zeros occur in blocks, as in the masks of augmentation, and not singly as in dropout."""
    kept = (rows != 0).double()
    share = float(kept.mean())
    return float((kept[:, 1:] == kept[:, :-1]).double().mean()) > share**2 + (1 - share) ** 2 + 0.1


def _products(passes: Passes) -> Iterator[Call]:
    """Branches times a 0/1 mask of whole samples with no division next to it."""
    tape, rows = passes.train, {t.shape[0] for t in passes.batch.tensors() if t.dim()}
    scaled_in_eval = {call.module for call in passes.evaluation.calls if call.scalar}
    for call in tape.calls:
        if call.kind != "masked" or not call.shape or call.module in scaled_in_eval:
            continue
        parents = [tape.calls[i] for i in call.parents]
        masks = [p for p in parents if p.kind == "mask"]
        whole = masks and all(size == 1 for size in masks[0].shape[1:]) and masks[0].shape[:1] == call.shape[:1]
        if whole and call.shape[0] in rows and len(call.shape) > 1 and not _divided(tape, call, parents):
            yield call


def _divided(tape: Tape, call: Call, parents: list[Call]) -> bool:
    return any(p.scalar for p in parents) or any(c.scalar and call.index in c.parents for c in tape.calls)
