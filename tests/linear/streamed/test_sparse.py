"""Sparse rows in blocks: the solutions are those of the same matrix in memory, in few passes."""

import numpy as np
import pytest
import scipy.sparse as sp

import shrinkwise as sw
from shrinkwise.linear.solvers.streamed import sparse_columns
from shrinkwise.streaming import RowsError, fold_numbers

N, P = 900, 120


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = sp.random_array((N, P), density=0.05, rng=rng, data_sampler=rng.normal, format="lil")
    X[:, 3] = 2.0  # constant
    X[:, 4] = 1.0 + 0.01 * rng.normal(size=(N, 1))
    X[:, 5] = 0.0
    X = X.tocsr()
    eta = X @ np.where(np.arange(P) % 6 == 1, 2.0, 0.0)
    y = {
        "logistic": (rng.uniform(size=N) < 1.0 / (1.0 + np.exp(-eta))).astype(float),
        "poisson": rng.poisson(np.exp(0.3 * eta)).astype(float),
        "squared": eta + rng.normal(size=N),
        "huber": eta + rng.standard_t(3, size=N),
        "multinomial": np.digitize(eta + rng.logistic(size=N), [-1.0, 1.0]),
    }
    return X, y, np.where(rng.uniform(size=N) < 0.1, 0.0, rng.uniform(size=N))


def blocks(X, y, s=None, height=170):
    parts = [slice(start, start + height) for start in range(0, len(y), height)]
    return [(X[at], y[at]) if s is None else (X[at], y[at], s[at]) for at in parts]


CASES = [
    ("logistic", sw.L1(1.0), {}),
    ("logistic", sw.ElasticNet(1.0, 0.5), {"standardize": True}),
    ("logistic", sw.L1(1.0, weights=[1.0, 0.0, *[1.0] * (P - 2)]), {"fit_intercept": False}),
    ("poisson", sw.L1(1.0), {"standardize": True}),
    ("squared", sw.L1(1.0), {}),
    ("huber", sw.L1(1.0), {}),
    ("multinomial", sw.L1(1.0), {}),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "penalty", "options"), CASES, ids=str)
def test_a_path_is_the_one_in_memory(loss, penalty, options, weighted, data):
    """Both objectives are within their gaps of the minimum, and λ_max is the same."""
    X, y, s = data
    y, s = y[loss], s if weighted else None
    grid = {"n_lambdas": 6, "lambda_min_ratio": 0.05}
    found = sw.path(sw.rows(blocks(X, y, s)), penalty=penalty, loss=loss, **grid, **options)
    known = sw.path(X, y, penalty, loss=loss, sample_weight=s, tol=1e-9, **grid, **options)
    np.testing.assert_allclose(found.lambdas, known.lambdas, rtol=1e-10)
    assert found.solved.all()
    assert found.gaps.max() <= 1e-6
    null = known.data.null_loss
    np.testing.assert_allclose(found.data.null_loss, null, rtol=1e-10)
    np.testing.assert_allclose(found.objectives, known.objectives, atol=2e-6 * null)
    np.testing.assert_allclose(found.losses, known.losses, atol=2e-3 * null)


def test_the_rows_are_not_kept(data, monkeypatch):
    """Only the working columns are gathered, each once, and the passes are counted."""
    X, y, _ = data
    read = []
    gathered = sparse_columns.SparseStore.gather

    def counted(self, ids):
        before = self.there.copy()
        gathered(self, ids)
        read.extend(np.flatnonzero(self.there & ~before).tolist())

    monkeypatch.setattr(sparse_columns.SparseStore, "gather", counted)
    calls = []

    def source():
        calls.append(1)
        return iter(blocks(X, y["logistic"]))

    model = sw.PenalizedClassifier(sw.L1(0.03)).fit(sw.rows(source))
    support = np.flatnonzero(model.coef_[0] if model.coef_.ndim == 2 else model.coef_)
    assert len(read) == len(set(read)) < P // 2
    assert set(support) <= set(read)
    assert model.n_passes_ == len(calls) - 2  # two calls look at the first block


def test_labels_and_cross_validation(data):
    """Classes of any label; held-out losses equal those of the same folds in memory."""
    X, y, s = data
    labels = np.where(y["logistic"] > 0, "yes", "no")
    fold = fold_numbers(0, N, 3)
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
    options = {"n_lambdas": 6, "lambda_min_ratio": 0.05, "tol": 1e-8}
    found = sw.PenalizedClassifierCV(sw.L1(1.0), cv=3, **options).fit(sw.rows(blocks(X, labels, s)))
    known = sw.PenalizedClassifierCV(sw.L1(1.0), cv=folds, **options).fit(X, labels, s)
    assert found.classes_.tolist() == ["no", "yes"]
    np.testing.assert_allclose(found.cv_losses_, known.cv_losses_, rtol=1e-4)
    assert found.lambda_ == pytest.approx(known.lambda_, rel=1e-10)
    np.testing.assert_allclose(found.coef_, known.coef_, atol=1e-4)
    assert (found.predict(X) == known.predict(X)).mean() > 0.99


@pytest.mark.parametrize("sparse", [False, True])
def test_a_column_with_an_infinite_factor_is_left_out(sparse, data):
    X, y, _ = data
    X, y, factors = X[:, :20], y["logistic"], np.ones(20)
    factors[[1, 13]] = np.inf  # column 1 would have the largest weight
    source = blocks(X, y) if sparse else X.toarray()
    found = sw.PenalizedClassifier(sw.L1(0.003), penalty_factors=factors, tol=1e-8)
    found.fit(*((sw.rows(source),) if sparse else (sw.rows(source, y),)))
    known = sw.PenalizedClassifier(sw.L1(0.003), penalty_factors=factors, tol=1e-8).fit(X, y)
    assert (found.coef_[..., [1, 13]] == 0).all()
    np.testing.assert_allclose(found.coef_, known.coef_, atol=2e-3)
    assert np.abs(sw.PenalizedClassifier(sw.L1(0.003)).fit(X, y).coef_[..., 1]).max() > 0.1


def spoiled(X, row, column):
    X = X.tolil()
    X[row, column] = np.inf
    return X.tocsr()


def test_bad_blocks_are_named(data):
    X, y, _ = data
    y = y["logistic"]
    good = blocks(X, y)
    for bad, sentence in (
        ((X[:, :5], y), "Expected 120 columns in every block, got 5 in block 7"),
        ((spoiled(X[:9], 4, 8), y[:9]), "got inf in column 8 of row 5 of block 7"),
        ((X[:9], y[:8]), r"Expected targets of shape \(9,\)"),
        ((X[:9], np.append(y[:8], np.nan)), "Expected finite targets, got nan in row 9 of block 7"),
        ((X[:9], y[:9], -np.ones(9)), "Expected weights ≥ 0, got -1 in row 1 of block 7"),
        ((X[:9].toarray(), y[:9]), "with X scipy sparse, got tuple in block 7"),
        (X[:9], "got csr"),
    ):
        with pytest.raises(RowsError, match=sentence):
            sw.path(sw.rows([*good, bad]), penalty=sw.L1(1.0), loss="logistic")
    with pytest.raises(RowsError, match="one class: 1"):
        sw.path(sw.rows([(X, np.ones(N))]), penalty=sw.L1(1.0), loss="logistic")
    with pytest.raises(RowsError, match="in row 701"):
        sw.path(sw.rows(blocks(X, np.where(np.arange(N) == 700, -1.0, 1.0))), penalty=sw.L1(1.0), loss="poisson")
    with pytest.raises(RowsError, match="Expected target=None beside sparse blocks"):
        sw.rows(good, target="y")
    parts = iter([good, good, good[:-1], good])
    with pytest.raises(RowsError, match="Expected the same rows in every pass"):
        sw.path(sw.rows(lambda: next(parts)), penalty=sw.L1(1.0), loss="logistic")


def test_what_sparse_blocks_do_not_take(data, monkeypatch):
    X, y, _ = data
    rows = sw.rows(blocks(X, y["logistic"]))
    with pytest.raises(ValueError, match="take L1 and L2 penalties on single weights"):
        sw.path(rows, penalty=sw.GroupLasso(1.0, groups=np.arange(P) // 2), loss="logistic")
    with pytest.raises(ValueError, match="give lambdas"):
        sw.path(rows, penalty=sw.L2(1.0), loss="logistic")
    assert sw.path(rows, penalty=sw.L2(1.0), loss="logistic", lambdas=[0.1]).solved.all()
    monkeypatch.setattr(sparse_columns, "memory_size", lambda: 1e4)
    with pytest.raises(RowsError, match="columns are needed at once, which take 0"):
        sw.path(rows, penalty=sw.L1(1.0), loss="logistic", lambda_min_ratio=0.01)
