"""float16 and bfloat16: computed in float32, rounded once, so that the λ you write is the λ you get."""

import numpy as np
import pytest

import shrinkwise as sw

torch = pytest.importorskip("torch")

HALF = {"float16": torch.float16, "bfloat16": torch.bfloat16}
C = torch.tensor([[1.0, 0.5, 2.0, 0.25]])
M = torch.tensor([[0.5, 0.0, -1.0, 0.25]])
SEPARABLE = {
    "L1": sw.L1(0.3),
    "L1 weighted, anchored": sw.L1(0.3, weights=C, anchor=M),
    "L2": sw.L2(0.3),
    "L2 anchored": sw.L2(0.3, anchor=M),
    "ElasticNet": sw.ElasticNet(0.3, 0.4, weights=C),
    "MCP": sw.MCP(0.3),
    "SCAD": sw.SCAD(0.2, weights=C),
    "L0": sw.L0(0.1),
    "2 * MCP": 2 * sw.MCP(0.3),
    "L1 + L2": sw.L1(0.2) + sw.L2(0.3, weights=C),
    "MCP + L2": sw.MCP(0.2) + sw.L2(0.3),
    "L1 + NonNegative": sw.L1(0.2) + sw.NonNegative(),
    "L1 on a slice": sw.L1(0.2).on(slice(0, 2)),
}


def weights(dtype):
    return torch.randn(30, 4, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("name", SEPARABLE)
@pytest.mark.parametrize("step", [0.7, "array"])
def test_a_half_prox_is_the_float32_prox_rounded_once(name, dtype, step):
    penalty, w = SEPARABLE[name], weights(HALF[dtype])
    step = torch.linspace(0.1, 2.0, 120).reshape(30, 4).to(HALF[dtype]) if step == "array" else step
    p = penalty.prox(w, step)
    assert p.dtype == w.dtype
    assert torch.equal(p, penalty.prox(w.float(), step if isinstance(step, float) else step.float()).to(w.dtype))


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("name", SEPARABLE)
def test_value_and_violation_of_half_weights_come_in_float32(name, dtype):
    penalty, w = SEPARABLE[name], weights(HALF[dtype])
    w = penalty.prox(w, 0.5)  # inside the bounds
    for got, expected in (
        (penalty.value(w), penalty.value(w.float())),
        (penalty.violation(w, w), penalty.violation(w.float(), w.float())),
    ):
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("dtype", HALF)
def test_a_lam_below_the_smallest_half_number_still_thresholds(dtype):
    # λ c = 1e-9 is 0 in float16, and step λ c = 1e-4 is what counts.
    penalty = sw.L1(1e-7, weights=torch.full((3,), 1e-2, dtype=HALF[dtype]))
    w = torch.tensor([5e-5, -9e-5, 1e-3], dtype=HALF[dtype])
    p = penalty.prox(w, 1e5)
    assert torch.equal(p[:2], torch.zeros(2, dtype=HALF[dtype]))
    assert float(p[2]) == pytest.approx(9e-4, rel=1e-2)


def test_a_half_value_neither_overflows_nor_loses_small_terms():
    w = torch.ones(100_000, dtype=torch.float16)
    assert float(sw.L1(1e-3).value(w)) == pytest.approx(100.0)
    assert float(sw.L2(2.0).value(w)) == 200_000.0
    assert float(sw.L1(1e-9).value(w)) == pytest.approx(1e-4)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("name", SEPARABLE)
def test_gradients_go_through_a_half_value(name, dtype):
    w = weights(HALF[dtype])
    if "NonNegative" in name:
        w = abs(w)
    leaf = w.clone().requires_grad_()
    SEPARABLE[name].value(leaf).backward()
    assert leaf.grad.dtype == w.dtype
    single = w.float().requires_grad_()
    SEPARABLE[name].value(single).backward()
    torch.testing.assert_close(leaf.grad, single.grad.to(w.dtype))


def test_numpy_float16_is_treated_alike():
    w = weights(torch.float16).numpy()
    for penalty in (sw.L1(0.3), sw.L2(0.3), sw.MCP(0.3), sw.L1(0.2) + sw.L2(0.1)):
        p = penalty.prox(w, 0.7)
        assert p.dtype == np.float16
        np.testing.assert_array_equal(p, penalty.prox(w.astype(np.float32), 0.7).astype(np.float16))


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize(
    "penalty",
    [sw.GroupLasso(0.3, sw.Groups.columns()), sw.GroupLasso(0.3, [0, 0, 1, -1]) + sw.L1(0.1) + sw.L2(0.1)],
    ids=repr,
)
def test_group_penalties_of_half_weights_are_right_to_the_accuracy_of_the_type(penalty, dtype):
    w = weights(HALF[dtype])
    p = penalty.prox(w, 0.7)
    assert p.dtype == w.dtype
    torch.testing.assert_close(p.float(), penalty.prox(w.float(), 0.7), rtol=0, atol=4 * torch.finfo(w.dtype).eps)
