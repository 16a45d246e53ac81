"""The verdict in plain sentences: what the comparison shows, how sure it is, and what it does not show."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from shrinkwise.compare.candidates import Candidate
from shrinkwise.compare.comparison import Comparison, Row, kept_usage
from shrinkwise.compare.options import NO_TORCH
from shrinkwise.compare.scores import score_name

Interval = tuple[float, float, float]
_NOUNS = {"linear": "linear models", "network": "networks"}


def verdict(comparison: Comparison) -> list[str]:
    """Up to three sentences, the finding first. A difference counts when its 95 % interval leaves out zero.

    The family of the kept model always has a sentence; the other one when regularization detectably helps or hurts it;
    the trees when they are detectably better; and a guess when no model detectably beats it.
    """
    own = _finding(comparison, comparison.chosen.candidate.family)
    others = [_finding(comparison, family) for family in _families(comparison) if family != own.family]
    found = sorted([own, *(o for o in others if o.detectable)], key=lambda finding: not finding.detectable)
    sentences = [finding.sentence for finding in found]
    if not any(_beats_a_guess(comparison, row) for row in comparison.rows):
        sentences.insert(
            0,
            f"No model detectably beats guessing without looking at any input: the kept one has a {_score(comparison)} of "
            f"{said(comparison.kept.score)}, a guess {said(comparison.guess_scores.mean())}.",
        )
    trees = comparison.baseline("reference")
    against_trees = comparison.interval(comparison.kept.scores - trees.best.scores)
    if against_trees[1] > 0:
        sentences.append(
            f"Gradient-boosted trees, the outside reference, do better still: {said(trees.best.score)} against "
            f"{said(comparison.kept.score)} ({_interval(against_trees)})."
        )
    return sentences


def explanation(comparison: Comparison) -> list[str]:
    """The plain-English page after the verdict: what was compared, what the other family did, how sure this is."""
    n_models = sum(row.candidate.family != "reference" for row in comparison.rows)
    folds = comparison.options.folds
    sentences = [
        f"{n_models} models were compared on {comparison.plan.n_rows} rows, each scored on rows it had not seen: the rows "
        f"were dealt into {folds} parts, every part was held out once, and all that is fitted or chosen (the encoding of "
        "the inputs, λ, keep) came from the other parts alone.",
        *_other_families(comparison),
        _about_trees(comparison),
        f"Intervals are 95 % and allow for the overlap of the training parts; the lowest of {n_models} scores was picked "
        "on the same held-out rows, so the kept model's own score is slightly flattering.",
        *_separable(comparison),
        "A score says how well rows like these are predicted, not what would happen if somebody changed an input.",
    ]
    if find_spec("torch") is None:
        sentences.insert(1, NO_TORCH)
    return [sentence for sentence in sentences if sentence]


def label(candidate: Candidate) -> str:
    """How a candidate is called in a sentence: "L1 (lasso)", "dropout in the network"."""
    if not candidate.regularizer:
        return "no penalty" if candidate.family == "linear" else "the network without regularization"
    if candidate.family == "network":
        return f"{candidate.regularizer} in the network"
    return f"{candidate.regularizer} ({candidate.name})"


def said(value: float) -> str:
    """A number for a sentence: three significant digits, a true minus sign."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−")


def _interval(interval: Interval) -> str:
    mean, low, high = map(said, interval)
    return f"difference {mean}, 95 % interval {low} to {high}"


@dataclass(frozen=True)
class _Finding:
    family: str
    detectable: bool
    sentence: str


def _finding(comparison: Comparison, family: str) -> _Finding:
    """What regularization does to one family: its kept model, or else its regularized model with the lowest score."""
    choice, score = comparison.options.choice, _score(comparison)
    base = comparison.baseline(family)
    rivals = [row for row in comparison.rows if row.candidate.family == family and row.differences]
    best = min(rivals, key=lambda row: row.at(choice).score)
    kept = comparison.chosen in (best, base)
    mean, low, high = best.differences[choice]
    name, value, without = label(best.candidate), said(best.at(choice).score), said(base.best.score)
    tail = f" ({_interval((mean, low, high))}){_kept(comparison, best)}."
    if comparison.chosen is base:
        verb = "makes it worse" if low > 0 else "makes no detectable difference"
        sentence = (
            f"{label(base.candidate)} has the lowest held-out {score}, {without}, and is the model kept; regularization "
            f"{verb}: {name}, the nearest, has {value}{tail}"
        )
    elif low > 0 or high < 0:
        verb = "lowers" if high < 0 else "raises"
        sentence = f"{name} {verb} the held-out {score} from {without} ({label(base.candidate)}) to {value}{tail}"
    else:
        what = "has the lowest held-out" if kept else "comes nearest, with a"
        sentence = (
            f"Among the {_NOUNS[family]} regularization makes no detectable difference: {name} {what} {score}, {value}, "
            f"against {without} without{tail}"
        )
    return _Finding(family, low > 0 or high < 0, sentence[0].upper() + sentence[1:])


def _kept(comparison: Comparison, row: Row) -> str:
    """That a row is the model kept, with the inputs it uses where those are not all."""
    if row is not comparison.chosen:
        return ""
    used, n_inputs = kept_usage(comparison).inputs, len(comparison.plan.kept)
    return "; it is the model kept" + (f" and uses {used} of {n_inputs} inputs" if used < n_inputs else "")


def _families(comparison: Comparison) -> list[str]:
    return [family for family in _NOUNS if any(row.candidate.family == family for row in comparison.rows)]


def _score(comparison: Comparison) -> str:
    return score_name(comparison.plan.task)


def _beats_a_guess(comparison: Comparison, row: Row) -> bool:
    scores = row.at(comparison.options.choice).scores
    return comparison.interval(scores - comparison.guess_scores)[2] < 0


def _other_families(comparison: Comparison) -> list[str]:
    """What is to be said of the family the kept model is not of, unless the verdict has said it."""
    others = [_finding(comparison, f) for f in _families(comparison) if f != comparison.chosen.candidate.family]
    return [finding.sentence for finding in others if not finding.detectable]


def _about_trees(comparison: Comparison) -> str:
    trees = comparison.baseline("reference").best
    difference = comparison.interval(comparison.kept.scores - trees.scores)
    if difference[1] > 0:  # the verdict has said so
        return ""
    how = "detectably worse" if difference[2] < 0 else "with no detectable difference"
    return (
        f"Gradient-boosted trees, the outside reference, score {said(trees.score)}, {how} to the kept model "
        f"({_interval(difference)})."
    )


def _separable(comparison: Comparison) -> list[str]:
    note = comparison.baseline("linear").note
    if "no finite optimum" not in note:
        return []
    return [
        "The inputs can separate the classes of the training rows without error, so a linear model without penalty has "
        "no finite optimum: its weights would grow for ever, and a tiny ridge stops them."
    ]
