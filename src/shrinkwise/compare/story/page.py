"""A comparison as the page that the report, the terminal and `--json` show."""

from __future__ import annotations

from typing import Any

import numpy as np

from shrinkwise.compare.candidates.base import Curve
from shrinkwise.compare.metrics import COUNTS, REGRESSION, score_name
from shrinkwise.compare.result import Comparison, Row, Scored
from shrinkwise.models.coefficients import coefficients
from shrinkwise.models.formula import written_notes, written_out
from shrinkwise.report.exhibits import NetworkPicture, Written
from shrinkwise.report.schema import (
    CandidateRow,
    Choice,
    Coefficient,
    Column,
    Interval,
    Kept,
    LeftOut,
    Page,
    PathPage,
    Score,
    TablePage,
)
from shrinkwise.selection import Difference
from shrinkwise.tables import TablePlan

from .coverage import coverage_page
from .exhibits import calibration, checks, halves_page, residuals, stress_page
from .explanation import explanation
from .shapes import shapes_page
from .verdict import verdict
from .words import said

_SCALES = {
    REGRESSION: "s the standard deviation of {}",
    COUNTS: "m the mean of {}, of rates where there are exposures",
}


def plan_page(plan: TablePlan) -> TablePage:
    """The page before the work starts: the table, its columns, the task."""
    return TablePage(**_table(plan))


def _table(plan: TablePlan) -> dict[str, Any]:
    """The fields of a TablePage."""
    return {
        "title": plan.name,
        "subtitle": f"Does regularization help to predict {plan.target}?",
        "task": plan.task,
        "target": plan.target,
        "n_rows": plan.n_rows,
        "n_inputs": len(plan.kept),
        "columns": [Column(column.name, column.kind, column.reason) for column in plan.columns],
        "notes": list(plan.notes),
    }


def comparison_page(comparison: Comparison, *, command: str, version: str) -> Page:
    """The page of a comparison; `command` and `version` appear in its last section."""
    sentences, model = verdict(comparison), comparison.model
    classes = comparison.plan.classes is not None
    return Page(
        **_table(comparison.plan),
        version=version,
        seed=comparison.options.seed,
        command=command,
        verdict=sentences,
        plain=[*sentences, *explanation(comparison)],
        score=Score(score_name(comparison.plan.task), explain=_explain_score(comparison)),
        candidates=[_candidate(comparison, row) for row in comparison.rows],
        one_se_label=comparison.options.one_se_label,
        kept=Kept(strength(comparison.fit.settings), comparison.kept_usage.inputs, len(comparison.plan.kept)),
        path=None if comparison.curve is None else _path(comparison, comparison.curve),
        network=_network(comparison),
        stress=stress_page(comparison),
        halves=halves_page(comparison),
        shapes=shapes_page(comparison),
        residuals=None if classes else residuals(comparison),
        calibration=calibration(comparison) if classes else None,
        coverage=coverage_page(comparison),
        checks=checks(comparison),
        written=Written(written_out(model), written_notes(model)),
        coefficients=[_coefficient(**row) for row in coefficients(model)],
        formula=formula(comparison),
        fresh=comparison.fresh,
        left_out=[LeftOut(name, reason) for name, reason in comparison.left_out.items()],
        reproduce=[command, f"shrinkwise {version}, seed {comparison.options.seed}"],
    )


def _coefficient(feature: str, coefficient: float, unit_note: str, **of: str) -> Coefficient:
    return Coefficient(feature, coefficient, unit_note, of.get("class", ""))


def strength(settings: dict) -> str:
    """Settings in a table's cell: "λ = 0.012", "λ = 0.012, 90% L1" (l1_ratio 0.9), "keep = 0.7 (inputs too)", "" for none."""
    shown = ("λ", "keep", "keep of inputs", "decay", "sharp bins", "λ of inputs")
    parts = [f"{name} = {settings[name]:.2g}" for name in shown if name in settings]
    if "l1_ratio" in settings:
        parts.append(f"{settings['l1_ratio']:.0%} L1")
    more = [settings["on"]] if settings.get("on") == "whole inputs" else []
    more += ["inputs too"] if settings.get("of") == "inputs too" else []
    more += [f"mean of {settings['mean of']}"] if "mean of" in settings else []
    return ", ".join(parts) + (f" ({'; '.join(more)})" if more else "")


def formula(comparison: Comparison) -> str:
    """The objective the kept model minimises, with its settings."""
    chosen, task = comparison.chosen.candidate, comparison.plan.task
    name = f"log {comparison.plan.target}" if comparison.plan.log_target else comparison.plan.target
    if task == COUNTS:
        loss = f"1/n Σᵢ (exp(ŷᵢ) − {name}ᵢ ŷᵢ) / m"
    elif comparison.plan.classes is not None:
        loss = f"1/n Σᵢ −log p({comparison.plan.target}ᵢ)"
    elif chosen.family in ("linear", "additive"):
        loss = f"1/(2n) Σᵢ ({name}ᵢ − ŷᵢ)² / s²"
    else:
        loss = f"1/n Σᵢ ({name}ᵢ − ŷᵢ)² / s²"
    names = {"l1_ratio": "ρ = l1_ratio"}
    numbers = {key: value for key, value in comparison.fit.settings.items() if not isinstance(value, str)}
    settings = ", ".join(f"{names.get(key, key)} = {_digits(value)}" for key, value in numbers.items())
    objective = chosen.formula.replace("mean loss", loss)
    settings += f" on {comparison.fit.settings['on']}" if "on" in comparison.fit.settings else ""
    if "mean of" in comparison.fit.settings:
        settings += f" (the largest share of a mean of {comparison.fit.settings['mean of']})"
    settings = ", ".join(filter(None, [settings, _SCALES.get(task, "").format(name)]))
    return objective + (f"     with {settings}" if settings else "")


def _digits(value: float) -> str:
    """A setting with three significant digits; a whole number, such as that of the steps, with all of them."""
    return f"{value}" if isinstance(value, int) else f"{value:.3g}"


def _explain_score(comparison: Comparison) -> str:
    folds = len(comparison.splits)
    parts = "later periods" if comparison.plan.splits_by == "time" else "held-out folds"
    mean_of = f"mean over {folds} {parts} ± its standard error. Lower is better"
    if comparison.plan.task == REGRESSION:
        what = f"RMSE, the root-mean-square error in the units of {comparison.plan.target}"
        guess = "always predicting the mean"
    elif comparison.plan.task == COUNTS:
        per = ", per unit of exposure" if comparison.plan.exposure else ""
        what = f"Deviance of counts{per}, 2 (y log(y/ŷ) − y + ŷ)"
        guess = "always predicting the mean"
    else:
        what = "Log loss, −log of the predicted probability of the true class"
        guess = "always predicting the class frequencies"
    return (
        f"{what}: {mean_of}; {guess} scores {said(comparison.constant.score)}. λ, keep, inputs and "
        "zeros are medians over the folds, other settings the most frequent ones (“90% L1” is an l1_ratio of 0.9); for the "
        f"kept model they are selected again on all rows: {_refitted(comparison)}."
    )


def _refitted(comparison: Comparison) -> str:
    settings, used = strength(comparison.fit.settings), comparison.kept_usage.inputs
    inputs = f"{used} of {len(comparison.plan.kept)} inputs"
    return f"{settings}, {inputs}" if settings else inputs


def _candidate(comparison: Comparison, row: Row) -> CandidateRow:
    kept = comparison.kept if row is comparison.chosen else None
    return CandidateRow(
        name=row.candidate.name,
        family=row.candidate.family,
        regularizer=row.candidate.regularizer,
        best=_choice(row.best, row.differences.get("best"), kept),
        one_se=None if row.one_se is None else _choice(row.one_se, row.differences.get("one_se"), kept),
        note=row.note,
        seconds=row.seconds,
    )


def _choice(scored: Scored, difference: Difference | None, kept: Scored | None) -> Choice:
    used = scored.usage
    return Choice(
        score=scored.score,
        se=scored.se,
        kept=scored is kept,
        strength=strength(scored.settings),
        inputs=used.inputs if used else None,
        zeros=used.zeros if used else None,
        weights=used.weights if used else None,
        difference=None if difference is None else Interval(*difference.interval()),
        seed_sd=scored.seed_sd,
        accuracy=scored.accuracy,
        balanced_accuracy=scored.balanced,
    )


def _path(comparison: Comparison, curve: Curve) -> PathPage:
    encoder, plan = comparison.model.encoder, comparison.plan
    coefs, label = curve.coefs, curve.label or "coefficient per standard deviation of the input"
    if coefs.ndim == 3:  # several classes: one line per input, its size over the classes
        coefs = np.linalg.norm(coefs, axis=1)
        label = curve.label or "size of the coefficients over the classes (Euclidean norm)"
    kept = [sorted({encoder.inputs[j] for j in np.flatnonzero(row)}) for row in coefs]
    names = [column.name for column in plan.kept]
    return PathPage(
        name=comparison.path_of,
        lambdas=curve.lambdas.tolist(),
        features=list(encoder.feature_names),
        coefs=coefs.tolist(),
        inputs_kept=[[names[i] for i in row] for row in kept],
        n_inputs=len(names),
        index_best=curve.index_best,
        index_one_se=curve.index_one_se,
        index_kept=curve.index(comparison.choice),
        cv_mean=curve.cv_mean.tolist(),
        cv_se=curve.cv_se.tolist(),
        cv_label=f"RMSE of log {plan.target}" if plan.log_target else score_name(plan.task),
        coef_label=label,
    )


def _network(comparison: Comparison) -> NetworkPicture | None:
    """One draw of dropout in the network of the dropout candidate, at its selected keep."""
    network = comparison.options.network
    dropping = (row for row in comparison.rows if row.candidate.drops_units and "of" in row.best.settings)
    row = next(dropping, None)
    if network is None or row is None:
        return None
    settings = comparison.fit.settings if row is comparison.chosen else row.at(comparison.choice).settings
    keep, plan = settings["keep"], comparison.plan
    names, outputs = list(comparison.model.encoder.feature_names), plan.classes or [plan.target]
    drops_inputs = settings["of"] == "inputs too"
    seed = comparison.options.seed
    return NetworkPicture(
        layers=[names, network.hidden, list(outputs)],
        keep=keep,
        silenced=[
            _draw(len(names), keep, seed, stream=0) if drops_inputs else [False] * len(names),
            _draw(network.hidden, keep, seed, stream=1),
            [False] * len(outputs),
        ],
        caption=f"Dropout acts on the {'inputs and the ' * drops_inputs}hidden units, keep = {keep:.2g}; "
        f"random starts averaged in the model: {network.seeds}.",
    )


def _draw(n_units: int, keep: float, seed: int, stream: int) -> list[bool]:
    import torch

    from shrinkwise.dropout.functional import dropout

    return (dropout(torch.ones(n_units), keep=keep, training=True, seed=seed, stream=stream) == 0).tolist()
