"""Cox's partial likelihood against other packages, the definition written as loops, and SciPy."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

import shrinkwise as sw
from shrinkwise.linear import PenalizedCox, PenalizedCoxCV, concordance, path, survival
from shrinkwise.linear.losses import Cox
from shrinkwise.linear.losses.survival import risk_sets
from shrinkwise.linear.problem.problem import Problem

# Weeks of remission of 42 leukaemia patients: Freireich et al., Blood 1963; MASS::gehan in R.
GEHAN = (
    [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35],
    [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23],
)
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], [1] * 21
# survival::aml in R: Miller, Survival Analysis, 1981.
AML = (
    [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161, 5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45],
    [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1],
)
TIES = pytest.mark.parametrize("ties", ["efron", "breslow"])


def data(seed=0, n=60, p=5, tied=True):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 20.0
    time = rng.exponential(np.exp(-(X[:, 0] - X[:, 1] - X[:, 2] * 0.5 + 10.0)))
    time = np.ceil(8 * time / np.quantile(time, 0.9)) if tied else time
    y = survival(time, rng.random(n) < 0.7, rng.integers(0, 2, n))
    return X, y, rng.uniform(0.5, 2.0, n), 0.3 * rng.normal(size=n)


def by_loops(y, eta, s, ties):
    """Σ s δ (log Σ at risk − η) from the definition."""
    total = 0.0
    for stratum, time in {(row["stratum"], row["time"]) for row in y if row["event"]}:
        at_risk = (y["stratum"] == stratum) & (y["time"] >= time)
        tied = at_risk & (y["time"] == time) & y["event"]
        m, weight = tied.sum(), s[tied].sum()
        for i in range(m):
            share = i / m if ties == "efron" else 0.0
            total += weight / m * np.log(s[at_risk] @ np.exp(eta[at_risk]) - share * s[tied] @ np.exp(eta[tied]))
        total -= s[tied] @ eta[tied]
    return total


@pytest.mark.parametrize(
    ("ties", "coef", "se", "log_likelihood"),
    [("efron", 1.572125149, 0.412396718, -85.008424577), ("breslow", 1.509191413, 0.409564406, -86.379622071)],
)
def test_the_remission_times_are_those_of_statsmodels(ties, coef, se, log_likelihood):
    """The parameter, its standard error and the log-likelihood of PHReg in statsmodels 0.15.0; for Efron's ties CoxPHFitter
    in lifelines 0.30.3 finds the same to 3e-7."""
    X, y = np.repeat([0.0, 1.0], 21)[:, None], survival(np.concatenate(GEHAN), np.concatenate(RELAPSED))
    fitted = path(X, y, sw.L2(0.0), loss=Cox(ties), lambdas=[0.0], tol=1e-14)
    assert fitted.solved[0]
    assert fitted.coefs[0, 0] == pytest.approx(coef, abs=1e-6)
    information = fitted.data.loss.information(X, fitted.predict(X)[0])
    assert 1.0 / np.sqrt(information[0, 0]) == pytest.approx(se, abs=1e-6)
    assert -42.0 * fitted.losses[0] == pytest.approx(log_likelihood, abs=1e-8)
    assert fitted.aic[0] == pytest.approx(2.0 - 2.0 * log_likelihood, abs=1e-7)
    assert fitted.bic[0] == pytest.approx(np.log(30) - 2.0 * log_likelihood, abs=1e-7)


def test_the_maintenance_trial_is_that_of_lifelines():
    """CoxPHFitter in lifelines 0.30.3: the parameter, the likelihood ratio statistic, the concordance."""
    X, y = (np.arange(23) >= 11).astype(float)[:, None], survival(*AML)
    fitted = path(X, y, sw.L2(0.0), loss="cox", lambdas=[0.0], tol=1e-14)
    assert fitted.coefs[0, 0] == pytest.approx(0.915532575, abs=1e-6)
    null = fitted.data.loss_at(np.zeros(23))
    assert 2 * 23 * (null - fitted.losses[0]) == pytest.approx(3.384447333, abs=1e-7)
    assert concordance(y, fitted.predict(X)[0]) == pytest.approx(0.619047619, abs=1e-9)


@TIES
def test_value_derivatives_and_information_are_those_of_the_definition(ties):
    X, y, s, _ = data()
    loss, eta = Cox(ties).scaled_to(y, s), np.random.default_rng(1).normal(size=60)
    assert s @ loss.value(y, eta) == pytest.approx(by_loops(y, eta, s, ties), rel=1e-12)
    np.testing.assert_allclose(loss.value(y, np.stack([eta, 2 * eta]))[1], loss.value(y, 2 * eta))
    h, eye = 1e-5, np.eye(60)
    slope = [(by_loops(y, eta + h * e, s, ties) - by_loops(y, eta - h * e, s, ties)) / (2 * h) for e in eye]
    np.testing.assert_allclose(s * loss.gradient(y, eta), slope, atol=1e-8)
    bend = np.array([(loss.gradient(y, eta + h * e) - loss.gradient(y, eta - h * e)) * s / (2 * h) for e in eye])
    np.testing.assert_allclose(loss.information(X, eta), X.T @ bend @ X, rtol=1e-5, atol=1e-4)
    majorant = np.diag(s * loss.hessian(y, eta)) - bend
    assert np.linalg.eigvalsh(0.5 * (majorant + majorant.T)).min() >= -1e-7


@TIES
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("width", [1.0, 90.0])
def test_sums_and_their_logarithms_give_the_same(ties, tied, width, monkeypatch):
    """η of up to 600 apart is summed as e^η; wider ones are summed as logarithms, which serves here as the second form."""
    _, y, s, _ = data(tied=tied)
    s[::7] = 0.0
    eta = width * np.random.default_rng(2).normal(size=60)
    fast = Cox(ties).scaled_to(y, s)
    found = fast.value(y, eta), fast.gradient(y, eta)
    monkeypatch.setattr(risk_sets, "_SPREAD", -1.0)
    slow = Cox(ties).scaled_to(y, s)
    for one, other in zip(found, (slow.value(y, eta), slow.gradient(y, eta)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def test_a_linear_predictor_that_is_changed_in_place_is_not_taken_for_the_last_one():
    _, y, s, _ = data()
    loss, eta = Cox().scaled_to(y, s), np.zeros(60)
    first = loss.value(y, eta)
    eta[:] = np.random.default_rng(3).normal(size=60)
    assert s @ loss.value(y, eta) == pytest.approx(by_loops(y, eta, s, "efron"), rel=1e-12)
    assert not np.allclose(first, loss.value(y, eta))


@TIES
@pytest.mark.parametrize("tied", [False, True])
def test_the_conjugate_bounds_the_supremum_and_is_it_at_the_gradient(ties, tied):
    _, y, s, _ = data(tied=tied)
    loss, eta = Cox(ties).scaled_to(y, s), np.random.default_rng(2).normal(size=60)
    v = loss.gradient(y, eta)
    value = s @ loss.value(y, eta)
    assert s @ loss.conjugate_at(y, 1.0, v, eta) == pytest.approx(s @ (v * eta) - value, rel=1e-10)
    for alpha in (0.0, 0.3, 0.9, 0.999):

        def below(z, alpha=alpha):
            return s @ loss.value(y, z) - alpha * s @ (v * z), s * (loss.gradient(y, z) - alpha * v)

        found = minimize(below, eta, jac=True, method="L-BFGS-B", options={"maxiter": 500})
        assert s @ loss.conjugate_at(y, alpha, v, eta) >= -found.fun - 1e-9
    assert s @ loss.lowest(y) <= value
    far = minimize(lambda z: (s @ loss.value(y, z), s * loss.gradient(y, z)), eta, jac=True, method="L-BFGS-B").fun
    assert s @ loss.lowest(y) <= far + 1e-9


@TIES
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("away", [0.0, 0.2])
def test_an_offered_dual_point_is_the_predicted_gradient_and_its_conjugate_bounds_the_supremum(ties, tied, away):
    _, y, s, _ = data(tied=tied)
    loss, rng = Cox(ties).scaled_to(y, s), np.random.default_rng(2)
    eta, step = rng.normal(size=60), 0.02 * rng.normal(size=60)
    built, h = eta + away * rng.normal(size=60), 1e-4
    bend = (loss.gradient(y, built + h * step) - loss.gradient(y, built - h * step)) / (2 * h)
    v = loss.offered(y, None, (eta, step, built))
    np.testing.assert_allclose(v, loss.gradient(y, eta) + bend, atol=1e-8)
    for alpha in (0.0, 0.6, 1.0):

        def below(z, alpha=alpha):
            return s @ loss.value(y, z) - alpha * s @ (v * z), s * (loss.gradient(y, z) - alpha * np.asarray(v))

        found = minimize(
            below, eta, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9}
        )
        bound = s @ loss.conjugate_at(y, alpha, v, eta + step)
        assert bound >= -found.fun - 1e-9
    share = (
        0.1 if away == 0 else 1.0
    )  # of the second order of the step; the sums of other probabilities may be a better bound
    assert bound <= -found.fun + share * (s * bend) @ step
    assert loss.offered(y, None, (eta, 40 * step, built)) is None
    assert loss.offered(y, None, (eta, step, 30 * eta)) is None


@TIES
@pytest.mark.parametrize("penalty", [sw.L1(0.02), sw.ElasticNet(0.02, 0.5), sw.L2(0.02)], ids=repr)
def test_fits_are_a_general_optimisers(ties, penalty):
    """With strata, ties, weights, an offset and columns far from 0."""
    X, y, s, offset = data()
    s = s / s.mean()
    model = PenalizedCox(penalty, ties=ties, tol=1e-10).fit(X, y, s, offset=offset)
    assert model.duality_gap_ <= 1e-10
    ratio = {"L1": 1.0, "ElasticNet": 0.5, "L2": 0.0}[type(penalty).__name__]
    square = 0.02 * ((1.0 - ratio) / 2.0 if ratio else 1.0)
    centred = X - X.mean(0)

    def smooth(z):
        w = z[:5] - z[5:]
        return by_loops(y, centred @ w + offset, s, ties) / 60 + 0.02 * ratio * z.sum() + square * (w @ w)

    bounds = [(0, None)] * 10
    best = minimize(
        smooth, np.zeros(10), method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14, "maxfun": 20_000}
    ).fun
    own = by_loops(y, X @ model.coef_ + offset, s, ties) / 60 + penalty.value(model.coef_)
    assert own == pytest.approx(best, abs=1e-6)
    assert model.objective_ == pytest.approx(own, abs=1e-12)


@TIES
def test_every_solution_of_a_path_is_certified_and_lambda_max_holds_from_both_sides(ties):
    X, y, s, _ = data(3, n=120, p=200)
    fitted = path(X, y, sw.L1(1.0), loss=Cox(ties), n_lambdas=20, lambda_min_ratio=0.1, sample_weight=s)
    assert fitted.solved.all(), fitted.status
    assert not fitted.coefs[0].any()
    assert path(X, y, sw.L1(1.0), loss=Cox(ties), lambdas=[0.99 * fitted.lambdas[0]], sample_weight=s).coefs[0].any()
    assert not fitted.intercepts.any()
    assert fitted.deviance_explained[0] == pytest.approx(0.0, abs=1e-10)
    assert (np.diff(fitted.deviance_explained) > 0).all()
    grouped = path(X, y, sw.GroupLasso(1.0, np.arange(200) // 4), loss=Cox(ties), n_lambdas=5, lambda_min_ratio=0.3)
    assert grouped.solved.all()


@TIES
def test_strata_are_sums_and_shifts_change_nothing(ties):
    _, y, s, _ = data()
    loss, eta = Cox(ties).scaled_to(y, s), np.linspace(-1, 1, 60)
    apart = 0.0
    for k in (0, 1):
        rows = y["stratum"] == k
        apart += s[rows] @ Cox(ties).scaled_to(y[rows], s[rows]).value(y[rows], eta[rows])
    assert s @ loss.value(y, eta) == pytest.approx(apart, rel=1e-12)
    shifted = eta + np.where(y["stratum"] == 1, 5.0, -900.0)
    assert s @ loss.value(y, shifted) == pytest.approx(apart, rel=1e-12)
    np.testing.assert_allclose(loss.gradient(y, shifted), loss.gradient(y, eta), atol=1e-11)


def test_weights_are_repetitions_with_breslows_ties_and_zero_is_absence():
    X, y, _, _ = data()
    times = np.random.default_rng(5).integers(0, 3, 60)
    one = PenalizedCox(sw.L1(0.02), ties="breslow", tol=1e-10).fit(X, y, times)
    again = np.repeat(np.arange(60), times)
    other = PenalizedCox(sw.L1(0.02), ties="breslow", tol=1e-10).fit(X[again], y[again])
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-4)
    loss = Cox("efron").scaled_to(y, times.astype(float))
    present = times > 0
    there = Cox("efron").scaled_to(y[present], times[present].astype(float))
    eta = X[:, 0]
    assert times @ loss.value(y, eta) == pytest.approx(
        times[present] @ there.value(y[present], eta[present]), rel=1e-12
    )


def test_degrees_of_freedom_of_ridge_are_those_of_the_information():
    X, y, _, _ = data()
    fitted = path(X, y, sw.L2(1.0), loss="cox", lambdas=[0.05], tol=1e-12)
    H = fitted.data.loss.information(X, fitted.predict(X)[0]) / 60
    assert fitted.df[0] == pytest.approx(np.trace(np.linalg.solve(H + 0.1 * np.eye(5), H)), rel=1e-6)


def test_the_baseline_hazard_without_inputs_is_nelson_and_aalens():
    time, event = np.array([1.0, 2.0, 2.0, 3.0, 4.0]), np.array([1, 1, 1, 0, 1])
    model = PenalizedCox(sw.L1(1e3), ties="breslow").fit(np.arange(5.0)[:, None], survival(time, event))
    steps = model.baseline_.at([0.5, 1.0, 2.5, 4.0])
    np.testing.assert_allclose(steps, [0.0, 1 / 5, 1 / 5 + 2 / 4, 1 / 5 + 2 / 4 + 1.0])
    np.testing.assert_allclose(model.predict_survival([[0.0]], [2.5]), np.exp(-0.7))
    efron = PenalizedCox(sw.L1(1e3)).fit(np.arange(5.0)[:, None], survival(time, event))
    np.testing.assert_allclose(efron.baseline_.at([2.5]), 1 / 5 + 1 / 4 + 1 / 3)


def test_martingale_residuals_sum_to_zero():
    """Observed less expected events, from the baseline hazard: an identity of the maximum."""
    X, y, _, _ = data(7)
    model = PenalizedCox(sw.L2(0.0), ties="breslow", tol=1e-10).fit(X, y)
    hazard = np.array([model.baseline_.at(row["time"], row["stratum"]) for row in y])
    residual = y["event"] - np.exp(model.predict(X)) * hazard
    assert residual.sum() == pytest.approx(0.0, abs=1e-8)
    np.testing.assert_allclose((X - X.mean(0)).T @ residual, 0.0, atol=1e-4)


def test_concordance_is_counted_over_comparable_pairs():
    X, y, _, _ = data(11)
    eta = np.round(X[:, 0] - X[:, 1], 1)
    right = pairs = 0.0
    for i, j in itertools.permutations(range(60), 2):
        later = y["time"][j] > y["time"][i] or (y["time"][j] == y["time"][i] and not y["event"][j])
        if y["event"][i] and later and y["stratum"][i] == y["stratum"][j]:
            pairs += 1
            right += 1.0 if eta[i] > eta[j] else 0.5 if eta[i] == eta[j] else 0.0
    assert concordance(y, eta) == pytest.approx(right / pairs, rel=1e-12)
    distinct = survival(np.arange(9.0), np.arange(9) % 2)
    assert concordance(distinct, -distinct["time"]) == 1.0
    assert np.isnan(concordance(survival([1.0, 1.0]), [0.0, 1.0]))


def test_cross_validation_uses_what_the_held_out_rows_add():
    X, y, s, offset = data(4, n=99, p=6)
    model = PenalizedCoxCV(sw.L1(1.0), n_lambdas=8, cv=3, lambda_min_ratio=0.1, select="best").fit(
        X, y, s, offset=offset
    )
    assert model.cv_mean_.min() < model.cv_mean_[0]
    assert model.score(X, y, offset=offset) > 0.6
    test = np.arange(99) % 3 == 0
    cv = [(np.flatnonzero(~test), np.flatnonzero(test))] * 2
    again = PenalizedCoxCV(sw.L1(1.0), lambdas=model.lambdas_, cv=cv).fit(X, y, s, offset=offset)
    rest = {"sample_weight": s[~test], "offset": offset[~test], "lambdas": model.lambdas_}
    eta = path(X[~test], y[~test], sw.L1(1.0), loss="cox", **rest).predict(X, offset)[4]
    added = by_loops(y, eta, s, "efron") - by_loops(y[~test], eta[~test], s[~test], "efron")
    assert again.cv_losses_[4, 0] == pytest.approx(added / s[test].sum(), rel=1e-8)


def test_times_are_taken_in_every_usual_form():
    X, y, _, _ = data()
    expected = PenalizedCox(sw.L1(0.02)).fit(X, survival(y["time"], y["event"])).coef_
    swapped = np.array(list(zip(y["event"], y["time"], strict=True)), dtype=[("status", bool), ("t", float)])
    for given in (np.column_stack([y["time"], y["event"]]), swapped):
        np.testing.assert_array_equal(PenalizedCox(sw.L1(0.02)).fit(X, given).coef_, expected)
    stratified = PenalizedCox(sw.L1(0.02)).fit(X, y["time"], strata=y["stratum"])
    assert len(stratified.baseline_.times) == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Cox("exact"), "ties"),
        (lambda: survival([1.0, np.nan]), "finite numbers"),
        (lambda: survival([1.0, 2.0], [1, 2]), "0 or 1"),
        (lambda: survival([1.0, 2.0], strata=[1]), "one label per row"),
        (lambda: PenalizedCox().fit(np.ones((2, 1)), survival([1.0, 2.0], [0, 0])), "observed event"),
        (lambda: PenalizedCox().fit(np.ones((3, 1)), survival([1.0, 2.0])), "inconsistent numbers"),
        (lambda: path(np.ones((3, 1)), np.ones((3, 3)), sw.L1(1.0), loss="cox"), "two columns"),
        (lambda: path(np.ones((3, 1)), survival([1.0, 2.0]), sw.L1(1.0), loss="cox"), "3 rows and 2 times"),
    ],
)
def test_what_is_no_survival_target_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_column_that_orders_the_events_has_no_finite_optimum_and_is_not_called_solved():
    X = np.arange(20.0)[:, None]
    fitted = Problem(X, survival(-X[:, 0]), "cox")
    assert fitted.null_loss > 0
    assert not path(X, survival(-X[:, 0]), sw.L2(0.0), loss="cox", lambdas=[0.0], max_iter=15).solved[0]
    assert path(X, survival(-X[:, 0]), sw.L2(1.0), loss="cox", lambdas=[1.0]).solved[0]


def test_inputs_that_nearly_order_the_events_take_few_steps():
    """The steps are of the whole Hessian, not of its diagonal in η."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    time = np.exp(-X[:, 0] + X[:, 1] + 0.05 * rng.normal(size=300))
    y = survival(time, rng.random(300) < 0.7)
    fitted = path(X, y, sw.L1(1.0), loss="cox", n_lambdas=10, lambda_min_ratio=0.01)
    assert fitted.solved.all()
    assert fitted.n_iter.max() <= 20


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_monotone_likelihood_has_no_finite_optimum(ties, sign):
    """Rows with the mark have no event and are at risk until the end, or have all the events first."""
    rng = np.random.default_rng(0)
    mark = np.repeat([1.0, 0.0], [6, 54])
    X = np.column_stack([rng.normal(size=60), sign * mark])
    times = np.where(mark == 1, 50.0, rng.integers(1, 20, 60))
    events = np.where(mark == 1, 0, 1)
    free = PenalizedCox(sw.L1(0.1, weights=[1.0, 0.0]), ties=ties)
    with pytest.warns(ConvergenceWarning, match="no finite optimum"):
        model = free.fit(X, survival(times, events))
    assert "column 1 is the " + ("smallest" if sign > 0 else "largest") in model.status_
    events[0] = 1  # one event among them
    assert free.fit(X, survival(np.r_[3.0, times[1:]], events)).status_.startswith("solved")
    assert PenalizedCox(sw.L1(0.1), ties=ties).fit(X, survival(times, events)).status_.startswith("solved")


def test_weights_that_run_away_end_the_fit():
    """On the flat part of MCP a weight that orders all events grows until its risks leave double precision."""
    X = np.random.default_rng(0).normal(size=(60, 40))
    fitted = path(X, survival(np.exp(-3.0 * X[:, 0]), np.ones(60)), sw.MCP(1.0), loss="cox", n_lambdas=3, max_iter=300)
    assert fitted.status[-1].startswith("no finite optimum")
    assert np.isfinite(fitted.coefs).all()


@pytest.mark.parametrize("stratum", [2, -1, True, "a"])
def test_an_unknown_stratum_is_refused(stratum):
    X = np.arange(8.0)[:, None] % 3
    y = survival(np.arange(1.0, 9.0))
    model = PenalizedCox(sw.L2(0.1)).fit(X, y, strata=np.arange(8) % 2)
    with pytest.raises(ValueError, match="below 2, got"):
        model.predict_survival(X, [1.0], stratum=stratum)
