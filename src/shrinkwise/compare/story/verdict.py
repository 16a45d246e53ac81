"""The verdict in plain sentences: what the comparison shows, and how sure it is.

A difference counts when its 95 % interval leaves out zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from shrinkwise.compare.result import Comparison, Row

from .sentence import Sentence, said_of
from .words import a_score, in_interval, label, n_inputs_said, said, score_said

_EXACT = 1e-9  # of the score of a constant prediction: hardly more than the rounding of double precision
_NOUNS = {"linear": "linear models", "additive": "additive models", "network": "networks"}


def verdict(comparison: Comparison) -> list[str]:
    """What `VERDICT` says of a comparison, the finding first."""
    return said_of(comparison, VERDICT)


@dataclass(frozen=True)
class _Finding:
    family: str
    detectable: bool
    sentence: str


def _finding(comparison: Comparison, family: str) -> _Finding:
    """What regularization does to one family: its kept model, or else its regularized model with the lowest score."""
    choice, score = comparison.choice, score_said(comparison)
    base = comparison.baseline(family)
    rivals = [row for row in comparison.rows if row.candidate.family == family and row.candidate.regularizer]
    if not rivals:
        return _Finding(family, False, _unregularized(comparison, family))
    best = comparison.chosen if comparison.chosen in rivals else min(rivals, key=lambda row: row.best.score)
    if base is None:
        return _Finding(family, False, _without_baseline(comparison, family, best))
    if comparison.chosen is base:
        return _without(comparison, family, base, best)
    mean, low, high = best.difference(choice).interval()
    name, value, without = label(best.candidate), said(best.at(choice).score), said(base.best.score)
    interval = f" ({in_interval((mean, low, high))})"
    if low > 0 or high < 0:
        verb = "lowers" if high < 0 else "raises"
        sentence = f"{name} {verb} the held-out {score} from {without} ({label(base.candidate)}) to {value}{interval}"
        sentence += f"{_kept(comparison, best, 'it')}."
    else:
        sentence = (
            f"for {_NOUNS[family]}, regularization makes no detectable difference: the held-out {score} is {value} with {name} "
            f"and {without} without{interval}{_kept(comparison, best, name)}."
        )
    return _Finding(family, low > 0 or high < 0, sentence)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _without(comparison: Comparison, family: str, base: Row, nearest: Row) -> _Finding:
    """The finding where the model without regularization is kept; `nearest` is the next best, at its best setting."""
    interval, score, value = nearest.difference("best").interval(), score_said(comparison), said(base.best.score)
    effect = "raises it" if interval[1] > 0 else "lowers it" if interval[2] < 0 else "makes no detectable difference"
    others = [each for each in comparison.rows if each.candidate.family != "reference"]
    lowest = all(base.best.score <= other.best.score for other in others)
    has = f"has the lowest held-out {score}, {value}," if lowest else f"has a held-out {score} of {value}"
    sentence = (
        f"{label(base.candidate)} {has} and is kept; regularization {effect}: {label(nearest.candidate)} scores "
        f"{said(nearest.best.score)} at its best setting ({in_interval(interval)})."
    )
    return _Finding(family, interval[1] > 0 or interval[2] < 0, sentence)


def _kept(comparison: Comparison, row: Row, subject: str) -> str:
    """The clause that a row is kept and why, with the inputs it uses where those are not all."""
    if row is not comparison.chosen:
        return ""
    used, n_inputs = comparison.kept_usage.inputs, len(comparison.plan.kept)
    uses = f" (it uses {used} of {n_inputs} inputs)" if 0 < used < n_inputs else ""
    options = comparison.options
    among = f" of the models of at most {n_inputs_said(options.max_features)}" if options.max_features else ""
    if options.within is not None:
        share = f"{100 * options.within:.3g} % of the lowest score{among}"
        return f"; {subject} is kept because it uses the fewest inputs within {share}{uses}"
    if among:
        return f"; {subject} is kept because it scores lowest{among}{uses}"
    others = [each for each in comparison.rows if each.candidate.family != "reference"]
    lowest = all(row.best.score <= other.best.score for other in others)
    if not lowest:
        return f"; {subject} is kept{uses}"
    if row.best.score < row.at(comparison.choice).score:
        return (
            f"; {subject} scores lowest of the candidates at its best setting ({said(row.best.score)}) and is kept at its "
            f"{options.one_se_label} setting{uses}"
        )
    return f"; {subject} scores lowest of the candidates and is kept{uses}"


def _without_baseline(comparison: Comparison, family: str, best: Row) -> str:
    """The sentence of a family whose model without regularization has no score: it was not finished in time."""
    name, value = label(best.candidate), said(best.at(comparison.choice).score)
    return (
        f"for {_NOUNS[family]}, the effect of regularization is unknown, because the model without it has no score: the "
        f"held-out {score_said(comparison)} is {value} with {name}{_kept(comparison, best, name)}."
    )


def _unregularized(comparison: Comparison, family: str) -> str:
    """The sentence of a family of which no regularized model was compared: left out, or not finished in time."""
    base = comparison.baseline(family)
    scored = (
        ""
        if base is None
        else f"; without regularization the held-out {score_said(comparison)} is {said(base.best.score)}"
    )
    return f"no regularized model of the {_NOUNS[family]} was compared{scored}."


def _alone(comparison: Comparison) -> str:
    """That one input is all the kept model uses of several, as a leak would be."""
    name = "" if comparison.options.max_features == 1 else comparison.only_input
    return f"It uses only {name!r}: check that this value is known at prediction time." if name else ""


def _besides(comparison: Comparison) -> str:
    """That a difference to the baseline is not due to regularization alone."""
    chosen = comparison.chosen.candidate
    base = comparison.baseline(chosen.family)
    applies = not chosen.besides_if or chosen.besides_if in comparison.fit.settings
    if not chosen.besides or not applies or base is None:
        return ""
    return (
        f"Not all of the difference to {label(base.candidate)} is due to regularization: the {chosen.name} differs from it in "
        f"other ways too ({chosen.besides})."
    )


def _hurried(comparison: Comparison) -> str:
    """The better candidates that were passed over because the time budget ended."""
    if not comparison.passed_over:
        return ""
    names = ", ".join(comparison.passed_over)
    return f"There was no time to fit {names} on all rows, which would have been kept; allow a larger --budget."


def better_trees(comparison: Comparison) -> str:
    """That the outside reference scores lower, and whether detectably."""
    if (trees := comparison.baseline("reference")) is None or trees.best.score >= comparison.kept.score:
        return ""
    against = comparison.difference(comparison.kept, trees.best).interval()
    how = "score detectably lower" if against[1] > 0 else "score lower, but not detectably"
    return (
        f"Gradient-boosted trees, the outside reference, {how}: {said(trees.best.score)} versus "
        f"{said(comparison.kept.score)} ({in_interval(against)})."
    )


def _leaks(comparison: Comparison) -> str:
    """Which columns were left out because they alone tell the target."""
    leaks = [repr(column.name) for column in comparison.plan.columns if column.leaks]
    if not leaks:
        return ""
    many = len(leaks) > 1
    return (
        f"Possible leak: {', '.join(leaks)} {'were' if many else 'was'} dropped because {'each' if many else 'it'} alone "
        f"predicts {comparison.plan.target!r} almost without error. Use --keep-column if "
        f"{'their values are' if many else 'its value is'} known at prediction time."
    )


def _families(comparison: Comparison) -> list[str]:
    return [family for family in _NOUNS if any(row.candidate.family == family for row in comparison.rows)]


def _is_exact(comparison: Comparison) -> bool:
    """Whether the kept model predicts the held-out rows up to rounding."""
    return comparison.plan.classes is None and comparison.kept.score <= _EXACT * comparison.constant.score


def _exact(comparison: Comparison) -> str:
    """That the target follows from the inputs, so that differences are those of rounding and of the smallest λ."""
    if not _is_exact(comparison):
        return ""
    kept, constant = said(comparison.kept.score), said(comparison.constant.score)
    return (
        f"{comparison.plan.target!r} follows from the inputs up to rounding: the held-out {score_said(comparison)} is {kept} "
        f"with {label(comparison.chosen.candidate)}, which is kept, and {constant} with a constant prediction. Check that the "
        "inputs are known at prediction time; differences between such models say nothing about regularization."
    )


def _own(comparison: Comparison) -> str:
    """The finding on the family of the kept model; none where differences are those of rounding."""
    if _is_exact(comparison):
        return ""
    return _capital(_finding(comparison, comparison.chosen.candidate.family).sentence)


def other_findings(comparison: Comparison) -> list[_Finding]:
    """The findings on the families the kept model is not of."""
    return [_finding(comparison, f) for f in _families(comparison) if f != comparison.chosen.candidate.family]


def other_findings_said(comparison: Comparison, *, detectable: bool) -> str:
    """The findings on other families that are detectable, or those that are not, as one sentence; none as in `_own`."""
    if _is_exact(comparison):
        return ""
    found = [each.sentence.removesuffix(".") for each in other_findings(comparison) if each.detectable == detectable]
    return _capital(f"{'; '.join(found)}.") if found else ""


def _others(comparison: Comparison) -> str:
    """The findings on other families that are detectable."""
    return other_findings_said(comparison, detectable=True)


def _better_than_a_guess(comparison: Comparison) -> list[Row]:
    """The rows with a score detectably below that of a constant prediction, allowing for their number jointly."""
    scores = [row.at(comparison.choice) for row in comparison.rows]
    found, adjusted = comparison.differences(scores, comparison.constant)
    return [row for row, d, p in zip(comparison.rows, found, adjusted, strict=True) if d.mean < 0 and p < 0.05]


def _no_better_than_a_guess(comparison: Comparison) -> str:
    """That the kept model, or no model at all, is detectably better than a constant prediction."""
    if comparison.chosen in (better := _better_than_a_guess(comparison)):
        return ""
    who = "The kept model is not" if better else "No model is"
    return (
        f"{who} detectably better than a constant prediction ({score_said(comparison)} {said(comparison.kept.score)} versus "
        f"{said(comparison.constant.score)})."
    )


def _constant(comparison: Comparison) -> str:
    """That the kept model uses no input, and what that means."""
    if comparison.kept_usage.inputs:
        return ""
    setting = comparison.options.one_se_label if comparison.choice == "one_se" else "best"
    at = f" at its {setting} setting" if comparison.chosen.one_se is not None else ""
    model = f"{comparison.chosen.candidate.name}{at},"
    uses = f"uses none of the {len(comparison.plan.kept)} inputs and predicts the same for every row."
    if _better_than_a_guess(comparison):
        return f"The kept model, {model} {uses}"
    return f"Nothing was found that predicts {comparison.plan.target!r}: the kept model, {model} {uses}"


def _other_baseline(comparison: Comparison) -> str:
    """That the other family does as well without any penalty as the kept model does, so that it owes nothing to the penalty."""
    chosen = comparison.chosen.candidate
    own = comparison.baseline(chosen.family)
    others = [row for f in _families(comparison) if f != chosen.family and (row := comparison.baseline(f)) is not None]
    if own is None or not chosen.regularizer or not others or _is_exact(comparison):
        return ""
    best = min(others, key=lambda row: row.best.score)
    against = comparison.difference(comparison.kept, best.best).interval()
    if best.best.score >= own.best.score or against[2] < 0:
        return ""
    other = _NOUNS[best.candidate.family].removesuffix("s")
    return (
        f"The {other} without any penalty scores {said(best.best.score)}, and the kept "
        f"model is {'detectably worse' if against[1] > 0 else 'not detectably better'} ({in_interval(against)})."
    )


def _on_fresh_rows(comparison: Comparison) -> str:
    """What the kept model scores on the table it was given for that, beside what cross-validation led to expect."""
    if (fresh := comparison.fresh) is None:
        return ""
    _, low, high = comparison.fresh_interval()
    how = "as expected from" if low <= 0 <= high else "worse than" if low > 0 else "better than"
    known = f", of which {fresh.n_known} also occur in the training table," if fresh.n_known else ""
    rows = f"On {'' if known else 'the '}{fresh.n_rows} rows of the test table"
    if fresh.n_unused:
        total = fresh.n_rows + fresh.n_unused
        rows = f"On {fresh.n_rows} of the {total} rows of the test table (the others have no usable target or weight)"
    return (
        f"{rows}{known} the kept model has {a_score(comparison)} of {said(fresh.score)} (95 % interval "
        f"{said(fresh.low)} to {said(fresh.high)}), {how} the {said(comparison.kept.score)} ± {said(comparison.kept.se)} of "
        "the held-out folds."
    )


VERDICT = (
    Sentence("leak", "a column was dropped because it alone predicts the target", _leaks),
    Sentence("exact", "the held-out score of the kept model of numbers is at most 1e-9 of that of a constant", _exact),
    Sentence("constant model", "the kept model uses no input", _constant),
    Sentence(
        "no better than a constant",
        "the score of the kept model is not detectably below that of a constant prediction, all candidates allowed for",
        _no_better_than_a_guess,
    ),
    Sentence(
        "finding",
        "the target does not follow from the inputs up to rounding: lowers, raises or no detectable difference, by the "
        "interval, or unknown without a baseline",
        _own,
    ),
    Sentence(
        "besides", "the kept model differs from the baseline of its family in more than the regularizer", _besides
    ),
    Sentence("other family", "regularization makes a detectable difference in the other family", _others),
    Sentence(
        "baseline of the other family",
        "the other family scores lower without a penalty than the kept model's own family does, and the kept model is not "
        "detectably better than that",
        _other_baseline,
    ),
    Sentence("one input", "the kept model uses one input of three or more, although more were allowed", _alone),
    Sentence("no time", "a model that would have been kept was passed over because the budget was spent", _hurried),
    Sentence("trees", "the trees score lower than the kept model", better_trees),
    Sentence("fresh rows", "a test table was given", _on_fresh_rows),
)
