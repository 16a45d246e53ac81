"""Groups against slices written out by hand; the group penalties against formulas and searches that know no groups."""

import pickle

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

import shrinkwise as sw
from shrinkwise import Groups

RNG = np.random.default_rng(11)
MATRIX = RNG.normal(size=(6, 4))
KERNEL = RNG.normal(size=(3, 2, 2, 2))


def blocks_of(w, groups):
    """Index lists of the groups of w, read off the labels that `spread` lays out."""
    ids = np.arange(1.0, len(groups.sizes(w)) + 1)
    labels = np.broadcast_to(groups.spread(ids, w), w.shape).ravel()
    return [np.flatnonzero(labels == k) for k in ids]


MADE = {
    "rows": (Groups.rows(), MATRIX, [MATRIX[i] for i in range(6)]),
    "columns": (Groups.columns(), MATRIX, [MATRIX[:, j] for j in range(4)]),
    "last axis": (Groups.axis(-1), KERNEL, [KERNEL[..., k] for k in range(2)]),
    "out channels": (Groups.channels("out"), KERNEL, [KERNEL[k] for k in range(3)]),
    "in channels": (Groups.channels("in"), KERNEL, [KERNEL[:, k] for k in range(2)]),
    "out channels, transposed": (Groups.channels("out", transposed=True), KERNEL, [KERNEL[:, k] for k in range(2)]),
    "in channels, transposed": (Groups.channels("in", transposed=True), KERNEL, [KERNEL[k] for k in range(3)]),
    "heads of a query projection": (Groups.heads(3), MATRIX, [MATRIX[:2], MATRIX[2:4], MATRIX[4:]]),
    "heads of an output projection": (Groups.heads(2, axis=1), MATRIX, [MATRIX[:, :2], MATRIX[:, 2:]]),
    "heads of stacked projections": (
        Groups.heads(1, stacked=3),
        MATRIX,
        [MATRIX],
    ),
    "two heads of three stacked": (Groups.heads(2, stacked=3), MATRIX, [MATRIX[[0, 2, 4]], MATRIX[[1, 3, 5]]]),
    "heads of a bias": (Groups.heads(2, stacked=3), MATRIX[:, 0], [MATRIX[[0, 2, 4], 0], MATRIX[[1, 3, 5], 0]]),
    "labels": (Groups([7, 2, 7, -1]), MATRIX, [MATRIX[:, 1], MATRIX[:, [0, 2]]]),
    "named": (Groups.from_indices({"b": [3, 0], "a": [1]}, 4), MATRIX, [MATRIX[:, [0, 3]], MATRIX[:, 1]]),
    "slices": (
        Groups.from_indices({"b": slice(2, None), "a": [0]}, 4),
        MATRIX[0],
        [MATRIX[0, 2:], MATRIX[0, :1]],
    ),
    "sizes": (Groups.from_sizes([1, 3]), MATRIX, [MATRIX[:, :1], MATRIX[:, 1:]]),
}


@pytest.mark.parametrize("name", MADE)
def test_groups_are_the_slices_they_stand_for(name):
    groups, w, slices = MADE[name]
    assert [sorted(w.ravel()[block]) for block in blocks_of(w, groups)] == [sorted(s.ravel()) for s in slices]
    assert groups.norms(w) == pytest.approx([np.linalg.norm(s) for s in slices], rel=1e-14)
    assert list(groups.sizes(w)) == [s.size for s in slices]
    for row, s in zip(groups.gather(w), slices, strict=True):
        assert sorted(row[row != 0]) == sorted(s.ravel())
    assert len(groups.names(w.shape)) == len(slices)
    groups.check(w.shape)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", MADE)
def test_groups_on_torch_are_those_on_numpy_also_compiled_and_pickled(name):
    torch = pytest.importorskip("torch")
    groups, w, _ = MADE[name]
    x = torch.from_numpy(w.copy())
    weights = 1.0 + np.arange(len(groups.sizes(w)))
    for penalty in (
        sw.GroupLasso(0.3, groups, weights=weights),
        sw.SparseGroupLasso(0.4, groups),
        sw.GroupMCP(0.3, groups),
    ):
        expected = penalty.prox(w, 0.7)
        np.testing.assert_allclose(penalty.prox(x, 0.7).numpy(), expected, rtol=1e-13, atol=1e-15)
        torch.compiler.reset()
        compiled = torch.compile(lambda t, p=penalty: (p.value(t), p.prox(t, 0.7)), fullgraph=True, backend="eager")
        value, prox = compiled(x)
        np.testing.assert_allclose(prox.numpy(), expected, rtol=1e-13, atol=1e-15)
        assert float(value) == pytest.approx(penalty.value(w), rel=1e-13)
    restored = pickle.loads(pickle.dumps(groups))
    assert restored == groups
    assert repr(restored) == repr(groups)
    assert np.array_equal(restored.norms(w), groups.norms(w))


def test_names_are_those_that_a_report_shows():
    assert Groups.from_indices({"b": [3, 0], "a": [1]}, 4).names((4,)) == ["b", "a"]
    assert Groups([5, 9, -1, 5]).names((2, 4)) == ["group 5", "group 9"]
    assert Groups([0, 1], names=["age", "size"]).names((2,)) == ["age", "size"]
    assert Groups.columns().names((2, 3)) == ["column 0", "column 1", "column 2"]
    assert Groups.channels("in").names((4, 2, 3, 3)) == ["in channel 0", "in channel 1"]
    assert Groups.heads(2).names((4, 4)) == ["head 0", "head 1"]
    assert Groups.from_indices({"nobody": [], "a": [0]}, 2).names((2,)) == ["a"]
    assert "age, size" in repr(Groups([0, 1], names=["age", "size"]))
    assert [
        repr(Groups.channels("in")),
        repr(Groups.channels("in", transposed=True)),
        repr(Groups.heads(2, axis=1)),
    ] == [
        "Groups.channels('in')",
        "Groups.channels('in', transposed=True)",
        "Groups.heads(2, axis=1)",
    ]


def test_groups_are_equal_when_they_group_and_name_alike():
    assert Groups([0, 0, 1]) == Groups([3, 3, 8])
    assert Groups([0, 0, 1]) != Groups([0, 0, 1], names=["a", "b"])
    assert Groups.rows() == Groups.channels("out") == Groups.axis(0)
    assert Groups.heads(2) != Groups.heads(4)
    assert Groups.heads(2) != Groups.rows()


BAD = {
    "overlap": (lambda: Groups.from_indices([[0, 1], [1, 2]], 4), ValueError, "without overlap, but entry 1"),
    "overlap of named blocks": (
        lambda: Groups.from_indices({"age": [0, 1], "size": [1]}, 4), ValueError, "'age' and in 'size'"),
    "entry beyond the size": (lambda: Groups.from_indices({"age": [0, 4]}, 4), ValueError, "entries 0 to 3 in 'age'"),
    "negative entry": (lambda: Groups.from_indices([[-1]], 4), ValueError, "entries 0 to 3"),
    "entries not integer": (lambda: Groups.from_indices([[0.5]], 4), TypeError, "entry numbers"),
    "slice without size": (lambda: Groups.from_indices([slice(0, 2)]), ValueError, "Expected size="),
    "names too few": (lambda: Groups([0, 1], names=["a"]), ValueError, "one name per group"),
    "no such channels": (lambda: Groups.channels("input"), ValueError, "'out' or 'in'"),
    "heads not an integer": (lambda: Groups.heads(0), ValueError, "n_heads to be an integer ≥ 1"),
    "stacked not an integer": (lambda: Groups.heads(2, stacked=1.5), ValueError, "stacked to be an integer ≥ 1"),
    "heads that do not divide": (lambda: Groups.heads(4).norms(MATRIX), ValueError, "equal blocks"),
    "channels of a vector": (lambda: Groups.channels("in").norms(MATRIX[0]), ValueError, "in channels"),
    "labels of the wrong length": (lambda: Groups([0, 1]).check((3,)), ValueError, "labels of shape"),
    "group lasso without groups": (lambda: sw.GroupLasso(1e-3), TypeError, r"GroupLasso needs groups; .*Groups.columns\(\)"),
    "sparse group lasso without groups": (lambda: sw.SparseGroupLasso(1e-3), TypeError, "SparseGroupLasso needs groups"),
    "group MCP without groups": (lambda: sw.GroupMCP(1e-3), TypeError, "GroupMCP needs groups"),
    "ratio outside": (lambda: sw.SparseGroupLasso(0.1, Groups.rows(), 1.5), ValueError, r"in \[0, 1\]"),
    "gamma too small": (lambda: sw.GroupMCP(0.1, Groups.rows(), gamma=1.0), ValueError, "gamma"),
    "MCP in a metric": (
        lambda: sw.GroupMCP(0.1, Groups.rows()).prox(MATRIX, abs(MATRIX)), TypeError, "no closed-form prox of GroupMCP"),
    "MCP's conjugate": (lambda: sw.GroupMCP(0.1, Groups.rows()).conjugate(MATRIX), TypeError, "only convex"),
    "M negative": (lambda: sw.Hierarchical(0.1, M=-1.0), ValueError, "M"),
    "n_skip zero": (lambda: sw.Hierarchical(0.1, n_skip=0), ValueError, "n_skip"),
    "no hidden rows": (lambda: sw.Hierarchical(0.1).value(MATRIX[:1]), ValueError, "skip \\+ K hidden"),
    "hierarchy of a vector": (lambda: sw.Hierarchical(0.1).prox(MATRIX[0], 1.0), ValueError, "skip \\+ K hidden"),
    "hierarchy in a metric": (
        lambda: sw.Hierarchical(0.1).prox(MATRIX, abs(MATRIX)), TypeError, "no closed-form prox of Hierarchical"),
    "group weights of the wrong length": (
        lambda: sw.SparseGroupLasso(0.1, Groups.rows(), weights=[1.0]).value(MATRIX), ValueError, "one weight per group"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_one_sentence(case):
    call, kind, words = BAD[case]
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


# --- sparse group lasso ------------------------------------------------------------------------------------------------
LABELS = np.array([1, 1, 0, -1])


def test_sparse_group_lasso_is_its_formula():
    penalty = sw.SparseGroupLasso(0.3, LABELS, 0.2)
    formula = 0.3 * (
        0.2 * abs(MATRIX[:, :3]).sum()
        + 0.8 * (np.sqrt(12) * np.linalg.norm(MATRIX[:, :2]) + np.sqrt(6) * np.linalg.norm(MATRIX[:, 2]))
    )
    assert penalty.value(MATRIX) == pytest.approx(formula, rel=1e-14)


@pytest.mark.parametrize("step", [0.7, np.linspace(0.2, 2.0, 24).reshape(6, 4)], ids=["one step", "a step an entry"])
def test_sparse_group_lasso_is_the_sum_it_stands_for(step):
    one = sw.SparseGroupLasso(0.5, Groups.columns(), 0.3)
    two = sw.L1(0.15) + sw.GroupLasso(0.35, Groups.columns())
    np.testing.assert_allclose(one.prox(MATRIX, step), two.prox(MATRIX, step), atol=1e-15)
    np.testing.assert_allclose(one.violation(MATRIX, MATRIX), two.violation(MATRIX, MATRIX), atol=1e-14)
    assert one.value(MATRIX) == pytest.approx(two.value(MATRIX), rel=1e-14)
    assert one.lambda_max(MATRIX) == pytest.approx(0.5 * two.lambda_max(MATRIX), rel=1e-12)  # a sum's λ is a multiplier
    for scale in (0.05, 1.0):
        assert one.conjugate(scale * MATRIX) == two.conjugate(scale * MATRIX)


def test_sparse_group_lasso_at_its_two_ends():
    lasso, groups = sw.SparseGroupLasso(0.5, LABELS, 1.0), sw.SparseGroupLasso(0.5, LABELS, 0.0)
    np.testing.assert_array_equal(lasso.prox(MATRIX, 0.7)[:, :3], sw.L1(0.5).prox(MATRIX, 0.7)[:, :3])
    np.testing.assert_array_equal(groups.prox(MATRIX, 0.7), sw.GroupLasso(0.5, LABELS).prox(MATRIX, 0.7))
    assert np.array_equal(lasso.prox(MATRIX, 0.7)[:, 3], MATRIX[:, 3])  # label −1: by neither part


def test_sparse_group_prox_against_a_cone_program():
    """Variables (u, t ≥ |u|, s_g ≥ ‖u_g‖), which SLSQP solves without knowing thresholds."""
    w, labels, a, c = np.array([2.0, -0.3, 0.8, 1.0, 0.1]), np.array([0, 0, 0, 1, 1]), 0.3, 0.5
    penalty = sw.SparseGroupLasso(a + c, labels, a / (a + c), weights=[1.0, 1.0])
    members = [np.flatnonzero(labels == k) for k in (0, 1)]
    found = minimize(
        lambda x: 0.5 * ((x[:5] - w) ** 2).sum() + a * x[5:10].sum() + c * x[10:].sum(),
        np.r_[w, abs(w), [np.linalg.norm(w[m]) for m in members]],
        method="SLSQP",
        bounds=[(None, None)] * 5 + [(0, None)] * 7,
        constraints=[
            {"type": "ineq", "fun": lambda x: np.r_[x[5:10] - x[:5], x[5:10] + x[:5]]},
            {"type": "ineq", "fun": lambda x: [x[10 + k] ** 2 - (x[m] ** 2).sum() for k, m in enumerate(members)]},
        ],
        options={"ftol": 1e-15, "maxiter": 500},
    )
    np.testing.assert_allclose(penalty.prox(w, 1.0), found.x[:5], atol=2e-5)


# --- group MCP ------------------------------------------------------------------------------------------------------------
def minimax_concave(r, lam, gamma):
    return lam * r - r * r / (2 * gamma) if r <= gamma * lam else 0.5 * gamma * lam**2


def test_group_mcp_is_its_formula():
    penalty = sw.GroupMCP(0.6, LABELS, gamma=2.5, weights=[1.0, 0.5])
    norms = np.linalg.norm(MATRIX[:, 2]), np.linalg.norm(MATRIX[:, :2])
    formula = minimax_concave(norms[0], 0.6, 2.5) + minimax_concave(norms[1], 0.3, 2.5)
    assert penalty.value(MATRIX) == pytest.approx(formula, rel=1e-14)
    assert penalty.value(0.01 * MATRIX) == pytest.approx(
        minimax_concave(0.01 * norms[0], 0.6, 2.5) + minimax_concave(0.01 * norms[1], 0.3, 2.5), rel=1e-14
    )


@pytest.mark.parametrize("step", [0.3, 1.0, 1.9, 2.0, 3.0])
@pytest.mark.parametrize("size", [0.1, 0.7, 0.99, 1.01, 1.3, 1.45, 2.1, 4.0])
def test_group_mcp_prox_is_the_global_minimiser_over_the_norm(step, size):
    """The direction of w is best for every norm, so a dense grid of norms sees the global minimum."""
    w = size * np.array([0.6, -0.8])
    p = sw.GroupMCP(1.0, [0, 0], gamma=2.0, weights=[1.0]).prox(w, step)
    r = np.linalg.norm(p)
    np.testing.assert_allclose(p, r * np.array([0.6, -0.8]), atol=1e-15)
    grid = np.linspace(0, 5, 20001)
    costs = 0.5 * (grid - size) ** 2 + step * np.array([minimax_concave(x, 1.0, 2.0) for x in grid])
    assert 0.5 * (r - size) ** 2 + step * minimax_concave(r, 1.0, 2.0) <= costs.min() + 1e-12
    assert r == pytest.approx(grid[costs.argmin()], abs=5e-4)


def test_group_mcp_leaves_large_groups_alone_and_becomes_the_group_lasso():
    far = 10.0 * MATRIX
    np.testing.assert_array_equal(sw.GroupMCP(0.2, Groups.columns()).prox(far, 1.0), far)
    near_lasso = sw.GroupMCP(0.2, Groups.columns(), gamma=1e12)
    np.testing.assert_allclose(
        near_lasso.prox(MATRIX, 1.0), sw.GroupLasso(0.2, Groups.columns()).prox(MATRIX, 1.0), rtol=1e-9
    )


# --- hierarchy --------------------------------------------------------------------------------------------------------------
def column_cost(theta, v, hidden, lam, M):
    """Cost of a skip weight, with the best hidden weights for it: clipped at M|θ|."""
    bound = M * abs(theta)
    return 0.5 * (theta - v) ** 2 + 0.5 * ((np.clip(hidden, -bound, bound) - hidden) ** 2).sum() + lam * abs(theta)


@pytest.mark.parametrize("M", [0.0, 0.3, 1.0, 10.0])
@pytest.mark.parametrize("lam", [0.0, 0.4, 3.0])
def test_hier_prox_against_a_search_over_the_skip_weight(M, lam):
    w = RNG.normal(size=(5, 12)) * np.r_[np.full(6, 0.3), np.full(6, 2.0)]
    p = sw.Hierarchical(2.0 * lam, M=M).prox(w, 0.5)
    for j in range(w.shape[1]):
        v, hidden = w[0, j], w[1:, j]
        # On each side of zero the cost is convex, so that a bounded search finds the better of the two minima.
        sides = [
            minimize_scalar(
                column_cost, bounds=side, args=(v, hidden, lam, M), method="bounded", options={"xatol": 1e-9}
            )
            for side in ((-30, 0), (0, 30))
        ]
        best = min(*sides, key=lambda found: found.fun)
        at_zero = column_cost(0.0, v, hidden, lam, M)
        assert column_cost(p[0, j], v, hidden, lam, M) <= min(best.fun, at_zero) + 1e-12
        assert p[0, j] == pytest.approx(best.x if best.fun < at_zero else 0.0, abs=1e-5)
        np.testing.assert_allclose(p[1:, j], np.clip(hidden, -M * abs(p[0, j]), M * abs(p[0, j])), atol=1e-14)


def test_hier_prox_with_several_skip_rows_against_a_search_in_the_plane():
    w = np.array([[0.5, 0.0, 1.0], [-0.2, 0.3, 0.2], [2.0, 0.4, 0.1], [-1.0, 0.2, 3.0]])
    lam, M = 0.6, 0.8
    p = sw.Hierarchical(lam, M=M, n_skip=2).prox(w, 1.0)
    for j in range(3):
        v, hidden = w[:2, j], w[2:, j]

        def cost(theta, v=v, hidden=hidden):
            bound = M * np.linalg.norm(theta)
            kept = np.clip(hidden, -bound, bound)
            return 0.5 * ((theta - v) ** 2).sum() + 0.5 * ((kept - hidden) ** 2).sum() + lam * np.linalg.norm(theta)

        starts = [v, np.zeros(2), np.ones(2), -np.ones(2), np.array([1.0, -1.0])]
        best = min(
            minimize(cost, s, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14}).fun for s in starts
        )
        assert cost(p[:2, j]) == pytest.approx(best, abs=1e-9)


def test_hierarchy_is_its_formula_and_infinite_where_it_is_broken():
    penalty = sw.Hierarchical(0.5, M=2.0)
    w = np.array([[1.0, -0.5, 0.0], [2.0, 0.3, 0.0], [-1.9, -1.0, 0.0]])
    assert penalty.value(w) == pytest.approx(0.5 * 1.5, rel=1e-15)
    w[1, 0] = 2.0001
    assert penalty.value(w) == np.inf
    w[1, 0], w[1, 2] = 0.0, 1e-30  # a hidden weight of an input that has left
    assert penalty.value(w) == np.inf


def test_a_column_without_skip_weight_is_exactly_zero_and_comes_in_at_lambda_max():
    g = RNG.normal(size=(4, 6))
    top = sw.Hierarchical(1.0, M=0.5).lambda_max(g)
    assert top == pytest.approx((abs(g[0]) + 0.5 * abs(g[1:]).sum(0)).max(), rel=1e-14)
    for step in (0.1, 10.0):
        assert not sw.Hierarchical(top * (1 + 1e-12), M=0.5).prox(-step * g, step).any()
        assert sw.Hierarchical(0.99 * top, M=0.5).prox(-step * g, step).any()
    p = sw.Hierarchical(0.7 * top, M=0.5).prox(g, 1.0)
    assert 0 < (p[0] == 0).sum() < 6
    assert not p[:, p[0] == 0].any()


def test_hierarchy_is_stationary_exactly_where_a_descent_ends():
    """Least squares on an hidden layer's weights: prox-gradient descent ends at violation 0, a shifted point has some."""
    target, penalty, w = RNG.normal(size=(4, 5)), sw.Hierarchical(0.3, M=0.7), np.zeros((4, 5))
    scale = np.linspace(0.5, 2.0, 20).reshape(4, 5)
    for _ in range(3000):
        w = penalty.prox(w - 0.4 * scale * (w - target), 0.4)
    assert penalty.violation(w, scale * (w - target)).max() < 1e-12
    assert penalty.violation(w * 1.01, scale * (w * 1.01 - target)).max() > 1e-3
