"""The charts of the slider: SVG for the marks (stretched to the page's width), HTML for the text (not stretched)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from shrinkwise.report.axes import Axis, axis_over, label_room, spread_apart, strength_ticks
from shrinkwise.report.markup import Markup, element, join, shortened
from shrinkwise.report.numbers import number

from .view import PathView

_LABELLED = 8
_EDGE = 87  # percent from the left: a word on a phone does not fit beyond it
_LABEL_GAP = 4.8  # percent of the chart's height (22 rem): one line of label text


def path_chart(view: PathView) -> tuple[Markup, bool]:
    """The coefficient paths, and whether any of them leaves the frame."""
    axis, cut = _weights_axis(view)
    labelled = _labelled(view)
    lines = [
        element("path", d=_line(view.positions, row, axis), class_=_side(view, i) if i in labelled else None)
        for i, row in enumerate(view.coefs)
    ]
    drawn = element("g", reversed(lines), id="lines", class_="lines")  # the largest last, on top of the others
    marks = join(_zero_line(axis), drawn, element("path", id="lit", class_="lit"))
    tip = element("div", id="tip", class_="tip", hidden=True)
    chart = element(
        "div",
        _frame(view, axis, marks),
        _marker_labels(view),
        _line_labels(view, axis, labelled),
        tip,
        class_="plot paths",
        id="paths",
        tabindex=0,
        role="group",
        data_top=_trim(axis.high),
        data_bottom=_trim(axis.low),
        aria_label="Coefficient paths. Up and down arrow keys name one line after the other, "
        "left and right arrow keys move λ.",
    )
    return chart, cut


def cv_chart(view: PathView) -> tuple[Markup, bool]:
    """The cross-validation curve with its band of ±1 standard error, and whether it leaves the frame."""
    low, high = view.mean - view.se, view.mean + view.se
    axis, cut = _score_axis(view)
    band = _band(view.positions, low, high, axis)
    one_error = view.one_se_label == "1-SE" and math.isfinite(high[view.best])
    threshold = f"M0 {axis.percent(high[view.best]) * 10:.0f}H1000" if one_error else ""
    marks = join(
        element("path", d=band, class_="band"),
        element("path", d=threshold, class_="threshold"),
        element("path", d=_line(view.positions, view.mean, axis), class_="mean"),
    )
    dots = (_dot(view, axis, i, kind) for i, kind, _ in marks_of(view))
    chart = element(
        "div",
        _frame(view, axis, marks),
        dots,
        class_="plot curve",
        id="curve",
        data_top=_trim(axis.high),
        data_bottom=_trim(axis.low),
        role="img",
        aria_label=f"Held-out {view.score} at every λ with its standard error; the numbers are in the table below.",
    )
    return chart, cut


def marks_of(view: PathView) -> list[tuple[int, str, str]]:
    """(index of the λ, class, label) of the marks; the chosen one appears only on the path of the kept model."""
    marks = [(view.best, "best", "best"), (view.one_se, "one-se", view.one_se_label)]
    return marks if view.model else [*marks, (view.chosen, "chosen", "chosen")]


def left_room(view: PathView) -> str:
    """The style that reserves room at the left for the labels of both vertical axes and aligns the slider with it."""
    axes = [_weights_axis(view)] + ([_score_axis(view)] if view.scored else [])
    return label_room(label for axis, _ in axes for _, label in axis.ticks())


def histogram_chart(view: PathView) -> Markup:
    """Bars of the nonzero weights at the chosen λ; the script updates them."""
    counts = view.histogram[view.chosen]
    top = max(4, int(counts.max()))
    bars = (
        element(
            "rect",
            x=i,
            y=_trim(1000 - 1000 * c / top),
            height=_trim(1000 * c / top),
            data_count=int(c),
        )
        for i, c in enumerate(counts.tolist())
    )
    limit = number(float(view.edges[-1]), 2)
    ends = (f"≤ −{limit}", f"≥ {limit}") if view.beyond else (f"−{limit}", limit)
    middle = element("path", d=f"M{len(counts) / 2 - 0.07} 0V1000", class_="zero")
    return element(
        "div",
        element(
            "svg",
            middle,
            element("g", bars, id="bars"),
            viewBox=f"-0.07 0 {len(counts)} 1000",
            preserveAspectRatio="none",
            aria_hidden="true",
        ),
        element("span", str(top), class_="tick y", style="top:0", id="bars-top"),
        element("span", "0", class_="tick y", style="top:100%"),
        element("span", ends[0], class_="tick x first", style="left:0"),
        element("span", "0", class_="tick x", style="left:50%"),
        element("span", ends[1], class_="tick x last", style="left:100%"),
        class_="plot bars",
        role="img",
        aria_label="Histogram of the nonzero weights; the numbers are in the table below.",
    )


def _frame(view: PathView, axis: Axis, marks: Markup) -> Markup:
    """The stretched drawing with grid, vertical marks and the λ line, and the labels of both axes."""
    ticks = [(at, label) for at, label in axis.ticks() if 0 <= at <= 100]
    grid = element("path", d="".join(f"M0 {at * 10:.0f}H1000" for at, _ in ticks), class_="grid")
    stops = (element("path", d=f"M{_across(view, i)} 0V1000", class_="stop") for i in (view.best, view.one_se))
    drawing = element(
        "svg", grid, stops, marks, viewBox="0 0 1000 1000", preserveAspectRatio="none", aria_hidden="true"
    )
    return join(
        drawing,
        element("div", class_="cursor", style=f"left:{view.positions[view.chosen]:.2f}%"),
        (element("span", label, class_="tick y", style=f"top:{at:.1f}%") for at, label in ticks),
        (
            element("span", label, class_="tick x", style=f"left:{at:.1f}%")
            for at, label in strength_ticks(view.lambdas)
        ),
    )


def _weights_axis(view: PathView) -> tuple[Axis, bool]:
    """The axis of the weights. Near λ = 0 weights can become very large; then the frame fits the paths up to a little
    beyond the best λ."""
    size = np.nan_to_num(view.coefs, posinf=0, neginf=0)
    reach = min(len(view.lambdas), view.best + 1 + len(view.lambdas) // 6)
    whole, part = np.abs(size).max(initial=0.0), np.abs(size[:, :reach]).max(initial=0.0)
    cut = bool(part > 0 and whole > 2 * part)
    shown = size[:, :reach] if cut else size
    return axis_over(float(min(shown.min(initial=0.0), 0)), float(max(shown.max(initial=0.0), 0))), cut


def _score_axis(view: PathView) -> tuple[Axis, bool]:
    """The axis of the scores, from the lowest point of the band to at most three times the decrease of the curve before
    the best λ."""
    band = np.concatenate([view.mean - view.se, view.mean + view.se])
    band = band[np.isfinite(band)]
    low, high = float(band.min()), float(band.max())
    before = (view.mean + view.se)[: view.best + 1]
    before = before[np.isfinite(before)]
    limit = low + 3 * (float(before.max()) - low) if before.size else high
    cut = low < limit < high
    return axis_over(low, limit if cut else high), cut


def _labelled(view: PathView) -> list[int]:
    at_chosen = np.abs(np.nan_to_num(view.coefs[:, view.chosen]))
    return [i for i in range(min(_LABELLED, len(at_chosen))) if at_chosen[i] > 0]


def _line(positions: list[float], values: Iterable[float], axis: Axis) -> str:
    """A path in thousandths of the frame: one thinned polyline for each unbroken stretch that crosses the frame."""
    points = [
        (round(x * 10), min(4000, max(-3000, round(axis.percent(v) * 10)))) if math.isfinite(v) else None
        for x, v in zip(positions, values, strict=True)
    ]
    stretches: list[list[tuple[int, int]]] = [[]]
    for a, b in pairwise(points):
        if a is None or b is None or max(a[1], b[1]) < 0 or min(a[1], b[1]) > 1000:
            stretches.append([])
        else:
            stretches[-1] += [b] if stretches[-1] else [a, b]
    return "".join(_polyline(_thinned(points)) for points in stretches if points)


def _polyline(points: list[tuple[int, int]]) -> str:
    steps = (f"l{x - a} {y - b}" if y != b else f"h{x - a}" for (a, b), (x, y) in pairwise(points))
    return f"M{points[0][0]} {points[0][1]}{''.join(steps)}".replace(" -", "-")


def _thinned(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The points without those within a thousandth of the straight line between their neighbours."""
    if len(points) < 3:
        return points
    (x0, y0), (x1, y1) = points[0], points[-1]
    away = [abs(y - y0 - (y1 - y0) * (x - x0) / max(1, x1 - x0)) for x, y in points]
    far = max(range(len(points)), key=away.__getitem__)
    if away[far] <= 1:
        return [points[0], points[-1]]
    return _thinned(points[: far + 1])[:-1] + _thinned(points[far:])


def _band(positions: list[float], low: np.ndarray, high: np.ndarray, axis: Axis) -> str:
    known = np.isfinite(low) & np.isfinite(high)
    upper = [(round(x * 10), v) for x, v, k in zip(positions, high, known, strict=True) if k]
    lower = [(round(x * 10), v) for x, v, k in zip(positions, low, known, strict=True) if k]
    corners = [f"{x} {min(4000, round(axis.percent(v) * 10))}" for x, v in upper + lower[::-1]]
    return f"M{'L'.join(corners)}Z" if corners else ""


def _dot(view: PathView, axis: Axis, i: int, kind: str) -> Markup | None:
    if not math.isfinite(view.mean[i]):
        return None
    at = f"left:{view.positions[i]:.2f}%;top:{axis.percent(view.mean[i]):.2f}%"
    return element("span", class_=f"dot {kind}", style=at)


def _marker_labels(view: PathView) -> list[Markup]:
    """The names of the marked λ above the frame, on the side where there is room for them."""
    best, one_se = view.positions[view.best], view.positions[view.one_se]
    side = "left" if best > _EDGE else "right"
    if view.best == view.one_se:
        return [_marker_label(f"best = {view.one_se_label}", best, side)]
    if side == "left" and best - one_se < 100 - _EDGE:
        return [_marker_label(f"{view.one_se_label}, best", best, side)]
    return [_marker_label(view.one_se_label, one_se, "left"), _marker_label("best", best, side)]


def _marker_label(word: str, at: float, side: str) -> Markup:
    return element("span", word, class_=f"stop-label {side}", style=f"left:{at:.2f}%")


def _line_labels(view: PathView, axis: Axis, labelled: list[int]) -> Markup:
    """The names of the largest weights at the right end of their lines, spread apart, with leaders."""
    ends = [axis.percent(float(np.nan_to_num(view.coefs[i, -1]))) for i in labelled]
    places = spread_apart(ends, _LABEL_GAP, 0, 100)
    seen = (min(100.0, max(0.0, end)) for end in ends)
    leaders = "".join(f"M0 {a * 10:.0f}L10 {b * 10:.0f}" for a, b in zip(seen, places, strict=True))
    words = (
        element("span", shortened(view.features[i]), class_=_side(view, i), style=f"top:{at:.1f}%", data_line=i)
        for i, at in zip(labelled, places, strict=True)
    )
    drawing = element("svg", element("path", d=leaders), viewBox="0 0 10 1000", preserveAspectRatio="none")
    return element("div", drawing, words, class_="ends", aria_hidden="true")


def _side(view: PathView, i: int) -> str:
    return "up" if view.coefs[i, view.chosen] >= 0 else "down"


def _zero_line(axis: Axis) -> Markup:
    return element("path", d=f"M0 {axis.percent(0) * 10:.0f}H1000", class_="zero")


def _across(view: PathView, i: int) -> int:
    return round(view.positions[i] * 10)


def _trim(value: float) -> str:
    return f"{value:.5g}"
