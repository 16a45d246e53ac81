"""The path of a network: exact where the answer is known, the same after an interruption, one sentence for bad input."""

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import shrinkwise as sw
from networks.problems import elastic_net_solution, group_solution, regression
from shrinkwise.networks import Training
from shrinkwise.selection import mean_and_se, one_standard_error

FULL_BATCH = Training(lambda p: torch.optim.Adam(p, lr=0.05), epochs=60, start_epochs=100, batch_size=10_000)
QUICK = Training(lambda p: torch.optim.Adam(p, lr=0.01), epochs=2, start_epochs=4, batch_size=32)


def half_square(output, y):
    return 0.5 * (output - y).square().sum(1).mean()


def one_layer(outputs=1, bias=True):
    return lambda: nn.Linear(20, outputs, bias=bias).double()


def classes(n=120, d=8, seed=0):
    """Three classes that depend on the first three of d inputs."""
    X = np.random.default_rng(seed).standard_normal((n, d))
    return X, (X[:, :3] + 0.3 * np.random.default_rng(seed + 1).standard_normal((n, 3))).argmax(1)


def small_net():
    return nn.Sequential(nn.Linear(8, 12), nn.ReLU(), sw.Dropout(keep=0.9), nn.Linear(12, 3))


INPUTS = [sw.rule(sw.GroupLasso(1.0, groups=sw.Groups.columns()), names="0.weight")]


def quick_path(**options):
    options = {"n_lambdas": 4, "lambda_min_ratio": 0.05, "training": QUICK, **options}
    return sw.NetworkPath(small_net, INPUTS, nn.CrossEntropyLoss(), **options)


def weights(path):
    return {name: value.clone() for name, value in path.best_model_.state_dict().items()}


# --- where the answer is known ---------------------------------------------------------------------------
def test_one_layer_is_the_lasso_with_its_lambda_max():
    X, Y = regression()
    X = X + 0.5  # the bias has to be fitted at zero too
    path = sw.NetworkPath(one_layer(), sw.L1(7.0), half_square, n_lambdas=4, lambda_min_ratio=0.05, training=FULL_BATCH)
    path.fit(X, Y)
    centred, y = X - X.mean(0), Y[:, 0] - Y.mean()
    assert path.lambda_max_ == pytest.approx(np.abs(centred.T @ y).max() / len(X), rel=5e-3)
    below = np.flatnonzero(path.lambdas_ == path.lambda_max_)[0] + 1  # λ_max itself is on the grid, to the last bit
    lambdas = path.lambdas_[below:]
    assert len(lambdas) == 3
    assert lambdas[-1] == pytest.approx(0.05 * path.lambda_max_)
    exact = [elastic_net_solution(centred, y, lam) for lam in lambdas]
    assert list(path.kept_[below:]) == [(w != 0).sum() for w in exact]
    assert list(path.zeros_) == [20 - kept for kept in path.kept_]
    objective = [
        0.5 * np.square(y - centred @ w).mean() + lam * np.abs(w).sum() for lam, w in zip(lambdas, exact, strict=True)
    ]
    np.testing.assert_allclose(path.objectives_[below:], objective, rtol=1e-3)
    assert path.lambda_best_ == lambdas[-1]
    np.testing.assert_allclose(path.best_model_.weight.detach().numpy()[0], exact[-1], atol=0.03)


def test_a_given_grid_is_walked_as_it_is_and_groups_are_groups():
    X, Y = regression(outputs=3)
    penalty = sw.GroupLasso(1.0, groups=sw.Groups.columns())
    path = sw.NetworkPath(one_layer(3, bias=False), penalty, half_square, lambdas=[0.1, 0.3, 0.2], training=FULL_BATCH)
    path.fit(torch.from_numpy(X), torch.from_numpy(Y))
    assert list(path.lambdas_) == [0.3, 0.2, 0.1]
    assert path.lambda_max_ is None
    for lam, kept in zip(path.lambdas_, path.kept_, strict=True):
        assert kept == (np.linalg.norm(group_solution(X, Y, lam), axis=0) > 0).sum()


def test_refitting_is_least_squares_on_the_support():
    X, Y = regression()
    path = sw.NetworkPath(
        one_layer(bias=False), sw.L1(1.0), half_square, lambdas=[0.3], refit=True, training=FULL_BATCH
    ).fit(X, Y)
    w = path.best_model_.weight.detach().numpy()[0]
    support = w != 0
    assert support.sum() == path.kept_[0] < 20
    np.testing.assert_allclose(w[support], np.linalg.lstsq(X[:, support], Y[:, 0], rcond=None)[0], atol=0.03)
    shrunk = sw.NetworkPath(one_layer(bias=False), sw.L1(1.0), half_square, lambdas=[0.3], training=FULL_BATCH)
    assert path.scores_[0] < shrunk.fit(X, Y).scores_[0]  # what is scored is what is returned


# --- a network ---------------------------------------------------------------------------------------------
def test_a_network_is_emptied_and_the_rules_of_selection_hold():
    X, y = classes()
    state = torch.get_rng_state()
    path = quick_path(cv=3, seeds=2, select="1se").fit(X, y)
    assert torch.equal(torch.get_rng_state(), state)
    assert path.kept_[0] == 0
    assert path.kept_[-1] > 0
    assert (np.diff(path.lambdas_) < 0).all()
    assert path.part_scores_.shape == (len(path.lambdas_), 3, 2)
    mean, se = mean_and_se(path.part_scores_.mean(2).T)
    np.testing.assert_array_equal(path.scores_, mean)
    np.testing.assert_array_equal(path.scores_se_, se)
    best, within = one_standard_error(mean, se)
    assert (path.lambda_best_, path.lambda_1se_) == (path.lambdas_[best], path.lambdas_[within])
    assert path.lambda_ == path.lambda_1se_
    norms = path.best_model_[0].weight.detach().norm(dim=0)
    assert not path.best_model_.training
    if path.seed_ == 0:
        assert int((norms > 0).sum()) == path.kept_[within]


def test_a_single_validation_part_is_scored_by_blocks_and_a_score_of_ones_own():
    X, y = classes()
    errors = quick_path(cv=0.25, score=lambda out, y: (out.argmax(1) != y).double().mean()).fit(X, y)
    assert errors.part_scores_.shape[1:] == (10, 1)
    np.testing.assert_allclose(errors.part_scores_ * 3, np.round(errors.part_scores_ * 3), atol=1e-12)  # 3 rows a block
    assert (errors.scores_se_ > 0).any()


def test_loaders_and_splitters_by_groups():
    from sklearn.model_selection import GroupKFold

    X, y = classes()
    by_arrays = quick_path().fit(X.astype(np.float32), y)
    data = torch.utils.data.TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(y))
    by_loader = quick_path().fit(torch.utils.data.DataLoader(data, batch_size=50))
    by_dataset = quick_path().fit(data)
    for other in (by_loader, by_dataset):
        np.testing.assert_array_equal(by_arrays.scores_, other.scores_)
    groups = np.arange(len(y)) // 12
    assert quick_path(cv=GroupKFold(5)).fit(X, y, groups=groups).part_scores_.shape[1] == 5


def test_several_rules_keep_their_ratio_and_fixed_ones_stay():
    X, y = classes()
    seen = []

    class Watched(Training):
        def run(self, model, optimizer, rows, loss, epochs):
            if hasattr(optimizer, "_shrinkwise"):
                seen.append([float(term.map.penalty.lam) for term in optimizer._shrinkwise.terms])
            super().run(model, optimizer, rows, loss, epochs)

    rules = [
        sw.rule(sw.L1(2.0), names="0.weight"),
        sw.rule(sw.L1(6.0), names="3.weight"),
        sw.rule(sw.L2(0.5).fixed(), names="0.bias"),
    ]
    watched = Watched(QUICK.optimizer, epochs=1, start_epochs=1)
    sw.NetworkPath(small_net, rules, nn.CrossEntropyLoss(), lambdas=[0.01, 0.02], training=watched).fit(X, y)
    moving = [lams[:1] + lams[2:] for lams in seen]  # in the order of the parameters: weight, bias, weight
    assert moving[:3] == [[0.0, 0.0], [0.01, 0.03], [0.02, 0.06]]


# --- interruptions -------------------------------------------------------------------------------------------
class Stopping:
    """A loss that is interrupted at one of its calls."""

    def __init__(self, calls):
        self.left = calls

    def __call__(self, output, y):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return nn.functional.cross_entropy(output, y)


@pytest.mark.parametrize(
    "share", [pytest.param(0.1, marks=pytest.mark.thorough), 0.55, pytest.param(0.97, marks=pytest.mark.thorough)]
)
def test_a_path_goes_on_after_an_interruption_with_the_same_bits(tmp_path, share):
    X, y = classes()

    def path(loss, folder=None):
        options = {"n_lambdas": 3, "lambda_min_ratio": 0.1, "training": QUICK, "seeds": 2, "refit": True}
        return sw.NetworkPath(small_net, INPUTS, loss, folder=folder, **options)

    counting = Stopping(-1)
    whole = path(counting).fit(X, y)
    with pytest.raises(KeyboardInterrupt):
        path(Stopping(int(share * -counting.left)), tmp_path).fit(X, y)
    resumed = path(Stopping(-1), tmp_path).fit(X, y)
    assert_same(whole, resumed)
    again = Stopping(-1)
    assert_same(whole, path(again, tmp_path).fit(X, y))
    assert -again.left < 0.2 * -counting.left  # all but the last refit was looked up
    with pytest.raises(ValueError, match="different data, model or settings"):
        path(Stopping(-1), tmp_path).fit(X + 1e-9, y)


def assert_same(one, other):
    for name in ("lambdas_", "part_scores_", "kept_", "zeros_", "objectives_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.lambda_best_, one.lambda_1se_, one.seed_) == (other.lambda_best_, other.lambda_1se_, other.seed_)
    for name, value in weights(one).items():
        assert torch.equal(value, weights(other)[name])


@pytest.mark.thorough
def test_a_path_goes_on_after_kill_9(tmp_path):
    code = """
import sys, numpy as np, torch
sys.path.insert(0, sys.argv[1])
torch.set_num_threads(1)
from networks.path.test_network_path import classes, quick_path
path = quick_path(cv=3, seeds=2, refit=True, folder=sys.argv[2] or None).fit(*classes())
np.savez(sys.argv[3], scores=path.part_scores_, w=path.best_model_[0].weight.detach().numpy())
"""

    def run(folder, out):
        arguments = [str(Path(__file__).parents[2]), str(folder), str(tmp_path / out)]
        return subprocess.Popen([sys.executable, "-c", code, *arguments])

    assert run("", "whole.npz").wait() == 0
    folder, kills = tmp_path / "path", 0
    for files in (4, 9, 14):  # killed when so many files are there, and later by the clock in the midst of things
        process = run(folder, "resumed.npz")
        while process.poll() is None and len(list(folder.glob("*.pt"))) < files:
            time.sleep(0.001)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
    assert kills >= 2
    assert run(folder, "resumed.npz").wait() == 0
    whole, resumed = np.load(tmp_path / "whole.npz"), np.load(tmp_path / "resumed.npz")
    np.testing.assert_array_equal(whole["scores"], resumed["scores"])
    np.testing.assert_array_equal(whole["w"], resumed["w"])


def test_a_half_written_file_counts_as_not_there(tmp_path):
    X, y = classes()
    whole = quick_path(folder=tmp_path).fit(X, y)
    (tmp_path / "fold-0-0.tmp").write_bytes(b"half")
    os.remove(tmp_path / "fold-0-0.pt")
    assert_same(whole, quick_path(folder=tmp_path).fit(X, y))
    assert not list(tmp_path.glob("*.tmp"))


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="contains other files"):
        quick_path(folder=tmp_path).fit(*classes())


def test_a_folder_of_other_weights_of_the_penalty_is_refused(tmp_path):
    def fitted(last):
        penalty = sw.L1(1.0, weights=[[1.0] * 7 + [last]] * 12)  # both print as <12 × 8 values>
        rules = [sw.rule(penalty, names="0.weight")]
        training = Training(epochs=1, start_epochs=1)
        return sw.NetworkPath(
            small_net, rules, nn.CrossEntropyLoss(), lambdas=[0.1], training=training, folder=tmp_path
        ).fit(*classes())

    fitted(1.0)
    with pytest.raises(ValueError, match="different data, model or settings"):
        fitted(2.0)


# --- bad input -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lambdas": []}, "at least one λ"),
        ({"lambdas": [0.1, -1.0]}, "finite and ≥ 0, got -1.0"),
        ({"lambdas": [0.1, 0.0]}, "lambdas to be > 0"),
        ({"lambdas": [0.1, 0.1]}, "distinct"),
        ({"n_lambdas": 0}, "n_lambdas to be an integer ≥ 1"),
        ({"lambda_min_ratio": 1.5}, "between 0 and 1"),
        ({"cv": 1.5}, "share between 0 and 1"),
        ({"cv": 1}, "number of folds to be between 2"),
        ({"seeds": 0}, "seeds to be an integer"),
        ({"select": "2se"}, 'select="1se" or "best"'),
        ({"loss": "mse"}, "loss to be a function"),
        ({"loss": nn.CrossEntropyLoss(reduction="none")}, "a scalar tensor, got shape"),
        ({"loss": lambda out, y: 0.5}, "a scalar tensor, got float"),
        ({"make_model": small_net()}, "makes a new model, got a model"),
        ({"make_model": lambda: None}, "torch.nn.Module, got NoneType"),
        ({"penalty": sw.L2(1.0)}, "no finite λ_max"),
        ({"penalty": sw.NonNegative()}, "no λ for a path"),
        ({"penalty": sw.L1(1.0).fixed()}, "no λ for a path"),
        ({"penalty": sw.L1(1.0) + sw.L2(1.0).fixed()}, "partly fixed"),
        ({"penalty": [sw.rule(sw.L1(0.0), names="0.weight"), sw.rule(sw.L1(1.0))]}, "keep their ratio"),
        ({"penalty": sw.rule(sw.L1(1.0), names="nothing")}, "no parameter to penalise"),
        ({"training": {"epochs": 3}}, "Expected training to be"),
        ({"training": Training(lambda p: torch.optim.SGD(p, lr=1e30), epochs=1, start_epochs=2)}, "The loss became"),
    ],
)
def test_bad_settings_are_one_sentence(options, message):
    X, y = classes()
    options = {"make_model": small_net, "penalty": INPUTS, "loss": nn.CrossEntropyLoss(), "training": QUICK, **options}
    path = sw.NetworkPath(options.pop("make_model"), options.pop("penalty"), options.pop("loss"), **options)
    with pytest.raises((ValueError, TypeError, FloatingPointError), match=message):
        path.fit(X, y)


def test_bad_data_are_one_sentence():
    X, y = classes()
    holes = X.copy()
    holes[3, 2] = np.nan
    for data, message in [
        ((holes, y), "X has NaN or infinite entries"),
        ((X, y[:-1]), "equal length, got 120 and 119 rows"),
        ((X[:0], y[:0]), "at least one row"),
        ((X,), "y is missing"),
        ((X, np.array(["a", "b", "c"])[y]), "encode labels"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            quick_path().fit(*data)
    for options in ({"epochs": 0}, {"start_epochs": -1}, {"batch_size": 2.5}, {"optimizer": 3}):
        with pytest.raises((ValueError, TypeError), match=f"Expected {next(iter(options))}"):
            Training(**options)


# --- pictures and bars -----------------------------------------------------------------------------------------
def test_the_picture_shows_scores_and_what_is_kept():
    pytest.importorskip("matplotlib").use("Agg")
    import matplotlib.pyplot as plt

    path = quick_path().fit(*classes())
    axes = path.plot()
    curve = axes.containers[0].lines[0]
    np.testing.assert_array_equal(curve.get_xdata(), path.lambdas_)
    np.testing.assert_array_equal(curve.get_ydata(), path.scores_)
    (kept,) = axes.figure.axes[1].lines
    np.testing.assert_array_equal(kept.get_ydata(), path.kept_)
    plt.close("all")


def test_the_bar_is_drawn_when_asked_for(capsys):
    quick_path(verbose=True).fit(*classes())
    assert "λ path" in capsys.readouterr().out
    quick_path().fit(*classes())
    assert capsys.readouterr().out == ""


def test_models_with_batch_norm_and_copies():
    X, y = classes(n=101)  # no batch of a single row

    def make():
        return nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 3))

    training = Training(QUICK.optimizer, epochs=1, start_epochs=2, batch_size=25)
    path = sw.NetworkPath(make, INPUTS, nn.CrossEntropyLoss(), lambdas=[0.01, 0.02], cv=2, training=training).fit(X, y)
    assert torch.isfinite(copy.deepcopy(path).best_model_(torch.zeros(2, 8))).all()


def test_predict_gives_classes_or_outputs_and_repr_what_was_chosen():
    torch.manual_seed(0)
    x = torch.randn(120, 4)
    training = sw.networks.Training(epochs=2, start_epochs=10)
    for y, loss, width in (
        (x[:, 0], lambda out, y: (out[:, 0] - y).square().mean(), 1),
        ((x[:, 0] > 0).long(), nn.functional.cross_entropy, 2),
    ):
        path = sw.networks.NetworkPath(
            lambda width=width: nn.Linear(4, width), sw.L1(1.0), loss, lambdas=[0.3, 0.01], training=training
        )
        assert repr(path).endswith("not fitted")
        with pytest.raises(ValueError, match="not fitted"):
            path.predict(x)
        path.fit(x, y)
        outputs = path.best_model_(x).detach().numpy()
        expected = outputs if width == 1 else outputs.argmax(1)
        np.testing.assert_array_equal(path.predict(x.numpy()), expected)
        assert f"λ = {path.lambda_:.4g} of 2 from 0.3 to 0.01" in repr(path)
