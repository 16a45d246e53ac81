"""The inner solvers for groups, concave, bounded and multi-target penalties: certificates, oracles, hostile Gram matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

import shrinkwise as sw
from shrinkwise.linear.certificates import dual_term
from shrinkwise.linear.solvers.quadratic import blocks
from shrinkwise.linear.solvers.quadratic.inner import GroupInner, RowsInner, inner_solver
from shrinkwise.linear.solvers.quadratic.l1_l2 import solve_prox

P = 24
TOL = 1e-10
LABELS = np.array([3, 0, 0, 1, 1, 1, 2, -1, 2, 4, 5, 5, 5, 5, 6, 6, 7, 7, 7, 7, 7, 7, 8, -1])  # one group lies apart
FACTORS = np.array([1.0, 0.0, 2.0, 1.0, 0.5, 1.0, 1.5, 2.0, 1.0])
EACH = np.where(np.arange(P) % 5 == 0, 0.0, 1.0 + np.arange(P) % 3)

GROUPED = {
    "group": sw.GroupLasso(0.1, LABELS),
    "factors": sw.GroupLasso(0.1, LABELS, weights=FACTORS),
    "group + L2": sw.GroupLasso(0.1, LABELS) + sw.L2(0.05),
    "group + fixed L2 of some": 2 * (sw.GroupLasso(0.05, LABELS) + sw.L2(0.05, weights=EACH).fixed()),
    "sparse group": sw.SparseGroupLasso(0.1, LABELS, 0.4),
    "sparse group, factors": sw.SparseGroupLasso(0.1, LABELS, 0.4, weights=FACTORS),
    "sparse group by sum": sw.GroupLasso(0.05, LABELS) + sw.L1(0.05, weights=EACH),
    "sparse group + elastic net": sw.SparseGroupLasso(0.1, LABELS, 0.2).fixed() + sw.ElasticNet(0.05, 0.5),
    "l1_ratio 0": sw.SparseGroupLasso(0.1, LABELS, 0.0),
    "l1_ratio 1": sw.SparseGroupLasso(0.1, LABELS, 1.0),
}
BOUNDED = {
    "nonnegative": sw.NonNegative(),
    "nonnegative lasso": sw.L1(0.1) + sw.NonNegative(),
    "box elastic net": sw.ElasticNet(0.1, 0.7) + sw.Box(-0.1, 0.2),
    "box away from zero": sw.L1(0.1, weights=EACH) + sw.Box(np.where(EACH > 1, 0.05, -np.inf), 0.3),
}
CONCAVE = {
    "mcp": sw.MCP(0.15),
    "mcp, factors": sw.MCP(0.15, 1.5, weights=EACH),
    "mcp + L2": sw.MCP(0.1, 2.0) + sw.L2(0.05),
    "twice mcp": 2 * sw.MCP(0.1, 4.0),
    "scad": sw.SCAD(0.15),
    "scad, factors": sw.SCAD(0.15, 2.5, weights=EACH),
}
PLAIN = {"lasso": sw.L1(0.1), "elastic net": sw.ElasticNet(0.1, 0.5, weights=EACH)}
ALL = {**GROUPED, **BOUNDED, **CONCAVE, **PLAIN}
CONVEX = {**GROUPED, **BOUNDED, **PLAIN}


def data(seed=0, n=60, p=P, hostile=False):
    """(G, c) of a sparse signal; hostile: duplicate, collinear, constant (zero) and badly scaled columns, p > n."""
    rng = np.random.default_rng(seed)
    n = 15 if hostile else n
    X = rng.normal(size=(n, p)) + rng.normal(size=(n, 1))
    if hostile:
        X[:, 4], X[:, 12] = X[:, 3], X[:, 1] + X[:, 2]
        X[:, 5] = X[:, 9] = X[:, 7] = 0.0
        X[:, 10] *= 1e-4
        X[:, 20] *= 1e3
    y = X @ np.where(rng.random(p) < 0.4, rng.normal(size=p), 0.0) / np.abs(X).max() + 0.3 * rng.normal(size=n)
    return X.T @ X / n, X.T @ y / n


def solved(penalty, G, c, start=None, tol=TOL):
    inner = inner_solver(penalty, (len(c),))
    columns = np.arange(len(c))
    w, converged, _ = inner.solve(G, c, columns, np.zeros(len(c)) if start is None else start, tol, 100_000)
    assert converged
    return inner, w


def objective(penalty, G, c, w):
    return 0.5 * w @ G @ w - c @ w + float(penalty.value(w))


def kkt(penalty, G, c, w):
    return float(np.max(penalty.violation(w, G @ w - c)))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", range(3))
def test_the_penaltys_own_certificate_holds(name, seed):
    G, c = data(seed)
    inner, w = solved(ALL[name], G, c)
    assert (w != 0).any()
    assert kkt(ALL[name], G, c, w) <= 4 * TOL  # a free group is certified column by column here, as a group there
    assert inner.violation(w, G @ w - c).max() <= 2 * TOL


@pytest.mark.parametrize("name", GROUPED)
@pytest.mark.parametrize("hostile", [False, True])
def test_extrapolated_sweeps_end_with_the_same_certificate(name, hostile, monkeypatch):
    monkeypatch.setattr(blocks, "_MANY_SWEEPS", 0.0)
    monkeypatch.setattr(blocks, "_LONG_SWEEP", 0.0)
    G, c = data(1, hostile=hostile)
    tol = 1e-9 * abs(c).max()
    inner, w = solved(GROUPED[name], G, c, tol=tol)
    assert inner.violation(w, G @ w - c).max() <= 2 * tol


def test_an_extrapolation_is_exact_on_a_linear_iteration_and_refused_uphill():
    rng = np.random.default_rng(0)
    M = np.diag([0.9, 0.5, -0.3, 0.1])
    goal = rng.normal(size=4)

    def sweep(w, r, tol, max_sweeps):
        w[:] = goal + M @ (w - goal)
        r[:] = goal - w
        return -1

    for sign in (1.0, -1.0):
        w, r = np.zeros(4), goal.copy()
        assert blocks.extrapolated_sweeps(sweep, lambda w, r, sign=sign: sign * (r @ r), w, r, 1e-9) == -5
        np.testing.assert_allclose(r, goal - w, atol=1e-12)
        plain = goal - np.linalg.matrix_power(M, 5) @ goal
        np.testing.assert_allclose(w, goal if sign > 0 else plain, atol=1e-5)


@pytest.mark.parametrize("name", CONVEX)
def test_proximal_gradient_finds_the_same_weights(name):
    G, c = data(5)
    _, w = solved(CONVEX[name], G, c)
    slow, converged, _ = solve_prox(G, c, CONVEX[name], np.zeros(P), (P,), 1e-9, 200_000)
    assert converged
    np.testing.assert_allclose(w, slow, atol=1e-6)


@pytest.mark.parametrize("name", CONVEX)
def test_hostile_columns_end_with_the_certificate(name):
    G, c = data(2, hostile=True)
    tol = 1e-9 * abs(c).max()
    inner, w = solved(CONVEX[name], G, c, tol=tol)
    assert inner.violation(w, G @ w - c).max() <= 2 * tol
    slow, _, _ = solve_prox(G, c, CONVEX[name], np.zeros(P), (P,), tol, 2000)
    assert objective(CONVEX[name], G, c, w) <= objective(CONVEX[name], G, c, slow) + 1e-10


@pytest.mark.parametrize("name", CONCAVE)
def test_hostile_columns_end_stationary_and_never_above_the_start(name):
    G, c = data(2, hostile=True)
    tol = 1e-9 * abs(c).max()
    inner, w = solved(CONCAVE[name], G, c, tol=tol)
    assert inner.violation(w, G @ w - c).max() <= 2 * tol
    assert objective(CONCAVE[name], G, c, w) <= 0.0


@pytest.mark.parametrize("name", CONVEX)
def test_warm_starts_end_at_the_same_weights(name):
    G, c = data(3)
    _, w = solved(CONVEX[name], G, c)
    for start in (w, np.random.default_rng(0).normal(size=P)):
        np.testing.assert_allclose(solved(CONVEX[name], G, c, start)[1], w, atol=1e-8)


@pytest.mark.parametrize("name", ALL)
def test_violation_is_zero_exactly_off_the_units_that_do_not_satisfy_kkt(name):
    G, c = data(4)
    inner, w = solved(ALL[name], G, c)
    push = np.where(np.arange(P) == 14, 5.0, 0.0)
    g = G @ w - c
    hurt = (inner.violation(w, g - push) > 1e-6) | (inner.violation(w, g + push) > 1e-6)
    assert hurt[14]
    assert (hurt <= (inner.blocks == inner.blocks[14])).all()


@pytest.mark.parametrize("name", ALL)
def test_some_columns_in_any_order_are_the_problem_of_those_columns(name):
    if name == "box away from zero":
        pytest.skip("columns left out are not zero here")
    G, c = data(6)
    inner = inner_solver(ALL[name], (P,))
    kept = np.isin(inner.blocks, np.unique(inner.blocks)[::2])
    columns = np.random.default_rng(0).permutation(np.flatnonzero(kept))
    part, converged, _ = inner.solve(
        G[np.ix_(columns, columns)], c[columns], columns, np.zeros(len(columns)), TOL, 100_000
    )
    assert converged
    w = np.zeros(P)
    w[columns] = part
    assert inner.violation(w, G @ w - c)[kept].max() <= 2 * TOL


@pytest.mark.parametrize("name", ALL)
def test_without_a_previous_strength_screening_is_the_kkt_test_at_zero(name):
    _, c = data(7)
    inner = inner_solver(ALL[name], (P,))
    keep, violates = inner.screen(-c, None), inner.violation(np.zeros(P), -c) > 0
    assert keep[violates].all()
    assert (inner.violation(np.zeros(P), -c)[~keep] == 0).all()
    assert len({*zip(inner.blocks, keep, strict=True)}) == len(set(inner.blocks))  # whole units


@pytest.mark.parametrize("name", [name for name in CONVEX if CONVEX[name].lambda_max(np.ones(P)) < np.inf])
def test_working_sets_of_screened_units_find_the_solution_of_all(name):
    G, c = data(8)
    inner, previous, w, looked_at = None, None, np.zeros(P), []
    for lam in CONVEX[name].lam * np.geomspace(8.0, 0.5, 15):
        previous, inner = inner, inner_solver(CONVEX[name].with_lam(lam), (P,))
        keep = (w != 0) | inner.screen(G @ w - c, previous)
        while True:
            columns = np.flatnonzero(np.isin(inner.blocks, inner.blocks[keep]))
            w, start = np.zeros(P), w[columns]
            w[columns] = inner.solve(G[np.ix_(columns, columns)], c[columns], columns, start, TOL, 100_000)[0]
            missed = (inner.violation(w, G @ w - c) > 2 * TOL) & ~keep
            if not missed.any():
                break
            keep |= missed
        looked_at.append(len(columns))
        np.testing.assert_allclose(w, solved(CONVEX[name].with_lam(lam), G, c)[1], atol=1e-7)
    assert min(looked_at) < P


def test_screening_against_a_stronger_previous_keeps_more():
    _, c = data(7)
    for penalty in (
        sw.GroupLasso(1.0, LABELS),
        sw.SparseGroupLasso(1.0, LABELS),
        sw.MCP(1.0),
        sw.L1(1.0) + sw.NonNegative(),
    ):
        top = float(np.median(abs(c)))
        strong, weak = (inner_solver(penalty.with_lam(lam), (P,)) for lam in (1.2 * top, 1.0 * top))
        assert (weak.screen(-c, None) <= weak.screen(-c, strong)).all()
        assert weak.screen(-c, strong).sum() > weak.screen(-c, None).sum()
        assert not weak.screen(-c, None).all()


def test_the_strong_rule_gives_both_parts_of_a_sparse_group_their_slack():
    before, now = (
        inner_solver(sw.L1(a) + sw.GroupLasso(t, [0, 0, 1, 1], weights=[1.0, 1.0]), (4,))
        for a, t in ((1.5, 1.2), (1.0, 1.0))
    )
    # ‖soft(g, 2·1 − 1.5)‖ against 2·1 − 1.2: 0.9 and 0.7 against 0.8.
    np.testing.assert_array_equal(now.screen(np.array([1.4, 0.0, -1.2, 0.0]), before), [True, True, False, False])


@given(seed=st.integers(0, 10**6), lam=st.floats(0.02, 0.5))
def test_groups_of_one_are_the_lasso(seed, lam):
    G, c = data(seed)
    _, grouped = solved(sw.GroupLasso(lam, np.arange(P)), G, c)
    _, lasso = solved(sw.L1(lam), G, c)
    np.testing.assert_allclose(grouped, lasso, atol=1e-8)


@given(seed=st.integers(0, 10**6), lam=st.floats(0.02, 0.5), ratio=st.floats(0, 1))
def test_random_sparse_groups_meet_their_certificate(seed, lam, ratio):
    rng = np.random.default_rng(seed)
    G, c = data(seed, n=int(rng.integers(10, 60)))
    penalty = sw.SparseGroupLasso(lam, rng.integers(0, rng.integers(1, P), P), ratio)
    _, w = solved(penalty, G, c, tol=1e-9)
    assert kkt(penalty, G, c, w) <= 4e-9


def test_at_and_above_lambda_max_all_is_exactly_zero():
    G, c = data(9)
    for penalty in (sw.GroupLasso(1.0, np.arange(P) // 4), sw.SparseGroupLasso(1.0, np.arange(P) // 4), sw.MCP(1.0)):
        top = penalty.lambda_max(-c)
        assert not solved(penalty.with_lam(1.0001 * top), G, c)[1].any()
        assert solved(penalty.with_lam(0.99 * top), G, c)[1].any()


def test_nonnegative_least_squares_equals_scipys():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, P)), rng.normal(size=50)
    _, w = solved(sw.NonNegative(), X.T @ X / 50, X.T @ y / 50)
    np.testing.assert_allclose(w, lsq_linear(X, y, (0, np.inf), tol=1e-14).x, atol=1e-7)


def test_a_single_concave_weight_is_the_global_minimum():
    for penalty in (sw.MCP(1.0, 3.0), sw.SCAD(1.0, 3.0), 3 * sw.MCP(1.0, 2.0)):
        for z in np.linspace(-4, 4, 33):
            _, w = solved(penalty, np.array([[0.5]]), np.array([z]))
            expected = penalty.prox(np.array([2 * z]), 2.0)
            one, other = (objective(penalty, np.array([[0.5]]), np.array([z]), u) for u in (w, expected))
            assert one <= other + 1e-12


def test_mcp_with_a_large_gamma_is_the_lasso_and_flat_weights_are_least_squares():
    G, c = data(1)
    np.testing.assert_allclose(solved(sw.MCP(0.1, 1e9), G, c)[1], solved(sw.L1(0.1), G, c)[1], atol=1e-6)
    _, w = solved(sw.MCP(0.02, 1.5), G, c)
    flat = np.abs(w) > 0.03
    assert flat.any()
    np.testing.assert_allclose((c - G @ w)[flat], 0.0, atol=2 * TOL)


@pytest.mark.parametrize("ridge", [0.0, 0.1])
@pytest.mark.parametrize("K", [1, 3, 90])
def test_rows_of_several_targets_meet_their_certificate(K, ridge):
    rng = np.random.default_rng(K)
    X = rng.normal(size=(80, P))
    X[:, 3] = X[:, 2]
    W = np.where(rng.random((P, 1)) < 0.3, rng.normal(size=(P, K)), 0.0)
    G, c = X.T @ X / 80, (X.T @ (X @ W + rng.normal(size=(80, K))) / 80).T
    penalty = sw.GroupLasso(0.15, sw.Groups.columns()) + sw.L2(0.5 * ridge)
    inner = inner_solver(penalty, (K, P))
    assert isinstance(inner, RowsInner)
    w, converged, _ = inner.solve(G, c, np.arange(P), np.zeros((K, P)), 1e-9, 100_000)
    assert converged
    assert 0 < w.any(0).sum() < P
    assert float(np.max(penalty.violation(w, w @ G - c))) <= 2e-9
    assert inner.violation(w, w @ G - c).max() <= 2e-9


def test_one_target_as_rows_is_the_lasso():
    G, c = data(0)
    inner = inner_solver(sw.GroupLasso(0.1, sw.Groups.columns(), weights=np.ones(P)), (1, P))
    w, converged, _ = inner.solve(G, c[None], np.arange(P), np.zeros((1, P)), TOL, 100_000)
    assert converged
    np.testing.assert_allclose(w[0], solved(sw.L1(0.1), G, c)[1], atol=1e-8)


def test_each_penalty_finds_its_family():
    kinds = {name: inner_solver(penalty, (P,)).kind for name, penalty in ALL.items()}
    for family, kind in ((GROUPED, "groups"), (BOUNDED, "bounded"), (CONCAVE, "scalar"), (PLAIN, "l1_l2")):
        assert {kinds[name] for name in family} == {kind}


@pytest.mark.parametrize(
    "penalty",
    [
        sw.SLOPE(0.1),
        sw.FusedLasso(0.1, 0.1),
        sw.GroupLasso(0.1, LABELS) + sw.NonNegative(),
        sw.GroupLasso(0.1, LABELS) + sw.GroupLasso(0.1, np.arange(P) // 2),
        sw.MCP(0.1) + sw.L1(0.1),
        sw.L1(0.1) + sw.L2(0.1, anchor=np.ones(P)),
        sw.GroupMCP(0.1, LABELS),
    ],
    ids=repr,
)
def test_what_has_no_family_says_none(penalty):
    assert inner_solver(penalty, (P,)) is None


def test_units_are_numbered_by_their_first_column_and_free_ones_stand_alone():
    inner = inner_solver(sw.GroupLasso(0.1, [2, 2, -1, 0, 0, 1, 1], weights=[1.0, 0.0, 3.0]), (7,))
    assert isinstance(inner, GroupInner)
    np.testing.assert_array_equal(inner.blocks, [0, 0, 1, 2, 2, 3, 4])
    np.testing.assert_allclose(inner.thresholds, [0.3, 0.0, 0.1, 0.0, 0.0])


@pytest.mark.parametrize("name", [*list(GROUPED)[:4], "l1_ratio 0"])
def test_the_dual_point_of_groups_is_that_of_the_penaltys_own_conjugate(name):
    penalty, rng = GROUPED[name], np.random.default_rng(5)
    inner = inner_solver(penalty, (P,))
    free = penalty.unpenalised((P,))
    if inner.unit_ridge is None:  # L2 of some columns of a group alone: no formula
        assert name == "group + fixed L2 of some"
        return
    for scale in (1e-300, 0.01, 5.0):
        v = np.where(free, 0.0, scale * rng.normal(size=P))
        alpha, term, _ = dual_term(penalty, np.zeros(P), v)
        found = inner.dual_term(v)
        np.testing.assert_allclose(found, (alpha, term), rtol=1e-11, atol=1e-14)
        assert (found[0] < 1.0) == (scale > 1.0 and "L2" not in name)


def test_running_out_of_sweeps_is_said():
    G, c = data(0)
    for penalty in (sw.GroupLasso(1e-4, LABELS), sw.SparseGroupLasso(1e-4, LABELS)):
        _, converged, _ = inner_solver(penalty, (P,)).solve(G, c, np.arange(P), np.zeros(P), 0.0, 3)
        assert not converged


@pytest.mark.parametrize("classes", [2, 3])
def test_a_model_in_which_only_intercepts_move_is_solved(classes):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 2)) * 20.0, rng.integers(0, classes, 100)
    labels = [0, 1] if classes == 2 else np.tile([0, 1], (3, 1))
    weight = np.where(y == 0, 1000.0, 1e-4)
    model = sw.PenalizedClassifier(sw.GroupLasso(0.01, labels), tol=1e-9).fit(X, y, weight)
    assert not model.coef_.any()
    share = np.bincount(y, weight) / weight.sum()
    np.testing.assert_allclose(model.predict_proba(X[:1])[0], share, rtol=1e-6)
