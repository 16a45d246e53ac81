"""The explanation below the verdict: what was compared, what the other family did, how sure this is."""

from __future__ import annotations

from importlib.util import find_spec

from shrinkwise.compare.candidates.linear import GROUP_LASSO, LASSO
from shrinkwise.compare.options import NO_TORCH
from shrinkwise.compare.result import Comparison
from shrinkwise.compare.scoring.conformal import LEVEL
from shrinkwise.selection import holm

from .coverage import coverage_page, covered
from .known_scores import known_scores
from .sentence import Sentence, said_of
from .verdict import better_trees, other_findings_said
from .words import in_interval, label, said, score_said


def explanation(comparison: Comparison) -> list[str]:
    """What `EXPLANATION` says of a comparison."""
    return said_of(comparison, EXPLANATION)


def _compared(comparison: Comparison) -> str:
    """How many models on how many rows, and how these were split."""
    n_rows, all_rows = len(comparison.splits.y), comparison.plan.n_rows
    rows = f"{n_rows} rows" if n_rows == all_rows else f"{n_rows} of {all_rows} rows"
    alone = (
        "(λ, keep) uses the training rows alone, except for the medians and levels of the inputs, which are those of all "
        "these rows"
        if comparison.splits.common_encoding
        else "(the encoding of the inputs, λ, keep) uses the training rows alone"
    )
    return (
        f"{_n_models(comparison)} models were compared on {rows} by nested cross-validation: {_dealt(comparison)}. "
        f"Everything that is fitted or chosen {alone}."
    )


def _n_models(comparison: Comparison) -> int:
    return sum(row.candidate.family != "reference" for row in comparison.rows)


def _no_torch(comparison: Comparison) -> str:
    """Why there are no networks."""
    return NO_TORCH if find_spec("torch") is None else ""


def _other_families(comparison: Comparison) -> str:
    """The finding for the family that the kept model does not belong to, unless the verdict contains it."""
    return other_findings_said(comparison, detectable=False)


def _intervals(comparison: Comparison) -> str:
    """What the intervals are for."""
    counted = {
        "group": ", each group counted as one observation",
        "time": ", runs of consecutive rows counted as one observation",
    }.get(comparison.plan.splits_by, "")
    return (
        f"Intervals are 95 %, from the differences of single held-out rows{counted}, and account for training rows that the "
        "folds share. They are for the models fitted here, on new rows. The kept model was selected as the best of "
        f"{_n_models(comparison)} on the same held-out rows, so its score is slightly optimistic."
    )


def _coverage(comparison: Comparison) -> str:
    """How often the intervals of predictions contain the truth, and what they hold for."""
    intervals, found = comparison.intervals, coverage_page(comparison)
    if intervals is None:
        return ""
    if found is None:
        supported = intervals.model.supported
        most = f"at most {supported[-1]:.3g}" if len(supported) else "no level"
        return f"Predictions have no intervals at {LEVEL:.0%}: {intervals.model.units} support {most}."
    return f"{covered(comparison, found)} {found.valid}"


def _left_out(comparison: Comparison) -> str:
    """Which candidates have no score."""
    return " ".join(f"{n[0].upper()}{n[1:]} was skipped: {why}." for n, why in comparison.left_out.items())


def _no_cause(comparison: Comparison) -> str:
    """What no such comparison can show."""
    return "The score measures predictions for similar rows; it does not tell what happens when an input is changed on purpose."


def _dealt(comparison: Comparison) -> str:
    """How the rows were split."""
    parts, kind = len(comparison.splits), comparison.plan.splits_by
    if kind == "time":
        return f"each of {parts} later periods was predicted by models fitted on the rows before it"
    together = "whole groups of rows" if kind == "group" else "the rows"
    return f"{together} were split into {parts} folds, each held out once"


def _at_best(comparison: Comparison) -> str:
    """What the 1-SE choice costs, and how to have the other."""
    row, options = comparison.chosen, comparison.options
    if options.select != "1se" or row.one_se is None or row.cost is None or row.cost.mean <= 0:
        return ""
    at_one_se, at_best = said(row.one_se.score), said(row.best.score)
    if comparison.choice == "one_se":
        return (
            "The 1-SE setting is the strongest regularization within one standard error of the paired difference to the best, "
            f"which gives a simpler model; it scores {at_one_se} and the best setting {at_best}. --select best keeps the best "
            "setting."
        )
    why = (
        f"more than one standard error above the best ({at_best}, paired difference {said(row.cost.mean)} ± "
        f"{said(row.cost.error)})"
        if row.cost.mean > row.cost.error
        else "detectably higher than without regularization"
    )
    return (
        f"The best setting is kept instead of the 1-SE setting, which scores {at_one_se} on the held-out rows, {why}."
    )


def _about_trees(comparison: Comparison) -> str:
    """The outside reference where it does not score lower, which the verdict would have said."""
    if (reference := comparison.baseline("reference")) is None or better_trees(comparison):
        return ""
    difference = comparison.difference(comparison.kept, reference.best).interval()
    how = "detectably worse than" if difference[2] < 0 else "not detectably different from"
    return (
        f"Gradient-boosted trees, the outside reference, score {said(reference.best.score)}, {how} the kept model "
        f"({in_interval(difference)})."
    )


def _multiplicity(comparison: Comparison) -> str:
    """How many differences were looked at, and which are left when that is allowed for."""
    choice = comparison.choice
    rivals = [row for row in comparison.rows if row.differences]
    if len(rivals) < 2:
        return ""
    p_values = [row.difference(choice).p_value for row in rivals]
    adjusted, alone = holm(p_values), sum(p < 0.05 for p in p_values)
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
    """What the choice was bound by."""
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
        parts.append(
            "coefficients within the given bounds (networks, additive models, the group lasso and MCP are skipped)"
        )
    return f"Requested: {'; '.join(parts)}." if parts else ""


def _stable(comparison: Comparison) -> str:
    """Which inputs half of the rows select again and again."""
    if (stable := comparison.stable) is None:
        return ""
    kept = comparison.plan.kept
    names = [kept[i].name for i in stable.stable]
    by = (GROUP_LASSO if stable.by_group else LASSO).name
    listed = ", ".join(map(repr, names[:12])) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return (
        f"Fitted on {2 * stable.pairs} random halves of the rows, the {by} selects {listed or 'no input'} in "
        f"{stable.threshold:.0%} or more of them. Inputs selected less often are redundant with others, uninformative, or "
        "weak for this many rows."
    )


def _starts(comparison: Comparison) -> str:
    """How much the random start of a network matters."""
    found = [(row, row.best.seed_sd) for row in comparison.rows if row.best.seed_sd is not None]
    if not found:
        return ""
    n = comparison.options.network.seeds if comparison.options.network else 1
    worst = max(sd for _, sd in found if sd is not None)
    return (
        f"Each network with one hidden layer is the average of {n} networks from different random starts; "
        f"the scores of the single ones have a standard deviation of at most {said(worst)}."
    )


def _separable(comparison: Comparison) -> str:
    """Why the linear model without penalty was fitted with one."""
    base = comparison.baseline("linear")
    if base is None or "no finite optimum" not in base.note:
        return ""
    who = "the classes of the training rows" if "completely" in base.note else "some training rows from another class"
    return (
        f"The linear model without penalty has no finite optimum in at least one fold, because the inputs separate {who} "
        "without error; it was fitted with a negligible ridge penalty instead."
    )


EXPLANATION = (
    Sentence("what was compared", "always", _compared),
    Sentence("no PyTorch", "PyTorch is not installed", _no_torch),
    Sentence("known scores", "always", known_scores),
    Sentence(
        "the other family",
        "there is another family, and regularization makes no detectable difference there",
        _other_families,
    ),
    Sentence(
        "the 1-SE setting",
        "select is 1se and on the held-out rows the 1-SE setting of the kept candidate scores higher than its best setting",
        _at_best,
    ),
    Sentence("trees", "the trees were scored and do not score lower than the kept model", _about_trees),
    Sentence("intervals", "always", _intervals),
    Sentence("intervals of predictions", "the kept model has intervals", _coverage),
    Sentence("several differences", "two or more regularized candidates were compared with a baseline", _multiplicity),
    Sentence("what was requested", "max_features, within, penalty factors or bounds were given", _asked_for),
    Sentence("half-samples", "inputs were selected on half-samples", _stable),
    Sentence("random starts", "a network was trained from two or more random starts", _starts),
    Sentence("skipped candidates", "a candidate has no score", _left_out),
    Sentence(
        "no finite optimum",
        "the linear model without penalty has no finite optimum in at least one fold",
        _separable,
    ),
    Sentence("no cause", "always", _no_cause),
)
