"""Every wrong call is one sentence that says what was expected."""

import numpy as np
import pytest

import shrinkwise as sw
from shrinkwise.penalties import Fixed, Sum

torch = pytest.importorskip("torch")

W = np.ones((3, 4))
BAD = {
    "negative lam": (lambda: sw.L1(-1.0), ValueError, "finite and ≥ 0"),
    "NaN lam": (lambda: sw.L2(float("nan")), ValueError, "finite and ≥ 0"),
    "infinite lam": (lambda: sw.L2(float("inf")), ValueError, "finite and ≥ 0"),
    "lam as text": (lambda: sw.L1("0.1"), TypeError, "to be a number"),
    "lam as bool": (lambda: sw.L1(True), TypeError, "to be a number"),
    "ratio above 1": (lambda: sw.ElasticNet(0.1, 1.5), ValueError, r"in \[0, 1\]"),
    "ratio NaN": (lambda: sw.ElasticNet(0.1, float("nan")), ValueError, r"in \[0, 1\]"),
    "negative weights": (lambda: sw.L1(0.1, weights=[1.0, -1.0]), ValueError, "weights to be finite and ≥ 0"),
    "NaN weights": (lambda: sw.L1(0.1, weights=[1.0, np.nan]), ValueError, "weights to be finite and ≥ 0"),
    "labels of the wrong length": (lambda: sw.GroupLasso(0.1, [0, 1]).value(W), ValueError, "labels of shape"),
    "labels not integer": (lambda: sw.Groups([0.5, 1.0]), TypeError, "integer group labels"),
    "labels below -1": (lambda: sw.Groups([0, -2]), ValueError, "group labels ≥ 0"),
    "overlapping groups": (lambda: sw.Groups.from_indices([[0, 1], [1, 2]], 4), ValueError, "without overlap"),
    "columns of a vector": (lambda: sw.GroupLasso(0.1, sw.Groups.columns()).value(W[0]), ValueError, "columns"),
    "group weights of the wrong length": (
        lambda: sw.GroupLasso(0.1, sw.Groups.columns(), weights=[1.0]).value(W), ValueError, "one weight per group"),
    "integer array": (lambda: sw.L1(0.1).prox(np.array([1, 2]), 1.0), TypeError, "floating-point"),
    "negative step": (lambda: sw.L1(0.1).prox(W, -1.0), ValueError, "step ≥ 0"),
    "negative array step": (lambda: sw.L1(0.1).prox(W, -W), ValueError, "steps ≥ 0"),
    "sum with two group terms": (
        lambda: (sw.GroupLasso(0.1, sw.Groups.rows()) + sw.GroupLasso(0.1, sw.Groups.columns())).prox(W, 1.0),
        TypeError, "no closed-form prox"),
    "gamma of 1": (lambda: sw.MCP(0.1, 1.0), ValueError, "gamma .* finite and > 1"),
    "gamma NaN": (lambda: sw.MCP(0.1, float("nan")), ValueError, "gamma .* finite and > 1"),
    "gamma infinite": (lambda: sw.MCP(0.1, float("inf")), ValueError, "gamma .* finite and > 1"),
    "gamma as bool": (lambda: sw.MCP(0.1, True), ValueError, "gamma .* finite and > 1"),
    "a of 2": (lambda: sw.SCAD(0.1, 2.0), ValueError, "a .* finite and > 2"),
    "a as text": (lambda: sw.SCAD(0.1, "3.7"), ValueError, "a .* finite and > 2"),
    "negative lam of L0": (lambda: sw.L0(-0.1), ValueError, "finite and ≥ 0"),
    "ratio as bool": (lambda: sw.ElasticNet(0.1, True), ValueError, r"in \[0, 1\]"),
    "NaN anchor": (lambda: sw.L2(0.1, anchor=[0.0, np.nan]), ValueError, "finite anchor"),
    "another word for an anchor": (lambda: sw.L1(0.1, anchor="start"), ValueError, '"initial" for the initial weights'),
    "anchor of another shape": (lambda: sw.L2(0.1, anchor=[0.0, 1.0]).value(W), ValueError, "an anchor of shape"),
    "weights of another shape": (lambda: sw.L1(0.1, weights=[1.0, 2.0]).prox(W, 1.0), ValueError, "weights of shape"),
    "weights of more axes": (lambda: sw.MCP(0.1, weights=np.ones((2, 3, 4))).value(W), ValueError, "weights of shape"),
    "steps of another shape": (lambda: sw.L1(0.1).prox(W, np.ones(3)), ValueError, "prox steps of shape"),
    "steps of more axes": (lambda: sw.L0(0.1).prox(W[0], np.ones((3, 4))), ValueError, "prox steps of shape"),
    "NaN step": (lambda: sw.L1(0.1).prox(W, float("nan")), ValueError, "step ≥ 0"),
    "integer tensor": (lambda: sw.MCP(0.1).prox(torch.ones(3, dtype=torch.int64), 1.0), TypeError, "floating-point"),
    "complex tensor": (lambda: sw.L2(0.1).value(torch.ones(3, dtype=torch.complex64)), TypeError, "floating-point"),
    "integer array in a sum": (lambda: (sw.L1(0.1) + sw.L2(0.1)).prox(np.array([1, 2]), 1.0), TypeError, "floating-point"),
    "negative multiple": (lambda: -2 * sw.L1(0.1), ValueError, "finite and ≥ 0"),
    "negative multiple of MCP": (lambda: -2 * sw.MCP(0.1), ValueError, "finite and ≥ 0"),
    "infinite multiple": (lambda: float("inf") * sw.SCAD(0.1), ValueError, "finite and ≥ 0"),
    "a part that is not there": (lambda: sw.L1(0.1).on(7).value(W), ValueError, r"a part 7, got shape \(3, 4\)"),
    "a part with too many axes": (lambda: sw.L1(0.1).on((0, 0, 0)).prox(W, 1.0), ValueError, "Expected weights with a part"),
    "a sum of nothing": (lambda: Sum(()), TypeError, "Expected a sum of penalties"),
    "a list in a sum": (lambda: Sum((sw.L1(0.1), 0.1)), TypeError, "Expected a sum of penalties"),
    "fixed without a penalty": (lambda: Fixed(0.1), TypeError, "Expected a penalty"),
    "conjugate of a nonconvex penalty": (lambda: sw.MCP(0.1).conjugate(W), TypeError, "only convex penalties have one"),
    "conjugate of L0": (lambda: sw.L0(0.1).conjugate(W), TypeError, "only convex penalties have one"),
    "unknown parameter": (lambda: sw.L1(0.1).set_params(alpha=1), ValueError, "no parameter 'alpha'"),
    "bad value through set_params": (lambda: sw.L1(0.1).set_params(lam=-1), ValueError, "finite and ≥ 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_one_sentence(case):
    call, kind, words = BAD[case]
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_sum_with_something_else_is_refused():
    with pytest.raises(TypeError):
        sw.L1(0.1) + 3


@pytest.mark.parametrize("other", [True, "2", None, 2j], ids=repr)
def test_times_something_else_is_refused(other):
    for penalty in (sw.L1(0.1), sw.MCP(0.1), sw.L1(0.1).on(0), sw.L1(0.1).fixed()):
        with pytest.raises(TypeError):
            other * penalty


EMPTY = [
    *(sw.L1(0.1), sw.L2(0.1), sw.ElasticNet(0.1), sw.MCP(0.1), sw.SCAD(0.1), sw.L0(0.1), 2 * sw.MCP(0.1)),
    *(sw.L1(0.1) + sw.L2(0.1), sw.L1(0.1) + sw.L1(0.1, anchor=1.0), sw.MCP(0.1) + sw.L2(0.1), sw.L1(0.1).on(slice(2))),
]


@pytest.mark.parametrize("penalty", EMPTY, ids=repr)
def test_empty_arrays_give_the_empty_result(penalty):
    empty = np.zeros(0)
    assert penalty.value(empty) == 0
    assert penalty.prox(empty, 1.0).shape == (0,)
    assert penalty.prox(empty, np.zeros(0)).shape == (0,)
    assert penalty.violation(empty, empty).shape == (0,)
    assert penalty.lambda_max(empty) == 0
    assert penalty.unpenalised((0,)).shape == (0,)
    assert penalty.prox(torch.zeros(0), 1.0).shape == (0,)
    assert not penalty.convex or penalty.conjugate(empty) == 0


@pytest.mark.parametrize("penalty", EMPTY, ids=repr)
def test_a_single_number_is_an_array_without_axes(penalty):
    if "on(" in repr(penalty):
        return
    w = np.array(0.7)
    assert penalty.prox(w, 0.5).shape == ()
    assert float(penalty.prox(w, 0.5)) == penalty.prox(np.array([0.7]), 0.5)[0]
    assert penalty.value(torch.tensor(0.7)).shape == ()


@pytest.mark.parametrize("kind", [sw.GroupLasso, sw.SparseGroupLasso, sw.GroupMCP])
def test_missing_groups_are_asked_for_in_one_sentence(kind):
    with pytest.raises(TypeError, match=f"{kind.__name__} needs groups"):
        kind(1e-3)
