"""Which torch functions are noise, how much of it, and whether it is on."""

from __future__ import annotations

from dataclasses import dataclass

import torch

_DROPOUTS = {
    *("dropout", "dropout_", "dropout1d", "dropout2d", "dropout3d", "feature_dropout", "feature_dropout_"),
    *("alpha_dropout", "alpha_dropout_", "feature_alpha_dropout", "feature_alpha_dropout_"),
}
_UNIFORM = {"rand", "rand_like", "uniform_", "random_"}
_BERNOULLI = {"bernoulli", "bernoulli_"}
_COMPARED = {"lt", "le", "gt", "ge", "floor", "floor_", "round", "ceil"}
_PASSED_ON = {
    *("add", "add_", "sub", "rsub", "view", "reshape", "unsqueeze", "type", "float", "half", "bfloat16"),
    *("expand", "bool", "bitwise_not", "logical_not", "clone", "permute", "transpose"),
}
_SHAPED_LIKE = {"expand_as", "type_as", "view_as", "to"}
_PRODUCTS = {"mul", "mul_", "multiply", "masked_fill", "masked_fill_"}
_RATIOS = {"div", "div_", "true_divide", "mul", "mul_"}
_RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}
_MANY = 1 << 18


@dataclass(slots=True)
class Noise:
    """A dropout, or a product with a random mask."""

    p: float | None  # probability of dropping; None for a mask of the model's own
    on: bool
    site: str = ""  # file and line
    mode: bool = True  # of the module that calls it
    state: int = 0  # of the random generator at the call
    mean_square: float = 0.0  # of its input
    variance: float = 0.0
    one_hot: bool = False
    axes: int = 0  # number of dimensions of its input

    def look_at(self, x) -> None:
        """Note the moments of the input and the random state; the first entries stand for a large one."""
        if not isinstance(x, torch.Tensor) or not x.is_floating_point() or not x.numel():
            return
        with torch.no_grad():
            self.axes = x.dim()
            some = x.detach().reshape(-1)[:_MANY].float()
            self.mean_square, self.variance = float(some.square().mean()), float(some.var(correction=0))
            rows = x.detach().reshape(-1, x.shape[-1])[:256] if x.dim() > 1 else x.detach()[None]
            self.one_hot = rows.shape[-1] > 2 and bool(
                (((rows == 0) | (rows == 1)).all(-1) & (rows.sum(-1) == 1)).all()
            )
        if x.device.type == "cpu":
            self.state = hash(torch.get_rng_state().numpy().tobytes())


def noise_of(name: str, func, args, kwargs) -> Noise | None:
    """The noise of a call of a torch function with an argument for it; None if it has none."""
    if name in _DROPOUTS:
        p, on = _argument(args, kwargs, 1, "p", 0.5), _argument(args, kwargs, 2, "training", kwargs.get("train", True))
    elif name == "scaled_dot_product_attention":
        p, on = _argument(args, kwargs, 4, "dropout_p", 0.0), True
    elif name == "multi_head_attention_forward":
        p, on = _argument(args, kwargs, 10, "dropout_p", 0.0), _argument(args, kwargs, 13, "training", True)
    elif name in _RECURRENT and args:
        at = 5 if isinstance(args[3], bool) else 6  # packed sequences come with their batch sizes
        if len(args) <= at + 1:
            return None
        # Dropout acts between the layers: there is none with one of them.
        p, on = args[at] if args[at - 1] > 1 else 0.0, args[at + 1]
    else:
        return None
    return Noise(float(p), bool(on) and p > 0)


def kind_of(name: str, parents: list[str], tensors: int) -> str:
    """What becomes of random numbers: uniform ones compared make a mask, a mask times a tensor is dropout."""
    name = name.removeprefix("__").removesuffix("__") if name.startswith("__") else name
    if name in _UNIFORM:
        return "uniform"
    if name in _BERNOULLI:
        return "mask"
    masks = [kind for kind in parents if kind in ("mask", "scaled mask")]
    if name in _COMPARED and "uniform" in parents:
        return "mask"
    if name in _PRODUCTS and masks and tensors > 1:
        return "masked"
    if name in _RATIOS and masks and tensors == 1:
        return "scaled mask"
    if name in _SHAPED_LIKE and parents:
        return parents[0] if parents[0] in ("uniform", "mask", "scaled mask") else ""
    if name in _PASSED_ON and len(parents) == 1 and tensors == 1 and parents[0] in ("uniform", "mask", "scaled mask"):
        return parents[0]
    return ""


def _argument(args, kwargs, position: int, name: str, default):
    return kwargs[name] if name in kwargs else args[position] if len(args) > position else default
