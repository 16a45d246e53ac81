"""One battery of laws over the one list of penalties, on NumPy and torch, in float64 and float32."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone

from laws.penalties_under_test import PENALTIES, SHAPE

torch = pytest.importorskip("torch")

KINDS = {
    "numpy-float64": (np.float64, np.asarray),
    "numpy-float32": (np.float32, np.asarray),
    "torch-float64": (np.float64, torch.from_numpy),
    "torch-float32": (np.float32, torch.from_numpy),
}
every_penalty = pytest.mark.parametrize("name", PENALTIES)
every_kind = pytest.mark.parametrize("kind", KINDS)
# Multiples of 1/8 meet zeros, ties and thresholds often, and are exact in float32.
entries = st.integers(-40, 40).map(lambda k: k / 8)
points = arrays(np.float64, SHAPE, elements=entries)
steps = st.sampled_from([0.25, 1.0, 3.0])


def tolerance(dtype, scale=1.0):
    """A few hundred roundings at the size of the numbers involved."""
    return 300 * np.finfo(dtype).eps * max(float(scale), 1.0)


def as_numpy(x):
    return x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)


def make(kind, *values):
    dtype, build = KINDS[kind]
    return dtype, *(build(np.array(v, dtype=dtype)) for v in values)


@every_penalty
@every_kind
@given(w=points)
def test_prox_with_step_zero_is_the_identity(name, kind, w):
    _, x = make(kind, w)
    assert np.array_equal(as_numpy(PENALTIES[name]().prox(x, 0.0)), as_numpy(x))


@every_penalty
@every_kind
@given(w=points, step=steps)
def test_prox_satisfies_its_optimality_condition(name, kind, w, step):
    dtype, x = make(kind, w)
    penalty = PENALTIES[name]()
    p = penalty.prox(x, step)
    assert p.dtype == x.dtype
    assert as_numpy(penalty.violation(p, (p - x) / step)).max() <= tolerance(dtype, abs(w).max() / step)


@every_penalty
@given(w=points, step=steps, direction=points, size=st.sampled_from([1e-3, 0.1, 1.0]))
def test_prox_is_the_minimiser(name, w, step, direction, size):
    penalty = PENALTIES[name]()

    def objective(u):
        return 0.5 * ((u - w) ** 2).sum() + step * penalty.value(u)

    p = penalty.prox(w, step)
    assert objective(p) <= objective(p + size * direction) + tolerance(np.float64, objective(p))


@every_penalty
@every_kind
@given(x=points, y=points, step=steps)
def test_prox_is_firmly_nonexpansive(name, kind, x, y, step):
    dtype, x, y = make(kind, x, y)
    penalty = PENALTIES[name]()
    d = as_numpy(penalty.prox(x, step) - penalty.prox(y, step)).astype(float)
    e = as_numpy(x - y).astype(float)
    assert (d * d).sum() <= (d * e).sum() + tolerance(dtype, (e * e).sum())


@every_penalty
@given(w=points, u=points, step=steps)
def test_conjugate_obeys_fenchel_young_with_equality_at_subgradients(name, w, u, step):
    penalty = PENALTIES[name]()
    if "weighted L2 + group" in name:
        with pytest.raises(TypeError, match="no closed-form conjugate"):
            penalty.conjugate(u)
        return
    assert penalty.value(w) + penalty.conjugate(u) >= (u * w).sum() - tolerance(np.float64, (abs(u) * abs(w)).sum())
    p = penalty.prox(w, step)
    subgradient = (w - p) / step
    # Rounding may put a subgradient one bit outside the set where the conjugate is finite: step inside by a relative 1e-12.
    inside = penalty.conjugate(subgradient * (1 - 1e-12) - 0.0)
    if np.isinf(inside):  # entries the penalty does not act on: their subgradient is zero up to rounding
        free = penalty.unpenalised(SHAPE)
        assert abs(subgradient[free]).max(initial=0) <= tolerance(np.float64, abs(w).max())
        inside = penalty.conjugate(np.where(free, 0.0, subgradient * (1 - 1e-12)))
    gap = penalty.value(p) + inside - (subgradient * p).sum()
    assert abs(gap) <= 1e-10 * (1 + (abs(subgradient) * abs(p)).sum())


@every_penalty
@given(g=points)
def test_lambda_max_from_both_sides(name, g):
    penalty = PENALTIES[name]()
    zero = np.zeros(SHAPE)
    g = np.where(penalty.with_lam(1.0).unpenalised(SHAPE), 0.0, g)  # λ_max speaks of the penalised entries
    top = penalty.lambda_max(g)
    if np.isinf(top):
        assert not (penalty.with_lam(1e12).violation(zero, g) <= 0).all()
        return
    assert (penalty.with_lam(top * (1 + 1e-14)).violation(zero, g) <= 0).all()
    if top > 0:
        assert (penalty.with_lam(0.99 * top).violation(zero, g) > 0).any()


@every_penalty
@given(w=points)
def test_autograd_of_the_value_lies_in_the_subdifferential(name, w):
    penalty = PENALTIES[name]()
    x = torch.from_numpy(w).requires_grad_()
    value = penalty.value(x)
    (g,) = torch.autograd.grad(value, x)
    assert not torch.isnan(g).any()
    assert float(penalty.violation(x.detach(), -g).max()) <= tolerance(np.float64, abs(w).max())


@every_penalty
@given(w=points, u=points, step=steps)
def test_numpy_equals_torch_and_float32_equals_float64(name, w, u, step):
    penalty = PENALTIES[name]()
    for member in ("value", "prox", "violation"):
        arguments = {"value": (w,), "prox": (w, step), "violation": (w, u)}[member]
        expected = as_numpy(getattr(penalty, member)(*arguments))
        for kind, (dtype, build) in KINDS.items():
            cast = [build(np.array(a, dtype=dtype)) if np.ndim(a) else a for a in arguments]
            got = as_numpy(getattr(penalty, member)(*cast))
            assert np.allclose(
                got, expected, rtol=0, atol=tolerance(dtype, abs(expected).max(initial=0) + abs(w).max())
            ), kind


@every_penalty
@every_kind
@given(w=points, step=steps)
def test_a_constant_array_step_equals_the_number(name, kind, w, step):
    dtype, x, s = make(kind, w, np.full(SHAPE, step))
    penalty = PENALTIES[name]()
    assert np.allclose(
        as_numpy(penalty.prox(x, s)), as_numpy(penalty.prox(x, step)), rtol=0, atol=tolerance(dtype, abs(w).max())
    )


@every_penalty
@given(w=points, s=arrays(np.float64, SHAPE, elements=st.sampled_from([0.0, 0.3, 1.0, 4.0])), d=points)
def test_prox_in_a_diagonal_metric_is_the_minimiser(name, w, s, d):
    penalty = PENALTIES[name]()
    p = penalty.prox(w, s)
    assert np.array_equal(p[s == 0], w[s == 0])
    moving = s > 0

    def objective(u):
        return ((u - w)[moving] ** 2 / (2 * s[moving])).sum() + penalty.value(u)

    for size in (1e-3, 1.0):
        other = p + size * np.where(moving, d, 0.0)
        assert objective(p) <= objective(other) + tolerance(np.float64, objective(p))


@every_penalty
@given(w=points, step=steps)
def test_prox_is_odd(name, w, step):
    penalty = PENALTIES[name]()
    assert np.array_equal(penalty.prox(-w, step), -penalty.prox(w, step))


@pytest.mark.parametrize("name", ["L1", "L2", "ElasticNet", "L1 + L2"])
@given(w=points, step=steps, order=st.permutations(range(12)))
def test_unweighted_separable_prox_commutes_with_permutations(name, w, step, order):
    penalty = PENALTIES[name]()
    assert np.array_equal(penalty.prox(w.ravel()[order], step), penalty.prox(w.ravel(), step)[order])


@every_penalty
@every_kind
@pytest.mark.parametrize("step", [0.0, 1.0])
def test_prox_at_awkward_points_is_finite_and_zero_where_due(name, kind, step):
    dtype, x = make(kind, np.resize([0.0, -0.0, 1e-30, -1e-30, 1e30, -1e30, 0.7, -0.7, 1.0, 0.4, 0.3, 0.5], SHAPE))
    penalty = PENALTIES[name]()
    p = as_numpy(penalty.prox(x, step))
    assert np.isfinite(p).all()
    zero = as_numpy(penalty.prox(x * 0, step))
    assert np.array_equal(zero, np.zeros(SHAPE, dtype))
    assert np.array_equal(as_numpy(penalty.prox(x * 0 + 1, np.float64(0.0))), np.ones(SHAPE))


@every_penalty
def test_nan_propagates_and_never_becomes_zero(name):
    w = np.ones(SHAPE)
    w[0, 0] = np.nan
    penalty = PENALTIES[name]()
    assert np.isnan(penalty.prox(w, 1.0)[0, 0])
    assert np.isnan(penalty.value(w))
    assert np.isnan(as_numpy(penalty.prox(torch.from_numpy(w), 1.0))[0, 0])


@every_penalty
def test_scaling_equality_parameters_and_clone(name):
    penalty = PENALTIES[name]()
    w = np.linspace(-1, 2, 12).reshape(SHAPE)
    assert penalty == PENALTIES[name]()
    assert penalty != penalty.with_lam(penalty.lam + 1)
    copy = clone(penalty)
    assert copy == penalty
    assert copy.set_params(lam=0.25).lam == 0.25
    assert type(penalty).__name__ in repr(penalty) or "+" in repr(penalty)
    assert penalty.latex()
    if "fixed" not in name:
        assert (3.0 * penalty).value(w) == pytest.approx(3.0 * penalty.value(w), rel=1e-14)
    else:
        assert (3.0 * penalty).value(w) < 3.0 * penalty.value(w)


def test_the_battery_ran_on_every_penalty_and_kind():
    assert len(PENALTIES) == 18
    assert len(KINDS) == 4
