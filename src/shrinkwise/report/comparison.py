"""The comparison table: every candidate at its best λ and at the 1-SE choice, with its paired difference drawn."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from shrinkwise.report.markup import Markup, element, join
from shrinkwise.report.numbers import count, finite, interval, number, plus_minus

FAMILIES = {"linear": "Linear models", "network": "Networks", "reference": "Outside reference"}
_COLUMNS = (
    "candidate",
    "strength",
    "held-out {score}",
    "difference to no regularization",
    "inputs",
    "exact zeros",
    "seconds",
)

_CELLS = ("half", "half", "difference", "count", "count", "count")  # how wide each cell is on a card


def kept_choice(page: dict, candidate: dict) -> dict:
    """Scores of the choice that becomes the model: the 1-SE one where there is one, unless the best λ was asked for."""
    return candidate["best"] if page.get("select") == "best" else candidate.get("one_se") or candidate["best"]


def families(page: dict) -> dict[str, list[dict]]:
    """The candidates by family, in the order in which they come."""
    grouped: dict[str, list[dict]] = {}
    for candidate in page["candidates"]:
        grouped.setdefault(candidate["family"], []).append(candidate)
    return grouped


def comparison_table(page: dict) -> Markup:
    """One table; each candidate is a group of one or two rows so that it can become a card on a narrow page."""
    score = page["score"]
    heads = [column.format(score=score["name"]) for column in _COLUMNS]
    better = element("small", "← better · worse →" if score["lower_is_better"] else "← worse · better →")
    cells = [
        element("th", h, better if i == 3 else None, scope="col", role="columnheader") for i, h in enumerate(heads)
    ]
    groups = []
    for family, members in families(page).items():
        title = element("th", FAMILIES.get(family, family), colspan=7, scope="rowgroup", role="rowheader")
        groups.append(_row_group(element("tr", title, role="row"), class_="family"))
        groups += [_candidate(page, candidate, heads, _limit(members)) for candidate in members]
    return element(
        "table",
        element("caption", _caption(page), class_="wide"),
        element("thead", element("tr", cells, role="row"), role="rowgroup"),
        groups,
        class_="comparison",
        role="table",
    )


def _caption(page: dict) -> str:
    better = "lower" if page["score"]["lower_is_better"] else "higher"
    return (
        f"Held-out {page['score']['name']} ± standard error ({better} is better), and the paired difference to no "
        "regularization in the same family with its 95 % interval, drawn to one scale within a family. A filled mark is "
        "an interval that excludes zero. What would change this: fresh rows, or an interval so wide that it holds both a gain "
        "and a loss that would matter to you."
    )


def _candidate(page: dict, candidate: dict, heads: list[str], limit: float) -> Markup:
    choices = [("best", candidate["best"])]
    if candidate.get("one_se"):
        choices.append((page.get("careful") or "1-SE", candidate["one_se"]))
    regularizer = candidate.get("regularizer") or ""
    if regularizer == "none" or regularizer.lower() in candidate["name"].lower():
        regularizer = ""
    title = element(
        "th",
        element("span", candidate["name"], class_="candidate"),
        element("span", "chosen", class_="tag") if candidate.get("chosen") else None,
        element("small", regularizer) if regularizer else None,
        scope="rowgroup",
        rowspan=len(choices) if len(choices) > 1 else None,
        role="rowheader",
    )
    kept = kept_choice(page, candidate) if candidate.get("chosen") else None
    rows = [
        element(
            "tr",
            title if i == 0 else None,
            _cells(candidate, label if len(choices) > 1 else "", choice, heads, limit),
            class_="kept" if choice is kept else None,
            role="row",
        )
        for i, (label, choice) in enumerate(choices)
    ]
    if candidate.get("note"):
        note = element("td", candidate["note"], colspan=7, role="cell")
        rows.append(element("tr", note, class_="note", role="row"))
    return _row_group(*rows, class_="chosen" if candidate.get("chosen") else None)


def _cells(candidate: dict, label: str, choice: dict, heads: list[str], limit: float) -> Iterator[Markup]:
    is_best = choice is candidate["best"]
    difference = choice.get("difference") or (candidate.get("difference") if is_best else None)
    seconds = number(candidate.get("seconds"), 2) if is_best else ""
    contents = (
        join(element("span", label, class_="which") if label else None, choice.get("strength")),
        plus_minus(choice["score"], choice["se"]),
        difference_cell(difference, limit),
        count(choice.get("inputs")),
        _zeros(choice),
        seconds,
    )
    for head, kind, content in zip(heads[1:], _CELLS, contents, strict=True):
        empty = " empty" if content in ("", "–") else ""
        yield element("td", content, data_label=head, class_=kind + empty, role="cell")


def _zeros(choice: dict) -> str:
    zeros, weights = choice.get("zeros"), choice.get("weights")
    return count(zeros) if zeros is None or weights is None else f"{zeros:,} of {weights:,}"


def difference_cell(difference: dict | None, limit: float) -> Markup | str:
    """The interval drawn on a scale of ±`limit`, and in numbers; "–" where there is no difference to speak of."""
    if not difference or not all(finite(difference[k]) for k in ("mean", "low", "high")):
        return "–"
    low, mean, high = (_across(difference[k], limit) for k in ("low", "mean", "high"))
    sure = difference["low"] > 0 or difference["high"] < 0
    drawing = element(
        "svg",
        element("path", d="M60 1V19", class_="none"),
        element("path", d=f"M{low:.1f} 10H{high:.1f}", class_="reach"),
        element("path", d=_ends(difference, low, high, limit), class_="reach"),
        element("circle", cx=f"{mean:.1f}", cy="10", r="4", class_="sure" if sure else "unsure"),
        viewBox="0 0 120 20",
        class_="interval",
        aria_hidden="true",
    )
    return join(drawing, element("span", interval(difference["mean"], difference["low"], difference["high"])))


def _ends(difference: dict, low: float, high: float, limit: float) -> str:
    """A short bar at each end of the interval, or an arrow head where it goes on beyond the scale."""
    left = f"M{low + 4:.1f} 6L{low:.1f} 10L{low + 4:.1f} 14" if difference["low"] < -limit else f"M{low:.1f} 7V13"
    right = f"M{high - 4:.1f} 6L{high:.1f} 10L{high - 4:.1f} 14" if difference["high"] > limit else f"M{high:.1f} 7V13"
    return left + right


def _across(value: float, limit: float) -> float:
    return 60 + 58 * max(-1.0, min(1.0, value / limit))


def _limit(candidates: list[dict]) -> float:
    """Half the scale of the drawn intervals: the longest, unless it is four times as long as they usually are."""
    found = [c.get("difference") for c in candidates]
    found += [choice.get("difference") for c in candidates for choice in (c["best"], c.get("one_se") or {})]
    reach = [max(abs(d["low"]), abs(d["high"])) for d in found if d and finite(d["low"]) and finite(d["high"])]
    return min(max(reach), 4 * statistics.median(reach)) or 1.0 if reach else 1.0


def _row_group(*rows: Markup, class_: str | None) -> Markup:
    return element("tbody", *rows, class_=class_, role="rowgroup")
