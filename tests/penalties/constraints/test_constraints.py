"""Constraints: projections against programs that know only the set, support functions, what λ and steps do (nothing)."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog, lsq_linear, minimize, nnls

import shrinkwise as sw
from shrinkwise.penalties import Constraint

RNG = np.random.default_rng(13)
W = RNG.normal(size=(3, 4))
LOW, HIGH = -abs(RNG.normal(size=(3, 4))), abs(RNG.normal(size=(3, 4)))

CONVEX = [
    sw.NonNegative(),
    sw.Box(-0.5, 0.8),
    sw.Box(LOW, HIGH),
    sw.L1Ball(1.7),
    sw.L1Ball(1000.0),
    sw.L2Ball(1.2),
    sw.Simplex(),
    sw.Simplex(2.5),
    sw.MaxNorm(0.9),
    sw.MaxNorm(0.9, axis=1),
]
NONCONVEX = [sw.TopK(3), sw.RowSparsity(1), sw.RowSparsity(2, axis=1)]
every = pytest.mark.parametrize("constraint", CONVEX + NONCONVEX, ids=repr)
convex = pytest.mark.parametrize("constraint", CONVEX, ids=repr)


def program(constraint):
    """The set as bounds and smooth inequalities for SLSQP, in the variables x = (w⁺, w⁻) with w = w⁺ − w⁻."""
    w = lambda x: (x[:12] - x[12:]).reshape(3, 4)  # noqa: E731
    if isinstance(constraint, sw.Box):
        return [{"type": "ineq", "fun": lambda x: np.r_[(w(x) - np.maximum(constraint.low, -1e3)).ravel(),
                                                         (np.minimum(constraint.high, 1e3) - w(x)).ravel()]}]  # fmt: skip
    if isinstance(constraint, sw.L1Ball):
        return [{"type": "ineq", "fun": lambda x: constraint.radius - x.sum()}]
    if isinstance(constraint, sw.L2Ball):
        return [{"type": "ineq", "fun": lambda x: constraint.radius**2 - (w(x) ** 2).sum()}]
    if isinstance(constraint, sw.Simplex):
        return [
            {"type": "eq", "fun": lambda x: w(x).sum() - constraint.total},
            {"type": "ineq", "fun": lambda x: w(x).ravel()},
        ]
    return [{"type": "ineq", "fun": lambda x: constraint.c**2 - (w(x) ** 2).sum(1 - constraint.axis)}]


def solve(constraint, cost):
    """The w of least cost(w) in the set."""
    found = minimize(
        lambda x: cost((x[:12] - x[12:]).reshape(3, 4)),
        np.full(24, 0.05),
        method="SLSQP",
        bounds=[(0, None)] * 24,
        constraints=program(constraint),
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    return (found.x[:12] - found.x[12:]).reshape(3, 4)


@convex
def test_projection_against_a_program(constraint):
    for w in (W, 0.1 * W, 5.0 * abs(W)):
        np.testing.assert_allclose(
            constraint.project(w), solve(constraint, lambda u, w=w: ((u - w) ** 2).sum()), atol=2e-6
        )


@pytest.mark.parametrize("constraint", [sw.NonNegative(), sw.Box(LOW, HIGH), sw.L1Ball(1.7), sw.Simplex(2.5)], ids=repr)
def test_projection_in_a_diagonal_metric_against_a_program(constraint):
    steps = RNG.uniform(0.2, 3.0, (3, 4))
    oracle = solve(constraint, lambda u: ((u - W) ** 2 / (2 * steps)).sum())
    np.testing.assert_allclose(constraint.prox(W, steps), oracle, atol=2e-6)


@pytest.mark.parametrize("constraint", [sw.TopK(2), sw.RowSparsity(2), sw.RowSparsity(1, axis=1)], ids=repr)
@pytest.mark.parametrize("steps", [np.ones((3, 4)), RNG.uniform(0.2, 5.0, (3, 4))], ids=["one step", "a step an entry"])
def test_the_best_k_against_all_choices(constraint, steps):
    ids = np.arange(12).reshape(3, 4)
    parts = [[i] for i in range(12)] if type(constraint) is sw.TopK else np.moveaxis(ids, constraint.axis, 0)
    choices = itertools.combinations([np.ravel(part) for part in parts], constraint.k)
    masks = [np.isin(ids, np.concatenate(choice)) for choice in choices]
    best = min(masks, key=lambda mask: (np.where(mask, 0.0, W) ** 2 / steps).sum())
    np.testing.assert_array_equal(constraint.prox(W, steps), np.where(best, W, 0.0))


@every
def test_the_projection_satisfies_the_constraint_and_stays(constraint):
    torch = pytest.importorskip("torch")
    for w in (W, 1e-8 * W, 1e8 * W, np.zeros((3, 4))):
        for x in (
            w,
            w.astype(np.float32),
            torch.from_numpy(w),
            torch.from_numpy(w).float(),
            torch.from_numpy(w).bfloat16(),
        ):
            p = constraint.project(x)
            assert p.dtype == x.dtype
            assert float(constraint.value(p)) == 0
            again = constraint.project(p)
            eps = (np if isinstance(x, np.ndarray) else torch).finfo(x.dtype).eps
            assert float(abs(again - p).max()) <= 16 * eps * float(abs(p).max())


@every
def test_value_is_infinite_outside_and_knows_no_lambda(constraint):
    outside = 10.0 * W
    assert constraint.value(outside) == (0 if constraint == sw.L1Ball(1000.0) else np.inf)
    assert constraint.value(np.full((3, 4), np.nan)) != 0
    for same in (2.0 * constraint, constraint.with_lam(7.0), np.float64(0.5) * constraint):
        assert same is constraint
    for step in (0.0, 0.3, 1e9):
        np.testing.assert_array_equal(constraint.prox(W, step), constraint.project(W))


def test_value_is_exact_where_the_set_is():
    assert sw.TopK(1).value(np.array([1.0, 1e-300])) == np.inf
    assert sw.RowSparsity(1).value(np.array([[1.0, 2.0], [0.0, 0.0]])) == 0
    assert sw.Box(0.0, 1.0).value(np.array([1.0 + 1e-9])) == np.inf
    assert sw.Simplex().value(np.full(7, 1 / 7)) == 0  # seven sevenths make one up to rounding
    assert sw.Simplex().value(np.full(7, 1 / 7) * (1 + 1e-9)) == np.inf


def test_value_has_gradient_zero_inside():
    torch = pytest.importorskip("torch")
    x = torch.tensor([0.5, 0.25], requires_grad=True)
    sw.L2Ball(1.0).value(x).backward()
    assert torch.equal(x.grad, torch.zeros(2))


@convex
def test_conjugate_is_the_support_function(constraint):
    """sup ⟨u, w⟩ over the set, by the program; where the set goes on for ever the sum does too."""
    for u in RNG.normal(size=(3, 3, 4)):
        claimed = constraint.conjugate(u)
        if isinstance(constraint, sw.NonNegative):
            assert claimed == np.inf
            assert constraint.conjugate(-abs(u)) == 0
        else:
            best = solve(constraint, lambda w, u=u: -(u * w).sum())
            assert claimed == pytest.approx((u * best).sum(), rel=1e-5)


def test_support_of_the_simplex_and_a_box_by_linear_programs():
    u = RNG.normal(size=5)
    simplex = linprog(-u, A_eq=np.ones((1, 5)), b_eq=[2.5], bounds=(0, None))
    assert sw.Simplex(2.5).conjugate(u) == pytest.approx(-simplex.fun, rel=1e-12)
    box = linprog(-u, bounds=(-0.5, 0.8))
    assert sw.Box(-0.5, 0.8).conjugate(u) == pytest.approx(-box.fun, rel=1e-12)
    half_line = sw.Box(-np.inf, 0.5)
    assert half_line.conjugate(abs(u)) == pytest.approx(0.5 * abs(u).sum(), rel=1e-14)
    assert half_line.conjugate(-abs(u)) == np.inf


@every
def test_a_normal_direction_violates_nothing_and_any_other_does(constraint):
    x = 3.0 * W
    p = constraint.project(x)
    for scale in (0.1, 1.0, 30.0):  # normals of a cone, at any length
        assert abs(constraint.violation(p, scale * (p - x))).max() <= 1e-13 * scale * abs(x).max()
    if constraint != sw.L1Ball(1000.0):
        assert abs(constraint.violation(p, x - p)).max() > 1e-2 or isinstance(constraint, (sw.TopK, sw.RowSparsity))
    inside = constraint.project(0.1 * W)
    assert abs(constraint.violation(inside, RNG.normal(size=(3, 4)))).max() > 1e-2


def test_violation_of_budgets_counts_the_entries_that_may_come_in():
    w, g = np.array([2.0, 0.0, 0.0]), np.array([0.5, -3.0, 1.0])
    np.testing.assert_array_equal(sw.TopK(1).violation(w, g), [0.5, 0.0, 0.0])
    np.testing.assert_array_equal(sw.TopK(2).violation(w, g), [0.5, 3.0, 0.0])  # a place is open, for the steepest
    np.testing.assert_array_equal(sw.TopK(3).violation(w, g), [0.5, 3.0, 1.0])
    assert sw.TopK(1).violation(np.array([2.0, 1.0, 0.0]), 0 * g)[1] == 1.0  # one entry too many


def test_lambda_max_is_zero_or_infinite():
    g = np.array([0.5, 0.0, 2.0])
    assert sw.NonNegative().lambda_max(g) == 0  # zero is optimal: every direction that is allowed goes up
    assert sw.NonNegative().lambda_max(-g) == np.inf
    assert sw.L2Ball(1.0).lambda_max(g) == np.inf
    assert sw.L2Ball(1.0).lambda_max(0 * g) == 0
    assert sw.L2Ball(0.0).lambda_max(g) == 0
    assert sw.Simplex().lambda_max(0 * g) == np.inf  # zero is not on the simplex
    assert sw.TopK(2).lambda_max(g) == np.inf


# --- in least squares ----------------------------------------------------------------------------------------------------
X = RNG.normal(size=(40, 6))
Y = X @ np.array([1.0, -0.8, 0.5, 0.0, 0.0, 0.1]) + 0.1 * RNG.normal(size=40)


def gradient(w):
    return X.T @ (X @ w - Y) / 40


@pytest.mark.parametrize(
    ("constraint", "oracle"),
    [
        (sw.NonNegative(), lambda: nnls(X, Y)[0]),
        (sw.Box(-0.3, 0.6), lambda: lsq_linear(X, Y, bounds=(-0.3, 0.6), method="bvls", tol=1e-15).x),
    ],
    ids=["NonNegative", "Box"],
)
def test_bounded_least_squares_of_scipy_is_stationary(constraint, oracle):
    best = oracle()
    assert constraint.violation(best, gradient(best)).max() < 1e-12
    assert constraint.violation(best + 0.01, gradient(best + 0.01)).max() > 1e-4
    assert constraint.violation(best - 1.0, gradient(best)).max() == np.inf  # not allowed at all
    fit = sw.PenalizedRegressor(constraint, fit_intercept=False, tol=1e-9)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(_quietly(fit).coef_, best, atol=1e-6)


def _quietly(fit):
    import warnings

    with warnings.catch_warnings():  # what is compared here is the solution, not its certificate
        warnings.simplefilter("ignore")
        return fit.fit(X, Y)


@pytest.mark.parametrize("constraint", [sw.Box(-0.3, 0.6), sw.L1Ball(1.0), sw.L2Ball(0.7), sw.Simplex(1.2)], ids=repr)
def test_constrained_least_squares_has_a_certificate(constraint):
    fit = sw.PenalizedRegressor(constraint, tol=1e-7).fit(X, Y)
    assert fit.duality_gap_ <= 1e-7
    assert constraint.value(fit.coef_) == 0


def test_a_ball_and_the_lasso_meet_where_their_multipliers_do():
    """Tibshirani's two forms: the lasso's solution is that of the ball of its own radius."""
    lasso = sw.PenalizedRegressor(sw.L1(0.1), tol=1e-12).fit(X, Y).coef_
    ball = sw.PenalizedRegressor(sw.L1Ball(abs(lasso).sum()), tol=1e-12).fit(X, Y).coef_
    np.testing.assert_allclose(ball, lasso, atol=1e-6)


SUMS = [
    sw.L1(0.2) + sw.NonNegative(),
    sw.L1(0.2) + sw.Box(-0.5, 0.8),
    sw.L1(0.2) + sw.L2Ball(0.9),
    sw.L1(0.2) + sw.L2(0.3) + sw.L1Ball(1.0),
    sw.GroupLasso(0.2, sw.Groups.columns()) + sw.NonNegative(),
    sw.L2(0.3) + sw.Simplex(),
    sw.L1(0.1) + sw.MaxNorm(0.9),
    2.0 * (sw.L1(0.1) + sw.NonNegative().fixed()),
]


@pytest.mark.parametrize("penalty", SUMS, ids=repr)
def test_a_constraint_beside_a_penalty_has_a_closed_prox(penalty):
    constraint = next(t for term in penalty.terms if isinstance(t := getattr(term, "term", term), Constraint))
    free = [term for term in penalty.scaled_terms() if not isinstance(getattr(term, "term", term), Constraint)]
    oracle = solve(constraint, lambda u: 0.5 * ((u - W) ** 2).sum() + 0.7 * sum(term.value(u) for term in free))
    p = penalty.prox(W, 0.7)
    assert constraint.value(p) == 0

    def cost(u):
        return 0.5 * ((u - W) ** 2).sum() + 0.7 * sum(term.value(u) for term in free)

    assert cost(p) <= cost(oracle) + 1e-7
    np.testing.assert_allclose(p, oracle, atol=2e-3)  # SLSQP stalls at kinks: the cost above is the sharp test


def test_sums_without_a_closed_prox_say_so():
    with pytest.raises(TypeError, match="no closed-form prox"):
        (sw.L1Ball(1.0) + sw.Box(-0.1, 0.2)).prox(W, 1.0)
    with pytest.raises(TypeError, match="no closed-form prox"):
        (sw.Simplex() + sw.MaxNorm(0.3)).prox(W, 1.0)


def test_a_constraint_of_your_own_is_a_projection():
    class Plane(Constraint):
        """Σ w = 0."""

        convex = True

        def project(self, w):
            return w - w.mean()

    plane = Plane()
    p = plane.prox(W, 1.0)
    assert p.sum() == pytest.approx(0.0, abs=1e-14)
    assert plane.value(p) == 0
    assert plane.value(W) == np.inf
    assert plane.violation(p, p - W).max() < 1e-14
    assert plane.lambda_max(np.ones(3)) == 0
    with pytest.raises(TypeError, match=r"must define project\(w\)"):
        Constraint().project(W)


@pytest.mark.parametrize("radius", [0.5, 2.0])
def test_balls_against_pyproximal(radius):
    pyproximal = pytest.importorskip("pyproximal")
    w = W.ravel()
    pairs = [
        (sw.L2Ball(radius), pyproximal.EuclideanBall(np.zeros(12), radius).prox(w, 1.0), 1e-12),
        (sw.L1Ball(radius), pyproximal.L1Ball(12, radius, xtol=1e-14).prox(w, 1.0), 1e-7),  # bisection
        (sw.Simplex(radius), pyproximal.Simplex(12, radius, xtol=1e-14, ftol=1e-14, maxiter=500).prox(w, 1.0), 1e-7),
        (sw.Box(-0.2, radius), pyproximal.Box(-0.2, radius).prox(w, 1.0), 0.0),
        (sw.TopK(4), pyproximal.L0Ball(4).prox(w, 1.0), 0.0),
    ]
    for constraint, oracle, tolerance in pairs:
        np.testing.assert_allclose(constraint.prox(w, 1.0), oracle, atol=tolerance, rtol=0, err_msg=repr(constraint))


def test_max_norm_bounds_the_incoming_weights_of_each_unit_under_training():
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(5, 3)
    with torch.no_grad():
        layer.weight.mul_(20.0)
        layer.weight.copy_(sw.MaxNorm(3.0).prox(layer.weight, 1.0))
    assert float(layer.weight.detach().norm(dim=1).max()) == pytest.approx(3.0, rel=1e-6)


BAD = {
    "bounds crossed": (lambda: sw.Box(1.0, 0.0), ValueError, "low ≤ high"),
    "bounds NaN": (lambda: sw.Box(np.nan, 0.0), ValueError, "low ≤ high"),
    "bounds that leave nothing": (lambda: sw.Box(np.inf, np.inf), ValueError, "low ≤ high"),
    "bounds of another shape": (lambda: sw.Box(np.zeros(5), 1.0).prox(W, 1.0), ValueError, "bounds of shape"),
    "radius negative": (lambda: sw.L1Ball(-1.0), ValueError, "radius to be a finite number ≥ 0"),
    "radius infinite": (lambda: sw.L2Ball(np.inf), ValueError, "radius to be a finite number ≥ 0"),
    "radius as text": (lambda: sw.L2Ball("1"), ValueError, "radius to be a finite number ≥ 0"),
    "total zero": (lambda: sw.Simplex(0.0), ValueError, "total .* > 0"),
    "bound NaN": (lambda: sw.MaxNorm(np.nan), ValueError, "c .the bound"),
    "axis as text": (lambda: sw.MaxNorm(1.0, axis="rows"), TypeError, "axis to be an integer"),
    "axis too far": (lambda: sw.MaxNorm(1.0, axis=2).prox(W, 1.0), ValueError, "an axis 2"),
    "k fractional": (lambda: sw.TopK(2.5), ValueError, "k .* to be an integer ≥ 0"),
    "k negative": (lambda: sw.RowSparsity(-1), ValueError, "k .* to be an integer ≥ 0"),
    "axis of rows": (lambda: sw.RowSparsity(1, axis=0.5), TypeError, "axis to be an integer"),
    "ball in a metric": (lambda: sw.L2Ball(1.0).prox(W, abs(W)), TypeError, "no closed-form prox of L2Ball"),
    "max norm in a metric": (lambda: sw.MaxNorm(1.0).prox(W, abs(W)), TypeError, "no closed-form prox of MaxNorm"),
    "simplex with a step of 0": (lambda: sw.Simplex().prox(W, abs(W) * (W > 0)), ValueError, "prox steps > 0"),
    "negative step": (lambda: sw.NonNegative().prox(W, -1.0), ValueError, "step ≥ 0"),
    "TopK's conjugate": (lambda: sw.TopK(1).conjugate(W), TypeError, "only convex"),
    "integers": (lambda: sw.NonNegative().prox(np.array([1, 2]), 1.0), TypeError, "floating-point"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_one_sentence(case):
    call, kind, words = BAD[case]
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@every
def test_empty_arrays_give_the_empty_result(constraint):
    shape = (0, 4) if getattr(constraint, "axis", 0) == 0 else (3, 0)
    if isinstance(constraint, sw.Box) and np.ndim(constraint.low):
        constraint = sw.Box(0.0, 1.0)
    empty = np.zeros(shape)
    assert constraint.prox(empty, 1.0).shape == shape
    assert constraint.violation(empty, empty).shape == shape
    assert constraint.value(empty) == (np.inf if isinstance(constraint, sw.Simplex) else 0)
    if constraint.convex and not isinstance(constraint, sw.Simplex):
        assert constraint.conjugate(empty) == 0
