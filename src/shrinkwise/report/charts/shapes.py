"""The shapes of an additive model: what each input adds to the prediction, with its band over half-samples."""

from __future__ import annotations

from collections.abc import Sequence

from shrinkwise.report.axes import Axis, axis_over
from shrinkwise.report.exhibits import Shape, ShapeLine, Shapes
from shrinkwise.report.markup import Markup, element, join, numbers, shortened, table
from shrinkwise.report.numbers import copyable, count, number, plus_minus

from .plots import Frame, end_labels, mind, plot

_CHANGE = (
    "a band as wide as the curve is high, for which the shape may be due to these rows; and correlated inputs, which share an "
    "effect between their curves. A curve shows what the model adds, not what happens when the input is changed."
)


def shapes_figure(found: Shapes) -> Markup:
    """A panel for every input: a curve over the values of a number, or a line for every level."""
    return join(
        element("h3", "The effect of each input"),
        element("p", _introduction(found), class_="prose"),
        element(
            "figure",
            element("div", (_panel(found, shape) for shape in found.inputs), class_="shapes"),
            element("figcaption", _caption(found), mind(_CHANGE)),
        ),
    )


def _introduction(found: Shapes) -> str:
    shown = len(found.inputs)
    some = (
        f"the {shown} of {count(found.n_inputs)} inputs with the largest effects"
        if shown < found.n_inputs
        else "each input"
    )
    return (
        f"The kept model is additive: its {found.of} is a constant plus one function of each input. Shown is what {some} adds, "
        "relative to its mean over the rows."
    )


def _caption(found: Shapes) -> str:
    marks = (
        "Marks at the bottom are the knots, at quantiles of the rows; beyond the training rows a curve is constant. "
    )
    halves = f"Bands and bars: ± 2 standard deviations over {count(found.n_halves)} random halves of the rows. "
    dates = f"The effects of dates ({', '.join(map(shortened, found.dates))}) are in coefficients.csv. "
    return marks + halves * bool(found.n_halves) + dates * bool(found.dates)


def _panel(found: Shapes, shape: Shape) -> Markup:
    return element(
        "div",
        element("h4", shortened(shape.name)),
        _curve(found, shape) if shape.xs else _levels(shape),
        element("small", _note(shape)),
        numbers("As a table", _table(shape)),
    )


def _note(shape: Shape) -> str | None:
    """What the picture of one input leaves out."""
    parts = []
    if shape.used is not None and shape.used < 1:
        parts.append(f"used in {100 * shape.used:.0f} % of the halves")
    if shape.missing:
        values = (
            f"{shortened(line.name)} {number(v)}".strip() for line, v in zip(shape.lines, shape.missing, strict=True)
        )
        parts.append(f"a missing value: {', '.join(values)}")
    if shape.n_more:
        parts.append(f"{count(shape.n_more)} levels with smaller effects are not shown")
    return "; ".join(parts) or None


def _curve(found: Shapes, shape: Shape) -> Markup:
    xs, low, high = shape.xs, *_middle(shape.xs)
    frame = Frame(axis_over(low, high), _axis(shape.lines, [k for k, x in enumerate(xs) if low <= x <= high]))
    marks = [element("path", d=f"M0 {10 * frame.y(0):.0f}H1000", class_="zero")]
    marks += [_band(frame, xs, line) for line in shape.lines if line.errors and len(shape.lines) == 1]
    marks.append(element("path", d="".join(f"M{10 * frame.x(x):.0f} 970V1000" for x in xs), class_="rug"))
    for line in shape.lines:
        title = element("title", shortened(line.name)) if line.name else None
        kind = "mean" if len(shape.lines) == 1 else "line"
        marks.append(element("path", title, d=frame.line(xs, line.values), class_=kind))
    named = [(line.name, frame.y(line.values[-1]), "") for line in shape.lines if line.name]
    said = f"The effect of {shortened(shape.name)} on the {found.of}; the numbers are in the table below."
    drawing = plot(frame, marks, end_labels(named) if named else None, said=said)
    return element("div", drawing, style=frame.left_room)


def _middle(xs: Sequence[float]) -> tuple[float, float]:
    """The range to draw: the inner knots, which are quantiles, and a quarter of their range beyond, if there is more."""
    if len(xs) < 5:
        return xs[0], xs[-1]
    room = (xs[-2] - xs[1]) / 4
    return max(xs[0], xs[1] - room), min(xs[-1], xs[-2] + room)


def _band(frame: Frame, xs: Sequence[float], line: ShapeLine) -> Markup:
    high = [frame.point(x, v + e) for x, v, e in zip(xs, line.values, line.errors, strict=True)]
    low = [frame.point(x, v - e) for x, v, e in zip(xs, line.values, line.errors, strict=True)]
    return element("path", d=f"M{'L'.join(high + low[::-1])}Z", class_="band")


def _axis(lines: Sequence[ShapeLine], points: Sequence[int]) -> Axis:
    """An axis over zero and the values at some points with their bands."""
    errors = (line.errors if line.errors and len(lines) == 1 else [0.0] * len(line.values) for line in lines)
    ends = [
        line.values[k] + side * own[k]
        for line, own in zip(lines, errors, strict=True)
        for k in points
        for side in (-1, 1)
    ]
    return axis_over(min(0.0, *ends), max(0.0, *ends))


def _levels(shape: Shape) -> Markup:
    """One line per level: a dot for each score, and a bar if there is only one."""
    axis = _axis(shape.lines, range(len(shape.labels)))
    rows = (
        element(
            "li",
            element("b", shortened(label)),
            element("i", [_marks(axis, line, k, len(shape.lines) == 1) for line in shape.lines], aria_hidden="true"),
            element("span", _said(shape.lines, k)),
        )
        for k, label in enumerate(shape.labels)
    )
    return element("ul", rows, class_="scores")


def _said(lines: Sequence[ShapeLine], k: int) -> str:
    if len(lines) > 1:
        best = max(lines, key=lambda line: line.values[k])
        return f"{shortened(best.name)} {number(best.values[k], 2)}"
    return plus_minus(lines[0].values[k], lines[0].errors[k]) if lines[0].errors else number(lines[0].values[k])


def _marks(axis: Axis, line: ShapeLine, k: int, bar: bool) -> Markup:
    value, error = line.values[k], line.errors[k] if line.errors and bar else 0.0
    low, at, high = (100 - axis.percent(v) for v in (value - error, value, value + error))
    dot = element("u", title=line.name or None, style=f"left:{at:.1f}%")
    return join(element("s", style=f"left:{low:.1f}%;width:{high - low:.1f}%") if error else None, dot)


def _table(shape: Shape) -> Markup:
    head = ["value"] + [
        part for line in shape.lines for part in ([shortened(line.name or "effect")] + ["± 2 SD"] * bool(line.errors))
    ]
    places = [copyable(x) for x in shape.xs] or [shortened(label) for label in shape.labels]
    columns = [list(map(copyable, of)) for line in shape.lines for of in (line.values, line.errors) if of]
    rows = zip(places, *columns, strict=True)
    return table(head, rows, caption=f"The effect of {shortened(shape.name)}")
