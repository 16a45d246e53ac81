"""The parts of the report besides the scores: stress, half-samples, residuals or calibration, checks."""

from __future__ import annotations

import numpy as np

from shrinkwise.compare.candidates.linear import GROUP_LASSO, LASSO
from shrinkwise.compare.candidates.registry import CANDIDATES
from shrinkwise.compare.metrics import score_name
from shrinkwise.compare.result import Comparison, Row
from shrinkwise.compare.splits.stress import NOISES, SHARES
from shrinkwise.report.exhibits import (
    Calibration,
    CalibrationBin,
    Check,
    Halves,
    ResidualBin,
    Residuals,
    SelectedInput,
    Stress,
    StressCurve,
    StressCurves,
    TestedClaim,
    Turn,
    WorstRow,
)

from .sentence import Sentence
from .words import label, said

_BINS = 10
_POINTS = 300
_SHOWN_PAIRS = 12
_DAMAGE = 3  # the step of NOISES and SHARES at which the claim is tested: one standard deviation, half of the values


# --- stress


def stress_page(comparison: Comparison) -> Stress | None:
    """Mean held-out score of every candidate at each step, and whether the claim about L1 and dropout held here."""
    if not all(fold.stress for row in comparison.rows for fold in row.at(comparison.choice).folds):
        return None
    return Stress(
        noise=StressCurves(list(NOISES), _curves(comparison, "noise")),
        missing=StressCurves(list(SHARES), _curves(comparison, "missing")),
        findings=[_claim(comparison, *claim) for claim in _CLAIMS],
    )


def _curves(comparison: Comparison, kind: str) -> list[StressCurve]:
    return [
        StressCurve(
            name=row.candidate.name,
            regularizer=row.candidate.regularizer,
            kept=row is comparison.chosen,
            scores=_stress(comparison, row, kind).mean(axis=0).tolist(),
        )
        for row in comparison.rows
    ]


def _stress(comparison: Comparison, row: Row, kind: str) -> np.ndarray:
    """Scores (folds, steps)."""
    return np.array([(fold.stress or {})[kind] for fold in row.at(comparison.choice).folds])


_CLAIMS = (
    ("L1", "noise", "noise of one standard deviation on every number"),
    ("Dropout", "missing", "half of all values missing"),
)


def _bearers(kind: str) -> tuple[str, list[str]]:
    """(the candidate whose regularizer is said to be robust to this disturbance, the others of its family without zeros
    and without dropout)."""
    bearer = next(each for each in CANDIDATES if each.bears == kind)
    family = [each for each in CANDIDATES if each.family == bearer.family and each is not bearer]
    return bearer.name, [each.name for each in family if not (each.makes_zeros or each.drops_units)]


def _claim(comparison: Comparison, what: str, kind: str, when: str) -> TestedClaim:
    """Whether a candidate loses less than its rivals under stress, fold by fold."""
    candidate, rivals = _bearers(kind)
    rows = {row.candidate.name: row for row in comparison.rows}
    claim = f"“{what} is robust to {'noise' if kind == 'noise' else 'missing information'}”"
    present = [name for name in rivals if name in rows]
    if candidate not in rows or not present:
        return TestedClaim(claim, f"{claim}: not tested, because {candidate} or its baselines were not compared.")

    def lost(name: str) -> np.ndarray:
        scores = _stress(comparison, rows[name], kind)
        return scores[:, _DAMAGE] - scores[:, 0]

    own, parts, held = lost(candidate), [], []
    for name in present:
        mean, low, high = comparison.fold_interval(own - lost(name))
        held.append(1 if high < 0 else -1 if low > 0 else 0)
        verb = {1: "detectably more", -1: "detectably less", 0: "no detectable difference"}[held[-1]]
        parts.append(
            f"{label(rows[name].candidate)} loses {said(lost(name).mean())}, {verb} (difference {said(mean)}, "
            f"95 % interval {said(low)} to {said(high)})"
        )
    verdict = (
        "held on this table"
        if min(held) == 1
        else "held in part on this table"
        if max(held) == 1
        else "did not hold on this table"
        if min(held) == -1
        else "is neither confirmed nor refuted on this table"
    )
    return TestedClaim(
        claim,
        f"{claim} {verdict}. With {when}, {label(rows[candidate].candidate)} loses {said(own.mean())} in "
        f"{score_name(comparison.plan.task)}; {'; '.join(parts)}.",
    )


# --- half-samples


def halves_page(comparison: Comparison) -> Halves | None:
    """How often each input is selected on half-samples, and which inputs replace each other."""
    halves = comparison.stable
    if halves is None or not halves.selected.size:
        return None
    names = [column.name for column in comparison.plan.kept]
    partners: dict[int, list[str]] = {}
    for a, b, _ in halves.turns:
        partners.setdefault(a, []).append(names[b])
        partners.setdefault(b, []).append(names[a])
    order = np.argsort(-halves.frequencies, kind="stable")
    return Halves(
        lam=halves.lam,
        n_halves=len(halves.selected),
        threshold=halves.threshold,
        inputs=[
            SelectedInput(names[i], float(halves.frequencies[i]), partners.get(int(i), [])) for i in order.tolist()
        ],
        turns=[Turn(names[a], names[b], one) for a, b, one in halves.turns[:_SHOWN_PAIRS]],
        n_turns=len(halves.turns),
        by=(GROUP_LASSO if halves.by_group else LASSO).name,
    )


# --- residuals and calibration


def residuals(comparison: Comparison) -> Residuals:
    """Truth minus prediction of held-out rows: points to draw, and means over tenths of the predictions."""
    truth, predicted, rows = comparison.held_out()
    errors = truth - predicted
    shown = np.sort(np.random.default_rng(comparison.options.seed).permutation(len(errors))[:_POINTS])
    bins = []
    for part in np.array_split(np.argsort(predicted, kind="stable"), min(_BINS, len(errors))):
        p, e = predicted[part], errors[part]
        mean, spread = float(e.mean()), float(e.std())
        bins.append(ResidualBin(float(p.min()), float(p.max()), len(part), mean, spread))
    worst = np.argsort(-np.abs(errors), kind="stable")[:5]
    return Residuals(
        points=[[float(predicted[i]), float(errors[i])] for i in shown],
        n_rows=len(errors),
        bins=bins,
        worst=[WorstRow(int(rows[i]), float(truth[i]), float(predicted[i])) for i in worst.tolist()],
    )


def calibration(comparison: Comparison) -> Calibration:
    """For held-out rows with a predicted probability in each tenth, the observed frequency.

    With two classes the probability of the second class, with more that of the predicted class.
    """
    truth, chances, _ = comparison.held_out()
    classes = comparison.plan.classes or []
    if len(classes) == 2:
        chance, came_true, of = chances[:, 1], truth == 1, f"{comparison.plan.target} = {classes[1]}"
    else:
        chance, came_true, of = chances.max(axis=1), chances.argmax(axis=1) == truth, "the predicted class"
    place = np.minimum((chance * _BINS).astype(int), _BINS - 1)
    bins = []
    for k in np.unique(place).tolist():
        inside = place == k
        n, hits = int(inside.sum()), int(came_true[inside].sum())
        low, high = _wilson(hits, n)
        bins.append(CalibrationBin(float(chance[inside].mean()), hits / n, low, high, n))
    outside = sum(not each.low <= each.predicted <= each.high for each in bins)
    return Calibration(of, bins, outside, len(truth))


def _wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    middle = (hits + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * float(np.sqrt(hits * (n - hits) / n + z * z / 4))
    return max(0.0, middle - half), min(1.0, middle + half)


# --- checks


def checks(comparison: Comparison) -> list[Check]:
    """Questions to check for every result, with their answers for this table and run."""
    return [Check(each.name, answer) for each in CHECKS if (answer := each.says(comparison))]


def _leaks(comparison: Comparison) -> str:
    names = [column.name for column in comparison.plan.columns if getattr(column, "leaks", False)]
    if names:
        return f"Possibly; dropped for this reason: {', '.join(names)}. Check how these columns are recorded."
    return (
        f"None of the {len(comparison.plan.kept)} inputs alone predicts the target of held-out rows almost without error. "
        "A column that is filled in after the outcome can leak less visibly; check when each value becomes known."
    )


def _alone(comparison: Comparison) -> str:
    """A warning if the kept model uses only one of several inputs, as with a leak that is not quite without error."""
    if not (name := comparison.only_input):
        return ""
    return (
        f"Yes: of {len(comparison.plan.kept)} inputs the kept model uses only {name}. Check that its value is known at "
        "prediction time, and how well the others predict without it (--drop)."
    )


def _gaps(comparison: Comparison) -> str:
    gaps = [column for column in comparison.plan.kept if column.n_missing]
    if not gaps:
        return "No input has a missing value; only the stress curves show how the model copes with missing values."
    most = max(gaps, key=lambda column: column.n_missing)
    known = "all rows that are compared" if comparison.splits.common_encoding else "the training rows of each fold"
    return (
        f"{len(gaps)} of {len(comparison.plan.kept)} inputs have missing values, most of all {most.name} "
        f"({most.n_missing / comparison.plan.n_rows:.0%} of the rows). They are imputed from {known}, "
        "and an indicator of missingness is added."
    )


def _beyond_guessing(comparison: Comparison) -> str:
    mean, low, high = comparison.difference(comparison.kept, comparison.constant).interval()
    sure = "Yes" if high < 0 else "Not detectably" if low <= 0 else "No"
    return (
        f"{sure}: {score_name(comparison.plan.task)} {said(comparison.kept.score)} versus "
        f"{said(comparison.constant.score)} (difference {said(mean)}, 95 % interval {said(low)} to {said(high)})."
    )


def _agreement(comparison: Comparison) -> str:
    scores = comparison.kept.scores
    return (
        f"The score of the kept model ranges from {said(scores.min())} to {said(scores.max())} over {len(scores)} folds. If "
        "one fold is far from the others, inspect its rows in predictions.csv."
    )


def _exam(comparison: Comparison) -> str:
    if (fresh := comparison.fresh) is None:
        return ""
    return (
        f"On {fresh.n_rows} rows the kept model has {'an' if comparison.plan.classes is None else 'a'} "
        f"{score_name(comparison.plan.task)} of "
        f"{said(fresh.score)} (95 % interval {said(fresh.low)} to {said(fresh.high)}); on the held-out folds it has "
        f"{said(comparison.kept.score)}."
    )


def _left_out(comparison: Comparison) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in comparison.left_out.items())


def _enough(comparison: Comparison) -> str:
    rows, inputs = comparison.plan.n_rows, len(comparison.plan.kept)
    ratio = f"{rows / inputs:.1f}" if rows < 10 * inputs else f"about {rows / inputs:,.0f}"
    fewer = "fewer rows than inputs" if rows < inputs else f"{ratio} rows per input"
    counted = f"{rows:,} rows, {inputs:,} input{'s' * (inputs != 1)}"
    return f"{counted}: {fewer}. The width of the intervals in the comparison shows whether that is enough."


CHECKS = (
    Sentence("Does one column leak the target?", "always", _leaks),
    Sentence(
        "Does the model rely on a single input?",
        "the kept model uses one input of three or more",
        _alone,
    ),
    Sentence("Are values missing?", "always", _gaps),
    Sentence("Is the kept model better than a constant prediction?", "always", _beyond_guessing),
    Sentence("Do the folds agree?", "always", _agreement),
    Sentence("Were there enough rows?", "always", _enough),
    Sentence("How does it score on the test table?", "a test table was given", _exam),
    Sentence("Which candidates were skipped?", "a candidate has no score", _left_out),
)
