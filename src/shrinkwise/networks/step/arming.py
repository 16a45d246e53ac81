"""A stepper put on an optimizer, so that it survives pickling, copying and an interrupted step."""

from __future__ import annotations

import functools

import torch
from torch import optim


def arm(optimizer: optim.Optimizer, stepper) -> None:
    """Let `stepper` act around every step of this optimizer, and of its copies."""
    cls = type(optimizer)
    try:
        stepper.add_hooks(optimizer)
        optimizer.__class__ = _armed(cls)  # type: ignore[arg-type]
        optimizer._shrinkwise = stepper  # type: ignore[attr-defined]
    except BaseException:
        stepper.remove_hooks()
        optimizer.__class__ = cls
        raise


def disarm(optimizer: optim.Optimizer) -> None:
    """Undo `arm`."""
    optimizer.__dict__.pop("_shrinkwise").remove_hooks()
    optimizer.__class__ = type(optimizer).__mro__[1]


def stepper_of(optimizer: optim.Optimizer):
    """The stepper that `arm` put there, or None."""
    return optimizer.__dict__.get("_shrinkwise")


@functools.cache
def _armed(cls):
    """A subclass that takes its hooks along when pickled or copied, and leaves no half step behind an exception."""

    class Armed(cls):  # type: ignore[valid-type, misc]
        @functools.wraps(cls.step)
        def step(self, *args, **kwargs):
            try:
                return cls.step(self, *args, **kwargs)
            except BaseException as error:  # an interrupt from the keyboard above all
                differentiated = self._shrinkwise.gradients_have_graphs()
                self._shrinkwise.undo()
                if differentiated and isinstance(error, RuntimeError):
                    raise RuntimeError(
                        f"{cls.__name__} failed in its step; attach does not support optimizers that "
                        "differentiate gradients (second-order optimizers), because it replaces the gradients"
                    ) from error
                raise

        def __getstate__(self):
            return {**super().__getstate__(), "_shrinkwise": self._shrinkwise}

        def __setstate__(self, state):
            super().__setstate__(state)
            # load_state_dict comes here too, without the key and with the hooks in place.
            if "_shrinkwise" in state:
                self._shrinkwise.add_hooks(self)

        def __reduce_ex__(self, protocol):
            return _new, (cls,), self.__getstate__()

    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Armed, attribute, getattr(cls, attribute))
    return Armed


def _new(cls) -> torch.optim.Optimizer:
    armed = _armed(cls)
    return armed.__new__(armed)
