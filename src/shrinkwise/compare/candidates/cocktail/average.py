"""The weighted mean of the networks of several settings."""

from __future__ import annotations

import torch

from .training import FoldRows, Trained

_DRAWS = 10
_GAIN = 0.002  # a draw must lower the loss by this share of it: every further setting makes the model larger


def averaged(found: list[Trained], rows: FoldRows) -> list[tuple[Trained, float]]:
    """Settings with their shares in the mean of the outputs, chosen by the loss of the held-out rows of all folds together.

    Forward selection with replacement (Caruana and others, Ensemble selection from libraries of models, 2004): from the
    setting with the lowest loss on, the setting is drawn whose outputs lower the loss of the mean of all draws most. Where
    that first setting selects inputs, only settings that do take part, so that inputs remain unused.
    """
    best = min(found, key=lambda each: each.loss)
    found = [each for each in found if (each.mix.select > 0) == (best.mix.select > 0)]
    held = rows.features[rows.held]
    outputs = torch.stack([fold_outputs(each.layers, held) for each in found])
    drawn = [found.index(best)]
    total, loss = outputs[drawn[0]], best.loss
    while len(drawn) < _DRAWS:
        losses = rows.held_losses((total + outputs) / (len(drawn) + 1))
        lowest = int(losses.argmin())
        if not float(losses[lowest]) < (1 - _GAIN) * loss:
            break
        drawn.append(lowest)
        total, loss = total + outputs[lowest], float(losses[lowest])
    return [(found[i], drawn.count(i) / len(drawn)) for i in dict.fromkeys(drawn)]


def fold_outputs(layers: list[tuple[torch.Tensor, torch.Tensor]], X: torch.Tensor) -> torch.Tensor:
    """Outputs (F, m, K) of the network of each fold for its rows X (F, m, E)."""
    *hidden, (last, last_bias) = layers
    for weights, biases in hidden:
        X = torch.baddbmm(biases[:, None], X, weights).relu_()
    return torch.baddbmm(last_bias[:, None], X, last)
