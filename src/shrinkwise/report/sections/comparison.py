"""The comparison table: every candidate at its best λ and at the 1-SE choice, with its paired difference drawn."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from shrinkwise.report.charts.view import careful
from shrinkwise.report.markup import Markup, element, join
from shrinkwise.report.numbers import count, finite, interval, number, plus_minus, setting, spelled

FAMILIES = {"linear": "Linear models", "network": "Networks", "reference": "Outside reference"}
_HEADS = (
    "candidate",
    "strength",
    "held-out {score}",
    "difference to no regularization",
    "inputs",
    "exact zeros",
    "seconds",
)


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
    """One table; each candidate is a group of one or two rows so that it can become a card on a narrow page.

    Cards are no table to a screen reader unless every part says its role: the script writes the roles.
    """
    score = page["score"]
    heads = [head.format(score=score["name"]) for head in _HEADS]
    better = element("small", "← better · worse →" if score["lower_is_better"] else "← worse · better →")
    cells = [element("th", h, better if i == 3 else None, scope="col") for i, h in enumerate(heads)]
    groups = []
    for family, members in families(page).items():
        title = element("th", FAMILIES.get(family, family), colspan=7, scope="col")
        groups.append(element("tbody", element("tr", title), class_="family"))
        groups += [_candidate(page, candidate, _limit(members)) for candidate in members]
    return element(
        "table",
        element("caption", _caption(page)),
        element("thead", element("tr", cells)),
        groups,
        class_="comparison",
    )


def _caption(page: dict) -> str:
    better = "lower" if page["score"]["lower_is_better"] else "higher"
    return (
        f"Held-out {page['score']['name']} ± standard error ({better} is better), and the paired difference to no "
        "regularization in the same family with its 95 % interval, drawn to one scale within a family. A filled mark is "
        "an interval that excludes zero. What would change this: fresh rows, or an interval so wide that it holds both a gain "
        "and a loss that would matter to you."
    )


def _candidate(page: dict, candidate: dict, limit: float) -> Markup:
    choices = [("best", candidate["best"])]
    if candidate.get("one_se"):
        choices.append((careful(page), candidate["one_se"]))
    regularizer = candidate.get("regularizer") or ""
    if regularizer == "none" or regularizer.lower() in candidate["name"].lower():
        regularizer = ""
    title = element(
        "th",
        element("b", candidate["name"]),
        element("span", "chosen", class_="tag") if candidate.get("chosen") else None,
        element("small", regularizer) if regularizer else None,
        scope="rowgroup",
        rowspan=len(choices) if len(choices) > 1 else None,
    )
    kept = kept_choice(page, candidate) if candidate.get("chosen") else None
    rows = [
        element(
            "tr",
            title if i == 0 else None,
            _cells(candidate, label if len(choices) > 1 else "", choice, limit),
            class_="kept" if choice is kept else None,
        )
        for i, (label, choice) in enumerate(choices)
    ]
    if candidate.get("note"):
        rows.append(element("tr", element("td", spelled(candidate["note"]), colspan=7), class_="note"))
    return element("tbody", rows, class_="chosen" if candidate.get("chosen") else None)


def _cells(candidate: dict, label: str, choice: dict, limit: float) -> Iterator[Markup]:
    is_best = choice is candidate["best"]
    difference = choice.get("difference") or (candidate.get("difference") if is_best else None)
    seconds = number(candidate.get("seconds"), 2) if is_best else ""
    contents = (
        join(element("small", label) if label else None, setting(choice.get("strength"))),
        plus_minus(choice["score"], choice["se"]),
        difference_cell(difference, limit),
        count(choice.get("inputs")),
        _zeros(choice),
        seconds,
    )
    for content in contents:
        yield element("td", content, class_="empty" if content in ("", "–") else None)


def _zeros(choice: dict) -> str:
    zeros, weights = choice.get("zeros"), choice.get("weights")
    return count(zeros) if zeros is None or weights is None else f"{zeros:,} of {weights:,}"


def difference_cell(difference: dict | None, limit: float) -> Markup | str:
    """The interval drawn on a scale of ±`limit` and in numbers; "–" where there is none."""
    if not difference or not all(finite(difference[k]) for k in ("mean", "low", "high")):
        return "–"
    low, mean, high = (_across(difference[k], limit) for k in ("low", "mean", "high"))
    sure = difference["low"] > 0 or difference["high"] < 0
    drawing = element(
        "svg",
        element("path", d="M60 1V19"),
        element("path", d=f"M{low} 10H{high}{_ends(difference, low, high, limit)}"),
        element("circle", cx=mean, cy=10, r=4, class_="sure" if sure else "unsure"),
        viewBox="0 0 120 20",
        aria_hidden="true",
    )
    return join(drawing, interval(difference["mean"], difference["low"], difference["high"]))


def _ends(difference: dict, low: int, high: int, limit: float) -> str:
    """A short bar at each end of the interval, or an arrow head where it goes on beyond the scale."""
    left = f"M{low + 4} 6L{low} 10L{low + 4} 14" if difference["low"] < -limit else f"M{low} 7V13"
    right = f"M{high - 4} 6L{high} 10L{high - 4} 14" if difference["high"] > limit else f"M{high} 7V13"
    return left + right


def _across(value: float, limit: float) -> int:
    return 60 + round(58 * max(-1.0, min(1.0, value / limit)))


def _limit(candidates: list[dict]) -> float:
    """Half the scale of the drawn intervals: the longest, unless it is four times as long as they usually are."""
    found = [c.get("difference") for c in candidates]
    found += [choice.get("difference") for c in candidates for choice in (c["best"], c.get("one_se") or {})]
    reach = [max(abs(d["low"]), abs(d["high"])) for d in found if d and finite(d["low"]) and finite(d["high"])]
    return min(max(reach), 4 * statistics.median(reach)) or 1.0 if reach else 1.0
