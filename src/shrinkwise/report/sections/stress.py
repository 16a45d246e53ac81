"""Stress curves: the held-out score of every candidate with noisy and with missing inputs."""

from __future__ import annotations

from shrinkwise.report.axes import axis_over
from shrinkwise.report.charts.plots import Frame, axis_name, end_labels, mind, plot
from shrinkwise.report.exhibits import Stress, StressCurve, StressCurves
from shrinkwise.report.markup import Markup, element, join, numbers, shortened, table
from shrinkwise.report.numbers import copyable, finite, fixed, spelled
from shrinkwise.report.schema import Page
from shrinkwise.report.section import Section, section

_AXES = {
    "noise": ("With noise on the numbers", "noise, in standard deviations of each input"),
    "missing": ("With values missing", "share of all values that are missing"),
}


def _render(page: Page, found: Stress) -> Markup:
    score = page.score.name
    trees = {row.name for row in page.candidates if row.family == "reference"}
    pictures = (
        _figure(kind, curves, score, trees) for kind, curves in (("noise", found.noise), ("missing", found.missing))
    )
    return section(
        "stress",
        "Robustness to noise and missing values",
        element(
            "p",
            "L1 is often said to be robust to noise, and dropout to missing information. To test such claims, "
            "the held-out rows were disturbed, and the models were not fitted again.",
        ),
        element(
            "ul", (element("li", spelled(finding.sentence)) for finding in found.findings), class_="notes findings"
        ),
        element("div", pictures, class_="two"),
    )


def _figure(kind: str, curves: StressCurves, score: str, trees: set[str]) -> Markup:
    title, along = _AXES[kind]
    levels, candidates = curves.levels, [c for c in curves.candidates if all(map(finite, c.scores))]
    ordered = sorted(c.scores[-1] for c in candidates)
    starts = [c.scores[0] for c in candidates]
    top = min(ordered[-1], 3 * ordered[(len(ordered) - 1) // 2]) if ordered else 1.0
    frame = Frame(axis_over(levels[0], levels[-1]), axis_over(min([*starts, top], default=0.0), top))
    lines = [
        element("path", element("title", shortened(c.name)), d=frame.line(levels, c.scores), class_=f"line {_kind(c)}")
        for c in sorted(candidates, key=_rank)
    ]
    words = end_labels([(c.name, _leaves(frame, c.scores[-1]), _kind(c)) for c in _named(candidates, trees)])
    ticks = [(frame.x(level), _level(kind, level)) for level in levels]
    cut = any(c.scores[-1] > top for c in candidates)
    rows = [[c.name, *map(copyable, c.scores)] for c in curves.candidates]
    head = ["candidate", *(_level(kind, level) for level in levels)]
    caption = join(
        f"Held-out {score}, mean over the folds, with the same disturbance for every model. ",
        "Point at a line without a label to see its name. "
        if len(_named(candidates, trees)) < len(candidates)
        else None,
        "Some lines leave the frame; the table has their values. " if cut else None,
        _noise_words() if kind == "noise" else _missing_words(),
    )
    said = f"{title}: held-out {score} of {len(candidates)} candidates; the numbers are in the table below."
    return element(
        "figure",
        element("h3", title),
        plot(frame, lines, words, said=said, ticks=ticks),
        axis_name(along),
        element("figcaption", caption),
        numbers(f"{title}: the curves as a table", table(head, rows, caption=f"Held-out {score} by {along}")),
        style=frame.left_room,
    )


def _noise_words() -> Markup:
    return join(
        "No noise was added to categories, dates and missingness indicators. ",
        mind(
            "a repeated measurement of the inputs that differs by much less noise than drawn here; then look at "
            "the left end."
        ),
    )


def _missing_words() -> Markup:
    return join(
        "A missing value is imputed as in training: the median, or none of the levels. ",
        mind("values that go missing together, or depending on their size; here they are removed at random."),
    )


def _named(candidates: list[StressCurve], trees: set[str]) -> list[StressCurve]:
    """The labelled candidates: the kept one, L1, dropout, the best at the right end, and the trees."""
    best = min(candidates, key=lambda c: c.scores[-1], default=None)
    asked = ("L1", "dropout")
    return [c for c in candidates if c is best or c.kept or c.regularizer in asked or c.name in trees]


def _kind(candidate: StressCurve) -> str:
    if candidate.kept:
        return "kept"
    regularizer = candidate.regularizer
    return "up" if regularizer == "L1" else "down" if regularizer == "dropout" else ""


def _rank(candidate: StressCurve) -> int:
    return ["", "down", "up", "kept"].index(_kind(candidate))


def _leaves(frame: Frame, value: float) -> float:
    return min(100.0, max(0.0, frame.y(value)))


def _level(kind: str, level: float) -> str:
    return f"{fixed(level, 2).rstrip('0').rstrip('.') or '0'}" if kind == "noise" else f"{100 * level:.0f} %"


SECTION = Section(lambda page: page.stress, _render)
