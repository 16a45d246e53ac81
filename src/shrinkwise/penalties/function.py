"""A penalty defined by a function: the gradient by autograd, the prox if it is a sum over the weights."""

from __future__ import annotations

import numpy as np

from .array import cast, namespace, step_like, weights_array, working
from .contract import Penalty, check_lam


class FromFunction(Penalty):
    """λ · function(w), made by ``Penalty.from_function``. It does not produce exact zeros.

    Parameters
    ----------
    function : callable
        A differentiable function of a torch tensor that returns a scalar, written with torch or plain operators. NumPy
        arrays are passed to it as float64 tensors.
    lam : float ≥ 0
        λ, the regularization strength.
    elementwise : bool
        Declares that the function is Σ_j φ(w_j) with one convex φ. Then the prox is a one-dimensional solve per weight
        (bisection on u + step λ φ'(u) = w to rounding accuracy, about 60 gradients), so that `attach` and the linear
        models can use it. Otherwise there is no prox; add the value to the loss instead.

    >>> import numpy as np
    >>> from shrinkwise import Penalty
    >>> smooth = Penalty.from_function(lambda w: (w * w + 1).sqrt().sum(), lam=2.0, elementwise=True)
    >>> u = smooth.prox(np.array([3.0]), step=0.5)             # u + u/√(u² + 1) = 3
    >>> float(np.round((u + u / np.sqrt(u * u + 1))[0], 12))
    3.0
    """

    convex = False  # not known; and there is no conjugate for a duality gap

    def __init__(self, function, lam: float = 1.0, *, elementwise: bool = False):
        if not callable(function):
            raise TypeError(f"Expected a function of the weights, got {type(function).__name__}")
        self.function = function
        self.lam = check_lam(lam)
        self.elementwise = elementwise

    @property
    def separable(self) -> bool:  # type: ignore[override]
        """Whether it was declared as elementwise."""
        return self.elementwise

    def value(self, w):
        """λ · function(w)."""
        w = working(w)
        value = self._call(_tensor(w))
        return float(self.lam) * (float(value.detach()) if namespace(w) is np else value)

    def gradient(self, w):
        """λ · the gradient of the function, by autograd."""
        import torch

        x = working(w)
        with torch.enable_grad():
            leaf = _tensor(x).detach().requires_grad_()
            value = self._call(leaf)
            if not value.requires_grad:
                raise TypeError(
                    f"Expected a function that autograd can follow from its argument, but {_name(self.function)} "
                    "detaches its result"
                )
            gradient = torch.autograd.grad(value, leaf)[0]
        return float(self.lam) * (gradient.numpy().astype(x.dtype) if namespace(w) is np else gradient)

    def prox(self, w, step):
        """By bisection per weight, if declared as elementwise."""
        if not self.elementwise:
            raise TypeError(
                f"The function {_name(self.function)} has no prox; add its value to the loss, or declare it as a "
                "sum over the weights of one convex function with from_function(..., elementwise=True)"
            )
        w = weights_array(w)
        x = working(w)
        xp, step = namespace(x), step_like(step, x)
        # φ' does not decrease, so the root of u ↦ u + step φ'(u) − w lies between w − step φ'(w) and w.
        other = x - step * self.gradient(x)
        low, high = xp.minimum(x, other), xp.maximum(x, other)
        for _ in range(12 - round(float(np.log2(float(xp.finfo(x.dtype).eps))))):
            middle = 0.5 * (low + high)
            above = middle + step * self.gradient(middle) > x
            low, high = xp.where(above, low, middle), xp.where(above, middle, high)
        return cast(0.5 * (low + high), w)

    def violation(self, w, g):
        """|g + λ ∇function(w)|."""
        g = working(g)
        return abs(g + self.gradient(w))

    def latex(self) -> str:
        r"""\lambda \, \mathrm{name}(w)."""
        return rf"{self.lam:.4g} \, \mathrm{{{_name(self.function)}}}(w)"

    def _call(self, x):
        value = self.function(x)
        if getattr(value, "ndim", None) != 0 or namespace(value) is np:
            got = f"shape {tuple(value.shape)}" if hasattr(value, "shape") else type(value).__name__
            raise TypeError(f"Expected {_name(self.function)} to return a torch scalar, got {got}")
        return value


def _tensor(w):
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            'A penalty from a function needs PyTorch; install it with pip install "shrinkwise[torch]"'
        ) from error
    return torch.from_numpy(np.ascontiguousarray(w, dtype=float)) if namespace(w) is np else w


def _name(function) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return "f" if name == "<lambda>" else name
