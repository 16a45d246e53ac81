"""Groups that share columns, and hierarchical products: held to the group lasso on columns made by hand, and to its dual."""

import numpy as np
import polars as pl
import pytest

import shrinkwise as sw
from shrinkwise.linear import OverlappingGroups

GROUPS = [[0, 1, 2], [2, 3], [3, 4, 5]]


def rows(n=150, p=7, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.5, 3.0, p) + rng.normal(size=p)
    return X, rng


# --- groups that share columns -----------------------------------------------------------------------------------
def test_the_solution_satisfies_the_conditions_of_the_latent_group_lasso():
    X, rng = rows()
    y = X[:, 2] - X[:, 3] + 0.5 * X[:, 6] + rng.normal(size=len(X))
    groups, lam = OverlappingGroups(GROUPS, 7), 0.2
    model = sw.PenalizedRegressor(groups.penalty(lam), tol=1e-12).fit(groups.copies(X), y)
    w = groups.coefficients(model.coef_)
    gradient = -(X - X.mean(0)).T @ (y - model.intercept_ - X @ w) / len(X)
    # the dual norm: ‖g_g‖ ≤ λ√|g| for every group, with equality where it is used, and 0 for what is free
    for k, group in enumerate(GROUPS):
        part = model.coef_[sum(map(len, GROUPS[:k])) :][: len(group)]
        norm = np.linalg.norm(gradient[group]) / (lam * np.sqrt(len(group)))
        assert norm <= 1 + 1e-5
        assert not part.any() or abs(norm - 1) < 1e-5
    assert abs(gradient[6]) < 1e-6
    used = set(np.flatnonzero(w)) - {6}
    assert used
    assert used == set().union(*(set(group) for group in GROUPS if set(group) <= used))


def test_groups_by_name_have_their_names_and_frames_are_checked():
    X, _ = rows()
    frame = pl.DataFrame(X, schema=list("abcdefg"))
    groups = OverlappingGroups({"first": ["a", "b"], "second": ["b", "c"]}, frame.columns)
    assert groups.copies(frame).shape == (len(X), 8)
    assert groups.penalty(0.1).groups.names((8,)) == ["first", "second"]
    with pytest.raises(ValueError, match="different order"):
        groups.copies(frame[:, ::-1])


@pytest.mark.parametrize(
    "groups",
    [[], [[]], [[0, 0]], [[0, 7]], [[-1]], [["a"]], [[True]], [[0.5]]],
)
def test_bad_groups_are_one_sentence(groups):
    with pytest.raises(ValueError, match="Expected"):
        OverlappingGroups(groups, 7)


def test_weights_of_another_model_are_refused():
    with pytest.raises(ValueError, match="copies"):
        OverlappingGroups(GROUPS, 7).coefficients(np.zeros(7))


# --- products of pairs ---------------------------------------------------------------------------------------------
def by_hand(X, pairs, weight=None):
    """Columns and labels of the group lasso as the formula says."""
    weight = np.ones(len(X)) if weight is None else weight

    def standardised(column):
        mean = np.average(column, weights=weight)
        return (column - mean) / np.sqrt(np.average((column - mean) ** 2, weights=weight))

    u = np.apply_along_axis(standardised, 0, X)
    columns, labels = [*u.T], [*range(X.shape[1])]
    for j, k in pairs:
        columns += [u[:, j], u[:, k], standardised(u[:, j] * u[:, k])]
        labels += [X.shape[1] + len(labels)] * 3
    return np.column_stack(columns), np.unique(labels, return_inverse=True)[1]


@pytest.mark.parametrize("loss", ["squared", "poisson", "logistic"])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_group_lasso_on_columns_made_by_hand(loss, weighted):
    X, rng = rows(p=4)
    eta = 0.4 * X[:, 0] - 0.3 * X[:, 1] + 0.3 * X[:, 0] * X[:, 1]
    y = {"squared": eta + rng.normal(size=150), "poisson": rng.poisson(np.exp(np.clip(eta, None, 3)))}.get(
        loss, eta > 0.5
    )
    weight = rng.uniform(0.5, 2, 150) if weighted else None
    kind = sw.PenalizedClassifier if loss == "logistic" else sw.PenalizedRegressor
    pairs = [(0, 1), (0, 2), (2, 3)]
    columns, labels = by_hand(X, pairs, weight)
    mine = kind(sw.L1(0.03), loss=loss, interactions=pairs, tol=1e-12).fit(X, y, weight)
    theirs = kind(sw.GroupLasso(0.03, labels), loss=loss, tol=1e-12).fit(columns, y, weight)
    np.testing.assert_allclose(mine.objective_, theirs.objective_, rtol=1e-10)
    np.testing.assert_allclose(mine.predict(X), theirs.predict(columns), rtol=1e-5)


def test_the_prediction_is_that_of_the_published_weights():
    X, rng = rows(p=3)
    frame = pl.DataFrame(X, schema=["a", "b", "c"])
    y = X[:, 0] * X[:, 1] + 0.1 * rng.normal(size=len(X))
    model = sw.PenalizedRegressor(sw.L1(0.02), interactions=[("b", "a")]).fit(frame, y)
    d = X - model.center_
    known = X @ model.coef_ + model.intercept_ + model.interactions_["a", "b"] * d[:, 0] * d[:, 1]
    np.testing.assert_allclose(model.predict(frame), known, rtol=1e-12)
    assert model.named_coefficients()["a × b"] == model.interactions_["a", "b"]
    assert "a × b" in model.summary()


def test_cross_validation_finds_a_product_and_its_columns_come_along():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 8))
    y = X[:, 0] + 2 * X[:, 1] * X[:, 2] + 0.5 * rng.normal(size=400)
    model = sw.PenalizedRegressorCV(interactions=True, cv=5, n_lambdas=40).fit(X[:300], y[:300])
    assert max(model.interactions_, key=lambda pair: abs(model.interactions_[pair])) == ("x1", "x2")
    for pair in model.interactions_:
        assert all(model.coef_[int(name[1:])] != 0 for name in pair)
    assert len(model.path_.column_names) == model.path_.coefs.shape[-1]
    plain = sw.PenalizedRegressorCV(cv=5).fit(X[:300], y[:300])
    assert model.score(X[300:], y[300:]) > 0.9 > plain.score(X[300:], y[300:])


def test_another_fit_without_interactions_forgets_them():
    X, _ = rows(p=3)
    model = sw.PenalizedRegressor(sw.L1(0.1), interactions=True).fit(X, X[:, 0])
    model.set_params(interactions=None).fit(X, X[:, 0])
    np.testing.assert_array_equal(model.predict(X), X @ model.coef_ + model.intercept_)
    assert set(model.named_coefficients()) == {"x0", "x1", "x2"}
    assert not hasattr(model, "interactions_")


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"penalty": sw.L2(0.1)}, "L1"),
        ({"penalty": sw.ElasticNet(0.1)}, "L1"),
        ({"penalty_factors": [1, 1, 0]}, "penalty_factors"),
        ({"interactions": "all"}, "pairs"),
        ({"interactions": [(0, 0)]}, "different"),
        ({"interactions": [(0, 9)]}, "numbered"),
        ({"interactions": []}, "at least one pair"),
        ({"interactions": [0, 1]}, "pair"),
    ],
)
def test_what_is_not_offered_is_one_sentence(settings, word):
    X, _ = rows(p=3)
    with pytest.raises(ValueError, match=word):
        sw.PenalizedRegressor(**{"penalty": sw.L1(0.1), "interactions": True, **settings}).fit(X, X[:, 0])


@pytest.mark.parametrize("setting", [{"relaxed": True}, {"dfmax": 3}, {"stability": True}, {"scoring": "r2"}])
def test_what_cross_validation_does_not_offer_beside_them(setting):
    X, _ = rows(p=3)
    with pytest.raises(ValueError, match=next(iter(setting))):
        sw.PenalizedRegressorCV(interactions=True, **setting).fit(X, X[:, 0])


def test_classes_and_targets_share_the_products():
    X, rng = rows(p=4, n=300)
    columns, labels = by_hand(X, [(0, 1), (2, 3)])
    d = X - X.mean(0)
    Y = np.column_stack([d[:, 0] * d[:, 1], X[:, 2], X[:, 3]]) + rng.normal(size=(300, 3))
    shared = np.tile(labels, (3, 1))
    for kind, y in ((sw.PenalizedRegressor, Y), (sw.PenalizedClassifier, Y.argmax(1))):
        mine = kind(sw.L1(0.02), interactions=[(0, 1), (2, 3)], tol=1e-10).fit(X, y)
        theirs = kind(sw.GroupLasso(0.02, shared), tol=1e-10).fit(columns, y)
        np.testing.assert_allclose(mine.objective_, theirs.objective_, rtol=1e-8)
        how = "predict" if y.ndim == 2 else "predict_proba"
        np.testing.assert_allclose(getattr(mine, how)(X), getattr(theirs, how)(columns), rtol=1e-4)
        assert mine.interactions_["x0", "x1"].shape == (3,)
        assert "x0 × x1" in next(iter(mine.named_coefficients().values()))


def test_sparse_rows_are_refused():
    from scipy.sparse import csr_array

    X, _ = rows(p=3)
    with pytest.raises(ValueError, match="dense"):
        sw.PenalizedRegressor(sw.L1(0.1), interactions=True).fit(csr_array(X), X[:, 0])


def test_too_many_products_for_the_memory_are_refused():
    with pytest.raises(ValueError, match="list the pairs"):
        sw.PenalizedRegressor(sw.L1(0.1), interactions=True).fit(np.zeros((5, 9000)), np.zeros(5))
