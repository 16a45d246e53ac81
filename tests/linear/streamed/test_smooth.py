"""Losses with curvature on rows in blocks: the solutions are those in memory, in few passes, whatever the order of the rows."""

import numpy as np
import polars as pl
import pytest

import shrinkwise as sw
from shrinkwise.linear.losses import LOSSES, Poisson, loss_of
from shrinkwise.linear.paths.streamed import path_of_rows, read_rows
from shrinkwise.linear.solvers.streamed import overview, sums
from shrinkwise.streaming import RowsError, fold_numbers

N, P, FOLDS = 3000, 7, 3


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, P)) + 1.0
    X[:, 1] += X[:, 0]
    X[:, 6] = 3.0  # constant
    eta = (X[:, :4] - 1.0) @ [0.6, -0.4, 0.3, 0.2]
    y = {
        "logistic": (rng.uniform(size=N) < 1.0 / (1.0 + np.exp(-eta))).astype(float),
        "poisson": rng.poisson(np.exp(eta)).astype(float),
        "gamma": np.exp(eta) * rng.gamma(2.0, 0.5, size=N),
        "huber": eta + rng.standard_t(3, size=N),
        "multinomial": np.argmax(np.stack([eta, 0.0 * eta, -eta]) + rng.gumbel(size=(3, N)), axis=0),
    }
    return X, y, rng.uniform(size=N) + 0.1


@pytest.fixture
def small_sample(monkeypatch):
    """A sample of 400 rows, so that the passes have something to do."""
    monkeypatch.setattr(overview, "_FEWEST", 400)
    monkeypatch.setattr(overview, "_MOST", 400)


def frames(X, y, s=None, height=900):
    table = pl.DataFrame({f"c{j}": X[:, j] for j in range(P)} | {"y": y} | ({} if s is None else {"s": s}))
    return [table.slice(start, height) for start in range(0, len(table), height)]


def splits():
    fold = fold_numbers(0, N, FOLDS)
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS)]


long = pytest.mark.thorough
CASES = [
    ("logistic", sw.L1(1.0), {}),
    ("logistic", sw.GroupLasso(1.0, groups=[0, 0, 1, 1, 2, 2, 2]), {"standardize": True}),
    ("logistic", sw.L2(1.0), {}),
    ("poisson", sw.L1(1.0, weights=[0.0, *[1.0] * 6]), {}),
    ("multinomial", sw.L1(1.0), {}),
    pytest.param("poisson", sw.L1(1.0), {}, marks=long),
    pytest.param("gamma", sw.L1(1.0), {}, marks=long),
    pytest.param("huber", sw.L1(1.0), {}, marks=long),
    pytest.param("logistic", sw.ElasticNet(1.0, 0.5), {"standardize": True}, marks=long),
    pytest.param("poisson", sw.L1(1.0) + sw.NonNegative(), {}, marks=long),
    pytest.param("poisson", sw.L1(1.0), {"fit_intercept": False}, marks=long),
    pytest.param("multinomial", sw.GroupLasso(1.0, groups=np.arange(P)), {}, marks=long),
]


@pytest.mark.usefixtures("small_sample")
@pytest.mark.parametrize(("loss", "penalty", "options"), CASES, ids=str)
def test_a_path_is_the_one_in_memory(loss, penalty, options, data):
    """Both objectives are within their gaps of the minimum, and λ_max is the same."""
    X, y, s = data
    rows = sw.rows(frames(X, y[loss], s), "y", weight="s")
    grid = {"n_lambdas": 5, "lambda_min_ratio": 0.02}
    found = sw.path(rows, penalty=penalty, loss=loss, **grid, **options)
    known = sw.path(X, y[loss], penalty, loss=loss, sample_weight=s, tol=1e-10, **grid, **options)
    np.testing.assert_allclose(found.lambdas, known.lambdas, rtol=1e-10)
    assert found.solved.all()
    assert found.gaps.max() <= 1e-6
    null = found.data.null_loss
    np.testing.assert_allclose(null, known.data.null_loss, rtol=1e-10)
    assert np.all(found.objectives - known.objectives <= 1e-6 * null)
    assert np.all(found.objectives - known.objectives >= -1e-9 * null)
    np.testing.assert_allclose(found.coefs, known.coefs, atol=3e-3)
    np.testing.assert_allclose(found.losses, known.losses, atol=3e-3 * null)
    np.testing.assert_allclose(found.deviance_explained, known.deviance_explained, atol=3e-3)
    np.testing.assert_allclose(found.predict(X[:9]), known.predict(X[:9]), atol=1e-2)


@long
@pytest.mark.usefixtures("small_sample")
def test_a_small_tol_is_reached(data):
    X, y, s = data
    rows = sw.rows(frames(X, y["logistic"], s), "y", weight="s")
    found = sw.path(rows, penalty=sw.L1(1.0), loss="logistic", n_lambdas=4, tol=1e-11)
    known = sw.path(X, y["logistic"], sw.L1(1.0), loss="logistic", sample_weight=s, n_lambdas=4, tol=1e-13)
    assert found.gaps.max() <= 1e-11
    np.testing.assert_allclose(found.coefs, known.coefs, atol=1e-6)


@pytest.mark.usefixtures("small_sample")
@pytest.mark.parametrize(
    "loss", ["logistic", pytest.param("poisson", marks=long), pytest.param("multinomial", marks=long)]
)
def test_few_passes_solve_a_path_of_twenty(loss, data):
    """Asked: at most 12 passes beyond the sample; the rows are sorted by the target, so that no block is like the others."""
    X, y, _ = data
    order = np.argsort(y[loss], kind="stable")
    rows = sw.rows(frames(X[order], y[loss][order]), "y")
    read = read_rows(rows, loss_of(loss), True, False)
    found = path_of_rows(read, sw.L1(1.0), None, (20, None), 1e-6, 1000)
    assert found.solved.all()
    assert read.passes - 1 <= 7
    assert found.n_iter.max() <= read.passes - 1


@pytest.mark.usefixtures("small_sample")
@pytest.mark.parametrize(
    "kind", [pytest.param("two classes", marks=long), "three classes", pytest.param("counts", marks=long)]
)
def test_cross_validation_is_the_one_in_memory(kind, data):
    X, y, _ = data
    target = {"counts": y["poisson"]}.get(kind)
    if target is None:
        codes = y["multinomial"] if kind == "three classes" else y["logistic"].astype(int)
        target = np.array(["no", "yes", "perhaps"])[codes]
    model, options = (
        (sw.PenalizedRegressorCV, {"loss": "poisson"}) if kind == "counts" else (sw.PenalizedClassifierCV, {})
    )
    options |= {"n_lambdas": 5, "lambda_min_ratio": 0.02, "tol": 1e-8}
    found = model(cv=FOLDS, **options).fit(sw.rows(frames(X, target), "y"))
    known = model(cv=splits(), **options).fit(X, target)
    np.testing.assert_allclose(found.cv_losses_, known.cv_losses_, rtol=1e-4)
    np.testing.assert_allclose(found.lambda_, known.lambda_)
    np.testing.assert_allclose(found.coef_, known.coef_, atol=1e-3)
    table = pl.concat(frames(X, target)).drop("y")
    assert np.mean(found.predict(table).round(1) == known.predict(X).round(1) if kind == "counts" else True) > 0.95
    if kind != "counts":
        assert found.classes_.tolist() == sorted(set(target.tolist()))
        assert np.mean(found.predict(table) == known.predict(X)) > 0.999


@pytest.mark.usefixtures("small_sample")
def test_a_class_that_the_sample_lacks_is_fitted(data):
    X, y, _ = data
    target = np.where(np.arange(N) == 1234, 3, y["multinomial"])
    found = sw.path(sw.rows(frames(X, target), "y"), penalty=sw.L1(1.0), loss="multinomial", n_lambdas=3)
    known = sw.path(X, target, sw.L1(1.0), loss="multinomial", n_lambdas=3)
    assert found.solved.all()
    np.testing.assert_allclose(found.objectives, known.objectives, rtol=1e-5)


def test_the_sample_does_not_depend_on_the_blocks(small_sample, data):
    X, y, _ = data
    found = [
        overview.overview_of(sw.rows(frames(X, y["poisson"], height=height), "y"), Poisson()) for height in (70, 3000)
    ]
    for name in ("hash", "X", "y", "s"):
        np.testing.assert_array_equal(*(getattr(each, name) for each in found))
    assert len(found[0].y) == 400
    for each in found:
        np.testing.assert_allclose(each.mean, X.mean(0), rtol=1e-12)
        np.testing.assert_allclose(each.squares / N, X.var(0), rtol=1e-10, atol=1e-12)


@long
def test_a_wide_path_uses_working_columns(small_sample):
    """More columns than a model takes whole: the gradient of all columns chooses those of the Hessian."""
    rng = np.random.default_rng(2)
    X, p = rng.normal(size=(1500, 300)), 300
    y = (rng.uniform(size=1500) < 1.0 / (1.0 + np.exp(-X[:, :5].sum(1)))).astype(float)
    read = read_rows(sw.rows(X, y), loss_of("logistic"), True, False)
    found = path_of_rows(read, sw.L1(1.0), None, (6, 0.2), 1e-6, 1000)
    known = sw.path(X, y, sw.L1(1.0), loss="logistic", lambdas=found.lambdas)
    assert found.solved.all()
    np.testing.assert_allclose(found.objectives, known.objectives, atol=2e-6)
    assert 0 < found.n_nonzero[-1] < p / 2


@pytest.mark.usefixtures("small_sample")
@pytest.mark.parametrize("rows", [300, N])
def test_separated_classes_are_not_called_solved(rows, data):
    """The sample is all of 300 rows, and 400 of 3000: separated in the sample only, the answer is that it is unknown."""
    X = data[0][:rows, :2]
    y = (X[:, 0] > 1.0).astype(float)
    found = sw.path(sw.rows(X, y), penalty=sw.L2(0.0), lambdas=[0.0], loss="logistic")
    known = sw.path(X, y, sw.L2(0.0), lambdas=[0.0], loss="logistic")
    assert not found.solved.any()
    assert not known.solved.any()
    if rows == N:
        assert found.status[0].startswith(
            "unknown whether a finite minimum exists, because none does on the sample of 400"
        )
    else:
        assert found.status == known.status
    assert sw.path(sw.rows(X, y), penalty=sw.L1(1.0), n_lambdas=3, loss="logistic").solved.all()


# --- bad input ----------------------------------------------------------------------------------------------------
def test_bad_targets_are_placed(data):
    X, y, _ = data
    wrong = y["poisson"].copy()
    wrong[1777] = -2.0
    with pytest.raises(RowsError, match=r"Expected y ≥ 0 for the poisson loss, got -2 in frame 2, row 878"):
        sw.path(sw.rows(frames(X, wrong), "y"), penalty=sw.L1(1.0), loss="poisson")
    with pytest.raises(ValueError, match="expects classes numbered 0 and 1, got 0, 1, 2"):
        sw.path(sw.rows(frames(X, y["multinomial"]), "y"), penalty=sw.L1(1.0), loss="logistic")
    with pytest.raises(RowsError, match="at least two classes in the target, got one class: 1"):
        sw.PenalizedClassifier().fit(sw.rows(frames(X, np.ones(N)), "y"))
    with pytest.raises(RowsError, match="at most 1000 classes in the target, got more"):
        sw.PenalizedClassifier().fit(sw.rows(frames(X, X[:, 0]), "y"))


def test_what_needs_the_rows_is_refused(data):
    X, y, _ = data
    rows = sw.rows(X, y["logistic"])
    fitted = sw.path(rows, penalty=sw.L1(1.0), loss="logistic", n_lambdas=3)
    with pytest.raises(ValueError, match="needs the rows themselves"):
        fitted.bic  # noqa: B018
    with pytest.raises(ValueError, match="Relaxed fits of rows in blocks are for the squared loss"):
        sw.path(rows, penalty=sw.L1(1.0), loss="logistic", relaxed=True)
    with pytest.raises(ValueError, match="take no class_weight"):
        sw.PenalizedClassifier(class_weight="balanced").fit(rows)
    with pytest.raises(ValueError, match="cox loss cannot be summed over blocks"):
        sw.path(rows, penalty=sw.L1(1.0), loss="cox")
    once = sw.rows(iter(frames(X, y["logistic"])), "y")
    with pytest.raises(RowsError, match="a second pass is needed"):
        sw.path(once, penalty=sw.L1(1.0), loss="logistic")


@pytest.mark.parametrize(
    "fit",
    [
        *(
            lambda rows, name=name: getattr(sw.linear, name)().fit(rows)
            for name in sw.linear.__all__
            if name[0] in "EMLRS" and name not in ("Separation", "Stability")
        ),
        lambda rows: sw.PenalizedCox().fit(rows),
        lambda rows: sw.PenalizedCoxCV().fit(rows),
        lambda rows: sw.stability_selection(rows, penalty=sw.L1(1.0)),
        lambda rows: sw.knockoffs(rows),
        lambda rows: sw.PenalizedRegressor(sw.L1(0.1)).fit(rows).predict(rows),
    ],
)
def test_every_other_estimator_says_what_to_use(fit, data):
    with pytest.raises(ValueError, match=r"needs the rows in memory and takes no rows in blocks; \w+"):
        fit(sw.rows(data[0], data[1]["poisson"]))


def test_the_hessian_of_classes_is_the_sum_over_the_rows():
    rng = np.random.default_rng(3)
    X, z, s = rng.normal(size=(400, 2)), 3 * rng.normal(size=(400, 3)), rng.random(400) * (rng.random(400) > 0.2)
    y, Z = rng.integers(0, 3, 400), np.column_stack([X, np.ones(400)])
    expected = np.einsum("i,ikj,ia,ib->kajb", s, LOSSES["multinomial"].hessian(y, z), Z, Z).reshape(9, 9)
    found = sums._hessian(LOSSES["multinomial"], X, y, z, s, 3)
    assert np.allclose(found, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())
