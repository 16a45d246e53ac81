from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import shrinkwise as sw
from shrinkwise.compare.candidates import network as one_layer
from shrinkwise.compare.candidates.base import TrainingRows
from shrinkwise.compare.candidates.network import tune_plain
from shrinkwise.compare.metrics import held_out_score
from shrinkwise.compare.options import NetworkOptions, Options

torch = pytest.importorskip("torch")

from shrinkwise.compare.candidates.stacked_networks import (  # noqa: E402
    MemberRows,
    Setting,
    SmallNetworks,
    _StackRows,
    _Target,
    train_networks,
)

OPTIONS = NetworkOptions(hidden=8, steps=150)


def train_network(problem, setting, options):
    return train_networks(problem, [setting], [MemberRows(np.arange(len(problem.y)))], options)[0][0]


@pytest.fixture(params=["regression", "multiclass"])
def problem(request):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    signal = 3 + 10 * X[:, 0]
    y = signal if request.param == "regression" else np.digitize(signal, [0, 6]).astype(float)
    return TrainingRows(X, y, request.param, 0 if request.param == "regression" else 3, seed=5)


def test_training_learns_is_repeatable_and_leaves_the_callers_random_state(problem):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, again = (train_network(problem, Setting(keep=0.8), OPTIONS) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(one.output(problem.X), again.output(problem.X))
    plain = train_network(problem, Setting(), OPTIONS).output(problem.X)
    if problem.task == "regression":
        assert np.corrcoef(plain, problem.y)[0, 1] > 0.95
    else:
        assert (plain.argmax(axis=1) == problem.y).mean() > 0.9


def test_every_setting_acts(problem):
    outputs = [
        train_network(problem, setting, OPTIONS).output(problem.X)
        for setting in (
            Setting(),
            Setting(lam=0.01),
            Setting(keep=0.5),
            Setting(keep=0.5, drops_inputs=True),
            Setting(keep=0.7),
        )
    ]
    for i, one in enumerate(outputs):
        assert all(np.abs(one - other).max() > 1e-6 for other in outputs[:i])


def test_l2_shrinks_the_weights_it_names(problem):
    def size(lam):
        weights = train_network(problem, Setting(lam=lam), OPTIONS).weights
        return np.square(weights[0]).sum()

    assert size(0.1) < size(0.01) < size(0.0)


def test_the_target_of_a_regression_may_have_any_unit(problem):
    if problem.task != "regression":
        pytest.skip("classes have no unit")
    one = train_network(problem, Setting(), OPTIONS).output(problem.X)
    scaled = train_network(replace(problem, y=1000 * problem.y + 7), Setting(), OPTIONS).output(problem.X)
    np.testing.assert_allclose(scaled, 1000 * one + 7, rtol=1e-3)


@pytest.mark.parametrize("norm", ["L1", "L2"])
def test_a_stack_trains_each_network_as_if_alone(problem, norm):
    """Two settings by three members of equal size: the same arrays as from a training on the rows of each."""
    settings = [Setting(lam=lam, norm=norm) for lam in (0.1, 0.003)]
    parts = np.random.default_rng(2).permuted(np.tile(np.arange(80), (3, 1)), axis=1)[:, :60]
    members = [MemberRows(rows, start) for rows, start in zip(parts, (0, 1, 1), strict=True)]
    options = replace(OPTIONS, steps=25)
    trained = train_networks(problem, settings, members, options)
    for setting, networks in zip(settings, trained, strict=True):
        for network, member in zip(networks, members, strict=True):
            starts = [MemberRows(member.rows, start) for start in (0, 1)]
            alone = train_networks(problem, [setting], starts, options)[0][member.start]
            for ours, theirs in zip(network.weights, alone.weights, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())
            np.testing.assert_array_equal(network.limits, alone.limits)


@pytest.mark.parametrize("norm", ["L1", "L2"])
def test_settings_that_stay_train_on_as_if_none_had_been_dropped(problem, norm):
    """The second and the last of four stay after .3 of the steps: the same arrays as without dropping."""
    settings = [Setting(lam=lam, norm=norm) for lam in (0.1, 0.03, 0.003, 0.001)]
    members = [MemberRows(np.arange(part, part + 60), start) for part, start in ((0, 0), (20, 1))]
    options, seen = replace(OPTIONS, steps=40), []

    def losing(networks):
        seen.append([len(each) for each in networks])
        return [0, 2]

    whole, some = (train_networks(problem, settings, members, options, each) for each in (None, losing))
    assert seen == [[2] * 4]
    assert [len(networks) for networks in some] == [0, 2, 0, 2]
    for place in (1, 3):
        for ours, theirs in zip(some[place], whole[place], strict=True):
            for one, other in zip(ours.weights + ours.biases, theirs.weights + theirs.biases, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("within", [None, 0.2])
def test_the_worse_half_of_the_settings_is_dropped_unless_a_strong_one_is_asked_for(problem, within, monkeypatch):
    """λ = 10 shrinks everything to a constant; it is in the worse half of three settings, which is one of them."""
    curves = []
    monkeypatch.setattr(one_layer, "choose_strength", lambda curve, *args, **_: curves.append(curve) or (1, 1))
    lambdas = (10.0, 0.01, 0.001)
    options = Options(
        network=replace(OPTIONS, lambdas=lambdas), within=within, select="1se" if within is None else "within"
    )
    one_layer.tune_l2(problem, options)
    dropped = np.isnan(curves[0]).all(axis=1)
    np.testing.assert_array_equal(dropped, [within is None, False, False])
    assert np.isfinite(curves[0][~dropped]).all()


@pytest.mark.parametrize("norm", ["L1", "L2"])
def test_the_penalty_acts_as_the_attached_one_with_its_own_lambda_in_each_setting(problem, norm):
    """The oracle is `attach` on a module of one network."""
    settings = [Setting(lam=lam, norm=norm) for lam in (0.1, 0.003)]
    options = replace(OPTIONS, steps=60)
    rows = np.arange(80)
    trained = train_networks(problem, settings, [MemberRows(rows)], options)
    X, y = torch.tensor(problem.X, dtype=torch.float32), torch.tensor(problem.y)
    for setting, (network,) in zip(settings, trained, strict=True):
        torch.manual_seed(problem.seed)
        n_outputs = problem.n_classes or 1
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, n_outputs))
        optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)
        sw.attach(optimizer, model, {"L1": sw.L1, "L2": sw.L2}[norm](setting.lam))
        for _ in range(options.steps):
            optimizer.zero_grad()
            if problem.has_classes:
                torch.nn.functional.cross_entropy(model(X), y.long()).backward()
            else:
                ((model(X)[:, 0] - ((y - y.mean()) / problem.y.std()).float()) ** 2).mean().backward()
            optimizer.step()
            schedule.step()
        ours, theirs = network.weights[0], model[0].weight.detach().numpy()
        np.testing.assert_allclose(ours, theirs, atol=0.01 * np.abs(theirs).max())
        if norm == "L1":
            assert ((ours == 0) == (theirs == 0)).mean() > 0.9
            assert setting.lam < 0.1 or (ours == 0).any()


def test_settings_differ_only_in_what_they_say():
    """Of four settings on one batch: equal outputs where nothing is dropped, and masks that are drawn for each network."""
    torch.manual_seed(0)
    settings = [Setting(), Setting(keep=0.5), Setting(keep=0.5, drops_inputs=True), Setting()]
    stack = SmallNetworks(settings, [0, 0, 1], (30, 64, 2))
    plain, hidden, inputs, again = stack(torch.randn(30, 50)).detach()
    assert torch.equal(plain, again)
    assert torch.equal(plain[0], plain[1])
    assert not torch.equal(plain[0], plain[2])
    assert not torch.equal(hidden[0], hidden[1])
    assert not torch.equal(inputs[0], inputs[1])
    assert not torch.equal(hidden, inputs)
    assert not torch.equal(plain, hidden)


def rows_of(n_rows: int, size: int, steps: int, members=1) -> list:
    """For every batch the rows it takes; the features are the row's own number."""
    problem = TrainingRows(np.arange(n_rows)[:, None], np.arange(n_rows), "regression", 0, seed=0)
    folds = np.array_split(np.arange(n_rows), members) if members > 1 else [np.zeros(0, dtype=int)]
    train = [MemberRows(np.setdiff1d(np.arange(n_rows), fold)) for fold in folds]
    targets = [_Target.of(problem, member.rows) for member in train]
    rows = _StackRows.of(torch.arange(n_rows)[:, None], problem, targets, train, size)
    np.testing.assert_allclose(rows.counts.mean(1), 1, rtol=1e-5)
    return [set(X[0].tolist()) for X, _, _ in rows.batches(steps)]


def test_batches_cover_all_rows_before_any_comes_again():
    torch.manual_seed(0)
    rows = rows_of(20, 10, 4)
    assert [len(r) for r in rows] == [10] * 4
    assert rows[0] | rows[1] == rows[2] | rows[3] == set(range(20))
    assert rows_of(10, 10, 2) == [set(range(10))] * 2
    assert [len(r) for r in rows_of(20, 8, 2, members=5)] == [10] * 2  # of which each fold holds out a fifth


def test_larger_tables_are_passed_over_as_often_up_to_a_number_of_steps():
    network = NetworkOptions(steps=400, passes=20, batch_size=256)
    assert [network.steps_on(n) for n in (100, 5_120, 12_800, 10**6)] == [400, 400, 1000, 4000]
    assert replace(network, most_steps=1200).steps_on(10**6) == 1200


def test_the_kept_network_is_the_mean_of_its_starts_and_scores_no_worse_than_they_do(problem):
    """The mean is taken before the softmax; loss is convex there."""
    tuned = tune_plain(problem, Options(network=replace(OPTIONS, seeds=3)))
    predictor, starts = tuned.best.predictor, tuned.best.starts
    assert len(starts) == 3
    outputs = [start.output(problem.X) for start in starts]
    if problem.has_classes:
        scores = np.mean([np.log(output) for output in outputs], axis=0)
        expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    else:
        expected = np.mean(outputs, axis=0)
    np.testing.assert_allclose(predictor.output(problem.X), expected, rtol=1e-9)
    single = np.mean([held_out_score(problem.task, problem.y, output) for output in outputs])
    assert held_out_score(problem.task, problem.y, predictor.output(problem.X)) < single


def test_the_threshold_of_a_network_is_raised_where_its_steps_are_long_against_it_and_no_other():
    """Afterwards t is three times the mean step, and the weights stay the prox of the latents."""
    from shrinkwise.compare.candidates.stacked_networks import _Latents

    generator = torch.Generator().manual_seed(0)
    weights = torch.nn.Parameter(torch.randn(2, 20, 5, generator=generator))
    latents = _Latents(weights, sw.L1(1.0), torch.tensor([0.1, 0.1]))
    before, z = latents.t.clone(), latents.z.clone()
    weights.grad = torch.zeros_like(weights)
    latents.before_step()
    step = torch.stack([torch.full((100,), 0.1 * float(before[0, 0])), torch.full((100,), 2.0 * float(before[1, 0]))])
    with torch.no_grad():
        weights.add_(step.view_as(weights))
    latents.after_step()
    assert torch.equal(latents.t[0], before[0])
    torch.testing.assert_close(latents.z[0], z[0] + step[0])
    torch.testing.assert_close(latents.t[1], 6.0 * before[1])
    for held, latent, t in zip(weights.detach().reshape(2, -1), latents.z, latents.t, strict=True):
        torch.testing.assert_close(held, torch.sign(latent) * (latent.abs() - t).clamp_min(0.0))


def test_a_pass_of_batches_draws_its_rows_anew_and_each_once():
    from shrinkwise.compare.candidates.stacked_networks import _StackRows

    rows = torch.arange(30.0)
    batches = [X[0] for X, _, _ in _StackRows(rows[:, None], rows[None], rows[None], 10).batches(6)]
    passes = [torch.cat(batches[:3]), torch.cat(batches[3:])]
    for order in passes:
        assert torch.equal(order.sort().values, rows)
        assert not torch.equal(order, rows)
    assert not torch.equal(*passes)
