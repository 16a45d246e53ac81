"""A path needs NumPy and SciPy: no scikit-learn, no joblib, nothing that draws or reads tables."""

import subprocess
import sys

import pytest

CODE = """
import sys
import numpy as np
import shrinkwise as sw
rng = np.random.default_rng(0)
X, y = rng.normal(size=(200, 50)), rng.normal(size=200)
fitted = sw.path(X, y, sw.L1(1.0))
assert fitted.solved.all(), fitted.status
{more}
print(sorted({{"sklearn", "joblib", "pandas", "polars", "torch", "matplotlib", "rich"}} & set(sys.modules)))
"""


@pytest.mark.parametrize("more", ["", "fitted.df, fitted.bic, fitted.at(0.01), fitted.predict(X), fitted.coefs_sparse"])
def test_a_path_loads_no_more_than_it_needs(more):
    run = subprocess.run([sys.executable, "-c", CODE.format(more=more)], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr


def test_the_function_is_not_hidden_by_its_module():
    code = "import shrinkwise.linear.paths.api, shrinkwise as s; print(callable(s.linear.path), callable(s.path))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "True"]
