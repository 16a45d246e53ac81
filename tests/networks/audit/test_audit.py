"""Single detectors at their limits, the result, the groups, the record, the command."""

import inspect
import json
import math
import sys
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shrinkwise
import shrinkwise as sw
from shrinkwise.cli import run
from shrinkwise.networks.audit import Audit, Finding
from shrinkwise.networks.audit.registry import DETECTORS

from .museum import IMAGES, ROWS, TOKENS, Attention


def the(audit, code):
    """The one finding with this code."""
    (found,) = [finding for finding in audit.findings if finding.code == code]
    return found


# --- names -----------------------------------------------------------------------------------------------


def test_the_function_and_its_package_do_not_hide_each_other():
    import shrinkwise.networks.audit as imported
    from shrinkwise.networks import audit

    package = sys.modules["shrinkwise.networks.audit"]
    for each in (sw.audit, shrinkwise.networks.audit, imported, audit, package):
        assert each(nn.Linear(2, 2)).findings == []
        assert len(each.groups(nn.Linear(2, 2), 0.1)) == 2
        assert all(callable(getattr(each, name)) for name in ("groups", "record", "assert_regularized"))
    assert isinstance(package, ModuleType)
    assert list(inspect.signature(sw.audit).parameters)[:5] == ["model", "optimizer", "batch", "steps", "loss"]


def test_every_detector_is_a_file_of_the_list():
    from pathlib import Path

    from shrinkwise.networks.audit import registry

    listed = {Path(module.__file__) for module in DETECTORS}
    files = {
        path
        for path in Path(registry.__file__).parent.glob("*/*.py")
        if "\ndef detect(subject: Subject)" in path.read_text(encoding="utf-8")
    }
    assert listed == files


# --- decay -----------------------------------------------------------------------------------------------


def test_groups_hold_every_trainable_parameter_once_and_decay_only_weights():
    model = nn.ModuleDict(
        {
            "embedding": nn.Embedding(10, 4),
            "fc": nn.Linear(4, 4),
            "norm": nn.LayerNorm(4),
            "slope": nn.PReLU(),
            "head": nn.Linear(4, 10, bias=False),
        }
    )
    model["head"].weight = model["embedding"].weight
    model["frozen"] = nn.Linear(4, 4).requires_grad_(False)
    decayed, left = sw.audit.groups(model, 0.1)
    assert [p is model["fc"].weight for p in decayed["params"]] == [True]
    held = [id(p) for group in (decayed, left) for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    with_embeddings, _ = sw.audit.groups(model, 0.1, embeddings=True)
    assert len(with_embeddings["params"]) == 2
    codes = sw.audit(model, torch.optim.AdamW(sw.audit.groups(model, 0.1), lr=1e-3)).codes
    assert not any(code.startswith("decay-on") for code in codes)
    with pytest.raises(ValueError, match="Expected weight_decay to be a number ≥ 0, got -1"):
        sw.audit.groups(model, -1)


def test_decay_on_norms_is_as_severe_as_it_is_strong():
    model = nn.LayerNorm(4)
    strong = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    assert the(sw.audit(model, strong), "decay-on-norms").severity == "warning"
    assert the(sw.audit(model, strong, steps=500), "decay-on-norms").severity == "note"
    assert the(sw.audit(model, torch.optim.AdamW(model.parameters())), "decay-on-norms").severity == "note"
    assert sw.audit(model, torch.optim.AdamW(model.parameters(), weight_decay=0.0)).findings == []


@pytest.mark.parametrize(
    ("make", "rate"),
    [
        (lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.1), 1e-3),
        (lambda p: torch.optim.SGD(p, lr=1e-2, weight_decay=0.1), 1e-3),
        (lambda p: torch.optim.SGD(p, lr=1e-3, weight_decay=0.1, momentum=0.9), 1e-3),
    ],
)
def test_the_timescale_is_what_steps_without_a_loss_do(make, rate):
    w = nn.Linear(2, 2, bias=False)
    optimizer = make(w.parameters())
    said = the(sw.audit(w, optimizer, steps=300), "decay-slower-than-run")
    assert f"= {1 / rate:,.0f} steps" in said.message
    before = w.weight.detach().clone()
    for _ in range(3000):
        w.weight.grad = torch.zeros_like(w.weight)
        optimizer.step()
    shrunk = float((w.weight.detach() / before).mean())
    assert -math.log(shrunk) / 3000 == pytest.approx(rate, rel=0.01)


def test_a_warm_up_does_not_make_the_decay_slow():
    model = nn.Linear(2, 2, bias=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    torch.optim.lr_scheduler.LinearLR(optimizer, 1e-4, total_iters=100)
    assert sw.audit(model, optimizer, steps=2000).findings == []


def test_weights_before_a_normalisation_are_named_and_no_others():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten())
    model.append(nn.Linear(64, 2, bias=False))
    optimizer = torch.optim.SGD(sw.audit.groups(model, 1e-4), lr=0.1)
    found = the(sw.audit(model, optimizer, torch.randn(IMAGES)), "decay-on-scale-invariant")
    assert (found.where, found.severity) == ("0.weight", "note")
    reg = sw.attach(torch.optim.SGD(model.parameters(), lr=0.1), model, sw.L1(1e-3))
    assert the(sw.audit(model, reg.optimizer, torch.randn(IMAGES)), "penalty-on-scale-invariant").where == "0.weight"


# --- parameters ------------------------------------------------------------------------------------------


def test_unused_parameters_and_those_of_a_second_optimizer_are_no_defect():
    model = nn.ModuleDict({"a": nn.Linear(8, 8), "b": nn.Linear(8, 2), "unused": nn.Linear(8, 8)})
    model.forward = lambda x: model["b"](model["a"](x))
    one, two = (torch.optim.SGD(model[key].parameters(), lr=0.1) for key in "ab")
    batch = torch.randn(ROWS)
    assert "parameter-not-optimized" not in sw.audit(model, [one, two], batch).codes
    assert the(sw.audit(model, one, batch), "parameter-not-optimized").where == "b.weight, b.bias"


def test_frozen_parameters_in_a_decayed_group_are_a_note():
    model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 2, bias=False))
    model[0].requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters())
    assert the(sw.audit(model, optimizer, torch.randn(ROWS)), "frozen-in-decayed-group").severity == "note"


def test_a_tied_weight_is_a_note_with_its_names():
    model = nn.ModuleDict({"embedding": nn.Embedding(10, 8), "head": nn.Linear(8, 10, bias=False)})
    model["head"].weight = model["embedding"].weight
    found = the(sw.audit(model, torch.optim.AdamW(model.parameters())), "decay-on-tied-weight")
    assert (found.where, found.severity) == ("embedding.weight = head.weight", "note")


# --- penalties -------------------------------------------------------------------------------------------


def squared_error(penalty):
    return lambda output, y: F.mse_loss(output, y) + penalty()


def regression(model, penalty):
    batch = torch.randn(ROWS), torch.randn(16, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.01)
    return sw.audit(model, optimizer, batch, loss=squared_error(penalty))


def test_the_strength_of_penalties_in_the_loss_is_read_off_their_gradients():
    model = nn.Linear(8, 1, bias=False)
    found = the(regression(model, lambda: 3e-4 * model.weight.abs().sum()), "l1-in-loss")
    assert "λ = 0.0003" in found.message
    assert the(regression(model, lambda: 3e-4 * model.weight.abs().sum()), "regularized-twice").severity == "note"
    found = the(regression(model, lambda: 3e-4 * model.weight.square().sum()), "regularized-twice")
    assert found.severity == "warning"
    assert "λ=0.0003, which is weight_decay=0.0006" in found.message


def test_penalties_in_low_precision_are_read_to_its_rounding():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)).bfloat16()
    batch = torch.randn(16, 64, dtype=torch.bfloat16), torch.randint(0, 2, (16,))
    for power, code in ((1, "l1-in-loss"), (2, "regularized-twice")):

        def loss(output, y, power=power):
            return F.cross_entropy(output.float(), y) + 1e-3 * sum(p.abs().pow(power).sum() for p in model.parameters())

        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-3)
        assert "0.weight" in the(sw.audit(model, optimizer, batch, loss=loss), code).where


def test_a_loss_of_the_outputs_alone_is_no_penalty():
    model = nn.Linear(8, 1, bias=False)
    assert not {"l1-in-loss", "regularized-twice", "penalty-without-gradient"} & regression(model, lambda: 0.0).codes


def test_attached_l2_beside_decay_is_twice_and_l1_an_elastic_net():
    for penalty, severity in (
        (sw.L2(1e-3), "warning"),
        (sw.L1(1e-3), "note"),
        (sw.GroupLasso(1e-3, groups=sw.Groups.rows()), "note"),
    ):
        model = nn.Linear(8, 4)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-3)
        sw.attach(optimizer, model, penalty)
        assert the(sw.audit(model, optimizer), "regularized-twice").severity == severity


@pytest.mark.parametrize("max_norm", [None, 0.01])
def test_clipping_of_the_loss_alone_is_seen_in_a_record(max_norm):
    model = nn.Linear(8, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    sw.attach(optimizer, model, sw.L1(1e-3), max_norm=max_norm)
    with sw.audit.record(model, optimizer) as record:
        for _ in range(3):
            optimizer.zero_grad()
            F.mse_loss(model(torch.randn(ROWS)), torch.randn(16, 1) + 5).backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01) if max_norm is None else 0.0
            optimizer.step()
    audit = sw.audit(model, optimizer, record=record)
    if max_norm is None:
        assert record.clipped[-1] == pytest.approx(0.01 / float(norm), rel=1e-3)
        assert the(audit, "clipping-changes-lambda").where == "weight"
    else:
        assert "clipping-changes-lambda" not in audit.codes


def test_a_grad_scaler_is_no_clipping():
    model = nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    with sw.audit.record(model, optimizer) as record:
        scaler.scale(F.mse_loss(model(torch.randn(ROWS)), torch.randn(16, 1))).backward()
        scaler.step(optimizer)
    assert record.steps == 1
    assert record.clipped == []
    assert not optimizer._optimizer_step_pre_hooks
    assert not model._forward_pre_hooks


# --- dropout ---------------------------------------------------------------------------------------------


def test_the_dropout_shift_before_batchnorm_is_the_measured_one():
    torch.manual_seed(0)
    x = torch.randn(4096, 8).relu()
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(8, momentum=1.0, affine=False))
    found = the(sw.audit(model, batch=x), "dropout-before-batchnorm")
    model(x)
    measured = float(model.eval()(x).std(0).mean())
    said = float(found.message.split("after it is ")[1].split(" ")[0])
    assert said == pytest.approx(measured, abs=0.02)


def test_dropout_on_features_is_a_note_and_on_predictions_a_warning():
    model, x = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.1)), torch.randn(ROWS)
    assert the(sw.audit(model, batch=x), "dropout-on-output").severity == "note"
    assert the(sw.audit(model, batch=(x, x)), "dropout-on-output").severity == "warning"


def test_dropout_that_is_set_to_nothing_is_a_note():
    model = nn.Sequential(nn.Dropout(0.0), nn.Linear(8, 2), nn.Dropout(0.1), sw.Dropout(keep=1.0))
    found = the(sw.audit(model), "dropout-p-zero")
    assert (found.where, found.severity) == ("0, 3", "note")


def test_dropout_on_one_hot_inputs():
    model = nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 2))
    assert "dropout-on-one-hot" in sw.audit(model, batch=F.one_hot(torch.arange(8)).float()).codes
    assert "dropout-on-one-hot" not in sw.audit(model, batch=torch.rand(8, 8)).codes


def test_channel_dropout_on_time_steps():
    time_last = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Dropout1d(0.2))
    assert "channel-dropout-on-time" in sw.audit(time_last, batch=torch.randn(TOKENS)).codes


def test_monte_carlo_dropout_with_spread_is_fine():
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.2), nn.Linear(8, 2)).eval()
    model[1].train()
    assert "mc-dropout-deterministic" not in sw.audit(model, batch=torch.randn(ROWS)).codes


def test_random_evaluation_that_is_no_dropout_is_a_note():
    class Noisy(nn.Module):
        def forward(self, x):
            return x + torch.randn_like(x)

    assert the(sw.audit(Noisy(), batch=torch.randn(ROWS)), "random-in-eval").severity == "note"


def test_two_passes_of_a_checkpoint_with_the_same_masks_are_fine():
    from torch.utils.checkpoint import checkpoint

    for reentrant in (False, True):

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.block = (
                    nn.Linear(8, 8),
                    nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.1), nn.Linear(8, 8)),
                )

            def forward(self, x, reentrant=reentrant):
                x = self.first(x)
                return checkpoint(self.block, x, use_reentrant=reentrant) if self.training else self.block(x)

        model = Net()
        audit = sw.audit(model, torch.optim.SGD(model.parameters(), lr=0.1), torch.randn(ROWS))
        assert audit.at_least("warning") == []


def test_a_pair_that_forward_needs_whole_is_its_inputs():
    model = nn.Bilinear(8, 8, 1)
    a, b = torch.randn(ROWS), torch.randn(ROWS)
    assert sw.audit(model, batch=(a, b)).findings == sw.audit(model, batch={"input1": a, "input2": b}).findings
    assert sw.audit(model, batch=((a, b), torch.randn(16, 1)), loss=F.mse_loss).findings == []


@pytest.mark.parametrize("frozen", [False, True])
def test_dropout_that_train_does_not_wake(frozen):
    class Sleepy(nn.Sequential):
        def train(self, mode=True):
            return super().train(False)

    model = nn.Sequential(Sleepy(nn.Linear(8, 8), nn.Dropout(0.1)), nn.Linear(8, 2))
    model[0].requires_grad_(not frozen)
    assert ("dropout-stays-in-eval" in sw.audit(model, batch=torch.randn(ROWS)).codes) is not frozen


# --- the result ------------------------------------------------------------------------------------------


def test_the_result_reads_well_and_is_json():
    model = Attention()
    model.probability = lambda: 0.2
    audit = sw.audit(model, batch=torch.randn(TOKENS))
    assert isinstance(audit, Audit)
    text = str(audit)
    assert text.startswith("Audit: 1 error. Checked: Attention with ")
    assert "Fix: dropout_p=self.p if self.training else 0.0" in text
    assert "Not checked: weight decay" in text
    document = json.loads(audit.to_json())
    assert document["schema"] == 1
    assert document["findings"][0]["code"] == "dropout-in-eval"
    with pytest.raises(AssertionError, match="dropout-in-eval"):
        sw.audit.assert_regularized(model, batch=torch.randn(TOKENS))
    sw.audit.assert_regularized(model, batch=torch.randn(TOKENS), allow="dropout-in-eval")
    with pytest.raises(ValueError, match="Expected severity to be one of error, warning, note"):
        Finding("a", "bad", "", "", "")


def test_bad_arguments_get_a_sentence():
    model = nn.Linear(8, 1)
    with pytest.raises(TypeError, match="Expected the model to be a "):
        sw.audit(3)
    with pytest.raises(TypeError, match="or a list of them, got str"):
        sw.audit(model, "Adam")
    with pytest.raises(ValueError, match="Expected steps to be the number of planned optimizer steps"):
        sw.audit(model, steps=0)
    with pytest.raises(ValueError, match="The batch does not match forward"):
        sw.audit(model, batch={"x": torch.randn(ROWS)})
    with pytest.raises(ValueError, match="with several inputs as a tuple"):
        sw.audit(model, batch=(1, 2, 3))
    with pytest.raises(ValueError, match="to be a scalar tensor with gradients, got a tensor of shape"):
        sw.audit(model, batch=(torch.randn(ROWS), 0), loss=lambda output, y: output)
    with pytest.raises(ValueError, match="no shape before a first batch"):
        sw.audit(nn.LazyLinear(3))


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "their_training.py").write_text(
        "import torch\n"
        "def audited():\n"
        "    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout(0.9))\n"
        "    return model, torch.optim.Adam(model.parameters(), weight_decay=1e-3), torch.ones(4, 3)\n",
        encoding="utf-8",
    )
    assert run(["audit", "their_training:audited"]) == 0
    assert "dropout-p-is-keep" in capsys.readouterr().out
    assert run(["audit", "their_training:audited", "--json", "--steps", "10", "--fail-on", "warning"]) == 1
    codes = {finding["code"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert {"dropout-p-is-keep", "l2-in-adaptive-optimizer"} <= codes
    for wrong, sentence in {
        "their_training": "Expected MODULE:FACTORY",
        "their_training:none": "has no function 'none'",
        "no_such_module:f": "No module 'no_such_module' can be imported",
    }.items():
        assert run(["audit", wrong]) == 2
        assert sentence in capsys.readouterr().err
