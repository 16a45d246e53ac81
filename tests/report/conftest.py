"""Pages as the comparison makes them, from closed forms: no model is fitted to test the report."""

from __future__ import annotations

import copy

import numpy as np
import pytest

LENGTH, INPUTS = 100, 60


def soft_threshold_path(n_inputs: int = INPUTS, length: int = LENGTH) -> dict:
    """The lasso path of an orthogonal design: coef(λ) = soft_threshold(b, λ), with b from a fixed generator."""
    b = np.random.default_rng(7).standard_normal(n_inputs)
    lambdas = np.abs(b).max() * np.logspace(0, -3, length)
    coefs = np.sign(b) * np.maximum(np.abs(b) - lambdas[:, None], 0.0)
    names = [f"band_{i + 1:02d}" for i in range(n_inputs)]
    mean = 0.45 + 0.06 * (np.linspace(-1, 1.4, length)) ** 2
    return {
        "name": "lasso",
        "lambdas": lambdas.tolist(),
        "features": names,
        "coefs": coefs.tolist(),
        "inputs_kept": [[names[j] for j in np.flatnonzero(row)] for row in coefs],
        "n_inputs": n_inputs,
        "cv_mean": mean.tolist(),
        "cv_se": np.full(length, 0.021).tolist(),
        "index_best": 41,
        "index_one_se": 23,
        "index_kept": 23,
        "coef_label": "coefficient per standard deviation of the input",
    }


def candidate(name: str, family: str, regularizer: str, difference: dict | None = None, **more) -> dict:
    best = {
        "difference": difference,
        "score": 0.452,
        "se": 0.031,
        "strength": "λ = 0.012",
        "inputs": 23,
        "zeros": 37,
        "weights": 60,
    }
    return {
        "name": name,
        "family": family,
        "regularizer": regularizer,
        "note": "",
        "best": best,
        "one_se": None,
        "seconds": 1.2,
    } | more


def sonar_like() -> dict:
    path = soft_threshold_path()
    one_se = {"score": 0.471, "se": 0.028, "strength": "λ = 0.031", "inputs": 14, "zeros": 46, "weights": 60}
    kept = one_se | {"kept": True}
    better = {"mean": -0.46, "low": -0.6, "high": -0.31}
    unsure = {"mean": -0.1, "low": -0.3, "high": 0.1}
    return {
        "title": "sonar.csv",
        "subtitle": "does regularization help to predict object?",
        "version": "0.1.0",
        "seed": 0,
        "command": "shrinkwise fit examples/sonar.csv --target object",
        "task": "binary",
        "target": "object",
        "n_rows": 208,
        "n_inputs": INPUTS,
        "plain": ["Regularization helps here.", "Six candidates were compared.", "The interval excludes zero."],
        "verdict": ["Regularization helps here."],
        "columns": [{"name": n, "kind": "number", "reason": "198 different values"} for n in path["features"]]
        + [{"name": "object", "kind": "target", "reason": "two values"}],
        "notes": ["No missing values."],
        "score": {"name": "log loss", "lower_is_better": True, "explain": "0 is perfect, 0.69 is a coin."},
        "candidates": [
            candidate("no penalty", "linear", "none", note="no finite optimum without a penalty"),
            candidate("ridge", "linear", "L2", difference=better),
            candidate("lasso", "linear", "L1", one_se=kept, difference=better),
            candidate("elastic net", "linear", "L1 + L2", one_se=one_se, difference=unsure),
            candidate("network with dropout", "network", "dropout", difference=unsure),
            candidate("gradient-boosted trees", "reference", ""),
        ],
        "path": path,
        "network": {
            "layers": [path["features"], 64, ["rock", "mine"]],
            "keep": 0.5,
            "silenced": [[False] * INPUTS, [i % 3 == 0 for i in range(64)], [False] * 2],
            "caption": "One hidden layer of 64 units.",
        },
        "coefficients": [
            {"feature": n, "coefficient": 1 / (i + 1), "unit_note": ""} for i, n in enumerate(path["features"])
        ],
        "formula": "1/n Σ log(1 + exp(−y xᵀw)) + λ ‖w‖₁",
        "reproduce": ["shrinkwise fit examples/sonar.csv --target object --seed 0"],
    }


@pytest.fixture
def page() -> dict:
    """A page like that of examples/sonar.csv: 60 inputs, 100 λ, two classes."""
    return copy.deepcopy(sonar_like())


@pytest.fixture
def wide_page(page: dict) -> dict:
    """A page about 3,000 inputs."""
    return page | {"path": soft_threshold_path(n_inputs=3000), "n_inputs": 3000}


@pytest.fixture
def full_page(page: dict) -> dict:
    """All that `shrinkwise fit examples/sonar.csv` writes: 60 inputs, 50 λ, ten candidates, every exhibit."""
    inputs = page["path"]["features"]
    names = ["none", "ridge", "lasso", "elastic net", "MCP"] + ["net" + end for end in ("", "+L2", "+dropout", "+L1")]
    tuned = page["candidates"][3]
    scores = [0.4271828 + i / 7 for i in range(5)]
    curves = {
        "levels": [0.0, 0.25, 0.5, 1.0, 2.0],
        "candidates": [{"name": n, "regularizer": "L1", "kept": n == "lasso", "scores": scores} for n in names],
    }
    bins = [{"predicted": i / 9.7, "share": i / 9.3, "low": i / 11.3, "high": i / 9.1, "rows": 21} for i in range(10)]
    return page | {
        "path": soft_threshold_path(length=50) | {"index_best": 20, "index_one_se": 12, "index_kept": 12},
        "candidates": [tuned | {"name": n, "one_se": tuned["one_se"] | {"kept": n == "lasso"}} for n in names]
        + page["candidates"][-1:],
        "columns": [{"name": n, "kind": "number", "reason": "numbers from 0.0015 to 0.1371"} for n in inputs],
        "stress": {"noise": curves, "missing": curves, "findings": [{"claim": "c", "sentence": "A finding. " * 40}]},
        "halves": {
            "lam": 0.25,
            "n_halves": 100,
            "threshold": 0.9,
            "inputs": [{"name": n, "frequency": i / 60, "partners": []} for i, n in enumerate(inputs)][::-1],
            "turns": [],
            "n_turns": 0,
        },
        "calibration": {"of": "object = rock", "bins": bins, "outside": 2, "n_rows": 208},
        "checks": [{"question": "Does a column know?", "answer": "None of them does. " * 10} for _ in range(5)],
        "plain": ["A sentence of ordinary length about the comparison of candidates on this table." for _ in range(10)],
        "written": {"formula": "score = 1\n    + 2 × band_01", "notes": ["A missing number is taken as its median."]},
    }


HOSTILE = (
    "<img src=x onerror=document.documentElement.dataset.ran=1>",
    "</script><script>document.documentElement.dataset.ran=2</script>",
    "\"' onmouseover=alert(1) x='",
    "]]>--><svg onload=alert(1)>",
    "\u2028line\u2029\u202eesrever\x00\ud800",
)


@pytest.fixture
def hostile_page(page: dict) -> dict:
    """The same page with names and sentences that try to be markup or script, everywhere a text can stand."""
    path = page["path"]
    size = dict(zip(path["features"], np.abs(path["coefs"][path["index_kept"]]), strict=True))
    largest = sorted(path["features"], key=size.__getitem__, reverse=True)  # those that are drawn
    rename = dict(zip(largest, HOSTILE, strict=False))

    def renamed(value):
        if isinstance(value, str):
            return rename.get(value, value)
        if isinstance(value, list):
            return [renamed(v) for v in value]
        return {k: renamed(v) for k, v in value.items()} if isinstance(value, dict) else value

    page = renamed(page)
    text = HOSTILE[1] + HOSTILE[0]
    for key in ("title", "subtitle", "version", "command", "target", "formula", "task"):
        page[key] = text
    for key in ("plain", "verdict", "notes", "reproduce"):
        page[key] = [text, HOSTILE[3]]
    page["score"] |= {"name": HOSTILE[2] + HOSTILE[0], "explain": HOSTILE[2]}
    page["candidates"][2] |= {"name": HOSTILE[0], "regularizer": HOSTILE[1], "note": HOSTILE[2], "family": HOSTILE[3]}
    page["candidates"][2]["best"] |= {"strength": text}
    page["path"] |= {"name": text, "coef_label": HOSTILE[3]}
    page["network"]["caption"] = text
    page["columns"][0] |= {"kind": text, "reason": text}
    page["coefficients"][0]["unit_note"] = text
    return page
