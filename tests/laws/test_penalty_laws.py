"""One battery of laws over the one list of penalties, on NumPy and torch, in float64 and float32."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.base import clone

import shrinkwise as sw
from laws import battery
from laws.battery import (
    KINDS,
    LAWS,
    as_numpy,
    in_kinds,
    law,
    metrics,
    points,
    steps,
    tolerance,
    torch,
    violation,
)
from laws.penalties_under_test import PENALTIES, SHAPE

FOUR = len(KINDS)
# A point has twelve entries and a law some seventy penalties: half the examples of the profile, or a quarter where the law
# hardly depends on the point.
half = settings(max_examples=max(settings.default.max_examples // 2, 5))
few = settings(max_examples=max(settings.default.max_examples // 4, 4))


# --- prox --------------------------------------------------------------------------------------------------------------
@law(battery.finite, kinds=FOUR)
@few
@given(w=points)
def test_prox_with_step_zero_is_the_identity(name, w):
    for kind, _, x in in_kinds(w):
        assert np.array_equal(as_numpy(PENALTIES[name]().prox(x, 0.0)), as_numpy(x)), kind


@law(kinds=FOUR)
@half
@given(w=points, step=steps)
def test_prox_satisfies_its_optimality_condition(name, w, step):
    penalty = PENALTIES[name]()
    for kind, dtype, x in in_kinds(w):
        p = penalty.prox(x, step)
        assert p.dtype == x.dtype
        left = as_numpy(violation(penalty, p, (p - x) / step, step))
        assert left.max() <= tolerance(dtype, abs(w).max() / step), kind


@law()
@half
@given(w=points, step=steps, other=points, size=st.sampled_from([1e-3, 0.1, 1.0]))
def test_nothing_near_or_far_is_better_than_the_prox(name, w, step, other, size):
    penalty = PENALTIES[name]()

    def objective(u):
        return 0.5 * ((u - w) ** 2).sum() + step * penalty.value(u)

    p = penalty.prox(w, step)
    best = objective(p) - tolerance(np.float64, abs(objective(p)) + (w * w).sum())
    assert np.isfinite(best)
    assert best <= objective(p + size * other)
    assert best <= objective(penalty.prox(other, 2.0 * step))  # a point that no constraint forbids


@law()
def test_an_independent_minimiser_finds_nothing_better_than_the_prox(name):
    penalty, rng = PENALTIES[name](), np.random.default_rng(5)
    w, step = rng.normal(size=SHAPE) * 1.5, 0.8

    def objective(u):
        u = u.reshape(SHAPE)
        return min(0.5 * ((u - w) ** 2).sum() + step * penalty.value(u), 1e12)

    best = objective(penalty.prox(w, step))
    for start in (w, np.zeros(SHAPE), penalty.prox(rng.normal(size=SHAPE), step)):
        found = minimize(
            objective, start.ravel(), method="Powell", options={"maxfev": 500, "xtol": 1e-9, "ftol": 1e-12}
        )
        assert best <= found.fun + 1e-9


@law(battery.nonconvex, battery.finite)
@half
@given(w=points, step=st.sampled_from([0.25, 1.0, 2.0, 6.0]), j=st.integers(0, 11))
def test_along_every_entry_the_prox_is_the_best_point_of_a_dense_grid(name, w, step, j):
    penalty = PENALTIES[name]()
    p = penalty.prox(w, step)

    def objective(t):
        u = p.copy()
        u.flat[j] = t
        return (t - w.flat[j]) ** 2 / 2 + step * penalty.value(u)

    grid = np.concatenate([np.linspace(-1.2, 1.2, 41) * abs(w.flat[j]), [0.0, w.flat[j]], np.linspace(-3, 3, 21)])
    at_p = objective(p.flat[j])
    rounding = tolerance(np.float64, abs(at_p) + (w * w).sum())
    assert at_p <= min(objective(t) for t in grid) + rounding
    for j in range(12):  # where a nonconvex prox goes wrong it takes 0 for w, or w for 0
        assert objective(p.flat[j]) <= min(objective(0.0), objective(w.flat[j])) + rounding


@law(battery.convex, kinds=FOUR)
@half
@given(x=points, y=points, step=steps)
def test_prox_is_firmly_nonexpansive(name, x, y, step):
    penalty = PENALTIES[name]()
    for kind, dtype, a, b in in_kinds(x, y):
        d = as_numpy(penalty.prox(a, step) - penalty.prox(b, step)).astype(float)
        e = as_numpy(a - b).astype(float)
        assert (d * d).sum() <= (d * e).sum() + tolerance(dtype, (e * e).sum()), kind


@law(battery.array_step, kinds=FOUR)
@few
@given(w=points, step=steps)
def test_a_constant_array_step_equals_the_number(name, w, step):
    penalty = PENALTIES[name]()
    for kind, dtype, x, s in in_kinds(w, np.full(SHAPE, step)):
        many, one = as_numpy(penalty.prox(x, s)), as_numpy(penalty.prox(x, step))
        assert np.allclose(many, one, rtol=0, atol=tolerance(dtype, abs(w).max())), kind


@law(battery.array_step)
@half
@given(w=points, s=metrics, other=points)
def test_prox_in_a_diagonal_metric_is_the_minimiser(name, w, s, other):
    penalty = PENALTIES[name]()
    if battery.finite(name):  # a step of 0 holds an entry, which a constraint may not allow
        s = s + 0.25
    p = penalty.prox(w, s)
    moving = s > 0
    if np.isfinite(penalty.value(w)):
        assert np.array_equal(p[~moving], w[~moving])

    def objective(u):
        return ((u - w)[moving] ** 2 / (2 * s[moving])).sum() + penalty.value(u)

    best = objective(p) - tolerance(np.float64, abs(objective(p)) + (w * w).sum())
    for size in (1e-3, 1.0):
        assert best <= objective(p + size * np.where(moving, other, 0.0))


@law(battery.even)
@few
@given(w=points, step=steps)
def test_prox_is_odd(name, w, step):
    penalty = PENALTIES[name]()
    plus, minus = penalty.prox(w, step), penalty.prox(-w, step)
    if penalty.convex:
        assert np.array_equal(minus, -plus)
    else:  # among several minimisers either may be taken
        costs = [0.5 * ((u - w) ** 2).sum() + step * penalty.value(u) for u in (plus, -minus)]
        assert costs[0] == pytest.approx(costs[1], rel=1e-12, abs=1e-12)


@law(battery.symmetric)
@few
@given(w=points, step=steps, order=st.permutations(range(12)))
def test_prox_commutes_with_permutations(name, w, step, order):
    penalty = PENALTIES[name]()
    mixed, plain = (
        penalty.prox(w.ravel()[order].reshape(SHAPE), step),
        penalty.prox(w, step).ravel()[order].reshape(SHAPE),
    )
    if penalty.convex:
        assert np.allclose(mixed, plain, rtol=0, atol=tolerance(np.float64, abs(w).max()))
    else:
        costs = [
            0.5 * ((u - w.ravel()[order].reshape(SHAPE)) ** 2).sum() + step * penalty.value(u) for u in (mixed, plain)
        ]
        assert costs[0] == pytest.approx(costs[1], rel=1e-12, abs=1e-12)


@law(kinds=FOUR)
@pytest.mark.parametrize("step", [0.0, 1.0])
def test_prox_at_awkward_points_is_finite(name, step):
    penalty = PENALTIES[name]()
    awkward = np.resize([0.0, -0.0, 1e-30, -1e-30, 1e30, -1e30, 0.7, -0.7, 1.0, 0.4, 0.3, 0.5], SHAPE)
    for kind, _, x in in_kinds(awkward):
        assert np.isfinite(as_numpy(penalty.prox(x, step))).all(), kind
        assert np.isfinite(as_numpy(penalty.prox(x * 0 + 1, np.float64(step)))).all(), kind


@law(battery.least_at_zero, kinds=FOUR)
@pytest.mark.parametrize("step", [0.0, 1.0])
def test_prox_of_zero_is_exactly_zero_where_zero_is_least(name, step):
    for kind, dtype, x in in_kinds(np.zeros(SHAPE)):
        assert np.array_equal(as_numpy(PENALTIES[name]().prox(x, step)), np.zeros(SHAPE, dtype)), kind


@law(kinds=FOUR)
def test_nan_propagates_and_never_becomes_zero(name):
    w = np.ones(SHAPE)
    w[0, 1] = np.nan
    penalty = PENALTIES[name]()
    free = penalty.unpenalised(SHAPE)[0, 1]
    for kind, _, x in in_kinds(w):
        assert np.isnan(as_numpy(penalty.prox(x, 1.0))[0, 1]), kind
        assert np.isnan(as_numpy(penalty.value(x))) or free, kind


# --- conjugate, violation, lambda_max ------------------------------------------------------------------------------------
@law(battery.conjugate)
@half
@given(w=points, u=points, step=steps)
def test_conjugate_obeys_fenchel_young_with_equality_at_subgradients(name, w, u, step):
    penalty = PENALTIES[name]()
    scale = (abs(u) * abs(w)).sum()
    assert penalty.value(w) + penalty.conjugate(u) >= (u * w).sum() - tolerance(np.float64, scale)
    p = penalty.prox(w, step)
    subgradient = (w - p) / step
    # Rounding may put a subgradient one bit outside the set where the conjugate is finite: step inside by a relative 1e-12.
    inside = penalty.conjugate(subgradient * (1 - 1e-12) - 0.0)
    if np.isinf(inside):  # entries the penalty does not act on: their subgradient is zero up to rounding
        free = penalty.unpenalised(SHAPE)
        assert abs(subgradient[free]).max(initial=0) <= tolerance(np.float64, abs(w).max())
        inside = penalty.conjugate(np.where(free, 0.0, subgradient * (1 - 1e-12)))
    gap = penalty.value(p) + inside - (subgradient * p).sum()
    assert abs(gap) <= 1e-10 * (1 + (abs(subgradient) * abs(p)).sum() + abs(w).max() ** 2)


@law(battery.conjugate)
def test_conjugate_is_the_supremum_that_an_ascent_finds(name):
    penalty, rng = PENALTIES[name](), np.random.default_rng(2)
    for scale in (0.1, 0.4, 2.0):
        u = scale * rng.normal(size=SHAPE) * ~penalty.unpenalised(SHAPE)
        w, seen = np.zeros(SHAPE), []
        for _ in range(150):  # proximal ascent on ⟨u, w⟩ − f(w)
            w = penalty.prox(w + 20.0 * u, 20.0)
            seen.append((u * w).sum() - penalty.value(w))
        claimed = penalty.conjugate(u)
        if np.isinf(claimed):
            assert seen[-1] > 1.0
            assert seen[-1] > 1.5 * seen[70]
        else:
            assert max(seen) == pytest.approx(claimed, rel=1e-7, abs=1e-9)


@law()
@few
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


@law(battery.finite, battery.distance)
@half
@given(w=points)
def test_autograd_of_the_value_lies_in_the_subdifferential(name, w):
    penalty = PENALTIES[name]()
    x = torch.from_numpy(w).requires_grad_()
    (g,) = torch.autograd.grad(penalty.value(x), x)
    assert not torch.isnan(g).any()
    assert float(penalty.violation(x.detach(), -g).max()) <= tolerance(np.float64, abs(w).max())


@law()
def test_what_is_called_unpenalised_is_what_the_prox_leaves_alone(name):
    penalty, rng = PENALTIES[name](), np.random.default_rng(0)
    free, moved = penalty.unpenalised(SHAPE), np.zeros(SHAPE, dtype=bool)
    assert free.shape == SHAPE
    for size in 6 * (1e-3, 0.1, 1.0, 100.0):
        x = size * rng.normal(size=SHAPE)
        moved |= penalty.prox(x, 2.0) != x
    assert np.array_equal(moved, ~free)


# --- one penalty, several kinds ------------------------------------------------------------------------------------------
@law(kinds=FOUR)
@half
@given(w=points, u=points, step=steps)
def test_numpy_equals_torch_and_float32_equals_float64(name, w, u, step):
    penalty = PENALTIES[name]()
    # The violation jumps at kinks and bounds, so it is compared at a point that is the same number in every kind.
    at = w if not battery.finite(name) else np.round(32 * penalty.prox(w, step)) / 32
    for member, arguments in {"value": (w,), "prox": (w, step), "violation": (at, u)}.items():
        expected = as_numpy(getattr(penalty, member)(*arguments))
        scale = np.abs(np.where(np.isfinite(expected), expected, 0.0)).max(initial=0) + abs(w).max()
        for kind, (dtype, build) in KINDS.items():
            cast = [build(np.array(a, dtype=dtype)) if np.ndim(a) else a for a in arguments]
            got = as_numpy(getattr(penalty, member)(*cast))
            assert np.allclose(got, expected, rtol=0, atol=tolerance(dtype, scale)), (kind, member)


@law()
def test_scaling_equality_parameters_and_clone(name):
    penalty = PENALTIES[name]()
    w = penalty.prox(np.linspace(-1, 2, 12).reshape(SHAPE), 0.1)
    assert penalty == PENALTIES[name]()
    assert clone(penalty) == penalty
    assert pickle.loads(pickle.dumps(penalty)) == penalty
    assert repr(penalty)
    assert penalty.latex()
    moved = penalty.with_lam(penalty.lam + 1)
    if moved is not penalty:  # a constraint has no λ
        assert penalty != moved
        assert clone(penalty).set_params(lam=0.25).lam == 0.25
    twice = (3.0 * penalty).value(w)
    if "fixed" in name:
        assert penalty.value(w) < twice < 3.0 * penalty.value(w)
    else:
        assert twice == pytest.approx(3.0 * penalty.value(w), rel=1e-14)
    assert (np.float64(3.0) * penalty).value(w) == twice


@law(battery.acts_by_lam)
@few
@given(w=points, step=steps)
def test_at_lam_zero_nothing_is_penalised(name, w, step):
    off = PENALTIES[name]().with_lam(0.0)
    assert off.value(w) == 0
    assert np.allclose(off.prox(w, step), w, rtol=0, atol=tolerance(np.float64, abs(w).max()))
    largest = violation(off, w, w, step).max()  # per entry, or the norm of a group
    penalised = ~PENALTIES[name]().unpenalised(SHAPE)
    assert abs(w[penalised]).max(initial=0) <= largest * (1 + 1e-12) <= np.linalg.norm(w) * (1 + 1e-11)


# --- composition -----------------------------------------------------------------------------------------------------------
@law(battery.piecewise)
@half
@given(w=points, u=points, step=steps)
def test_the_pieces_say_the_same_as_the_penalty(name, w, u, step):
    penalty = PENALTIES[name]()
    pieces = penalty.pieces(w)
    p = penalty.prox(w, step)
    assert pieces.values(p).sum() == pytest.approx(penalty.value(p), rel=1e-12, abs=1e-12)
    assert np.allclose(pieces.prox(w, step), p, rtol=0, atol=tolerance(np.float64, abs(w).max()))
    assert np.allclose(abs(pieces.remainder(p, u)), penalty.violation(p, u), rtol=1e-12, atol=1e-12)
    assert pieces.conjugate(u) == pytest.approx(penalty.conjugate(u), rel=1e-12, abs=1e-12)
    parts = penalty.l1_l2(SHAPE)
    if parts is not None:
        a, b = parts
        assert (a * abs(w) + 0.5 * b * w * w).sum() == pytest.approx(penalty.value(w), rel=1e-12)


@law()
@half
@given(w=points, step=steps, other=points, size=st.sampled_from([1e-3, 0.1, 1.0]))
def test_with_l2_towards_a_point_every_penalty_keeps_a_closed_prox(name, w, step, other, size):
    penalty = PENALTIES[name]()
    together = penalty + sw.L2(0.35, anchor=np.linspace(-1, 1, 12).reshape(SHAPE))
    p = together.prox(w, step)

    def objective(u):
        return 0.5 * ((u - w) ** 2).sum() + step * together.value(u)

    best = objective(p) - tolerance(np.float64, abs(objective(p)) + (w * w).sum())
    assert best <= objective(p + size * other)
    assert best <= objective(penalty.prox(other, step))
    assert violation(together, p, (p - w) / step, step).max() <= tolerance(np.float64, abs(w).max() / step)


@law(battery.convex)
@few
@given(w=points, u=points)
def test_with_l2_every_convex_penalty_has_a_conjugate(name, w, u):
    together = PENALTIES[name]() + sw.L2(0.35)
    claimed = together.conjugate(u)
    assert claimed >= (u * w).sum() - together.value(w) - tolerance(np.float64, (abs(u) * abs(w)).sum())
    # The supremum is attained where u is a subgradient: at the prox of u/b with step 1/b, b the curvature of the L2 part.
    top = PENALTIES[name]().prox(u / 0.7, 1 / 0.7)
    assert claimed == pytest.approx((u * top).sum() - together.value(top), rel=1e-10, abs=1e-10)


@law()
@few
@given(w=points, step=steps)
def test_on_a_part_it_acts_there_as_alone_and_nowhere_else(name, w, step):
    penalty = PENALTIES[name]()
    part = penalty.on(slice(1, 4))
    for kind, _, x in in_kinds(np.vstack([w[:1], w, w[:1]])):
        p, alone = as_numpy(part.prox(x, step)), as_numpy(penalty.prox(x[1:4], step))
        assert np.array_equal(p[1:4], alone), kind
        assert np.array_equal(p[[0, 4]], as_numpy(x)[[0, 4]]), kind
        assert as_numpy(part.value(x)) == as_numpy(penalty.value(x[1:4])), kind
    assert part.unpenalised((5, 4))[[0, 4]].all()
    assert np.array_equal(part.unpenalised((5, 4))[1:4], penalty.unpenalised(SHAPE))
    assert part.lambda_max(np.vstack([w[:1], w, w[:1]])) == penalty.lambda_max(w)


# --- the count -----------------------------------------------------------------------------------------------------------
def test_every_pair_of_penalty_and_law_runs_or_has_a_reason():
    run = sum(not reason for _, reasons in LAWS.values() for reason in reasons.values())
    in_all_kinds = sum(kinds * sum(not reason for reason in reasons.values()) for kinds, reasons in LAWS.values())
    left_out = {(name, law): why for law, (_, reasons) in LAWS.items() for name, why in reasons.items() if why}
    assert run + len(left_out) == len(LAWS) * len(PENALTIES)
    assert len(KINDS) == 4
    assert all(len(why) > 5 for why in left_out.values())
    for law_name, (_, reasons) in LAWS.items():  # a law that hardly anything obeys would be none
        assert sum(not reason for reason in reasons.values()) >= 3, law_name
    counted = f"{len(PENALTIES)} penalties, {len(LAWS)} laws: {run} pairs, {in_all_kinds} with the kinds of array"
    assert (run, in_all_kinds) >= (1500, 3100), counted
    print(f"\n{counted}; {len(left_out)} pairs do not apply")  # noqa: T201
