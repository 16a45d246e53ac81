import numpy as np
import pytest

pytest.importorskip("torch")
from torch import nn

from shrinkwise.dropout import keep_mask, plot_thinned
from shrinkwise.figures import thinned as draw


@pytest.fixture
def headless():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def lines(ax):
    return sum(len(collection.get_segments()) for collection in ax.collections if hasattr(collection, "get_segments"))


def test_every_weight_between_kept_units_is_a_line(headless):
    kept = [np.array([1, 1, 0], bool), np.array([1, 0, 1, 1], bool), np.array([1], bool)]
    full, thin = draw(kept)
    assert lines(full) == 3 * 4 + 4
    assert lines(thin) == 2 * 3 + 3
    assert full.get_title() == "all units: 4 hidden, 16 weights"
    assert thin.get_title() == "one draw: 3 hidden, 9 weights"


def test_the_picture_of_a_model_is_that_of_its_draw(headless):
    model = nn.Sequential(
        nn.Dropout(0.2), nn.Linear(6, 10), nn.ReLU(), nn.Dropout(0.5), nn.Linear(10, 40), nn.Linear(40, 2)
    )
    _, thin = plot_thinned(model, 3)
    inputs = int(keep_mask(6, keep=0.8, seed=3, stream=0).sum())
    hidden = int(keep_mask(10, keep=0.5, seed=3, stream=1).sum())
    assert thin.get_title() == f"one draw: {hidden + 40} hidden, {inputs * hidden + hidden * 40 + 80} weights"
    assert lines(thin) < inputs * hidden + hidden * 40 + 80  # of 40 units only some are drawn
    with pytest.raises(TypeError, match="got Conv2d"):
        plot_thinned(nn.Sequential(nn.Conv2d(1, 1, 1)), 0)
