"""The networks of all settings and folds as one module: batched matrix products, no loop over networks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from shrinkwise.dropout.functional import dropout

from .mix import Mix


class NetworkStack(nn.Module):
    """S · F networks, S settings by F folds, each with two hidden layers of H ReLU units.

    The S networks of a fold start with the same weights. All networks see the same batch; which rows count for which fold is
    a matter of the loss. Within a setting the folds share the draw of dropped inputs, but not that of dropped units.

    Attributes: weights (S, E, F·H), (S, F, H, H), (S, F, H, K) and biases of the layers. sources (E,): the columns that the
    features are made of, which are dropped together. n_bins (E,): the number of bins that a feature is one of.
    """

    def __init__(
        self,
        mixes: Sequence[Mix],
        n_folds: int,
        sizes: tuple[int, int, int],
        sources: torch.Tensor,
        n_bins: torch.Tensor,
    ):
        super().__init__()
        n_features, hidden, n_outputs = sizes
        self.mixes, self.n_folds, self.hidden, self.sources = list(mixes), n_folds, hidden, sources
        self.inputs, n = torch.unique(sources, return_inverse=True)[1], len(mixes)
        self.n_bins = n_bins.float()

        def start(shape: tuple[int, ...], variance: float) -> nn.Parameter:
            values = (2 * torch.rand(shape) - 1) * math.sqrt(3 * variance)
            return nn.Parameter(values.expand(n, *shape).clone())

        self.first = start((n_features, n_folds * hidden), 1 / max(n_features, 1))
        self.second = start((n_folds, hidden, hidden), 2 / hidden)
        self.last = start((n_folds, hidden, n_outputs), 0.1 / hidden)
        self.first_bias = nn.Parameter(torch.zeros(n, 1, n_folds * hidden))
        self.second_bias = nn.Parameter(torch.zeros(n, n_folds, 1, hidden))
        self.last_bias = nn.Parameter(torch.zeros(n, n_folds, 1, n_outputs))

    @property
    def weights(self) -> tuple[nn.Parameter, ...]:
        """The weights that decay."""
        return self.first, self.second, self.last

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Outputs (S, F, m, K) of a batch X (m, E), with dropout."""
        n, m = len(self.mixes), len(X)
        settings = zip(self.mixes, self._weighted(), self.first_bias, strict=True)
        products = [torch.addmm(b[0], self._some_inputs(X, mix), w) for mix, w, b in settings]
        hidden = self._some_units([each.relu_() for each in products])
        hidden = hidden.view(n, m, self.n_folds, self.hidden).transpose(1, 2).reshape(-1, m, self.hidden)
        hidden = torch.baddbmm(self.second_bias.flatten(0, 1), hidden, self.second.flatten(0, 1)).relu_()
        hidden = self._some_units(list(hidden.view(n, -1, self.hidden))).view(-1, m, self.hidden)
        output = torch.baddbmm(self.last_bias.flatten(0, 1), hidden, self.last.flatten(0, 1))
        return output.view(n, self.n_folds, m, -1)

    @torch.no_grad()
    def evaluate(self, X: torch.Tensor) -> torch.Tensor:
        """Outputs (S, F, m, K) of the rows of each fold, X (F, m, E), without dropout."""
        n, folds = len(self.mixes), self.n_folds
        first = torch.stack(self._weighted()).view(n, X.shape[-1], folds, self.hidden).permute(2, 1, 0, 3).flatten(2)
        hidden = torch.bmm(X, first).view(folds, -1, n, self.hidden).permute(2, 0, 1, 3)
        hidden = (hidden + self.first_bias.view(n, folds, 1, self.hidden)).relu_()
        hidden = (hidden @ self.second + self.second_bias).relu_()
        return hidden @ self.last + self.last_bias

    def keep(self, settings: Sequence[int]) -> None:
        """Keep some of the settings."""
        self.mixes = [self.mixes[s] for s in settings]
        for name, values in list(self.named_parameters()):
            setattr(self, name, nn.Parameter(values.detach()[list(settings)].clone()))

    @torch.no_grad()
    def networks(self, setting: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Copies of the weights, inputs first, and biases of the F networks of a setting, layer by layer."""
        first = self._weighted()[setting].view(len(self.sources), self.n_folds, self.hidden).transpose(0, 1)
        pairs = (
            (first, self.first_bias[setting].view(self.n_folds, self.hidden)),
            (self.second[setting], self.second_bias[setting][:, 0]),
            (self.last[setting], self.last_bias[setting][:, 0]),
        )
        return [(weights.clone(), biases.clone()) for weights, biases in pairs]

    def _weighted(self) -> list[torch.Tensor]:
        """The weights of the first layer (E, F·H) by setting, times those of the bins."""
        pairs = zip(self.mixes, self.first, strict=True)
        return [first * self.n_bins[:, None] ** mix.sharp if mix.sharp else first for mix, first in pairs]

    def _some_inputs(self, X: torch.Tensor, mix: Mix) -> torch.Tensor:
        """X with whole inputs set to 0, which is near their mean, in each row."""
        if mix.keep_inputs == 1 or not len(self.inputs):
            return X
        kept = dropout(X.new_ones(len(X), int(self.inputs[-1]) + 1), keep=mix.keep_inputs)
        return X * kept.index_select(1, self.inputs)

    def _some_units(self, by_setting: list[torch.Tensor]) -> torch.Tensor:
        pairs = zip(by_setting, self.mixes, strict=True)
        return torch.stack([each if mix.keep == 1 else dropout(each, keep=mix.keep) for each, mix in pairs])
