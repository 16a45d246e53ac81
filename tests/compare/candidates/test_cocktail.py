"""The cocktail of network regularizers: what is trained together is what each network would be alone, and what is kept is
the mean of the folds."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra torch is not installed")

import torch

from shrinkwise.compare.candidates.base import TrainingRows
from shrinkwise.compare.candidates.cocktail import average, candidate, embedding, training
from shrinkwise.compare.candidates.cocktail.average import averaged, fold_outputs
from shrinkwise.compare.candidates.cocktail.candidate import (
    COCKTAIL,
    _fold_rows,
    mean_of_networks,
    seconds,
    tune_cocktail,
)
from shrinkwise.compare.candidates.cocktail.embedding import Embedding
from shrinkwise.compare.candidates.cocktail.mix import Mix
from shrinkwise.compare.candidates.cocktail.stack import NetworkStack
from shrinkwise.compare.candidates.cocktail.training import shrink_groups
from shrinkwise.compare.metrics import held_out_score
from shrinkwise.compare.options import CocktailOptions, NetworkOptions, Options
from shrinkwise.compare.scoring.response import tuned_response
from shrinkwise.models.predictors import NetworkPredictor, clipped
from shrinkwise.penalties import GroupLasso
from shrinkwise.selection import Rows

SMALL = CocktailOptions(hidden=8, steps=15, most_steps=15, terms=40)


def options(**changed):
    return Options(inner_folds=3, network=NetworkOptions(cocktail=replace(SMALL, **changed)))


def rows(task="regression", n=90, **parts):
    """A target that is a wave of the first input, plus the second if that is positive."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, 4))
    score = np.sin(3 * X[:, 0]) + np.maximum(X[:, 1], 0) + 0.1 * rng.normal(size=n)
    k = {"binary": 2, "multiclass": 3}.get(task, 0)
    y = np.digitize(score, np.quantile(score, np.arange(1, k) / k)) if k else 50 + 10 * score
    y = rng.poisson(5 * np.exp(score)).astype(float) if task == "counts" else y
    return TrainingRows(X, y, task, k, seed=7, rows=Rows(**parts))


@pytest.mark.parametrize("task", ["regression", "counts", "binary", "multiclass"])
def test_it_learns_what_a_constant_does_not_and_repeats_itself(task):
    problem = rows(task, n=200)
    train, test = problem.take(np.arange(150)), problem.take(np.arange(150, 200))
    before = torch.get_rng_state()
    first, second = (
        tune_cocktail(train, options(steps=100, most_steps=100, learning_rate=0.02)).best for _ in range(2)
    )
    assert torch.equal(before, torch.get_rng_state())
    output = first.predictor.output(test.X)
    np.testing.assert_array_equal(output, second.predictor.output(test.X))
    constant = (
        np.full((50, problem.n_classes), 1 / problem.n_classes) if problem.n_classes else np.full(50, train.y.mean())
    )
    assert held_out_score(task, test.y, output) < 0.8 * held_out_score(task, test.y, constant)


def test_the_stack_computes_each_network_as_it_is_alone():
    embedding = Embedding.of(rows().X, SMALL)
    mixes = [Mix(1.0, 1.0), Mix(1.0, 1.0, sharp=0.5)]
    with torch.random.fork_rng(devices=[]):
        stack = NetworkStack(
            mixes, 3, (len(embedding.scale), 8, 2), torch.tensor(embedding.sources), torch.tensor(embedding.n_bins)
        )
        with torch.no_grad():
            for values in stack.parameters():
                values.copy_(torch.randn(values.shape))
    features = torch.tensor(embedding.features(rows().X), dtype=torch.float32)
    raw, weighted = stack.first[1].detach()[:, :8], stack.networks(1)[0][0][0]
    torch.testing.assert_close(weighted, raw * torch.tensor(np.sqrt(embedding.n_bins)[:, None], dtype=torch.float32))
    together, apart = stack(features), stack.evaluate(features.expand(3, -1, -1))
    for setting in range(2):
        layers = stack.networks(setting)
        for fold in range(3):
            hidden = features
            for number, (weights, biases) in enumerate(layers):
                hidden = (torch.relu(hidden) if number else hidden) @ weights[fold] + biases[fold]
            for found in (together, apart):
                torch.testing.assert_close(found[setting, fold], hidden, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("terms", [40, 3])
def test_the_predictor_is_the_weighted_mean_of_the_networks(terms):
    problem, rng = rows(), np.random.default_rng(0)
    embedding = Embedding.of(problem.X, replace(SMALL, terms=terms))
    assert (embedding.hinges is None) == (terms == 3)
    sizes = ((len(embedding.scale), 5), (5, 5), (5, 1))
    layers = [(rng.normal(size=(3, a, b)).round(7), rng.normal(size=(3, b))) for a, b in sizes]
    shares = np.array([0.1, 0.3, 0.6])
    predictor = mean_of_networks(layers, shares, embedding, (2.0, 5.0), has_classes=False)
    singles = []
    for fold in range(3):
        hidden = embedding.features(problem.X)
        for number, (weights, biases) in enumerate(layers):
            hidden = (np.maximum(hidden, 0) if number else hidden) @ weights[fold] + biases[fold]
        singles.append(2 + 5 * hidden[:, 0])
    np.testing.assert_allclose(predictor.output(problem.X), shares @ singles, rtol=1e-4)
    again = NetworkPredictor.of(predictor.arrays())
    np.testing.assert_array_equal(again.output(problem.X), predictor.output(problem.X))


def test_an_edge_stands_at_every_value_or_at_quantiles():
    X = np.column_stack([np.repeat([0.0, 1.0, 5.0], 30), np.arange(90.0), np.repeat([0.0, 1.0], 45), np.full(90, 2.0)])
    found = Embedding.of(X, CocktailOptions(bins=6, terms=100))
    hinges, n_bins = found.hinges, [found.n_bins[found.sources == j].tolist() for j in range(4)]
    assert n_bins == [[1, 2, 2], [1, *[6] * 6], [1], [1]]
    tops = [hinges.tops[hinges.sources == j].tolist() for j in range(4)]
    assert tops[0] == [5.0, 1.0, 5.0]  # the whole range, and two bins
    np.testing.assert_allclose(tops[1][1:], np.quantile(X[:, 1], np.arange(1, 7) / 6))
    assert tops[2] == [1.0]
    assert len(tops[3]) == 1  # constant
    few = Embedding.of(X, CocktailOptions(terms=9)).hinges
    assert (np.bincount(few.sources) - 1).max() <= 9
    assert Embedding.of(X, CocktailOptions(terms=3)).hinges is None


@pytest.mark.parametrize("least", [0.0, -2.0])
def test_a_value_that_most_rows_share_takes_the_rows_of_one_bin(least):
    """The zeros are the lowest value, or between others; edges at quantiles would leave one or two for the other values."""
    other = np.linspace(1.0, 2.0, 100)
    column = np.concatenate([np.zeros(900), other if least == 0 else np.append(other, -other)])
    edges = embedding._edges(*np.unique(column, return_counts=True), 10)
    assert (edges > 0).sum() >= (9 if least == 0 else 3)
    assert (edges <= -1).sum() >= (0 if least == 0 else 3)


def test_values_beyond_the_learned_range_are_clipped_smoothly():
    low, high = np.array([-1.0]), np.array([2.0])
    at = np.array([[-1e300], [-2.0], [-1.0], [0.5], [2.0], [2.0 + 1e-6], [3.0], [1e300]])
    np.testing.assert_allclose(clipped(at, low, high)[:, 0], [-2, -1.5, -1, 0.5, 2, 2 + 1e-6, 2.5, 3])
    predictor = tune_cocktail(rows(), options()).best.predictor
    far = np.array([[1e9, 0.0, 0.0, 0.0], [1e12, 0.0, 0.0, 0.0]])
    np.testing.assert_allclose(*predictor.output(far), rtol=1e-6)


def test_settings_and_steps_are_compared_by_the_loss_over_all_held_out_rows(monkeypatch):
    """The losses that are compared are computed again, from the networks of the folds."""
    problem = rows("binary")
    seen = []
    real = training.train
    monkeypatch.setattr(training, "train", lambda *given: seen.append((given[0], real(*given))) or seen[-1][1])
    fit = tune_cocktail(problem, options()).best
    held, found = seen[0]
    for trained in found:
        total = 0.0
        for fold, (_, test) in enumerate(problem.folds(3)):
            hidden = held.features[test]
            for number, (weights, biases) in enumerate(trained.layers):
                hidden = (torch.relu(hidden) if number else hidden) @ weights[fold] + biases[fold]
            total += torch.nn.functional.cross_entropy(hidden, held.targets[test], reduction="sum").item()
        assert trained.loss == pytest.approx(total / len(problem.y), rel=1e-4)
    assert fit.settings["steps"] in [trained.step for trained in found]
    assert max(trained.step for trained in found) <= 15


def linear_networks(mix, coef, loss):
    """Networks of three folds with the output coef · x₀, which is positive."""
    first, second, last = torch.zeros(3, 2, 1), torch.ones(3, 1, 1), torch.full((3, 1, 1), float(coef))
    first[:, 0] = 1.0
    layers = [(w, torch.zeros(3, 1)) for w in (first, second, last)]
    return training.Trained(mix, loss, 1, layers)


def test_the_shares_of_the_settings_are_those_of_forward_selection():
    """y = x: the mean of 1.4 x and .8 x with shares 1/3 and 2/3 has no error; 3 x is never drawn."""
    x = torch.linspace(1.0, 2.0, 9)
    found = training.FoldRows(
        features=torch.stack([x, x], 1), sources=torch.arange(2), n_bins=torch.ones(2), inputs=torch.arange(2), targets=x,
        counts=torch.ones(3, 9), held=torch.arange(9).view(3, 3), held_weights=torch.ones(3, 3), n_outputs=1,
    )  # fmt: skip
    loss = float((x**2).mean())
    networks = [linear_networks(Mix(), c, (c - 1) ** 2 * loss) for c in (3.0, 1.4, 0.8)]
    chosen = averaged(networks, found)
    assert [(trained.loss, share) for trained, share in chosen] == [
        (networks[2].loss, pytest.approx(2 / 3)),
        (networks[1].loss, pytest.approx(1 / 3)),
    ]
    alone = replace(networks[2], mix=Mix(select=0.5))
    assert averaged([*networks[:2], alone], found) == [(alone, 1.0)]  # the others would use every input
    near = linear_networks(Mix(select=0.5), 0.9, 0.01 * loss)
    assert averaged([*networks, near], found) == chosen  # the mean of the others is better
    assert averaged([networks[2]] * 2, found)[0][1] == 1.0


def test_the_mean_of_settings_has_no_higher_held_out_loss_than_the_best_of_them(monkeypatch):
    problem, chosen = rows("binary"), []
    real = average.averaged
    monkeypatch.setattr(average, "averaged", lambda *given: chosen.append((given, real(*given))) or chosen[-1][1])
    mixes = ((1, 1, 0.1, 0), (0.5, 1, 0.1, 0), (1, 1, 3.0, 0))
    model = tune_cocktail(problem, options(mixes=mixes, steps=60, most_steps=60)).best
    (found, held), pairs = chosen[0]
    outputs = sum(share * fold_outputs(trained.layers, held.features[held.held]) for trained, share in pairs)
    assert held.held_losses(outputs[None]).item() <= min(trained.loss for trained in found) * (1 + 1e-6)
    assert len(model.predictor.weights[0]) == len(pairs) * 3 * 8
    assert model.settings.get("mean of", "1 settings") == f"{len(pairs)} settings"


def test_more_networks_are_averaged_than_there_are_inner_folds():
    first, second, last = tune_cocktail(rows(), options(members=4)).best.predictor.weights
    assert (len(first), second.shape, last.shape) == (4 * 8, (4, 8, 8), (1, 4 * 8))


def test_the_rate_decays_early_once_the_held_out_loss_has_stalled():
    falling = {step: 2.0**-step for step in range(1, 9)}
    assert not training._stalled(falling, 0.01)
    assert training._stalled(falling | {9: 2.0**-8, 20: 2.0**-8}, 0.01)
    assert not training._stalled({1: 1.0, 2: 1.0}, 0.0)
    problem = rows(n=200)
    whole, short = (
        tune_cocktail(problem, options(steps=80, most_steps=80, plateau=share)).best.settings["steps"]
        for share in (0, 1e9)
    )
    assert short <= 2 * 21 < whole  # looked at first after 25 % of the 80 steps, and then for as many again


def test_there_are_more_steps_while_the_held_out_loss_falls_fast():
    falling = {step: 0.9**step for step in range(1, 9)}
    assert training._falls(falling)
    assert not training._falls({step: 1 - step / 100 for step in range(1, 9)})
    assert not training._falls({1: 0.5, 2: 0.5})
    problem = rows(n=200)
    falls = {"steps": 20, "passes": 0, "learning_rate": 0.03}
    few, more = (tune_cocktail(problem, options(**falls, most_steps=most)).best.settings["steps"] for most in (20, 90))
    assert few <= 20 < more <= 90


def test_a_setting_that_only_overfits_is_dropped_and_its_lowest_loss_is_what_it_was(monkeypatch):
    """Pure noise without dropout: the held-out loss rises from some step on; the networks kept are those of that step."""
    n, steps = 120, []
    rng = np.random.default_rng(0)
    problem = TrainingRows(rng.normal(size=(n, 6)), rng.normal(size=n), "regression", 0, seed=3)
    cocktail = CocktailOptions(steps=300, hidden=16, mixes=((1.0, 1.0, 0.1, 0.0), (1.0, 1.0, 0.3, 0.0)))
    embedded = Embedding.of(problem.X, cocktail)
    given = candidate._fold_rows(problem, embedded, problem.folds(4), candidate._unit(problem))
    step = training._Training.steps
    monkeypatch.setattr(training._Training, "steps", lambda self: (steps.append(s) or s for s in step(self)))

    def train():
        steps.clear()
        torch.manual_seed(0)
        return training.train(given, candidate._mixes(cocktail, has_classes=False), cocktail), len(steps)

    found, n_steps = train()
    monkeypatch.setattr(training, "_RISEN", np.inf)
    whole, n_whole = train()
    assert n_whole == 300 > 2 * n_steps
    for ours, theirs in zip(found, whole, strict=True):
        assert (ours.step, ours.mix) == (theirs.step, theirs.mix)
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)


@pytest.mark.parametrize(
    ("step", "loss", "n_steps", "dropped"),
    [
        (19, 0.6, 400, False),
        (20, 0.6, 400, True),
        (20, 0.511, 400, True),
        (20, 0.509, 400, False),
        (20, 0.4, 400, False),
        (20, 0.6, 401, False),
    ],
)
def test_a_setting_is_dropped_when_its_loss_has_risen_for_as_long_as_it_fell(step, loss, n_steps, dropped):
    """It was 1 at first and .5 at step 10: dropped from step 20 on, a twentieth of 400, if it has risen by .02 · .5."""
    stack = SimpleNamespace(mixes=[Mix()], networks=lambda place: [])
    rows = SimpleNamespace(features=torch.zeros(1), held=torch.zeros(1, dtype=torch.long))
    trained = SimpleNamespace(stack=stack, rows=rows, n_selecting=0, n_steps=n_steps, keep=lambda places: None)
    contest = training._Contest(trained)
    stack.evaluate = lambda held: None
    for at, value in ((5, 1.0), (10, 0.5), (step, loss)):
        rows.held_losses = lambda outputs, value=value: torch.tensor([value])
        contest.look(at)
    assert contest.drop_risen(step) is not dropped


def test_of_many_held_out_rows_an_even_share_is_compared(monkeypatch):
    monkeypatch.setattr(candidate, "_HELD", 5)
    problem = rows(n=90, weights=np.arange(1.0, 91))
    splits = problem.folds(3)
    found = candidate._fold_rows(problem, Embedding.of(problem.X, SMALL), splits, (0.0, 1.0))
    assert found.held.shape == (3, 5)
    for (_, test), held, weights in zip(splits, found.held.numpy(), found.held_weights.numpy(), strict=True):
        assert np.diff(np.searchsorted(test, held)).min() >= len(test) // 5
        assert (held[0], held[-1]) == (test[0], test[-1])
        np.testing.assert_allclose(weights, (held + 1) / 45.5)


def test_every_regularizer_changes_what_is_trained():
    problem = rows("multiclass")
    outputs = [
        tune_cocktail(problem, options(mixes=(mix,))).best.predictor.output(problem.X)
        for mix in (
            (1, 1, 0, 0),
            (0.5, 1, 0, 0),
            (1, 0.5, 0, 0),
            (1, 1, 9.0, 0),
            (1, 1, 0, 0.3),
            (1, 1, 0, 0, 0.5),
            (1, 1, 0, 0, 0, 2.0),
        )
    ]
    for i, output in enumerate(outputs):
        assert all(np.abs(output - other).max() > 1e-4 for other in outputs[:i])


def test_the_shrinking_of_an_input_is_the_prox_of_the_group_lasso():
    weights = torch.randn(5, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    inputs = torch.tensor([0, 1, 1, 1, 2])
    penalty = GroupLasso(1.0, groups=[0] * 3 + [1] * 9 + [2] * 3)  # weights √m by default
    for share in (0.3, 0.6, 2.0):
        found = weights.clone()
        left = shrink_groups(found, inputs, share)
        for one, before, kept in zip(found.unbind(1), weights.unbind(1), left.unbind(1), strict=True):
            np.testing.assert_allclose(one.ravel(), penalty.prox(before.numpy().ravel(), share), atol=1e-14)
            np.testing.assert_array_equal(kept[:, 0] == 0, (one == 0).all(1))


def test_a_fold_selects_inputs_without_its_held_out_rows():
    """Other held-out rows of one fold change nothing in the networks of that fold."""
    problem, inputs = rows(n=120), []
    first = problem.folds(3)[0][1]
    for y in (problem.y, np.where(np.isin(np.arange(120), first), problem.y[::-1], problem.y)):
        given = replace(problem, y=y)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            held = _fold_rows(given, Embedding.of(given.X, SMALL), problem.folds(3), (0.0, 1.0))
            stack = training._stack(held, [Mix(select=2.0)], SMALL)
            for step in training._Training(stack, held, SMALL, 60).steps():
                if step == 20:
                    break
        inputs.append([layers[0] for layers in stack.networks(0)])
    for one, other in zip(*inputs, strict=True):
        torch.testing.assert_close(one[0], other[0])
        assert (one[1] - other[1]).abs().max() > 1e-3


def test_inputs_without_effect_are_exactly_unused_and_stay_so():
    problem, rng = rows(n=1000), np.random.default_rng(5)
    X = np.column_stack([problem.X, rng.normal(size=(1000, 10))])
    wide = TrainingRows(X, problem.y, "regression", 0, 0)
    choice = options(mixes=((1, 1, 0.1, 0, 0, 0.6),), steps=600, most_steps=600, hidden=16, terms=200)
    model = tune_cocktail(wide, choice).best.predictor
    used = np.abs(model.feature_weights()).max(axis=0) > 0
    assert used[:2].all()
    assert (~used[problem.X.shape[1] :]).sum() >= 9
    moved = np.where(used, X, X[::-1])
    np.testing.assert_array_equal(model.output(moved), model.output(X))


def test_a_weight_is_a_repeated_row_in_the_loss():
    """Rows of weight 0 have no influence."""
    problem = rows(weights=np.repeat([1.0, 0.0], [60, 30]))
    other = replace(problem, y=np.where(np.arange(90) < 60, problem.y, 1e3))
    unit = (0.0, 10.0)
    found = []
    for each in (problem, other):
        embedding = Embedding.of(each.X, SMALL)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            held = _fold_rows(each, embedding, problem.folds(3), unit)
            found.append(training.train(held, [Mix(), Mix(0.8)], SMALL))
    for one, other in zip(*found, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-5)


def test_a_split_by_time_is_followed_by_training_on_all_rows(monkeypatch):
    calls = []
    real = training.refit
    monkeypatch.setattr(training, "refit", lambda *given: calls.append(given) or real(*given))
    tune_cocktail(rows(), options())
    assert calls == []
    tune_cocktail(rows(time=np.arange(90.0)), options())
    whole = calls[0][0]
    assert (whole.counts == 1).all()


def test_training_again_selects_inputs_in_as_many_steps(monkeypatch):
    """Also where the number of steps was changed during the training."""
    made, real = [], training._Training
    monkeypatch.setattr(training, "_Training", lambda *given, **also: made.append(real(*given, **also)) or made[-1])
    problem, mixes = rows(n=200, time=np.arange(200.0)), ((1.0, 1.0, 0.1, 0.0, 0.0, 0.1),)
    tune_cocktail(problem, options(mixes=mixes, steps=20, passes=0, most_steps=90, learning_rate=0.03))
    first, again = made
    assert first.n_steps > 20
    assert (again.n_steps, again.n_selecting) == (first.n_steps, first.n_selecting)


@pytest.mark.parametrize(
    "X",
    [
        np.ones((12, 1)),
        np.column_stack([np.r_[1e100, np.zeros(11)], np.arange(12)]),
        np.eye(12),
        np.zeros((12, 0)),
        np.random.default_rng(0).normal(size=(12, 400)),
    ],
    ids=["one value", "an outlier", "levels alone", "no input", "wide"],
)
@pytest.mark.filterwarnings("error")
def test_odd_tables_are_fitted(X):
    for task, y in (("regression", np.arange(12.0)), ("multiclass", np.r_[2, 2, 2, np.arange(9) % 2])):
        problem = TrainingRows(X, y, task, 0 if task == "regression" else 3, seed=1)
        assert np.isfinite(tune_cocktail(problem, options()).best.predictor.output(X)).all()


def test_the_cost_is_measured():
    assert COCKTAIL.seconds is seconds
    assert 0 < seconds(rows(), options(), 90) < 60
    assert training.training_work(4, 100, held=0.0) == pytest.approx(100 * (0.3 * 4 + 0.3 * 2 + 0.4 * 1))


def test_counts_have_poissons_loss_whatever_their_unit():
    """Against torch's; and the unit of the counts, as of rates with exposures, is that of the predictions alone."""
    rng = np.random.default_rng(0)
    output = torch.tensor(rng.normal(size=(2, 3, 5, 1)), requires_grad=True)
    targets = torch.tensor(rng.poisson(2.0, size=5).astype(float))
    losses = training.row_losses(output, targets, log_mean=True)
    theirs = torch.nn.functional.poisson_nll_loss(output[..., 0], targets.expand(2, 3, 5), reduction="none")
    torch.testing.assert_close(losses, theirs)
    problem = rows("counts")
    one, other = (
        tune_cocktail(replace(problem, y=c * problem.y), options()).best.predictor.output(problem.X) for c in (1, 1000)
    )
    assert (one > 0).all()
    np.testing.assert_allclose(other, 1000 * one, rtol=1e-4)


def test_a_target_on_a_log_scale_is_predicted_in_its_unit():
    problem = rows()
    problem = replace(problem, y=np.exp(problem.y / 10), log_target=True)
    choice = options(mixes=((1, 1, 0.1, 0),), steps=100, most_steps=100, learning_rate=0.02)
    fit = tuned_response(COCKTAIL, problem, choice).best
    assert fit.predictor.response.log
    output = fit.predictor.output(problem.X)
    assert held_out_score("regression", problem.y, output) < 0.8 * problem.y.std()
    assert output.mean() == pytest.approx(problem.y.mean(), rel=0.1)
