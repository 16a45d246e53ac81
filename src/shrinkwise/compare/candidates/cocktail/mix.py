"""One setting of all regularizers of the cocktail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mix:
    """Dropout of hidden units and of whole inputs, decoupled weight decay, and smoothed labels.

    keep, keep_inputs : probability of keeping a hidden unit, and an input with all its features.
    decay : at every step of rate η the weights are multiplied by 1 − η · decay; biases are not.
    smoothing : the share of a class label that is spread evenly over all classes; not used for numbers.
    sharp : the features of a number's b bins have a weight each of b^(sharp − ½) in the first layer: 0 for the weight of one
        feature together, ½ for that of a feature each, with which effects may jump.
    select : in the first steps the m weights of an input in the first layer are shrunk together, in a step of rate η by
        η · select · √m in norm or to exact zeros (a group lasso in the units of Adam's steps); those at zero at the end of
        these steps stay there, and the others are shrunk no longer. Each fold selects for itself while settings are
        compared; in the networks of the kept model the weights of an input are shrunk together in all of them.
    """

    keep: float = 1.0
    keep_inputs: float = 1.0
    decay: float = 0.0
    smoothing: float = 0.0
    sharp: float = 0.0
    select: float = 0.0

    def named(self, has_classes: bool) -> dict:
        """The setting as shown to the user."""
        said = {"keep": self.keep, "keep of inputs": self.keep_inputs, "decay": self.decay}
        said |= {"sharp bins": self.sharp} if self.sharp else {}
        said |= {"λ of inputs": self.select} if self.select else {}
        return said | {"label smoothing": self.smoothing} if has_classes and self.smoothing else said
