"""torch.compile(fullgraph=True) of value and prox: one graph, the same numbers."""

import numpy as np
import pytest

import shrinkwise as sw

torch = pytest.importorskip("torch")

C = torch.linspace(0.0, 2.0, 12).reshape(4, 3)
COMPILED = {
    "L1": sw.L1(0.1),
    "L1 weighted, anchored": sw.L1(0.1, weights=C, anchor=C),
    "L2 with NumPy weights and anchor": sw.L2(0.1, weights=C.numpy(), anchor=C.numpy()),
    "ElasticNet": sw.ElasticNet(0.1, 0.3),
    "MCP": sw.MCP(0.1),
    "SCAD weighted": sw.SCAD(0.1, weights=C),
    "L0": sw.L0(0.01),
    "2 * MCP": 2 * sw.MCP(0.1),
    "GroupLasso labels": sw.GroupLasso(0.1, [0, 0, 1]),
    "GroupLasso columns": sw.GroupLasso(0.1, sw.Groups.columns()),
    "GroupLasso rows": sw.GroupLasso(0.1, sw.Groups.rows(), weights=np.ones(4)),
    "GroupMCP": sw.GroupMCP(0.1, sw.Groups.columns()),
    "SparseGroupLasso": sw.SparseGroupLasso(0.1, sw.Groups.columns()),
    "L1 + L2 + group": sw.L1(0.1) + sw.L2(0.1) + sw.GroupLasso(0.1, sw.Groups.columns()),
    "2 * (MCP + L2)": 2 * (sw.MCP(0.1) + sw.L2(0.1)),
    "L1 + L1 anchored": sw.L1(0.1) + sw.L1(0.2, anchor=C),
    "L1 + NonNegative": sw.L1(0.1) + sw.NonNegative(),
    "L1 on a slice": sw.L1(0.1).on(slice(0, 2)),
}


def weights():
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", COMPILED)
def test_value_and_prox_are_one_graph(name):
    torch._dynamo.reset()
    penalty, w = COMPILED[name], abs(weights()) if "NonNegative" in name else weights()
    both = torch.compile(lambda w: (penalty.value(w), penalty.prox(w, 0.5)), fullgraph=True, backend="eager")
    value, prox = both(w)
    assert torch.equal(value, penalty.value(w))
    assert torch.equal(prox, penalty.prox(w, 0.5))


@pytest.mark.parametrize("name", ["L1", "MCP", "L1 + L2 + group"])
def test_gradients_go_through_the_compiled_value(name):
    torch._dynamo.reset()
    penalty, w = COMPILED[name], weights().requires_grad_()
    compiled = torch.compile(penalty.value, fullgraph=True, backend="aot_eager")
    (got,) = torch.autograd.grad(compiled(w), w)
    (expected,) = torch.autograd.grad(penalty.value(w), w)
    torch.testing.assert_close(got, expected)


def test_a_step_that_changes_is_no_new_graph_break():
    torch._dynamo.reset()
    compiled = torch.compile(sw.MCP(0.3, 1.5).prox, fullgraph=True, backend="eager")
    for step in (0.1, 1.0, 2.0, 5.0):
        assert torch.equal(compiled(weights(), step), sw.MCP(0.3, 1.5).prox(weights(), step))
    steps = torch.rand(4, 3)
    assert torch.equal(compiled(weights(), steps), sw.MCP(0.3, 1.5).prox(weights(), steps))


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")  # inductor warns about its own parts
@pytest.mark.parametrize("name", COMPILED)
def test_inductor_gives_the_same_numbers(name):
    torch._dynamo.reset()
    penalty, w = COMPILED[name], abs(weights()) if "NonNegative" in name else weights()
    value, prox = torch.compile(lambda w: (penalty.value(w), penalty.prox(w, 0.5)), fullgraph=True)(w)
    torch.testing.assert_close(value, penalty.value(w))
    torch.testing.assert_close(prox, penalty.prox(w, 0.5))
    assert torch.equal(prox == 0, penalty.prox(w, 0.5) == 0)
