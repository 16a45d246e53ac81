"""A table with an input of every kind, and models on it whose weights are drawn, not fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl

from shrinkwise.compare.candidates.additive import hinges_of
from shrinkwise.compare.candidates.cocktail.candidate import mean_of_networks
from shrinkwise.compare.candidates.cocktail.embedding import Embedding
from shrinkwise.compare.options import CocktailOptions
from shrinkwise.models.predictors import LinearPredictor, NetworkPredictor
from shrinkwise.models.table_model import TableModel
from shrinkwise.tables import Encoder, plan_table
from shrinkwise.tables.columns.level_means import LEVEL_MEANS

CLASSES = {"regression": 0, "binary": 2, "multiclass": 3}


def every_kind(task: str, n: int = 60) -> pl.DataFrame:
    """Numbers, dates, yes/no, an order, a category with rare levels, all with gaps, under names that need quoting."""
    rng = np.random.default_rng(5)
    codes = rng.integers(0, max(CLASSES[task], 2), n)
    plain = {
        "a number": rng.normal(1e3, 3, n).round(4).astype(str),
        "price, net": [f"$ {v:,.2f}" for v in rng.uniform(1e3, 3e6, n)],
        "=cmd()": rng.choice(["Yes", "no"], n),
        "size": rng.choice(["low", "med", "high"], n),
        "colour": ['o\'k "q"', "ünï", *rng.choice(["red", "green", "blue"], n - 2)],  # two that are rare
        "code": rng.choice(["1", "2", "3"], n),
        "seen": [f"{d:02d}/{m:02d}/2024 {h:02d}:30" for d, m, h in rng.integers(1, [29, 13, 24], (n, 3))],
        "flag": rng.choice(["0", "1"], n),
        "at": [
            f"{h}:{m:02d} {half}m"
            for h, m, half in zip(*rng.integers(1, [13, 60], (n, 2)).T, "ap" * (n // 2), strict=True)
        ],
        "tags": ["|".join(rng.permutation(["a", "b", "c", "d d"])[: 1 + i % 3]) for i in range(n)],
        "place": [f"{a:.3f}, {b:.3f}" for a, b in rng.uniform([40, -5], [50, 9], (n, 2))],
        "size of": [f"{v:.1f}M" if i % 2 else f"{20 * v:.0f}k" for i, v in enumerate(rng.uniform(1, 50, n))],
        "took": [f"{h}h {m}m" if m % 3 else f"{h}h" for h, m in rng.integers(1, 60, (n, 2))],
        "high": [f"{5 + v // 12}'{v % 12}\"" for v in rng.integers(0, 24, n)],
    }
    gaps = {k: [None if i % 9 == 4 and k != "flag" else v for i, v in enumerate(vs)] for k, vs in plain.items()}
    target = rng.normal(size=n) if task == "regression" else np.array(["=low", "mid", "top"])[codes]
    place = np.argsort(np.argsort(target if task == "regression" else codes, kind="stable")) // 5
    gaps["city"] = [None if i % 11 == 3 else f"city {at}" for i, at in enumerate(place)]  # told apart by the target
    return pl.DataFrame({**gaps, "y": target.tolist()})


def drawn_model(task: str, kind: str, frame: pl.DataFrame, category: Sequence[str] = ("code",)) -> TableModel:
    """A linear model, an additive one, a network, or the mean of three on embeddings ("cocktail"), with drawn weights on
    `frame`, whose plan and encoder are real, with level means of its cities. The learned range of the network is narrower
    than the rows, so that it clips."""
    plan = plan_table(frame, "y", category=category)
    plan.columns = [replace(each, kind=LEVEL_MEANS) if each.name == "city" else each for each in plan.columns]
    encoder, rng = Encoder(plan).fit(frame), np.random.default_rng(6)
    q, k = len(encoder.feature_names), CLASSES[task]
    if kind == "additive":
        hinges = hinges_of(encoder.transform(frame), 4)
        coef = rng.normal(size=(max(k - (k == 2), 1), len(hinges.sources))) * (np.arange(len(hinges.sources)) % 5 > 0)
        intercept = rng.normal(size=len(coef)) if k else 0.3
        return TableModel(plan, encoder, LinearPredictor(coef if k else coef[0], intercept, hinges))
    if kind == "linear":
        shape = (q,) if k == 0 else (1 if k == 2 else k, q)
        intercept = rng.normal(size=shape[:-1]) if k else 0.3
        return TableModel(plan, encoder, LinearPredictor(rng.normal(size=shape), intercept))
    if kind == "cocktail":
        embedding = Embedding.of(encoder.transform(frame), CocktailOptions(terms=80))
        sizes = len(embedding.scale), 5, 5, max(k, 1)
        layers = [(rng.normal(size=(3, a, b)), rng.normal(size=(3, b))) for a, b in pairwise(sizes)]
        return TableModel(
            plan, encoder, mean_of_networks(layers, np.array([0.2, 0.2, 0.6]), embedding, (0.0, 1.0), bool(k))
        )
    limits = np.array([np.full(q, -0.6), np.full(q, 0.8)])
    weights = [rng.normal(size=(5, q)), rng.normal(size=(max(k, 1), 5))]
    return TableModel(
        plan,
        encoder,
        NetworkPredictor(weights, [rng.normal(size=5), rng.normal(size=max(k, 1))], bool(k), limits=limits),
    )
