"""The weighted mean of the networks of several settings."""

from __future__ import annotations

import torch

from .training import FoldRows, Trained

_DRAWS = 10
_GAIN = 0.002  # a draw must lower the loss by this share of it: every further setting makes the model larger


def averaged(found: list[Trained], rows: FoldRows) -> list[tuple[Trained, float]]:
    """Settings with their shares in the mean of the outputs, chosen by the loss of the held-out rows of all folds together.

    Either settings that select inputs or others take part, whichever mean has the lower loss, so that inputs that are not
    selected remain unused.
    """
    means = []
    for selects in (False, True):
        if some := [each for each in found if (each.mix.select > 0) == selects]:
            means.append(_drawn(some, rows))
    return min(means, key=lambda mean: mean[0])[1]


def _drawn(found: list[Trained], rows: FoldRows) -> tuple[float, list[tuple[Trained, float]]]:
    """The loss of the mean of some settings, and these with their shares.

    Forward selection with replacement (Caruana and others, Ensemble selection from libraries of models, 2004): from the
    setting with the lowest loss on, the setting is drawn whose outputs lower the loss of the mean of all draws most.
    """
    held = rows.features[rows.held]
    outputs = torch.stack([fold_outputs(each.layers, held) for each in found])
    drawn = [min(range(len(found)), key=lambda i: found[i].loss)]
    total, loss = outputs[drawn[0]], found[drawn[0]].loss
    while len(drawn) < _DRAWS:
        losses = rows.held_losses((total + outputs) / (len(drawn) + 1))
        lowest = int(losses.argmin())
        if not float(losses[lowest]) < (1 - _GAIN) * loss:
            break
        drawn.append(lowest)
        total, loss = total + outputs[lowest], float(losses[lowest])
    return loss, [(found[i], drawn.count(i) / len(drawn)) for i in dict.fromkeys(drawn)]


def fold_outputs(layers: list[tuple[torch.Tensor, torch.Tensor]], X: torch.Tensor) -> torch.Tensor:
    """Outputs (F, m, K) of the network of each fold for its rows X (F, m, E)."""
    *hidden, (last, last_bias) = layers
    for weights, biases in hidden:
        X = torch.baddbmm(biases[:, None], X, weights).relu_()
    return torch.baddbmm(last_bias[:, None], X, last)
