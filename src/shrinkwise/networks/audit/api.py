"""`audit`: the actual effect of a model's weight decay, penalties and dropout."""

from __future__ import annotations

from torch import nn, optim

from .evidence.batches import Batch
from .evidence.passes import run_passes
from .evidence.record import Record
from .registry import DETECTORS
from .subject.finding import SEVERITIES, Audit
from .subject.subject import Subject


def audit(model: nn.Module, optimizer=None, batch=None, *, steps=None, loss=None, record=None) -> Audit:
    """Find weight decay, penalties and dropout that do not have the intended effect. Nothing is changed.

    Parameters
    ----------
    model : nn.Module
        To check Monte Carlo dropout, pass it in the modes that the script has set.
    optimizer : torch.optim.Optimizer or list of them, optional
        Needed to check the decay of every parameter.
    batch : tensor, (inputs, target) or dict, optional
        One batch, as small as the model takes it. Inputs are a tensor, a tuple of them or a dict of the arguments of
        `forward`; a bare dict also means the inputs, as does a pair if `forward` needs both. Needed to check dropout,
        with one forward and backward pass in training mode and one forward pass in evaluation, and one or two more if
        these are random.
    steps : int, optional
        Number of optimizer steps planned; by default 10,000 are assumed to classify a decay as slow or fast.
    loss : callable, optional
        ``loss(output, target)``, a scalar, with every penalty that the script adds. ``loss(output)`` without a target.
    record : Record, optional
        A record of some training steps and a validation; see ``audit.record``.

    Returns an `Audit`. "error" is never intended, "warning" rarely, and "note" is information.

    Notes: afterwards parameters, gradients, buffers, attributes, modes and random states (torch, numpy, random) are
    unchanged, bit for bit. Buffers and frozen parameters are copied for that; trainable ones are not, so a forward pass
    that overwrites them is not undone. Tensor hooks on parameters run. A compiled or DDP model is examined without its
    wrapper.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout(0.9))
    >>> print(audit(model, batch=torch.ones(4, 3)).findings[0].code)
    dropout-p-is-keep
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"Expected the model to be a torch.nn.Module, got {type(model).__name__}")
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
        raise ValueError(f"Expected steps to be the number of planned optimizer steps, an integer ≥ 1, got {steps!r}")
    if loss is not None and not callable(loss):
        raise TypeError(f"Expected loss to be a function of (output, target), got {type(loss).__name__}")
    if record is not None and not isinstance(record, Record):
        raise TypeError(f"Expected record to be the result of audit.record, got {type(record).__name__}")
    if loss is not None and batch is None:
        raise ValueError("Evaluating loss needs a batch; pass batch=(inputs, target)")
    optimizers = _optimizers(optimizer)
    model = _inner(model)
    passes = None if batch is None else run_passes(model, Batch(batch, loss))
    subject = Subject(model, optimizers, steps, passes, record)
    found = [finding for detector in DETECTORS for finding in detector.detect(subject)]
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Audit(found, _checked(subject), _not_checked(subject))


def assert_regularized(model, optimizer=None, batch=None, *, allow=(), severity="warning", **options) -> Audit:
    """Raise AssertionError if `audit` has findings; for use in tests.

    Parameters
    ----------
    model, optimizer, batch, **options : as for `audit`
    allow : str or list of str
        Codes of findings that are intended.
    severity : "error", "warning" or "note"
        Lowest severity that fails.

    Returns the `Audit`. Raises AssertionError with the findings.
    """
    allowed = {allow} if isinstance(allow, str) else set(allow)
    result = audit(model, optimizer, batch, **options)
    failing = [finding for finding in result.at_least(severity) if finding.code not in allowed]
    if failing:
        raise AssertionError(
            "\n\n".join([f"the audit found {len(failing)} of severity {severity!r} or worse", *map(str, failing)])
        )
    return result


def _optimizers(optimizer) -> list[optim.Optimizer]:
    listed = [] if optimizer is None else list(optimizer) if isinstance(optimizer, (list, tuple)) else [optimizer]
    for one in listed:
        if not isinstance(one, optim.Optimizer):
            raise TypeError(
                f"Expected optimizer to be a torch.optim.Optimizer or a list of them, got {type(one).__name__}"
            )
    return listed


def _inner(model: nn.Module) -> nn.Module:
    """The module inside the wrappers of torch.compile and data parallelism."""
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod  # type: ignore[assignment]
        elif isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
            model = model.module
        else:
            return model


def _checked(subject: Subject) -> str:
    size = sum(candidate.param.numel() for candidate in subject.parameters)
    parts = [f"{type(subject.model).__name__} with {size:,} parameters"]
    parts += [type(optimizer).__name__ for optimizer in subject.optimizers]
    if subject.passes is not None:
        parts.append("a batch" if subject.passes.batch.loss is None else "a batch with its loss")
    if subject.record is not None:
        parts.append(f"a record of {subject.record.steps} steps")
    return f"Checked: {', '.join(parts)}."


def _not_checked(subject: Subject) -> tuple[str, ...]:
    missing = []
    if not subject.optimizers:
        missing.append("weight decay and what is trained (pass the optimizer)")
    if subject.passes is None:
        missing.append("the effect of dropout in training and evaluation (pass a batch)")
    elif subject.passes.batch.loss is None:
        missing.append("penalties in the loss (pass loss=, a function of output and target)")
    if subject.optimizers and subject.steps is None:
        missing.append("the timescale of the decay compared with the run (pass steps=)")
    if subject.record is None:
        missing.append("clipping and the modes of the training loop (pass record=, from audit.record)")
    return tuple(missing)
