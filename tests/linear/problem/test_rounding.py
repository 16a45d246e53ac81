"""Data of any scale: constant columns, constant targets, orthogonal columns, numbers too large or small for their squares."""

import numpy as np
import pytest
import scipy.sparse as sp

import shrinkwise as sw
from shrinkwise.linear import (
    ElasticNetCV,
    LassoCV,
    PenalizedClassifier,
    PenalizedClassifierCV,
    PenalizedRegressor,
    PenalizedRegressorCV,
    RidgeCV,
    path,
)
from shrinkwise.linear.problem.rounding import constant_columns, largest_entry

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = X[:, 0] + RNG.normal(size=60)
NOISY = Y + 2 * RNG.normal(size=60) > 0
COUNTS = RNG.poisson(2.0, 60).astype(float)
VALUES = [0.1, 7.3, 1e5 + 0.1, 1e-3 / 3, -1e12 / 7]  # their means over 60 rows are off in the last digit
KINDS = {
    "dense": np.asarray,
    "columns": np.asfortranarray,
    "float32": np.float32,
    "sparse": sp.csr_array,
}


def with_constant(value, jitter=0.0):
    return np.column_stack([X[:, :2], value * (1 + jitter * np.where(np.arange(60) % 2, 1, -1)), X[:, 2:]])


@pytest.mark.one_in(7)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("penalty", [sw.L2(0.0), sw.L1(0.1), sw.L1(0.1, weights=[1, 1, 0, 1, 1])], ids=repr)
def test_a_constant_column_beside_an_intercept_changes_nothing(value, kind, weighted, penalty):
    s = np.linspace(0.5, 2.0, 60) if weighted else None
    given, plain = KINDS[kind](with_constant(value)), KINDS[kind](X)
    without = type(penalty)(penalty.lam)
    for model, target in [(PenalizedRegressor, Y), (PenalizedClassifier, NOISY)]:
        found, expected = (
            model(penalty, tol=1e-10).fit(given, target, s),
            model(without, tol=1e-10).fit(plain, target, s),
        )
        assert found.status_.startswith("solved")
        np.testing.assert_allclose(np.delete(found.coef_.ravel(), 2), expected.coef_.ravel(), atol=1e-6)
        assert abs(found.coef_.ravel()[2]) < 1e-14


def test_a_column_that_varies_by_rounding_is_constant_and_one_that_varies_more_is_not():
    assert constant_columns(with_constant(7.3, jitter=2e-16)).tolist() == [2]
    assert constant_columns(with_constant(7.3, jitter=1e-12)).tolist() == []
    assert constant_columns(sp.csc_array(with_constant(7.3, jitter=2e-16))).tolist() == [2]
    late = np.zeros((10_000, 2))
    late[77, 0], late[:, 1] = 1.0, 3.0  # a rare 1 between the rows that are looked at
    assert constant_columns(late).tolist() == [1]


def test_a_column_that_is_constant_in_the_training_rows_of_some_folds():
    rare = np.where(np.arange(60) == 5, 3.3, 0.1)
    model = PenalizedClassifierCV(sw.L1(1.0), cv=5, n_lambdas=10).fit(np.column_stack([X, rare]), NOISY)
    assert np.isfinite(model.cv_losses_).all()
    lasso = LassoCV(cv=5).fit(np.column_stack([X, rare]), Y)
    assert np.isfinite(lasso.mse_path_).all()
    assert lasso.mse_path_.max() < 100


CONSTANT = np.column_stack([np.full(60, value) for value in VALUES[:3]])


@pytest.mark.parametrize("loss", ["squared", "huber", "poisson", "logistic"])
@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.L2(1.0), sw.GroupLasso(1.0, [0, 0, 1]), sw.MCP(1.0)], ids=repr)
def test_constant_columns_alone_have_no_grid_of_rounding(loss, penalty):
    y = {"poisson": COUNTS, "logistic": NOISY.astype(float)}.get(loss, Y)
    fitted = path(CONSTANT, y, penalty, loss=loss)
    assert fitted.lambdas.tolist() == [1.0]
    assert fitted.solved.all()
    assert not fitted.coefs.any()


def test_cross_validation_over_constant_columns():
    for model in (LassoCV(), ElasticNetCV(positive=True), RidgeCV()):
        assert not model.fit(CONSTANT, Y).coef_.any()


@pytest.mark.parametrize("loss", ["squared", "huber", "poisson"])
@pytest.mark.parametrize("value", VALUES[:4])
def test_a_constant_target_has_no_grid_of_rounding(loss, value):
    fitted = path(X, np.full(60, value), sw.L1(1.0), loss=loss)
    assert fitted.lambdas.tolist() == [1.0]
    for penalty in (sw.L1(1.0), sw.L2(1.0)):
        given = path(X, np.full(60, value), penalty, loss=loss, lambdas=[1e-20, 0.0])
        assert given.solved.all()
        assert np.abs(given.coefs).max() < 1e-13 * value
    assert path(np.ones((60, 3)), np.full(60, value), sw.L1(1.0), loss=loss).lambdas.tolist() == [1.0]


def test_a_gradient_of_rounding_is_zero():
    """A balanced design: columns orthogonal to y, whose products are zero but for rounding."""
    design = np.array([[a, b, c] for a in (-0.1, 0.1) for b in (-0.7, 0.7) for c in (-0.3, 0.3)])
    y = 0.1 + design[:, 0] * design[:, 1] * design[:, 2]
    assert path(design, y, sw.L1(1.0)).lambdas.tolist() == [1.0]
    assert path(design, y + 1e-9 * design[:, 0], sw.L1(1.0)).lambdas[0] == pytest.approx(1e-9 * 0.01, rel=1e-4)


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-200, 1e160, 1.7e308])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("penalty", [sw.L1(1.0), sw.L2(1.0)], ids=repr)
def test_numbers_without_squares_are_refused_with_a_sentence(size, loss, penalty):
    scaled = X / np.abs(X).max() * size
    y = NOISY.astype(float) if loss == "logistic" else Y
    for given in (scaled, sp.csr_array(scaled), np.column_stack([X, scaled[:, 0]])):
        with pytest.raises(ValueError, match="rescale"):
            path(given, y, penalty, loss=loss)
    with pytest.raises(ValueError, match="rescale y"):
        path(X, Y / np.abs(Y).max() * size, penalty)


@pytest.mark.parametrize("size", [1e-120, 1e-20, 1e20, 1e120])
@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
def test_units_of_x_change_units_of_the_weights_alone(size, loss):
    y = {"logistic": NOISY.astype(float), "poisson": COUNTS}.get(loss, Y)
    plain, scaled = (path(c * X, y, sw.L1(1.0), loss=loss, n_lambdas=5, tol=1e-10) for c in (1.0, size))
    assert scaled.solved.all()
    np.testing.assert_allclose(scaled.coefs * size, plain.coefs, atol=1e-5)


@pytest.mark.parametrize("size", [1e-100, 1e-20, 1e100])
@pytest.mark.parametrize(
    "penalty", [sw.GroupLasso(1.0, [0, 0, 1, 1]), sw.SparseGroupLasso(1.0, [0, 0, 1, 1])], ids=repr
)
def test_units_of_x_in_every_solver_of_least_squares(size, penalty):
    plain, scaled = (path(c * X, Y, penalty, n_lambdas=5, tol=1e-8) for c in (1.0, size))
    assert scaled.solved.all()
    np.testing.assert_allclose(scaled.coefs * size, plain.coefs, atol=1e-3)


@pytest.mark.parametrize("lam", [1e-17, 1e-200, 1e-310])
@pytest.mark.parametrize("loss", ["squared", "huber", "logistic", "poisson"])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_a_lambda_below_rounding_gives_the_solution_without_a_penalty(lam, loss, kind):
    y = {"logistic": NOISY.astype(float), "poisson": COUNTS}.get(loss, Y)
    fitted = path(KINDS[kind](X), y, sw.L1(1.0), loss=loss, lambdas=[1.0, lam, 0.0], tol=1e-10)
    assert fitted.solved.all(), fitted.status
    np.testing.assert_allclose(fitted.coefs[1], fitted.coefs[2], atol=1e-6)
    if loss == "squared":
        model = PenalizedRegressor(sw.L1(lam)).fit(KINDS[kind](X), y)
        assert model.status_.startswith("solved")
        np.testing.assert_allclose(model.coef_, fitted.coefs[2], atol=1e-6)


def test_penalty_factors_far_apart():
    model = PenalizedRegressor(sw.L1(0.1), penalty_factors=[1e-100, 1, 1, 1e100]).fit(X, Y)
    free = PenalizedRegressor(sw.L1(0.1), penalty_factors=[0, 1, 1, np.inf]).fit(X, Y)
    assert model.status_.startswith("solved")
    np.testing.assert_allclose(model.coef_, free.coef_, atol=1e-6)


@pytest.mark.parametrize("loss", ["squared", "poisson"])
def test_an_offset_without_squares_is_refused(loss):
    with pytest.raises(ValueError, match="rescale offset"):
        PenalizedRegressor(sw.L1(0.1), loss=loss).fit(X, COUNTS, offset=np.full(60, 1e160))
    small = PenalizedRegressor(sw.L1(0.1), loss=loss).fit(X, COUNTS, offset=np.full(60, 1e-310))
    np.testing.assert_allclose(small.coef_, PenalizedRegressor(sw.L1(0.1), loss=loss).fit(X, COUNTS).coef_)


def test_weights_whose_sum_overflows():
    s = np.linspace(0.5, 1.0, 60)
    plain, large = (PenalizedRegressorCV(sw.L1(1.0), cv=3).fit(X, Y, c * s) for c in (1.0, 1.7e308))
    np.testing.assert_allclose(large.coef_, plain.coef_, rtol=1e-6)
    for model in (LassoCV(), RidgeCV()):
        with pytest.raises(ValueError, match="divide them by the largest"):
            model.fit(X, Y, 1.7e308 * s)


@pytest.mark.parametrize("size", [1e-300, 1e160, 1.7e308])
def test_weights_of_any_size(size):
    s = np.linspace(0.5, 1.0, 60)
    plain, scaled = (PenalizedRegressor(sw.L1(0.1), tol=1e-12).fit(X, Y, c * s) for c in (1.0, size))
    np.testing.assert_allclose(scaled.coef_, plain.coef_, rtol=1e-9)


ROWS = np.random.default_rng(1)
INPUTS = ROWS.normal(size=(60, 5))
EVENTS = ROWS.poisson(np.exp(0.7 * INPUTS[:, 0])).astype(float)
TARGETS = {
    "squared": EVENTS,
    "huber": EVENTS,
    "quantile": EVENTS,
    "logistic": (EVENTS > 1) * 1.0,
    "poisson": EVENTS,
    "gamma": EVENTS + 0.5,
    "tweedie": EVENTS,
    "negative_binomial": EVENTS,
    "multinomial": np.minimum(EVENTS, 2),
}


@pytest.mark.parametrize("loss", TARGETS)
@pytest.mark.parametrize("constant", [-30.0, 300.0, -800.0, 1e8])
def test_a_constant_offset_moves_the_intercept_alone(loss, constant):
    """Poisson at 300 was "solved" with other weights, −30 was not solved; Huber and quantile at 1e8 were "solved" wrongly."""
    y, lam = TARGETS[loss], 0.05
    offset = np.full((60, 3) if loss == "multinomial" else 60, constant)
    plain = path(INPUTS, y, sw.L1(lam), loss=loss, lambdas=[lam], tol=1e-8)
    moved = path(INPUTS, y, sw.L1(lam), loss=loss, lambdas=[lam], offset=offset, tol=1e-8)
    assert plain.solved.all()
    assert moved.solved.all(), moved.status
    np.testing.assert_allclose(moved.coefs, plain.coefs, atol=1e-3)
    np.testing.assert_allclose(np.ptp(moved.intercepts + constant - plain.intercepts), 0, atol=1e-3)


@pytest.mark.parametrize("loss", ["huber", "quantile"])
@pytest.mark.parametrize("constant", [1e7, -1e9])
def test_a_target_far_from_zero_is_solved(loss, constant):
    """It "stopped at max_iter", because the rounding of the intercept counted the mean of y."""
    fitted = path(INPUTS, EVENTS + constant, sw.L1(0.05), loss=loss, lambdas=[0.05])
    assert fitted.solved.all(), fitted.status
    plain = path(INPUTS, EVENTS, sw.L1(0.05), loss=loss, lambdas=[0.05], tol=1e-8)

    def value(at, intercept):
        eta = INPUTS @ at.coefs[0] + intercept
        return plain.data.loss_at(eta) + 0.05 * np.abs(at.coefs[0]).sum()

    best = value(plain, plain.intercepts[0])
    assert value(fitted, fitted.intercepts[0] - constant) - best <= 2e-6 * plain.data.null_loss


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_largest_entry_is_found_in_any_layout(sign):
    wide = np.ones((6, 8))
    wide[4, 2], wide[0, 7] = sign * 5.0, 9.0  # the 9 is outside of the columns that are taken
    part = wide[:, :5]
    assert not part.flags.forc
    for given in (part, part.copy(), np.asfortranarray(part), part.astype(np.float32), sp.csc_array(part)):
        assert largest_entry(given) == 5.0
