"""P + Q, a * P, P.on(where): closed forms where theory gives one, compared with other ways to the same answer."""

import numpy as np
import pytest
from scipy.optimize import minimize

import shrinkwise as sw
from shrinkwise.penalties import Penalty

RNG = np.random.default_rng(11)
W = 2.0 * RNG.normal(size=(4, 3))
M = RNG.normal(size=(4, 3))
COLUMNS = sw.Groups.columns()


def smooth_minimiser(w, step, parts, bounds):
    """argmin ½‖u−w‖²/step + Σ a|u| + ½Σ b(u−m)² + c Σ_g ‖u_g‖ on bounds, split in u = p − q ≥ 0, by L-BFGS-B."""
    a, b, m, c = parts
    n = w.size

    def cost(pq):
        u = (pq[:n] - pq[n:]).reshape(w.shape)
        norms = np.sqrt((u * u).sum(0) + 1e-24)
        value = ((u - w) ** 2).sum() / (2 * step) + a * pq.sum() + 0.5 * b * ((u - m) ** 2).sum() + c * norms.sum()
        g = ((u - w) / step + b * (u - m) + c * u / norms).ravel()
        return value, np.concatenate([g + a, -g + a])

    low, high = bounds
    box = [(0, max(high, 0))] * n + [(0, max(-low, 0))] * n
    start = np.full(2 * n, 0.1)
    found = minimize(
        cost, start, jac=True, bounds=box, options={"maxiter": 5000, "maxfun": 20000, "ftol": 0, "gtol": 1e-11}
    )
    return (found.x[:n] - found.x[n:]).reshape(w.shape)


INF = np.inf
SUMS = [
    (sw.L1(0.3) + sw.L2(0.2), (0.3, 0.4, 0.0, 0.0), (-INF, INF)),
    (sw.L1(0.3) + sw.L2(0.2, anchor=M), (0.3, 0.4, M, 0.0), (-INF, INF)),
    (sw.L1(0.3) + sw.NonNegative(), (0.3, 0.0, 0.0, 0.0), (0.0, INF)),
    (sw.L1(0.3) + sw.L2(0.2) + sw.Box(-0.5, 1.0), (0.3, 0.4, 0.0, 0.0), (-0.5, 1.0)),
    (sw.L1(0.2) + sw.L2(0.1, anchor=M) + sw.GroupLasso(0.3, COLUMNS), (0.2, 0.2, M, 0.6), (-INF, INF)),
    (sw.NonNegative() + sw.L1(0.2) + sw.GroupLasso(0.3, COLUMNS), (0.2, 0.0, 0.0, 0.6), (0.0, INF)),
    (2 * (sw.L1(0.1) + sw.GroupLasso(0.3, COLUMNS).fixed()), (0.2, 0.0, 0.0, 0.6), (-INF, INF)),
    (sw.SLOPE(0.3, weights=np.ones(12)) + sw.L1(0.1) + sw.L2(0.2), (0.4, 0.4, 0.0, 0.0), (-INF, INF)),
    (sw.SparseGroupLasso(0.5, COLUMNS, 0.4) + sw.L1(0.1), (0.3, 0.0, 0.0, 0.3 * 2), (-INF, INF)),
]


@pytest.mark.parametrize(("penalty", "parts", "bounds"), SUMS, ids=[repr(p) for p, *_ in SUMS])
@pytest.mark.parametrize("step", [0.4, 2.0])
def test_prox_of_a_sum_is_what_a_general_solver_finds(penalty, parts, bounds, step):
    np.testing.assert_allclose(penalty.prox(W, step), smooth_minimiser(W, step, parts, bounds), atol=2e-5)


@pytest.mark.parametrize(
    "core", [sw.MCP(0.5), sw.SCAD(0.4), sw.L0(0.3), sw.GroupLasso(0.3, COLUMNS), sw.GroupMCP(0.4, COLUMNS)], ids=repr
)
def test_no_change_of_some_weights_improves_on_the_prox_of_a_radial_term_with_l1_and_l2(core):
    penalty, step = core + sw.L1(0.2) + sw.L2(0.1), 0.9

    def cost(u):
        return ((u - W) ** 2).sum() / (2 * step) + penalty.value(u)

    p = penalty.prox(W, step)
    rng = np.random.default_rng(0)
    for size in (1e-4, 1e-2, 0.3, 2.0):
        for _ in range(200):
            mask = rng.random(W.shape) < 0.4
            assert cost(p) <= cost(p + size * mask * rng.normal(size=W.shape)) + 1e-12
            assert cost(p) <= cost(np.where(mask, 0.0, p)) + 1e-12
            assert cost(p) <= cost(np.where(mask, W, p)) + 1e-12


def test_a_sum_of_anchored_absolute_values_is_a_weighted_median():
    # Without a quadratic pull (step → ∞) the minimiser of Σ a_k|u − m_k| is the weighted median of the m_k.
    a, m = np.array([0.2, 0.5, 0.1, 0.4, 0.3]), np.array([1.0, -2.0, 0.5, 3.0, 0.0])
    penalty = sum((sw.L1(s, anchor=x) for s, x in zip(a[1:], m[1:], strict=True)), sw.L1(a[0], anchor=m[0]))
    order = np.argsort(m)
    median = m[order][np.searchsorted(np.cumsum(a[order]), a.sum() / 2)]
    assert penalty.prox(np.array([7.7]), 1e9)[0] == median


def test_the_scaling_identity_holds_for_nonconvex_terms_too():
    step, ridge = 0.8, 0.35
    for term in (sw.MCP(0.4), sw.SCAD(0.3), sw.L0(0.2), sw.GroupMCP(0.3, COLUMNS), sw.FusedLasso(0.3)):
        shrink = 1 + 2 * step * ridge
        np.testing.assert_allclose(
            (term + sw.L2(ridge)).prox(W, step), term.prox(W / shrink, step / shrink), rtol=1e-13, atol=1e-15
        )


def test_a_multiple_is_a_multiple_of_the_value_and_a_path_keeps_the_shape():
    mcp = sw.MCP(0.2, gamma=4.0)
    assert (3 * mcp).value(W) == pytest.approx(3 * mcp.value(W), rel=1e-14)
    assert (3 * mcp).with_lam(0.2) == 1 * mcp
    assert (3 * mcp).lam == pytest.approx(0.6)  # λ is the slope at zero
    assert mcp.with_lam(0.6) == sw.MCP(0.6, gamma=4.0)  # a path over MCP moves where it is flat
    assert (3 * mcp).value(W) != pytest.approx(mcp.with_lam(0.6).value(W), rel=1e-3)
    np.testing.assert_allclose((3 * mcp).prox(W, 0.5), mcp.prox(W, 1.5), rtol=1e-14)
    assert (0 * mcp).value(W) == 0
    assert 2 * (3 * mcp) == 6 * mcp


def test_fixed_terms_stay_and_the_others_scale_also_in_sums_of_sums():
    inner = sw.L1(0.5) + sw.L2(0.25).fixed()
    assert (2 * inner).value(W) == pytest.approx((sw.L1(1.0) + sw.L2(0.25)).value(W))
    outer = 3 * (2 * inner + sw.MCP(0.1))
    assert outer.value(W) == pytest.approx(6 * sw.L1(0.5).value(W) + sw.L2(0.25).value(W) + 3 * sw.MCP(0.1).value(W))
    assert (2 * sw.L2(0.25).fixed()).value(W) == pytest.approx(2 * sw.L2(0.25).value(W))


def test_on_parts_that_do_not_overlap_each_term_acts_alone():
    rows = sw.GroupLasso(0.5, sw.Groups.rows()).on(slice(0, 2))
    other = sw.MCP(0.6).on(slice(2, 3))
    penalty = rows + other + sw.L2(0.1)
    p, step = penalty.prox(W, 0.7), 0.7
    shrink = 1 + 0.2 * step
    np.testing.assert_allclose(
        p[:2], sw.GroupLasso(0.5, sw.Groups.rows()).prox(W[:2] / shrink, step / shrink), rtol=1e-13
    )
    np.testing.assert_allclose(p[2:3], sw.MCP(0.6).prox(W[2:3] / shrink, step / shrink), rtol=1e-13)
    np.testing.assert_allclose(p[3], W[3] / shrink, rtol=1e-13)
    assert penalty.violation(p, (p - W) / step).max() < 1e-13
    # Violations: one for each group, and one for every entry outside of them.
    assert penalty.violation(p, W).shape == (2 + 6,)


def test_on_takes_integers_lists_masks_and_tuples():
    w = np.array([1.0, -2.0, 3.0, -4.0])
    mask = np.array([True, False, True, False])
    for where in (2, [2], np.array([2]), slice(2, 3), np.array([False, False, True, False])):
        np.testing.assert_array_equal(sw.L1(1.0).on(where).prox(w, 1.0), [1.0, -2.0, 2.0, -4.0])
    assert sw.L1(1.0).on(mask).value(w) == 4.0
    assert sw.L1(1.0).on(mask).lambda_max(w) == 3.0
    assert sw.L1(1.0).on((slice(None), 1)).value(W) == pytest.approx(abs(W[:, 1]).sum())


def test_l1_on_a_part_is_l1_with_weights():
    part, weighted = sw.L1(0.4).on(slice(1, 3)), sw.L1(0.4, weights=np.array([[0.0], [1], [1], [0]]))
    a, b = part.l1_l2(W.shape)
    np.testing.assert_array_equal(a, np.broadcast_to(weighted.l1_l2(W.shape)[0], W.shape))
    assert not b.any()
    np.testing.assert_array_equal(part.unpenalised(W.shape), np.broadcast_to(weighted.unpenalised(W.shape), W.shape))
    np.testing.assert_array_equal(part.violation(W, M), weighted.violation(W, M))
    assert part.conjugate(np.where(np.arange(4)[:, None] == 0, 0.1, 0.0) + 0 * W) == np.inf


class Weird(Penalty):
    """Convex, on all weights together, nothing else known."""

    def __init__(self, lam):
        self.lam = lam

    def value(self, w):
        return self.lam * abs(w.sum())

    def prox(self, w, step):
        total, n = w.sum(), w.size
        return w - np.clip(total / n, -step * self.lam, step * self.lam)


REFUSED = {
    "two group terms": sw.GroupLasso(0.1, sw.Groups.rows()) + sw.GroupLasso(0.1, COLUMNS),
    "a group term and L1 towards a point": sw.GroupLasso(0.1, COLUMNS) + sw.L1(0.1, anchor=M),
    "a group term in a box": sw.GroupLasso(0.1, COLUMNS) + sw.Box(-1.0, 2.0),
    "total variation and uneven L1": sw.FusedLasso(0.1) + sw.L1(0.1, weights=M * M),
    "SLOPE and bounds": sw.SLOPE(0.1) + sw.NonNegative(),
    "the nuclear norm and L1": sw.NuclearNorm(0.1) + sw.L1(0.1),
    "two nonconvex terms": sw.MCP(0.1) + sw.SCAD(0.1),
    "a nonconvex term in a box": sw.MCP(0.1) + sw.Box(-1.0, 2.0),
    "a penalty of one's own and L1": Weird(0.1) + sw.L1(0.1),
    "overlapping parts": sw.MCP(0.1).on(slice(0, 2)) + sw.SCAD(0.1).on(slice(1, 3)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_where_theory_gives_no_closed_form_one_sentence_says_so(case):
    with pytest.raises(TypeError, match=r"^There is no closed-form prox") as caught:
        REFUSED[case].prox(W, 1.0)
    assert "\n" not in str(caught.value)
    assert np.isfinite(REFUSED[case].value(0 * W))


def test_an_uneven_l2_part_needs_a_prox_with_a_step_for_each_entry():
    uneven = np.linspace(0.5, 2.0, 12).reshape(4, 3)
    with pytest.raises(TypeError, match="a step for each entry"):
        (sw.NuclearNorm(0.1) + sw.L2(0.1, weights=uneven)).prox(W, 1.0)
    (sw.NuclearNorm(0.1) + sw.L2(0.1)).prox(W, 1.0)
    (sw.GroupLasso(0.1, COLUMNS) + sw.L2(0.1, weights=uneven)).prox(W, 1.0)


def test_the_conjugate_of_a_sum_says_when_it_has_no_closed_form():
    partly = sw.L2(0.3, weights=np.array([1.0, 0.0, 1.0])[:, None] * np.ones((3, 2))) + sw.GroupLasso(0.3, COLUMNS)
    with pytest.raises(TypeError, match="its L2 part must be on all weights or on none"):
        partly.conjugate(np.ones((3, 2)))
    with pytest.raises(TypeError, match="only convex penalties have one"):
        (sw.MCP(0.1) + sw.L2(0.1)).conjugate(W)
    by_group = sw.L2(0.3, weights=np.array([[1.0, 0.0]])) + sw.GroupLasso(0.3, COLUMNS)
    assert by_group.conjugate(0.1 * np.ones((3, 2))) == 0.0


def test_bounds_that_exclude_each_other_are_refused():
    with pytest.raises(ValueError, match="exclude each other"):
        (sw.Box(-2.0, -1.0) + sw.NonNegative()).prox(W, 1.0)
