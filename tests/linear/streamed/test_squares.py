"""Least squares on rows in blocks is least squares on the same rows in memory."""

import numpy as np
import polars as pl
import pytest

import shrinkwise as sw
from shrinkwise.linear.problem.row_triangles import check_size, triangles_of_rows
from shrinkwise.linear.problem.triangular_factor import Triangle
from shrinkwise.streaming import RowsError, fold_numbers

N, P, FOLDS = 3000, 9, 5


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P)) + 3.0
    X[:, 1] += X[:, 0]
    X[:, 8] = 7.0  # constant
    y = X[:, :4] @ [1.0, -2.0, 0.5, 1.0] + rng.normal(size=N)
    return X, y, rng.uniform(size=N)


def frames(X, y, s, height=700):
    table = pl.DataFrame({f"c{j}": X[:, j] for j in range(P)} | {"y": y, "s": s})
    return [table.slice(start, height) for start in range(0, len(table), height)]


def splits(n=N):
    fold = fold_numbers(0, n, FOLDS)
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS)]


PENALTIES = [
    sw.L1(1.0),
    sw.ElasticNet(1.0, 0.5),
    sw.GroupLasso(1.0, groups=np.arange(P) // 3),
    sw.L2(1.0),
    sw.L1(1.0) + sw.NonNegative(),
    sw.MCP(1.0),
]


def close(found, expected, tol=1e-10):
    np.testing.assert_allclose(found, expected, rtol=tol, atol=tol)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: type(penalty).__name__)
@pytest.mark.parametrize(
    "options",
    [{"standardize": True}, *(pytest.param(o, marks=pytest.mark.thorough) for o in ({}, {"fit_intercept": False}))],
    ids=str,
)
def test_a_path_is_the_one_in_memory(penalty, options, data):
    X, y, s = data
    found = sw.path(sw.rows(frames(X, y, s), "y", weight="s"), penalty=penalty, n_lambdas=12, **options)
    known = sw.path(X, y, penalty, sample_weight=s, n_lambdas=12, **options)
    for name in ("lambdas", "coefs", "intercepts", "losses", "objectives", "deviance_explained"):
        close(getattr(found, name), getattr(known, name))
    assert found.solved.all()
    assert np.nanmax(found.gaps, initial=0.0) <= 1e-6
    if penalty.convex:
        close(found.df[1:], known.df[1:], 1e-7)  # at λ_max rounding may leave a weight
        close(found.bic[1:], known.bic[1:], 1e-8)
    close(found.predict(X[:5]), known.predict(X[:5]))
    assert found.column_names == [f"c{j}" for j in range(P)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"standardize": True, "penalty": sw.L2(1.0)},
        pytest.param({"relaxed": True, "select": "best"}, marks=pytest.mark.thorough),
        pytest.param(
            {"penalty": [sw.L1(1.0), sw.GroupLasso(1.0, groups=np.arange(P) // 3)]}, marks=pytest.mark.thorough
        ),
        {"penalty_factors": [0, np.inf, *[1.0] * 7], "fit_intercept": False},
    ],
    ids=str,
)
def test_cross_validation_is_the_one_in_memory(options, data):
    X, y, s = data
    rows = sw.rows(frames(X, y, s), "y", weight="s")
    found = sw.PenalizedRegressorCV(cv=FOLDS, n_lambdas=12, **options).fit(rows)
    known = sw.PenalizedRegressorCV(cv=splits(), n_lambdas=12, **options).fit(X, y, s)
    for name in ("lambda_", "lambda_1se_", "lambda_best_", "coef_", "intercept_", "cv_losses_", "cv_se_"):
        close(getattr(found, name), getattr(known, name))
    assert found.n_passes_ == 1
    assert list(found.feature_names_in_) == [f"c{j}" for j in range(P)]
    close(found.predict(pl.concat(frames(X, y, s)).select(rows.inputs)), known.predict(X))


def test_a_fit_at_one_lambda_is_the_one_in_memory(data):
    X, y, s = data
    rows = sw.rows(X, y, weight=s)
    for penalty in ("l1", sw.L1(0.1), sw.L2(0.1)):
        found, known = sw.PenalizedRegressor(penalty).fit(rows), sw.PenalizedRegressor(penalty).fit(X, y, s)
        close(found.coef_, known.coef_)
        close(found.lambda_, known.lambda_)
    assert not hasattr(found, "feature_names_in_")


def test_verbose_reports_the_rows_read(data, capsys):
    sw.PenalizedRegressorCV(cv=2, n_lambdas=3, verbose=True).fit(sw.rows(data[0], data[1]))
    assert "1.00 passes over 3,000 rows" in capsys.readouterr().err


def test_a_group_stays_in_one_fold(data):
    X, y, s = data
    groups = np.arange(N) // 30
    fold = fold_numbers(0, N, FOLDS, groups=groups)
    table = pl.concat(frames(X, y, s)).drop("s").with_columns(g=groups)
    found = sw.PenalizedRegressorCV(cv=FOLDS, n_lambdas=5).fit(sw.rows(table, "y", group="g"))
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS)]
    close(found.cv_losses_, sw.PenalizedRegressorCV(cv=folds, n_lambdas=5).fit(X, y).cv_losses_)


def test_one_pass_serves_an_iterator(data):
    found = sw.PenalizedRegressorCV(cv=FOLDS, n_lambdas=5).fit(sw.rows(iter(frames(*data)), "y", weight="s"))
    assert found.path_.solved.all()


def test_digits_do_not_depend_on_the_frames(data):
    fits = [sw.path(sw.rows(lambda h=h: iter(frames(*data, h)), "y"), penalty=sw.L1(1.0)).coefs for h in (130, 2999)]
    np.testing.assert_array_equal(*fits)


@pytest.mark.parametrize("spread", [1.0, 1e-4, 1e-7])
def test_the_condition_decides_between_moments_and_reflections(spread, data):
    """Two columns that differ by `spread`: at 1e-4 and below the moments would lose the digits."""
    X, y, s = (each.copy() for each in data)
    X[:, 1] = X[:, 0] + spread * np.random.default_rng(5).normal(size=N)
    found, known = triangles_of_rows(sw.rows(X, y, weight=s))[0], Triangle.of(X, y, s)
    w, b = np.random.default_rng(1).normal(size=(4, P)), np.arange(4.0)
    close(found.mean_squared_errors(w, b), known.mean_squared_errors(w, b), 1e-12)
    ends = [np.linalg.lstsq(t.R[:, :9], t.R[:, -1], rcond=None)[0] for t in (found, known)]
    assert np.abs(ends[0] - ends[1]).max() <= 1e-13 / spread * np.abs(ends[1]).max()


def test_what_needs_the_rows_is_refused(data):
    X, y, _ = data
    rows = sw.rows(X, y)
    ridge = sw.path(rows, penalty=sw.L2(1.0), n_lambdas=3)
    with pytest.raises(ValueError, match="Leave-one-out and GCV need the rows themselves"):
        ridge.loo  # noqa: B018
    with pytest.raises(ValueError, match=r"do not take sample_weight beside them; use shrinkwise.rows.source, weight="):
        sw.path(rows, penalty=sw.L1(1.0), sample_weight=np.ones(N))
    for settings, match in [
        ({"cv": splits()}, "Expected cv to be a number of folds"),
        ({"scoring": "r2"}, "scored by the loss"),
        ({"stability": True}, "needs the rows in memory"),
        ({"interactions": True}, "Interactions need the rows in memory"),
    ]:
        with pytest.raises(ValueError, match=match):
            sw.PenalizedRegressorCV(**settings).fit(rows)
    with pytest.raises(RowsError, match="got rows without one"):
        sw.path(sw.rows(X), penalty=sw.L1(1.0))


def test_bad_rows_are_refused(data):
    X, y, s = data
    s = s.copy()
    s[77] = -1.0
    with pytest.raises(RowsError, match="weights ≥ 0 in column 'weight', got -1 in the array, row 78"):
        sw.path(sw.rows(X, y, weight=s), penalty=sw.L1(1.0))
    with pytest.raises(RowsError, match="at least one row with a weight above 0"):
        sw.path(sw.rows(X, y, weight=np.zeros(N)), penalty=sw.L1(1.0))
    with pytest.raises(RowsError, match=r"Fold . of 9 has no rows; use fewer folds"):
        sw.PenalizedRegressorCV(cv=9).fit(sw.rows(X[:5], y[:5]))
    with pytest.raises(RowsError, match=r"factors of 300000 columns need .* GB of memory, more than half of the"):
        check_size(300_000, 5)
