"""The verdict in plain sentences: what the comparison shows, how certain it is, and what it does not show."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from shrinkwise.compare.candidates.linear import GROUP_LASSO, LASSO
from shrinkwise.compare.options import NO_TORCH
from shrinkwise.compare.result import Comparison, Row
from shrinkwise.selection import holm

from .known_scores import known_scores
from .words import a_score, in_interval, label, n_inputs_said, said, score_said

_NOUNS = {"linear": "linear models", "network": "networks"}


def verdict(comparison: Comparison) -> list[str]:
    """The main finding in a few sentences. A difference is detectable if its 95 % interval excludes zero.

    A column that was dropped as a possible leak comes first, then a constant prediction that no model detectably beats.
    The family of the kept model always has a sentence; the other family if regularization detectably helps or hurts it;
    the trees if they score lower; and the test table if there is one.
    """
    own = _finding(comparison, comparison.chosen.candidate.family)
    others = [_finding(comparison, family) for family in _families(comparison) if family != own.family]
    sentences = [own.sentence, *(other.sentence for other in others if other.detectable)]
    if not any(_beats_a_guess(comparison, row) for row in comparison.rows):
        sentences.insert(
            0,
            f"No model is detectably better than a constant prediction ({score_said(comparison)} "
            f"{said(comparison.kept.score)} versus {said(comparison.guess_scores.mean())}).",
        )
    found = (
        _leaks(comparison),
        _constant(comparison),
        *sentences,
        _alone(comparison),
        _hurried(comparison),
        _better_trees(comparison),
        *_on_fresh_rows(comparison),
    )
    return [sentence for sentence in found if sentence]


def explanation(comparison: Comparison) -> list[str]:
    """The plain-English page after the verdict: what was compared, what the other family did, how sure this is."""
    n_models = sum(row.candidate.family != "reference" for row in comparison.rows)
    sentences = [
        f"{n_models} models were compared on {comparison.plan.n_rows} rows by nested cross-validation: "
        f"{_dealt(comparison)}. Everything that is fitted or selected (the encoding of the inputs, λ, keep) uses "
        "the training rows alone.",
        known_scores(comparison),
        *_other_families(comparison),
        _at_best(comparison),
        _about_trees(comparison),
        "Intervals are 95 % and account for the overlap of the training folds. The kept model was selected as the best of "
        f"{n_models} on the same held-out rows, so its score is slightly optimistic.",
        _multiplicity(comparison),
        _asked_for(comparison),
        _stable(comparison),
        _starts(comparison),
        *(f"{name[0].upper()}{name[1:]} was skipped: {reason}." for name, reason in comparison.left_out.items()),
        *_separable(comparison),
        "The score measures predictions for similar rows; it does not show what happens when an input is changed.",
    ]
    if find_spec("torch") is None:
        sentences.insert(1, NO_TORCH)
    return [sentence for sentence in sentences if sentence]


@dataclass(frozen=True)
class _Finding:
    family: str
    detectable: bool
    sentence: str


def _finding(comparison: Comparison, family: str) -> _Finding:
    """What regularization does to one family: its kept model, or else its regularized model with the lowest score."""
    choice, score = comparison.choice, score_said(comparison)
    base = comparison.baseline(family)
    rivals = [row for row in comparison.rows if row.candidate.family == family and row.differences]
    if base is None or not rivals:
        return _Finding(family, False, _unregularized(comparison, family))
    best = comparison.chosen if comparison.chosen in rivals else min(rivals, key=lambda row: row.best.score)
    if comparison.chosen is base:
        return _without(comparison, family, base, best)
    mean, low, high = best.differences[choice]
    name, value, without = label(best.candidate), said(best.at(choice).score), said(base.best.score)
    interval = f" ({in_interval((mean, low, high))})."
    if low > 0 or high < 0:
        verb = "lowers" if high < 0 else "raises"
        sentence = f"{name} {verb} the held-out {score} from {without} ({label(base.candidate)}) to {value}{interval}"
        sentence += _kept(comparison, best, "It")
    else:
        sentence = (
            f"For {_NOUNS[family]}, regularization makes no detectable difference: the held-out {score} is {value} with {name} "
            f"and {without} without{interval}{_kept(comparison, best, _capital(name))}"
        )
    return _Finding(family, low > 0 or high < 0, _capital(sentence))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _without(comparison: Comparison, family: str, base: Row, nearest: Row) -> _Finding:
    """The finding if the model without regularization is kept; `nearest` is the next best, at its best setting."""
    interval, score, value = nearest.differences["best"], score_said(comparison), said(base.best.score)
    effect = "raises it" if interval[1] > 0 else "lowers it" if interval[2] < 0 else "makes no detectable difference"
    others = [each for each in comparison.rows if each.candidate.family != "reference"]
    lowest = all(base.best.score <= other.best.score for other in others)
    has = f"has the lowest held-out {score}, {value}," if lowest else f"has a held-out {score} of {value}"
    sentence = (
        f"{label(base.candidate)} {has} and is kept. Regularization {effect}: {label(nearest.candidate)} scores "
        f"{said(nearest.best.score)} at its best setting ({in_interval(interval)})."
    )
    return _Finding(family, interval[1] > 0 or interval[2] < 0, _capital(sentence))


def _kept(comparison: Comparison, row: Row, subject: str) -> str:
    """The sentence that a row is kept and why, with the number of inputs it uses unless it uses all."""
    if row is not comparison.chosen:
        return ""
    used, n_inputs = comparison.kept_usage.inputs, len(comparison.plan.kept)
    uses = f"; it uses {used} of {n_inputs} inputs" if 0 < used < n_inputs else ""
    options = comparison.options
    among = f" of the models of at most {n_inputs_said(options.max_features)}" if options.max_features else ""
    if options.within is not None:
        share = f"{100 * options.within:.3g} % of the lowest score{among}"
        return f" {subject} is kept because it uses the fewest inputs within {share}{uses}."
    if among:
        return f" {subject} is kept because it scores lowest{among}{uses}."
    others = [each for each in comparison.rows if each.candidate.family != "reference"]
    lowest = all(row.best.score <= other.best.score for other in others)
    if not lowest:
        return f" {subject} is kept{uses}."
    if row.best.score < row.at(comparison.choice).score:
        return (
            f" {subject} scores lowest of the candidates at its best setting ({said(row.best.score)}) and is kept at its "
            f"{options.one_se_label} setting{uses}."
        )
    return f" {subject} scores lowest of the candidates and is kept{uses}."


def _unregularized(comparison: Comparison, family: str) -> str:
    """The sentence of a family without a finished regularized model."""
    base = comparison.baseline(family)
    scored = "" if base is None else f"; without it the held-out {score_said(comparison)} is {said(base.best.score)}"
    return f"No regularized model of the {_NOUNS[family]} finished in time{scored}."


def _on_fresh_rows(comparison: Comparison) -> list[str]:
    """The score of the kept model on the test table, compared with the cross-validated score."""
    if (fresh := comparison.fresh) is None:
        return []
    _, low, high = comparison.fresh_interval()
    how = "as expected from" if low <= 0 <= high else "worse than" if low > 0 else "better than"
    rows = (
        f"On {fresh.n_rows} rows of the test table, of which {fresh.n_known} also occur in the training table,"
        if fresh.n_known
        else f"On the {fresh.n_rows} rows of the test table"
    )
    return [
        f"{rows} the kept model has {a_score(comparison)} of {said(fresh.score)} (95 % interval "
        f"{said(fresh.low)} to {said(fresh.high)}), {how} the {said(comparison.kept.score)} ± {said(comparison.kept.se)} of "
        "the held-out folds."
    ]


def _constant(comparison: Comparison) -> str:
    """The sentence on a kept model that uses no input."""
    if comparison.kept_usage.inputs:
        return ""
    setting = comparison.options.one_se_label if comparison.choice == "one_se" else "best"
    return (
        f"Nothing was found that predicts {comparison.plan.target!r}: the kept model, {comparison.chosen.candidate.name} at "
        f"its {setting} setting, uses none of the {len(comparison.plan.kept)} inputs and predicts the same for every row."
    )


def _alone(comparison: Comparison) -> str:
    """The warning if the kept model uses only one of several inputs, as with a leak."""
    name = "" if comparison.options.max_features == 1 else comparison.only_input
    return f"It uses only {name!r}: check that this value is known at prediction time." if name else ""


def _hurried(comparison: Comparison) -> str:
    """The sentence on better candidates that were skipped because of the time limit."""
    if not comparison.passed_over:
        return ""
    names = ", ".join(comparison.passed_over)
    return f"There was no time to fit {names} on all rows, which would have been kept; allow a larger --budget."


def _better_trees(comparison: Comparison) -> str:
    """The sentence on an outside reference that scores lower, and whether detectably."""
    if (trees := comparison.baseline("reference")) is None or trees.best.score >= comparison.kept.score:
        return ""
    against = comparison.interval(comparison.kept.scores - trees.best.scores)
    how = "score detectably lower" if against[1] > 0 else "score lower, but not detectably"
    return (
        f"Gradient-boosted trees, the outside reference, {how}: {said(trees.best.score)} versus "
        f"{said(comparison.kept.score)} ({in_interval(against)})."
    )


def _leaks(comparison: Comparison) -> str:
    """The columns that were dropped because they alone predict the target."""
    leaks = [repr(column.name) for column in comparison.plan.columns if column.leaks]
    if not leaks:
        return ""
    many = len(leaks) > 1
    return (
        f"Possible leak: {', '.join(leaks)} {'were' if many else 'was'} dropped because {'each' if many else 'it'} alone "
        f"predicts {comparison.plan.target!r} almost without error. Use --keep-column if "
        f"{'their values are' if many else 'its value is'} known at prediction time."
    )


def _dealt(comparison: Comparison) -> str:
    """How the rows were split."""
    parts, kind = len(comparison.splits), comparison.plan.splits_by
    if kind == "time":
        return f"each of {parts} later periods was predicted by models fitted on the rows before it"
    together = "whole groups of rows" if kind == "group" else "the rows"
    return f"{together} were split into {parts} folds, each held out once"


def _at_best(comparison: Comparison) -> str:
    """The cost of the 1-SE choice, and how to get the other."""
    row, options = comparison.chosen, comparison.options
    if options.select != "1se" or row.one_se is None or row.best.score >= row.one_se.score:
        return ""
    if not row.one_se_holds:
        return (
            f"The best setting is kept instead of the 1-SE setting, which scores {said(row.one_se.score)} on the held-out "
            f"rows, more than one standard error above the best ({said(row.best.score)} ± {said(row.best.se)})."
        )
    return (
        "The 1-SE setting is the strongest regularization within one standard error of the best, which gives a simpler model; "
        f"it scores {said(row.one_se.score)} and the best setting {said(row.best.score)}. --select best keeps the best setting."
    )


def _multiplicity(comparison: Comparison) -> str:
    """The number of tested differences, and which remain after correction for multiple tests."""
    choice = comparison.choice
    rivals = [row for row in comparison.rows if row.differences]
    if len(rivals) < 2:
        return ""
    bases = {row.candidate.family: comparison.baseline(row.candidate.family) for row in rivals}
    differences = [row.at(choice).scores - bases[row.candidate.family].best.scores for row in rivals]  # type: ignore[union-attr]
    adjusted = holm([comparison.p_value(difference) for difference in differences])
    alone = sum(not low <= 0 <= high for _, low, high in (row.differences[choice] for row in rivals))
    left = [label(row.candidate) for row, p in zip(rivals, adjusted, strict=True) if p < 0.05]
    text = (
        f"{len(rivals)} differences were tested. Taken one by one, an interval excludes zero by chance in one of twenty; "
        f"{alone or 'none'} {'does' if alone == 1 else 'do'} here"
    )
    if not alone:
        return f"{text}."
    named = f"{', '.join(left)} {'remains' if len(left) == 1 else 'remain'}" if left else "none remains"
    return f"{text}, and after correction for multiple tests (Holm) {named}" + (
        "." if left else ", so confirm the finding on other rows."
    )


def _asked_for(comparison: Comparison) -> str:
    """The restrictions on the selection."""
    options, parts = comparison.options, []
    if options.max_features is not None:
        more = comparison.kept_usage.inputs > options.max_features
        parts.append(
            f"at most {options.max_features} input{'s' * (options.max_features > 1)}{' (of which no model was found)' * more}"
        )
    if options.within is not None:
        parts.append(f"the fewest inputs within {100 * options.within:.3g} % of the lowest {score_said(comparison)}")
    if options.factors:
        parts.append("λ multiplied by the given factors in the linear models")
    if options.bounds:
        parts.append("coefficients within the given bounds (networks, the group lasso and MCP are skipped)")
    return f"Requested: {'; '.join(parts)}." if parts else ""


def _stable(comparison: Comparison) -> str:
    """The inputs that are selected on most half-samples."""
    if (stable := comparison.stable) is None:
        return ""
    names = [comparison.plan.kept[i].name for i in stable.stable]
    by = (GROUP_LASSO if stable.by_group else LASSO).name
    listed = ", ".join(map(repr, names[:12])) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return (
        f"Fitted on {2 * stable.pairs} random halves of the rows, the {by} selects {listed or 'no input'} in "
        f"{stable.threshold:.0%} or more of them. Inputs selected less often are redundant with others, uninformative, or "
        "weak for this many rows."
    )


def _starts(comparison: Comparison) -> str:
    """The effect of the random start of a network."""
    found = [(row, row.best.seed_sd) for row in comparison.rows if row.best.seed_sd is not None]
    if not found:
        return ""
    n = comparison.options.network.seeds if comparison.options.network else 1
    worst = max(sd for _, sd in found if sd is not None)
    return (
        f"The score of a network is the mean over {n} random starts; their standard deviation is at most {said(worst)}."
    )


def _families(comparison: Comparison) -> list[str]:
    return [family for family in _NOUNS if any(row.candidate.family == family for row in comparison.rows)]


def _beats_a_guess(comparison: Comparison, row: Row) -> bool:
    scores = row.at(comparison.choice).scores
    return comparison.interval(scores - comparison.guess_scores)[2] < 0


def _other_families(comparison: Comparison) -> list[str]:
    """The sentence on the family that the kept model does not belong to, unless it is in the verdict."""
    others = [_finding(comparison, f) for f in _families(comparison) if f != comparison.chosen.candidate.family]
    return [finding.sentence for finding in others if not finding.detectable]


def _about_trees(comparison: Comparison) -> str:
    """The sentence on an outside reference that does not score lower (otherwise it is in the verdict)."""
    if (reference := comparison.baseline("reference")) is None or _better_trees(comparison):
        return ""
    difference = comparison.interval(comparison.kept.scores - reference.best.scores)
    how = "detectably worse than" if difference[2] < 0 else "not detectably different from"
    return (
        f"Gradient-boosted trees, the outside reference, score {said(reference.best.score)}, {how} the kept model "
        f"({in_interval(difference)})."
    )


def _separable(comparison: Comparison) -> list[str]:
    base = comparison.baseline("linear")
    if base is None or "no finite optimum" not in base.note:
        return []
    who = "the classes of the training rows" if "completely" in base.note else "some training rows from another class"
    return [
        f"The linear model without penalty has no finite optimum in at least one fold, because the inputs separate {who} "
        "without error; it was fitted with a negligible ridge penalty instead."
    ]
