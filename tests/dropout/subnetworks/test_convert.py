"""Conversion from torch's layers and back, and schedules of keep."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import nn

from shrinkwise import dropout as sd
from shrinkwise.dropout import KeepSchedule, convert


def torchs():
    shared = nn.Dropout(0.1)
    return nn.Sequential(
        *(nn.Linear(4, 4), shared, nn.Dropout1d(0.2), nn.Sequential(nn.Dropout2d(0.3), nn.Dropout3d(0.4)), shared),
        *(nn.AlphaDropout(0.15), nn.FeatureAlphaDropout(0.25), nn.Dropout(0.5, inplace=True)),
    )


def kinds(model):
    return [
        (name, type(m).__name__, getattr(m, "p", None), getattr(m, "inplace", None))
        for name, m in model.named_modules()
    ]


def test_there_and_back_is_the_same_model():
    model = torchs().eval()
    model[1].train()
    before, state = kinds(model), copy.deepcopy(model.state_dict())
    ours = convert(model)
    assert ours is model
    assert not any(type(m).__module__.startswith("torch.nn.modules.dropout") for m in model.modules())
    assert [m.keep for m in model.modules() if hasattr(m, "keep")] == pytest.approx(
        [0.9, 0.8, 0.7, 0.6, 0.85, 0.75, 0.5]
    )
    assert model[1] is model[4]
    assert model[1].training
    assert not model[2].training
    assert model.state_dict().keys() == state.keys()
    convert(model, to="torch")
    assert [row[:2] for row in kinds(model)] == [row[:2] for row in before]
    assert [row[2] for row in kinds(model) if row[2]] == pytest.approx([row[2] for row in before if row[2]])
    assert [row[3] for row in kinds(model)] == [row[3] for row in before]


def test_one_keep_for_all_and_a_model_that_is_itself_a_layer():
    assert {m.keep for m in convert(torchs(), keep=0.9).modules() if hasattr(m, "keep")} == {0.9}
    assert repr(convert(nn.Dropout(0.25))) == "Dropout(keep=0.75)"
    assert repr(convert(sd.Dropout(keep=0.75), to="torch")) == "Dropout(p=0.25, inplace=False)"


def test_the_converted_layers_drop_the_same_things():
    x = torch.ones(6, 5, 3, 4)
    for layer in (nn.Dropout2d(0.5), nn.FeatureAlphaDropout(0.5)):
        torchs, ours = layer(x), convert(copy.deepcopy(layer))(x)
        for y in (torchs, ours):
            assert (y == y[..., :1, :1]).all()
            assert not (y == y[:1]).all()
            assert not (y == y[:, :1]).all()
        assert ours.unique().tolist() == pytest.approx(torchs.unique().tolist(), abs=1e-6)


def test_what_has_no_counterpart_is_named():
    with pytest.warns(UserWarning, match=r"0 \(inside LSTM, drop 0.3\); 1 \(inside MultiheadAttention, drop 0.1\)"):
        convert(nn.Sequential(nn.LSTM(2, 2, 2, dropout=0.3), nn.MultiheadAttention(2, 1, dropout=0.1)))

    class Own(nn.Dropout):
        pass

    with pytest.warns(UserWarning, match="the model \\(Own\\)"):
        assert type(convert(Own(0.2))) is Own
    model = nn.Sequential(sd.LockedDropout(keep=0.5, time_dim=1), sd.ChannelDropout(keep=0.5, channel_dim=-1))
    with pytest.warns(UserWarning, match=r"0 \(LockedDropout\); 1 \(ChannelDropout\)"):
        convert(model, to="torch")
    with pytest.raises(ValueError, match='to="shrinkwise" or to="torch"'):
        convert(model, to="keras")


def test_a_transformer_layer_converts_and_evaluates_as_before():
    layer, x = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), torch.randn(2, 3, 8)
    before = layer(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        convert(layer)
    torch.testing.assert_close(layer(x), before)
    assert sum(isinstance(m, sd.Dropout) for m in layer.modules()) == 3


def drops(kind, steps=4, **options):
    layer = sd.Dropout(keep=0.6)
    schedule = KeepSchedule(layer, kind, steps=steps, **options)
    found = [1 - layer.keep]
    for _ in range(steps + 2):
        schedule.step()
        found.append(1 - layer.keep)
    return [f / 0.4 for f in found]


def test_schedules_follow_their_table():
    assert drops("constant") == pytest.approx([1] * 7)
    assert drops("linear") == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1, 1])
    assert drops("early") == pytest.approx([1, 0.75, 0.5, 0.25, 0, 0, 0])
    assert drops("late") == pytest.approx([0, 0, 0, 0, 1, 1, 1])
    curriculum = drops("curriculum")
    assert curriculum[:2] == pytest.approx([0, 0.917915])  # 1 − exp(−2.5)
    assert curriculum[4:] == pytest.approx([1, 1, 1])
    assert drops("constant", keep=0.8) == pytest.approx([0.5] * 7)


def test_a_schedule_resumes_where_it_was():
    model = nn.Sequential(sd.Dropout(keep=0.6), sd.DropPath(nn.Identity(), keep=0.9))
    schedule = KeepSchedule(model, "linear", steps=10)
    for _ in range(3):
        schedule.step()
    state, keeps = schedule.state_dict(), [m.keep for m in model]
    fresh = nn.Sequential(sd.Dropout(keep=0.5), sd.DropPath(nn.Identity(), keep=0.5))
    resumed = KeepSchedule(fresh, "constant", steps=1)
    resumed.load_state_dict(state)
    assert [m.keep for m in fresh] == keeps
    schedule.step(), resumed.step()
    assert [m.keep for m in fresh] == [m.keep for m in model]
    with pytest.raises(ValueError, match="state for the layers"):
        KeepSchedule(nn.Sequential(sd.Dropout(keep=0.5)), "early", steps=2).load_state_dict(state)


def test_schedule_sentences():
    with pytest.raises(ValueError, match=r"convert\(model\)"):
        KeepSchedule(nn.Sequential(nn.Dropout(0.5)), "early", steps=2)
    with pytest.raises(ValueError, match="constant, linear, early, late, curriculum, got 'step'"):
        KeepSchedule(sd.Dropout(keep=0.5), "step", steps=2)
    with pytest.raises(ValueError, match="whole number above 0, got 0"):
        KeepSchedule(sd.Dropout(keep=0.5), "early", steps=0)
    learned = sd.ConcreteDropout(nn.Linear(2, 2), keep=0.7, n_samples=9)
    KeepSchedule(nn.Sequential(learned, sd.Dropout(keep=0.5)), "early", steps=1).step()
    assert learned.keep == pytest.approx(0.7)
