"""Dropout as an average over sub-networks: the identities that hold exactly, by enumerating every mask."""

from __future__ import annotations

import pytest
import torch

from shrinkwise.dropout import enumerate_subnetworks, keep_mask
from shrinkwise.dropout.bits import apply_mask

torch_double = {"dtype": torch.float64}


@pytest.mark.parametrize("keep", [0.5, 0.3, 0.9, 1.0, 1e-3])
def test_probabilities_are_those_of_independent_units(keep):
    masks, probabilities = enumerate_subnetworks(6, keep=keep)
    assert masks.shape == (64, 6)
    assert len({tuple(mask) for mask in masks.tolist()}) == 64
    assert float(probabilities.sum()) == pytest.approx(1.0, abs=1e-14)
    torch.testing.assert_close(
        probabilities @ masks.double(), torch.full((6,), keep, **torch_double), atol=1e-14, rtol=0
    )


@pytest.mark.parametrize("keep", [0.5, 0.3, 0.8])
def test_the_expectation_of_dropout_is_the_identity(keep):
    x = torch.randn(8, **torch_double, generator=torch.Generator().manual_seed(0))
    masks, probabilities = enumerate_subnetworks(8, keep=keep)
    outputs = torch.stack([apply_mask(x, mask, keep) for mask in masks])
    torch.testing.assert_close(probabilities @ outputs, x, atol=1e-12, rtol=0)


@pytest.mark.parametrize("keep", [0.5, 0.3, 0.8])
def test_drawn_masks_follow_the_enumerated_probabilities(keep):
    probabilities = enumerate_subnetworks(3, keep=keep).probabilities
    n = 2**15
    drawn = torch.stack([keep_mask(n, keep=keep, seed=5, stream=unit) for unit in range(3)], 1)
    counts = torch.bincount((drawn * torch.tensor([1, 2, 4])).sum(1), minlength=8)
    spread = (n * probabilities * (1 - probabilities)).sqrt()
    assert ((counts - n * probabilities).abs() <= 5 * spread).all()


@pytest.mark.parametrize("keep", [0.5, 0.3, 0.8])
def test_dropout_on_least_squares_is_ridge(keep):
    # E over masks of 1/(2n) ‖y − X̃w‖², X̃ = dropout(X), equals 1/(2n) (‖y − Xw‖² + (1 − keep)/keep Σ_j (X'X)_jj w_j²).
    generator = torch.Generator().manual_seed(1)
    n, m = 5, 7
    x, y, w = (torch.randn(*shape, **torch_double, generator=generator) for shape in [(n, m), (n,), (m,)])
    masks, probabilities = enumerate_subnetworks(m, keep=keep)
    # The masks of different rows are independent and the loss is a sum over rows: one enumeration serves each row.
    losses = torch.stack([(y - apply_mask(x, mask, keep) @ w) ** 2 for mask in masks]) / (2 * n)
    ridge = ((y - x @ w) ** 2).sum() + (1 - keep) / keep * ((x * x).sum(0) * w * w).sum()
    torch.testing.assert_close((probabilities @ losses).sum(), ridge / (2 * n), atol=1e-12, rtol=1e-12)


def test_the_variance_of_a_linear_unit():
    keep, generator = 0.3, torch.Generator().manual_seed(2)
    x, w = (torch.randn(9, **torch_double, generator=generator) for _ in range(2))
    masks, probabilities = enumerate_subnetworks(9, keep=keep)
    outputs = apply_mask(x.expand(len(masks), -1), masks, keep) @ w
    variance = probabilities @ (outputs - w @ x) ** 2
    torch.testing.assert_close(variance, (1 - keep) / keep * (w * w * x * x).sum(), atol=1e-12, rtol=1e-12)


def test_the_geometric_mean_of_sigmoid_subnetworks_is_weight_scaling():
    keep, generator = 0.6, torch.Generator().manual_seed(3)
    x, w = (torch.randn(8, **torch_double, generator=generator) for _ in range(2))
    masks, probabilities = enumerate_subnetworks(8, keep=keep)
    logits = apply_mask(x.expand(len(masks), -1), masks, keep) @ w
    yes, no = (torch.exp(probabilities @ torch.nn.functional.logsigmoid(sign * logits)) for sign in (1, -1))
    torch.testing.assert_close(yes / (yes + no), torch.sigmoid(w @ x), atol=1e-12, rtol=0)


def test_too_many_units_are_refused():
    with pytest.raises(ValueError, match="between 0 and 20 units"):
        enumerate_subnetworks(21, keep=0.5)
