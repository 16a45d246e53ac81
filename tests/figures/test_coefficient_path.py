import numpy as np
import pytest

import shrinkwise as sw
from linear.data import diabetes
from shrinkwise.linear import path


@pytest.fixture
def headless():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def test_every_coefficient_that_was_ever_in_is_a_line_with_the_numbers_of_the_path(headless):
    X, y = diabetes()
    fitted = path(X, y, sw.L1(1.0), n_lambdas=20)
    names = [f"input {j}" for j in range(10)]
    ax = fitted.plot(names, mark=fitted.lambdas[5])
    curves = [line for line in ax.lines if len(line.get_xdata()) == 20]
    assert len(curves) == (fitted.coefs != 0).any(0).sum()
    for line, j in zip(curves, np.flatnonzero(fitted.coefs.any(0)), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), fitted.coefs[:, j])
    assert {text.get_text() for text in ax.texts} <= set(names)
    assert ax.xaxis_inverted()
    heights = sorted(text.xy[1] for text in ax.texts)
    assert len(heights) > 2
    assert min(np.diff(heights)) >= 0.04 * np.ptp(fitted.coefs)  # names do not overlap
