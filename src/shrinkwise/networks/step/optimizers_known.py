"""What has to be known of torch's optimizers: which are refused, how they decay weights, how a scaler skips their step."""

from __future__ import annotations

from torch import optim

_KNOWN_COUPLED = ("SGD", "Adam", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam")
_KNOWN_DECOUPLED = ("AdamW", "Adafactor", "Muon")
_COUPLED = tuple(getattr(optim, name) for name in _KNOWN_COUPLED)
# Adafactor and Muon are younger than the oldest torch supported.
_DECOUPLED = tuple(getattr(optim, name) for name in _KNOWN_DECOUPLED if hasattr(optim, name))


def check_optimizer(optimizer) -> None:
    """Raise an error for an optimizer that the normal map does not support."""
    if not isinstance(optimizer, optim.Optimizer):
        raise TypeError(
            f"Expected a torch.optim.Optimizer, got {type(optimizer).__name__}; call attach before any wrapper"
        )
    name = type(optimizer).__name__
    if isinstance(optimizer, optim.LBFGS):
        raise ValueError(
            "LBFGS is not supported, because it moves the weights several times per step by line searches on the "
            "loss alone; use Adam or SGD"
        )
    if isinstance(optimizer, optim.SparseAdam):
        raise ValueError(
            "SparseAdam is not supported, because it does not penalise weights without a gradient; use Adam with "
            "dense gradients"
        )
    _check_is_no_wrapper(optimizer, name)
    for group in optimizer.param_groups:
        if group.get("maximize"):
            raise ValueError(f"{name} has maximize=True, but a penalty is minimised; negate the loss instead")
        if isinstance(optimizer, optim.ASGD) and group["lambd"]:
            raise ValueError(
                "ASGD shrinks weights by its own option lambd; set lambd=0 and add sw.L2(...) to the penalty"
            )
        weight_decay(optimizer, group)


def _check_is_no_wrapper(optimizer, name: str) -> None:
    """One sentence for an optimizer whose steps are made by another one, or whose weights are not those of its steps."""
    inner = [key for key, value in vars(optimizer).items() if isinstance(value, optim.Optimizer)]
    if inner:
        raise ValueError(
            f"{name} delegates its steps to another optimizer; attach to that one: "
            f"sw.attach(optimizer.{inner[0]}, model, ...)"
        )
    if hasattr(optimizer, "first_step") and hasattr(optimizer, "second_step"):
        raise ValueError(
            f"{name} steps by first_step() and second_step(), which attach does not support; use a version that "
            "wraps a base optimizer, and attach to the base optimizer"
        )
    if callable(getattr(optimizer, "eval", None)) and callable(getattr(optimizer, "train", None)):
        raise ValueError(
            f"{name} evaluates an average of its weights (eval()), which has no exact zeros; use Adam or SGD with a decaying "
            "learning rate, and reg.averaged() for an average that keeps zeros"
        )


def weight_decay(optimizer: optim.Optimizer, group: dict) -> tuple[float, float]:
    """(coupled, decoupled) weight decay of a parameter group: added to the gradient as wd·w, or shrinking w by 1 − lr·wd."""
    decay = group.get("weight_decay", 0)
    if not decay:
        return 0.0, 0.0
    if group.get("decoupled_weight_decay") or isinstance(optimizer, _DECOUPLED):
        return 0.0, decay
    if isinstance(optimizer, (*_COUPLED, optim.ASGD)):
        return decay, 0.0
    # The convention of optimizers outside torch (AdaBelief and others): a key of the group or an attribute says which.
    decouple = group.get("weight_decouple", getattr(optimizer, "weight_decouple", None))
    if decouple is not None:
        if not decouple:
            return decay, 0.0
        if group.get("fixed_decay", getattr(optimizer, "fixed_decay", False)):
            return 0.0, decay / float(group["lr"]) if group["lr"] else 0.0  # shrinks w by 1 − wd
        return 0.0, decay
    raise ValueError(
        f"The weight_decay={decay} of {type(optimizer).__name__} may act on the gradient or on the weights, which "
        "cannot be determined; set it to 0 and add sw.L2.from_weight_decay(...) to the penalty"
    )


def step_is_skipped(optimizer: optim.Optimizer) -> bool:
    """Whether a GradScaler makes a fused optimizer skip the step."""
    found_inf = getattr(optimizer, "found_inf", None)
    return found_inf is not None and bool(found_inf)


def gradient_scale(optimizer: optim.Optimizer):
    """What a fused optimizer will divide the gradient by."""
    scale = getattr(optimizer, "grad_scale", None)
    return 1.0 if scale is None else scale
