"""Fused lasso, SLOPE and the nuclear norm against programs, searches and libraries that share no line with them.

Oracles: bounded least squares on the dual of total variation, all signed orders of SLOPE's factors (a polytope), a
factorisation for the nuclear norm, linear programs for dual norms; scikit-learn, prox_tv and pyproximal where installed.
"""

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog, lsq_linear, minimize
from sklearn.isotonic import isotonic_regression

import shrinkwise as sw
from shrinkwise.linear import path

RNG = np.random.default_rng(7)


# --- values -----------------------------------------------------------------------------------------------------------------
W = RNG.normal(size=(3, 4))
C4 = np.array([2.0, 1.0, 0.5, 0.0])
BH = [1.9599639845400545, 1.6448536269514722]  # Φ⁻¹(1 − .1/4), Φ⁻¹(1 − .2/4): tables of the normal distribution
VALUES = [
    (sw.FusedLasso(0.3), W, lambda w: 0.3 * sum(abs(row[i + 1] - row[i]) for row in w for i in range(3))),
    (sw.FusedLasso(0.3, 0.2), W[0], lambda w: 0.3 * (0.2 * abs(w).sum() + 0.8 * sum(abs(w[i + 1] - w[i]) for i in range(3)))),
    (sw.SLOPE(0.3, weights=C4), W[0], lambda w: 0.3 * sum(c * x for c, x in zip(C4, sorted(abs(w))[::-1], strict=True))),
    (sw.SLOPE(0.3, q=0.1), W[0, :2], lambda w: 0.3 * sum(c * x for c, x in zip(BH, sorted(abs(w))[::-1], strict=True))),
    (sw.NuclearNorm(0.3), W, lambda w: 0.3 * np.sqrt(np.linalg.eigvalsh(w @ w.T).clip(0)).sum()),
]  # fmt: skip


@pytest.mark.parametrize(("penalty", "w", "formula"), VALUES, ids=[repr(p) for p, *_ in VALUES])
def test_value_is_the_formula(penalty, w, formula):
    assert penalty.value(w) == pytest.approx(formula(w), rel=1e-12)


# --- total variation --------------------------------------------------------------------------------------------------------
def fused_by_its_dual(y, a, c, steps):
    """w = y − s (D'q + z) with |q| ≤ c, |z| ≤ a of least Σ s (D'q + z − y/s)²: bounded least squares, solved exactly."""
    n, root = len(y), np.sqrt(steps)
    A = np.hstack([np.diff(np.eye(n), axis=0).T, np.eye(n)])
    bound = np.r_[np.full(n - 1, c), np.full(n, a)]
    A, bound = A[:, bound > 0], bound[bound > 0]
    found = lsq_linear(root[:, None] * A, y / root, bounds=(-bound, bound), method="bvls", tol=1e-15)
    return y - steps * (A @ found.x)


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_fused_prox_against_bounded_least_squares_on_the_dual(ratio):
    for trial in range(60):
        n = int(RNG.integers(1, 9))
        y = 3.0 * RNG.normal(size=n)
        y = np.round(y) if trial % 2 else y  # ties
        penalty, step = sw.FusedLasso(1.3, ratio), float(RNG.choice([0.1, 0.7, 3.0]))
        oracle = fused_by_its_dual(y, 1.3 * ratio, 1.3 * (1 - ratio), np.full(n, step))
        np.testing.assert_allclose(penalty.prox(y, step), oracle, atol=1e-8)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_fused_prox_with_a_step_for_each_entry(ratio):
    for _ in range(40):
        y, steps = 3.0 * RNG.normal(size=7), RNG.uniform(0.1, 4.0, 7)
        oracle = fused_by_its_dual(y, ratio, 1 - ratio, steps)
        np.testing.assert_allclose(sw.FusedLasso(1.0, ratio).prox(y, steps), oracle, atol=1e-8)
        held = np.where(np.arange(7) == 3, 0.0, steps)
        close = np.where(np.arange(7) == 3, 1e-7, steps)
        p = sw.FusedLasso(1.0, ratio).prox(y, held)
        assert p[3] == y[3]
        np.testing.assert_allclose(p, sw.FusedLasso(1.0, ratio).prox(y, close), atol=1e-6)


def test_fused_prox_of_a_long_signal_is_optimal_and_constant_between_jumps():
    y = np.cumsum(RNG.normal(size=20_000)) + 1e4
    penalty = sw.FusedLasso(50.0)
    p = penalty.prox(y, 1.0)
    assert 10 < np.count_nonzero(np.diff(p)) < 5000
    assert penalty.violation(p, p - y).max() < 1e-8
    assert p.mean() == pytest.approx(y.mean(), rel=1e-13)


@pytest.mark.parametrize("c", [0.0, 0.3, 2.0, 1e6])
def test_total_variation_against_prox_tv(c):
    prox_tv = pytest.importorskip("prox_tv")
    for n in (2, 7, 500):
        y = np.cumsum(RNG.normal(size=n))
        np.testing.assert_allclose(sw.FusedLasso(c).prox(y, 1.0), prox_tv.tv1_1d(y, c) if c else y, atol=1e-10)


def test_total_variation_against_pyproximal():
    pyproximal = pytest.importorskip("pyproximal")
    y = np.cumsum(RNG.normal(size=30))
    oracle = pyproximal.TV((30,), sigma=1.0, niter=20_000, rtol=1e-16).prox(y, 0.8)  # iterative, hence the tolerance
    np.testing.assert_allclose(sw.FusedLasso(1.0).prox(y, 0.8), oracle, atol=1e-4)


# --- SLOPE -----------------------------------------------------------------------------------------------------------------
def signed_orders(c):
    """The corners of the dual ball: every order of the factors with every sign."""
    orders = set(itertools.permutations(c))
    return np.array([np.array(o) * s for o in orders for s in itertools.product((-1, 1), repeat=len(c))])


@pytest.mark.parametrize(
    "c", [C4, np.array([1.0, 1.0, 1.0, 1.0]), np.array([1.5, 0.0, 0.0, 0.0]), np.array([3.0, 2, 1, 0.5])]
)
def test_slope_prox_against_a_quadratic_program_over_all_orders(c):
    """min ½‖u − w‖² + t with t ≥ ⟨z, u⟩ for each corner z."""
    corners = signed_orders(c)
    for _ in range(4):
        w = 2.0 * RNG.normal(size=4)
        found = minimize(
            lambda x, w=w: 0.5 * ((x[:4] - w) ** 2).sum() + x[4],
            np.r_[w, 20.0],
            jac=lambda x, w=w: np.r_[x[:4] - w, 1.0],
            method="SLSQP",
            constraints={"type": "ineq", "fun": lambda x: x[4] - corners @ x[:4],
                         "jac": lambda x: np.hstack([-corners, np.ones((len(corners), 1))])},
            options={"ftol": 1e-15, "maxiter": 300},
        )  # fmt: skip
        np.testing.assert_allclose(sw.SLOPE(0.5, weights=c).prox(w, 2.0), found.x[:4], atol=1e-6)


def test_slope_prox_against_isotonic_regression_of_scikit_learn():
    w = 3.0 * RNG.normal(size=200)
    penalty = sw.SLOPE(0.6)
    order = np.argsort(-abs(w))
    fitted = isotonic_regression(abs(w)[order] - 1.5 * 0.6 * penalty.factors(200), increasing=False).clip(0)
    oracle = np.zeros(200)
    oracle[order] = fitted
    p = penalty.prox(w, 1.5)
    np.testing.assert_allclose(p, np.sign(w) * oracle, atol=1e-12)
    assert 0 < (p == 0).sum() < 200
    assert len(np.unique(abs(p[p != 0]))) < (p != 0).sum()  # clusters of exactly equal size


def test_slope_with_equal_factors_is_the_lasso_and_with_one_the_maximum_norm():
    w = RNG.normal(size=(3, 4))
    np.testing.assert_allclose(sw.SLOPE(0.4, weights=np.ones(12)).prox(w, 1.2), sw.L1(0.4).prox(w, 1.2), atol=1e-15)
    highest = sw.SLOPE(0.4, weights=np.eye(12)[0])
    assert highest.value(w) == pytest.approx(0.4 * abs(w).max())
    # Moreau: the prox of the maximum norm is what the projection on the L1 ball leaves.
    np.testing.assert_allclose(highest.prox(w, 1.2), w - sw.L1Ball(0.48).prox(w, 1.0), atol=1e-14)


# --- nuclear norm ----------------------------------------------------------------------------------------------------------
def test_nuclear_prox_against_a_factorisation():
    """‖W‖_* = min over W = AB' of ½(‖A‖² + ‖B‖²): smooth, and with full width without bad minima."""
    w, lam = np.array([[2.0, 0.3, -1.0], [0.5, 1.0, 0.2]]), 0.8

    def cost(x):
        A, B = x[:4].reshape(2, 2), x[4:].reshape(3, 2)
        R = A @ B.T - w
        gradient = np.r_[(R @ B + lam * A).ravel(), (R.T @ A + lam * B).ravel()]
        return 0.5 * (R * R).sum() + 0.5 * lam * (x * x).sum(), gradient

    runs = [minimize(cost, RNG.normal(size=10), jac=True, method="BFGS", options={"gtol": 1e-11}) for _ in range(3)]
    best = min(runs, key=lambda run: run.fun).x
    np.testing.assert_allclose(
        sw.NuclearNorm(0.4).prox(w, 2.0), best[:4].reshape(2, 2) @ best[4:].reshape(3, 2).T, atol=1e-7
    )


def test_nuclear_prox_has_low_rank_and_of_diagonals_is_the_soft_threshold():
    w = RNG.normal(size=(6, 4))
    threshold = np.linalg.svd(w)[1][1:3].mean()
    assert np.linalg.matrix_rank(sw.NuclearNorm(threshold).prox(w, 1.0)) == 2
    d = np.array([3.0, 1.0, 0.2])
    np.testing.assert_allclose(sw.NuclearNorm(0.5).prox(np.diag(d), 1.0), np.diag(sw.L1(0.5).prox(d, 1.0)), atol=1e-15)
    assert not sw.NuclearNorm(100.0).prox(w, 1.0).any()


def test_nuclear_norm_against_pyproximal():
    pyproximal = pytest.importorskip("pyproximal")
    oracle = pyproximal.Nuclear((3, 4), sigma=0.4).prox(W.ravel(), 0.7).reshape(3, 4)
    np.testing.assert_allclose(sw.NuclearNorm(0.4).prox(W, 0.7), oracle, atol=1e-13)


# --- conjugate and lambda_max: dual norms by linear programs -----------------------------------------------------------------
def dual_norm_of_fused(u, ratio):
    """max ⟨u, w⟩ over ρ Σ t + (1−ρ) Σ d ≤ 1, t ≥ |w|, d ≥ |Dw|."""
    n = len(u)
    D, eye = np.diff(np.eye(n), axis=0), np.eye(n)
    zeros = np.zeros
    A = np.vstack([
        np.hstack([eye, -eye, zeros((n, n - 1))]), np.hstack([-eye, -eye, zeros((n, n - 1))]),
        np.hstack([D, zeros((n - 1, n)), -np.eye(n - 1)]), np.hstack([-D, zeros((n - 1, n)), -np.eye(n - 1)]),
        np.r_[zeros(n), np.full(n, ratio), np.full(n - 1, 1 - ratio)][None],
    ])  # fmt: skip
    bounds = [(None, None)] * n + [(0, None)] * (2 * n - 1)
    found = linprog(-np.r_[u, zeros(2 * n - 1)], A_ub=A, b_ub=np.r_[zeros(4 * n - 2), 1.0], bounds=bounds)
    return -found.fun if found.status == 0 else np.inf  # unbounded: a constant is free of charge


def dual_norm_of_slope(u, c):
    corners = signed_orders(c)
    return -linprog(-u, A_ub=corners, b_ub=np.ones(len(corners)), bounds=[(None, None)] * 4).fun


U = RNG.normal(size=4)
DUALS = [
    (sw.FusedLasso(0.7, 0.4), U, lambda u: dual_norm_of_fused(u, 0.4)),
    (sw.FusedLasso(0.7), U - U.mean(), lambda u: dual_norm_of_fused(u - u.mean(), 1e-12)),
    (sw.SLOPE(0.7, weights=C4), U, lambda u: dual_norm_of_slope(u, C4)),
    (sw.SLOPE(0.7, weights=[1.0, 1, 1, 1]), U, lambda u: abs(u).max()),
    (sw.NuclearNorm(0.7), W, lambda u: np.sqrt(np.linalg.eigvalsh(u @ u.T)[-1])),
]


@pytest.mark.parametrize(("penalty", "u", "dual_norm"), DUALS, ids=[repr(p) for p, *_ in DUALS])
def test_conjugate_and_lambda_max_are_the_dual_norm(penalty, u, dual_norm):
    size = dual_norm(u)
    assert penalty.conjugate(0.7 / size * u * (1 - 1e-6)) == 0
    assert penalty.conjugate(0.7 / size * u * (1 + 1e-6)) == np.inf
    if not (isinstance(penalty, sw.FusedLasso) and penalty.l1_ratio == 0):
        assert penalty.lambda_max(u) == pytest.approx(size, rel=1e-7)


def test_total_variation_alone_has_no_lambda_max_but_for_balanced_gradients():
    assert dual_norm_of_fused(U, 0.0) == np.inf
    assert sw.FusedLasso(1.0).lambda_max(U) == np.inf
    assert sw.FusedLasso(1.0).conjugate(0.1 * U) == np.inf
    balanced = np.array([1.0, -2.0, 0.5, 0.5])
    assert sw.FusedLasso(1.0).lambda_max(balanced) == pytest.approx(1.0, rel=1e-12)  # the largest running sum


PATHS = [
    sw.FusedLasso(1.0, 0.3),
    sw.SLOPE(1.0),
    sw.SparseGroupLasso(1.0, np.repeat(range(4), 3)),
    sw.GroupMCP(1.0, np.repeat(range(4), 3)),
]


@pytest.mark.parametrize("penalty", PATHS, ids=repr)
def test_linear_models_are_empty_at_lambda_max_and_certified_below(penalty):
    X = RNG.normal(size=(60, 12))
    y = X @ np.repeat([1.0, 0.0, -0.5, 0.0], 3) + 0.3 * RNG.normal(size=60)
    top = path(X, y, penalty, n_lambdas=2).lambdas[0]
    fits = path(X, y, penalty, lambdas=top * np.array([1.0, 0.99, 0.5, 0.1]), tol=1e-8)
    assert not fits.coefs[0].any()
    assert fits.coefs[1].any()
    assert fits.solved.all()
    assert np.isnan(fits.gaps).all() if not penalty.convex else (fits.gaps <= 1e-8).all()


def test_multinomial_coefficients_of_low_rank():
    X = RNG.normal(size=(90, 5))
    y = (X[:, :1] + 0.5 * X[:, 1:2] + 0.3 * RNG.normal(size=(90, 1)) > np.array([[-0.5, 0.5]])).sum(1)
    top = path(X, y, sw.NuclearNorm(1.0), loss="multinomial", n_lambdas=1).lambdas[0]
    fits = path(X, y, sw.NuclearNorm(1.0), loss="multinomial", lambdas=top * np.array([1.0, 0.7, 0.01]), tol=1e-7)
    assert fits.solved.all()
    assert not fits.coefs[0].any()
    assert [np.linalg.matrix_rank(w, tol=1e-8) for w in fits.coefs] == [0, 1, 2]


# --- both libraries, half precision, bad input -------------------------------------------------------------------------------
SHAPED = [sw.FusedLasso(0.4, 0.2), sw.SLOPE(0.2), sw.NuclearNorm(0.5), sw.SparseGroupLasso(0.4, sw.Groups.rows()),
          sw.GroupMCP(0.4, sw.Groups.rows()), sw.Hierarchical(0.4, M=0.5)]  # fmt: skip


@pytest.mark.parametrize("penalty", SHAPED, ids=repr)
def test_half_precision_keeps_its_type_and_is_rounded_once(penalty):
    torch = pytest.importorskip("torch")
    for dtype in (torch.float16, torch.bfloat16):
        x = torch.from_numpy(W).to(dtype)
        p = penalty.prox(x, 0.7)
        assert p.dtype == dtype
        exact = penalty.prox(x.double(), 0.7)
        assert (p.double() - exact).abs().max() <= torch.finfo(dtype).eps * W.max()
        assert float(penalty.value(x)) == pytest.approx(float(penalty.value(x.double())), rel=1e-3)
    assert penalty.prox(W.astype(np.float16), 0.7).dtype == np.float16


@pytest.mark.parametrize("penalty", SHAPED, ids=repr)
def test_value_has_gradients_of_its_own_slope(penalty):
    torch = pytest.importorskip("torch")
    w = np.vstack([3.0 + W[:1], 0.5 * W[1:]])  # no two entries tied, and the hierarchy holds
    x = torch.from_numpy(w).requires_grad_()
    (g,) = torch.autograd.grad(penalty.value(x), x)
    assert np.isfinite(penalty.value(w))
    for direction in RNG.normal(size=(3, 3, 4)):
        slope = (penalty.value(w + 1e-6 * direction) - penalty.value(w - 1e-6 * direction)) / 2e-6
        assert float((g * torch.from_numpy(direction)).sum()) == pytest.approx(slope, rel=1e-6, abs=1e-8)


BAD = {
    "fused ratio outside": (lambda: sw.FusedLasso(0.1, 2.0), ValueError, r"in \[0, 1\]"),
    "fused of a number": (lambda: sw.FusedLasso(0.1).value(np.float64(3.0)), ValueError, "a signal"),
    "sparse fused in a metric": (
        lambda: sw.FusedLasso(0.1, 0.5).prox(W, abs(W)), TypeError, "no closed-form prox of FusedLasso"),
    "SLOPE increasing": (lambda: sw.SLOPE(0.1, weights=[1.0, 2.0]), ValueError, "decreasing list"),
    "SLOPE negative": (lambda: sw.SLOPE(0.1, weights=[1.0, -2.0]), ValueError, "weights to be finite and ≥ 0"),
    "SLOPE of the wrong length": (lambda: sw.SLOPE(0.1, weights=[2.0, 1.0]).value(W), ValueError, r"entries \(12\), got 2"),
    "SLOPE q": (lambda: sw.SLOPE(0.1, q=1.0), ValueError, r"q \(the false discovery rate"),
    "SLOPE in a metric": (lambda: sw.SLOPE(0.1).prox(W, abs(W)), TypeError, "no closed-form prox of SLOPE"),
    "nuclear of a vector": (lambda: sw.NuclearNorm(0.1).value(W[0]), ValueError, "Expected a matrix"),
    "nuclear of a kernel": (lambda: sw.NuclearNorm(0.1).prox(W[None], 1.0), ValueError, "reshape it"),
    "nuclear in a metric": (lambda: sw.NuclearNorm(0.1).prox(W, abs(W)), TypeError, "no closed-form prox of NuclearNorm"),
    "integers": (lambda: sw.FusedLasso(0.1).prox(np.array([1, 2]), 1.0), TypeError, "floating-point"),
    "negative lam": (lambda: sw.SLOPE(-0.1), ValueError, "finite and ≥ 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_one_sentence(case):
    call, kind, words = BAD[case]
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


EMPTY = [
    (sw.FusedLasso(0.1, 0.5), (0,)),
    (sw.FusedLasso(0.1), (2, 0)),
    (sw.SLOPE(0.1), (0,)),
    (sw.NuclearNorm(0.1), (0, 3)),
]


@pytest.mark.parametrize(("penalty", "shape"), EMPTY, ids=repr)
def test_empty_arrays_give_the_empty_result(penalty, shape):
    empty = np.zeros(shape)
    assert penalty.value(empty) == 0
    assert penalty.prox(empty, 1.0).shape == shape
    assert penalty.lambda_max(empty) == 0
    assert penalty.violation(empty, empty).shape == shape
