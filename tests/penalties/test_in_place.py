"""Kernels take over only where they give what the formula gives; everything else is the formula."""

import numpy as np
import pytest

import shrinkwise as sw
from shrinkwise import kernels
from shrinkwise.penalties import prox_into

torch = pytest.importorskip("torch")


class RowNorms(sw.Penalty):
    """A penalty of a user's own that says which slices it takes the norms of."""

    def __init__(self, lam):
        self.lam = lam

    def value(self, w):
        return self.lam * ((w**2).sum(1) ** 0.5).sum()

    def prox(self, w, step):
        norms = ((w**2).sum(1) ** 0.5)[:, None]
        return w * ((norms - step * self.lam).clip(0.0) / norms.clip(1e-30))

    def axis_norms(self, w):
        return 0, np.full(len(w), self.lam)


C = np.linspace(0.0, 2.0, 35).reshape(7, 5)
BY_KERNEL = {
    "L1": sw.L1(0.4),
    "L2": sw.L2(0.4),
    "ElasticNet": sw.ElasticNet(0.4, 0.7),
    "L1 + L2": 2.0 * (sw.L1(0.1) + sw.L2(0.3).fixed()),
    "rows": sw.GroupLasso(0.3, sw.Groups.rows()),
    "columns": sw.GroupLasso(0.3, sw.Groups.columns()),
    "first axis, counted from the last": sw.GroupLasso(0.3, sw.Groups.axis(-2)),
    "rows, a user's own": RowNorms(0.3),
    "last axis, weighted": sw.GroupLasso(0.3, sw.Groups.axis(-1), weights=[0.0, 1.0, 2.0, 3.0, 4.0]),
}
BY_FORMULA = {
    "weighted L1": sw.L1(0.4, weights=C),
    "anchored L2": sw.L2(0.4, anchor=C),
    "labels": sw.GroupLasso(0.3, [0, 0, 1, 1, -1]),
    "sparse group": sw.L1(0.1) + sw.GroupLasso(0.3, sw.Groups.columns()),
    "box": sw.Box(-0.5, 0.5),
    "MCP": sw.MCP(0.4),
}


def arrays(dtype=np.float64):
    w = np.random.default_rng(0).normal(size=(7, 5))
    w[2], w[:, 3] = 0.0, 0.01
    return w.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize("name", [*BY_KERNEL, *BY_FORMULA])
def test_prox_into_is_the_prox(name, as_tensor, dtype, monkeypatch):
    calls = []
    run = kernels.prox
    monkeypatch.setattr(kernels, "prox", lambda kind, *rest: (calls.append(kind), run(kind, *rest)))
    penalty = {**BY_KERNEL, **BY_FORMULA}[name]
    w = torch.from_numpy(arrays(dtype)) if as_tensor else arrays(dtype)
    expected = np.asarray(penalty.prox(w, 0.7))
    out = w * 0 + 9
    prox_into([(penalty, w, 0.7, out), (penalty, w, 0.7, w)])
    for got in (out, w):
        np.testing.assert_allclose(np.asarray(got), expected, atol=4 * np.finfo(dtype).eps * 4)
        assert np.array_equal(np.asarray(got) == 0, expected == 0)
    assert bool(calls) == (name in BY_KERNEL)


@pytest.mark.parametrize(
    "make", [lambda w: w.t(), lambda w: w.bfloat16(), lambda w: w[:, ::2]], ids=["t", "bf16", "strided"]
)
def test_layouts_and_types_without_a_kernel_take_the_formula(make):
    w = make(torch.from_numpy(arrays(np.float32)))
    expected = sw.L1(0.4).prox(w, 0.5)
    prox_into([(sw.L1(0.4), w, 0.5, w)])
    assert torch.equal(w, expected)


def test_several_tensors_of_several_kinds_in_one_call():
    jobs, expected = [], []
    for k, penalty in enumerate(BY_KERNEL.values()):
        w = torch.from_numpy(arrays(np.float32 if k % 2 else np.float64))
        expected.append(penalty.prox(w, 0.1 * k))
        jobs.append((penalty, w, 0.1 * k, w))
    prox_into(jobs)
    for (_, _, _, got), want in zip(jobs, expected, strict=True):
        torch.testing.assert_close(got, want, atol=1e-6, rtol=0)


def test_nan_stays_nan():
    w = arrays()
    w[1, 1] = np.nan
    prox_into([(sw.L1(0.4), w, 1.0, w)])
    assert np.isnan(w[1, 1])


def test_torch_counts_the_change():
    x = torch.ones(3, requires_grad=True)
    w = x * 2
    loss = (w * w).sum()
    prox_into([(sw.L1(0.4), w, 1.0, w)])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
