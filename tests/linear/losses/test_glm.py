"""Huber, Poisson, logistic and multinomial fits: certificates at every λ, independent solvers, exact identities."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from sklearn.linear_model import PoissonRegressor, QuantileRegressor

import shrinkwise as sw
from linear.data import random_problem
from shrinkwise.linear import path
from shrinkwise.linear.losses import Huber
from shrinkwise.linear.paths.api import lambda_grid
from shrinkwise.linear.problem import working_columns as working_columns_module
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.solvers.newton.solver import NewtonSolver

PENALTIES = {
    "L1": sw.L1(1.0),
    "L1 with free columns": sw.L1(1.0, weights=np.r_[0.0, 0.0, np.ones(10)]),
    "elastic net": sw.ElasticNet(1.0, 0.5),
    "L2": sw.L2(1.0),
    "group lasso": sw.GroupLasso(1.0, np.repeat(np.arange(4), 3)),
}
LOSSES = {"huber": Huber(0.7), "poisson": "poisson", "logistic": "logistic", "multinomial": "multinomial"}
NEW = ["huber", "poisson"]


def target(loss, X, seed=0):
    rng, eta = np.random.default_rng(seed), X[:, :3] @ np.array([1.0, -1.0, 0.5]) / 2 + 0.3
    if loss == "huber":
        return eta + 0.5 * rng.standard_t(1.5, size=len(X))
    if loss == "poisson":
        return rng.poisson(np.exp(np.clip(eta, -5, 3))).astype(float)
    if loss == "logistic":
        return (eta + rng.logistic(size=len(X)) > 0).astype(float)
    return np.argmax(np.column_stack([eta, -eta, 0 * eta]) + rng.gumbel(size=(len(X), 3)), axis=1)


def design(seed=1, n=80, p=12):
    return random_problem(seed, n=n, p=p)[0] / 2


def objective(loss, X, y, w, b, penalty):
    """Written again, from the definition."""
    eta = X @ w + b
    if loss == "huber":
        r = np.abs(y - eta)
        return np.where(r <= 0.7, 0.5 * r**2, 0.7 * r - 0.5 * 0.7**2).mean() + penalty.value(w)
    return (np.exp(eta) - y * eta).mean() + penalty.value(w)


def residual(loss, y, eta):
    return np.clip(eta - y, -0.7, 0.7) if loss == "huber" else np.exp(eta) - y


def solve(problem, penalty, lambdas, tol=1e-6):
    return [one for stack in NewtonSolver(problem).solve_all(penalty, lambdas, tol, 10_000) for one in stack.each()]


@pytest.mark.parametrize("loss", NEW)
@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_certificate_and_minimum_at_every_lambda(loss, name, fit_intercept):
    penalty, X = PENALTIES[name], design()
    y = target(loss, X)
    fitted = path(X, y, penalty, loss=LOSSES[loss], n_lambdas=8, lambda_min_ratio=0.02, fit_intercept=fit_intercept)
    assert fitted.solved.all(), fitted.status
    assert fitted.gaps.max() <= 1e-6
    rng = np.random.default_rng(0)
    for lam, w, b, value, kkt in zip(
        fitted.lambdas, fitted.coefs, fitted.intercepts, fitted.objectives, fitted.kkt, strict=True
    ):
        at = penalty.with_lam(lam)
        assert value == pytest.approx(objective(loss, X, y, w, b, at), rel=1e-10)
        v = residual(loss, y, X @ w + b)
        violation = max(np.max(at.violation(w, X.T @ v / len(y))), fit_intercept * abs(v.mean()))
        assert kkt == pytest.approx(violation, rel=1e-3, abs=1e-12)
        for scale in (1e-3, 1e-1):  # convex: no nearby point is better, whatever duality says
            moved = b + scale * fit_intercept * rng.normal()
            assert objective(loss, X, y, w + scale * rng.normal(size=12), moved, at) >= value - 2e-6
    assert fit_intercept or not fitted.intercepts.any()


@pytest.mark.parametrize("loss", NEW)
def test_mcp_ends_at_a_stationary_point(loss):
    X = design()
    y = target(loss, X)
    fitted = path(X, y, sw.MCP(1.0), loss=LOSSES[loss], n_lambdas=8, lambda_min_ratio=0.05)
    assert fitted.solved.all()
    for lam, w, b in zip(fitted.lambdas, fitted.coefs, fitted.intercepts, strict=True):
        v = residual(loss, y, X @ w + b)
        assert np.max(sw.MCP(lam).violation(w, X.T @ v / len(y))) <= 1e-5 * fitted.lambdas[0]


@pytest.mark.parametrize("loss", NEW)
@pytest.mark.parametrize("name", [k for k in PENALTIES if k != "L2"])
@pytest.mark.parametrize("weighted", [False, True])
def test_lambda_max_from_both_sides(loss, name, weighted):
    penalty, X = PENALTIES[name], design(2)
    y = target(loss, X)
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y)) if weighted else None
    top = path(X, y, penalty, loss=LOSSES[loss], n_lambdas=1, sample_weight=s).lambdas[0]
    fitted = path(X, y, penalty, loss=LOSSES[loss], lambdas=[top, 0.99 * top], sample_weight=s, tol=1e-10)
    penalised = ~penalty.unpenalised((12,))
    assert not fitted.coefs[0][penalised].any()
    assert fitted.coefs[1][penalised].any()


def test_ridge_poisson_is_scikit_learns():
    X = design(n=200)
    y = target("poisson", X)
    fitted = path(X, y, sw.L2(1.0), loss="poisson", lambdas=[0.05], tol=1e-13)
    peer = PoissonRegressor(alpha=0.1, tol=1e-10, max_iter=10_000).fit(X, y)  # its penalty is α/2 ‖w‖²
    np.testing.assert_allclose(fitted.coefs[0], peer.coef_, atol=1e-6)
    np.testing.assert_allclose(fitted.intercepts[0], peer.intercept_, atol=1e-6)


def test_ridge_huber_agrees_with_a_general_optimiser():
    X = design()
    y = target("huber", X)
    fitted = path(X, y, sw.L2(1.0), loss=LOSSES["huber"], lambdas=[0.05], tol=1e-13)

    def value_and_slope(z):
        v = residual("huber", y, X @ z[:-1] + z[-1]) / len(y)
        slope = np.r_[X.T @ v + 0.1 * z[:-1], v.sum()]
        return objective("huber", X, y, z[:-1], z[-1], sw.L2(0.05)), slope

    peer = minimize(value_and_slope, np.zeros(13), jac=True, method="BFGS", options={"gtol": 1e-10}).x
    np.testing.assert_allclose(fitted.coefs[0], peer[:-1], atol=1e-7)
    np.testing.assert_allclose(fitted.intercepts[0], peer[-1], atol=1e-7)


def test_huber_is_least_squares_at_one_end_and_least_absolute_error_at_the_other():
    X = design(n=60)
    y = target("huber", X)
    squared = path(X, y, sw.L1(1.0), n_lambdas=6, tol=1e-12)
    wide = path(X, y, sw.L1(1.0), loss=Huber(1e4), lambdas=squared.lambdas, tol=1e-12)
    np.testing.assert_allclose(wide.coefs, squared.coefs, atol=1e-6)
    peer = QuantileRegressor(quantile=0.5, alpha=0.02).fit(X, y)  # ½|r| + α‖w‖₁
    narrow = path(X, y, sw.L1(1.0), loss=Huber(1e-3), lambdas=np.geomspace(1, 1e-3, 8)[-1:] * 2e-3 * 20, tol=1e-8)
    value = 0.5 * np.abs(y - X @ narrow.coefs[0] - narrow.intercepts[0]).mean() + 0.02 * np.abs(narrow.coefs[0]).sum()
    best = 0.5 * np.abs(y - peer.predict(X)).mean() + 0.02 * np.abs(peer.coef_).sum()
    assert best <= value <= best + 1e-3


@pytest.mark.parametrize("loss", LOSSES)
def test_an_offset_is_a_column_of_known_weight(loss):
    """X w + o: adding X u to o and subtracting u from w changes nothing, so the optimum without a penalty moves by −u."""
    X = design(n=120, p=4)
    y, K = target(loss, X), 3 if loss == "multinomial" else None
    u = np.random.default_rng(3).normal(size=(K, 4) if K else 4)
    plain, moved = (Problem(X, y, LOSSES[loss], offset=o) for o in (None, X @ u.T))
    free = sw.L2(1e-9) if K else sw.L2(0.0)
    at, other = (solve(problem, free, [free.lam], tol=1e-13)[0] for problem in (plain, moved))
    assert other.solved or other.gap[0] < 1e-9
    centred = (lambda w: w - w.mean(0)) if K else (lambda w: w)
    np.testing.assert_allclose(centred(other.w[0] + u), centred(at.w[0]), atol=1e-4)


def test_exposure_as_offset_is_rates_with_weights():
    X, rng = design(), np.random.default_rng(4)
    exposure = rng.uniform(0.5, 4.0, len(X))
    y = rng.poisson(exposure * np.exp(X[:, 0])).astype(float)
    with_offset = Problem(X, y, "poisson", offset=np.log(exposure))
    rates = Problem(X, y / exposure, "poisson", sample_weight=exposure)
    lambdas = lambda_grid(with_offset, sw.L1(1.0), 6, 0.05)
    ours = solve(with_offset, sw.L1(1.0), lambdas, tol=1e-11)
    theirs = solve(rates, sw.L1(1.0), lambdas / exposure.mean(), tol=1e-11)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.w[0], other.w[0], atol=1e-6)
        np.testing.assert_allclose(one.b[0], other.b[0], atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_are_repetitions(loss):
    X = design(n=50)
    y, times = target(loss, X), np.random.default_rng(5).integers(0, 3, 50)
    weighted = Problem(X, y, LOSSES[loss], sample_weight=times)
    repeated = Problem(np.repeat(X, times, axis=0), np.repeat(y, times), LOSSES[loss])
    lambdas = lambda_grid(weighted, sw.L1(1.0), 5, 0.05)
    for one, other in zip(
        *(solve(problem, sw.L1(1.0), lambdas, 1e-11) for problem in (weighted, repeated)), strict=True
    ):
        np.testing.assert_allclose(one.w[0], other.w[0], atol=1e-5)
        assert one.objective[0] == pytest.approx(other.objective[0], rel=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ["sparse", "sparse kept sparse", "float32"])
def test_sparse_and_single_precision_inputs_give_the_dense_fit(loss, kind, monkeypatch):
    rng = np.random.default_rng(6)
    X = np.where(rng.random((90, 30)) < 0.3, rng.normal(size=(90, 30)), 0.0).astype(np.float32).astype(float)
    y = target(loss, X * 2)
    if kind == "sparse kept sparse":
        monkeypatch.setattr(working_columns_module, "_DENSE", 0)
    other = X.astype(np.float32) if kind == "float32" else sp.csr_array(X)
    dense, given = (Problem(Z, y, LOSSES[loss]) for Z in (X, other))
    lambdas = lambda_grid(dense, sw.L1(1.0), 6, 0.05)
    for one, two in zip(*(solve(problem, sw.L1(1.0), lambdas, 1e-10) for problem in (dense, given)), strict=True):
        assert one.solved
        assert two.solved
        assert one.objective[0] == pytest.approx(two.objective[0], rel=1e-9)
        np.testing.assert_allclose(one.w[0], two.w[0], atol=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_wide_paths_screened_in_chunks_miss_nothing(loss, l1_ratio):
    """Every certificate stands on all columns; solving one λ at a time from nothing finds the same objectives."""
    X = np.random.default_rng(7).normal(size=(40, 400))
    problem, penalty = Problem(X, target(loss, X), LOSSES[loss]), sw.ElasticNet(1.0, l1_ratio)
    lambdas = lambda_grid(problem, penalty, 20, 0.05)
    together = solve(problem, penalty, lambdas)
    for lam, solution in list(zip(lambdas, together, strict=True))[::6]:
        alone = NewtonSolver(problem).solve(penalty.with_lam(lam), 1e-6, 10_000)
        assert solution.solved
        assert alone.solved
        assert abs(solution.objective[0] - alone.objective[0]) <= 1e-6 * problem.null_loss
    # Written again for L1: the gap from the gradient alone, with the intercept's gradient zero to rounding.
    w, b, lam = together[-1].w[0], together[-1].b[0], lambdas[-1]
    v = problem.loss.gradient(problem.y, problem.eta(w, b))
    assert np.abs(v.mean(0)).max() <= 1e-10
    if l1_ratio == 1.0:
        alpha = min(1.0, lam / np.abs(X.T @ v / 40).max())
        dual = -problem.loss.conjugate(problem.y, alpha * v).mean()
        assert together[-1].objective[0] - dual <= 0.05 * problem.null_loss


@pytest.mark.one_in(5)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.ElasticNet(1.0, 0.5), sw.L2(1.0)], ids=repr)
def test_hostile_inputs_are_solved_and_say_so(loss, penalty):
    X, rng = design(8, n=60), np.random.default_rng(8)
    y = target(loss, X)
    square = rng.normal(size=(30, 30))
    cases = {
        "duplicate, constant and zero columns": (
            np.column_stack([X, X[:, :2], np.full(60, 3.0), np.zeros(60)]),
            y,
            None,
        ),
        "scales 1e-8 to 1e8": (X * 10.0 ** np.linspace(-8, 8, 12), y, None),
        "large means": (X + 1e6, y, None),
        "nearly collinear": (X[:, :1] + 1e-5 * X, y, None),
        "weights over nine decades": (X, y, 10.0 ** rng.uniform(-6, 3, 60)),
        "p = n": (square, target(loss, square), None),
    }
    for name, (Z, t, s) in cases.items():
        ratio = None if isinstance(penalty, sw.L2) else 1e-3
        fitted = path(Z, t, penalty, loss=LOSSES[loss], n_lambdas=8, lambda_min_ratio=ratio, sample_weight=s)
        assert fitted.solved.all(), (name, fitted.status)
        assert np.isfinite(fitted.coefs).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.L2(1.0)], ids=repr)
def test_separable_rare_and_exact_targets(penalty):
    X = design(9, n=100, p=10)
    rare, outliers = np.zeros(100), X[:, 0].copy()
    rare[3], outliers[::10] = 1.0, 1e6
    cases = [
        ((X[:, 0] > 0).astype(float), "logistic"),
        (np.digitize(X[:, 0], [-0.3, 0.3]), "multinomial"),
        (rare, "logistic"),
        (rare, "poisson"),
        (np.round(np.exp(10 + X[:, 0])), "poisson"),
        (outliers, Huber(1.0)),
        (2 * X[:, 0], Huber(1.0)),
    ]
    for y, loss in cases:
        ratio = None if isinstance(penalty, sw.L2) else 1e-6
        fitted = path(X, y, penalty, loss=loss, n_lambdas=10, lambda_min_ratio=ratio)
        assert fitted.solved.all(), (loss, fitted.status)


def test_a_wrong_dual_point_or_a_missed_column_would_show():
    """The certificate of weights that are not optimal is large, with an offset and weights too."""
    from shrinkwise.linear.certificates import certify

    X, rng = design(10), np.random.default_rng(10)
    for loss in LOSSES:
        o = rng.normal(size=(80, 3) if loss == "multinomial" else 80)
        problem = Problem(X, target(loss, X), LOSSES[loss], sample_weight=rng.uniform(0.5, 2, 80), offset=o)
        penalty = sw.L1(lambda_grid(problem, sw.L1(1.0), 2, 0.1)[-1])
        good = NewtonSolver(problem).solve(penalty, 1e-10, 1000)
        assert good.solved
        worse = good.w[0].copy()
        worse[worse != 0] *= 0.9
        found = certify(problem, penalty, worse, problem.eta(worse, good.b[0]))
        excess = found.objective - good.objective[0]
        assert excess > 0
        assert found.gap * problem.null_loss >= excess * (1 - 1e-9)


def test_unpenalised_columns_at_zero_are_not_called_solved():
    from shrinkwise.linear.certificates import certify

    X = design(11)
    problem = Problem(X, target("logistic", X), "logistic")
    w, b = problem.zero()
    assert certify(problem, sw.L2(0.0), w, problem.eta(w, b)).gap > 1e-3


@pytest.mark.parametrize(
    "penalty", [sw.MCP(1.0, gamma=12.0), sw.GroupLasso(1.0, np.arange(1200) // 3)], ids=["MCP", "groups"]
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_concave_penalties_and_groups_model_only_what_moves(penalty, n_classes, monkeypatch):
    from shrinkwise.linear.solvers.newton.quadratic_model import QuadraticModel

    rng = np.random.default_rng(1)
    X = rng.normal(size=(90, 1200))
    y = np.digitize(X[:, 0] - X[:, 4] + 0.3 * rng.normal(size=90), [0.0] if n_classes == 2 else [-0.6, 0.6])
    sizes, grow = [], QuadraticModel.grow

    def seen(self, mask):
        sizes.append(mask.sum())
        return grow(self, mask)

    monkeypatch.setattr(QuadraticModel, "grow", seen)
    loss = "logistic" if n_classes == 2 else "multinomial"
    found = path(X, y, penalty, loss=loss, n_lambdas=12, lambda_min_ratio=0.3)
    # Several classes and a concave penalty: a step can end where none leads down, which the status says.
    assert found.solved.sum() >= (12 if penalty.convex or n_classes == 2 else 9)
    assert max(sizes) < 0.2 * n_classes * 1200
    assert not penalty.convex or found.gaps.max() <= 1e-6
    for w, lam, solved in zip(found.coefs, found.lambdas, found.solved, strict=True):
        eta = X @ w.T + found.intercepts[found.lambdas == lam][0]
        if n_classes == 2:
            residual = 1 / (1 + np.exp(-eta)) - y
        else:
            odds = np.exp(eta - eta.max(1, keepdims=True))
            residual = odds / odds.sum(1, keepdims=True) - np.eye(3)[y]
        g = (X.T @ residual).T / 90
        violation = np.max(penalty.with_lam(lam).violation(w, g)) / lam
        # A convex fit is taken to a gap of 1e-6, whatever violation that leaves.
        assert violation <= (1e-2 if penalty.convex else 2e-4) if solved else violation > 1e-5


@pytest.mark.parametrize("loss", ["logistic", "multinomial", "poisson"])
@pytest.mark.parametrize("extra", [None, sw.L2(0.01).fixed(), sw.L1(0.002).fixed()], ids=["plain", "ridge", "sparse"])
@pytest.mark.thorough
def test_groups_are_taken_to_the_gap_of_a_tight_fit(loss, extra):
    """One model serves several λ, and the last weights are moved on along the path: neither changes where it ends."""
    X = design(n=150)
    y = target(loss, X)
    penalty = sw.GroupLasso(1.0, np.repeat(np.arange(5), [3, 3, 3, 2, 1])[np.random.default_rng(0).permutation(12)])
    penalty = penalty if extra is None else penalty + extra
    fitted = path(X, y, penalty, loss=loss, n_lambdas=12, lambda_min_ratio=0.01)
    assert fitted.solved.all()
    for one in fitted:
        alone = path(X, y, penalty, loss=loss, lambdas=[one.lam], tol=1e-12)
        scale = fitted.data.null_loss
        assert one.objective <= alone.objectives[0] + 1e-6 * scale
        assert one.objective >= alone.objectives[0] - 1e-11 * scale


def test_the_end_of_a_group_path_is_the_fit_without_a_penalty():
    X = design(n=150)
    y = target("logistic", X)
    fitted = path(X, y, sw.GroupLasso(1.0, np.arange(12) // 3), loss="logistic", lambdas=[0.05, 0.01, 0.0], tol=1e-10)
    plain = path(X, y, sw.L2(1.0), loss="logistic", lambdas=[0.0], tol=1e-10)
    assert fitted.solved.all()
    np.testing.assert_allclose(fitted.coefs[-1], plain.coefs[0], atol=1e-4)


@pytest.mark.parametrize("loss", ["logistic", "multinomial", "poisson", "squared_hinge"])
@pytest.mark.parametrize("scale", [1e-60, 1e-20])
def test_tiny_columns_with_groups_and_bounds(loss, scale):
    """The gradient of an intercept and that of a weight are compared in one unit."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 6))
    y = rng.integers(0, 3 if loss == "multinomial" else 2, 100)
    for penalty, moved in (
        (sw.GroupLasso(1.0, np.arange(6) // 3),) * 2,
        (sw.L1(1.0) + sw.Box(-1.0, 0.1), sw.L1(1.0) + sw.Box(-1.0 / scale, 0.1 / scale)),
    ):
        plain = path(X, y, penalty, loss=loss, n_lambdas=4, lambda_min_ratio=0.05)
        small = path(scale * X, y, moved, loss=loss, lambdas=scale * plain.lambdas)
        assert small.solved.all(), small.status
        np.testing.assert_allclose(scale * small.coefs, plain.coefs, atol=1e-3)
