"""A plot of lines, marks and labels over two linear axes: stretched SVG for the marks, HTML for the text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shrinkwise.report.axes import Axis, label_room, spread_apart
from shrinkwise.report.markup import Child, Markup, element, join, shortened

_GAP = 10.5  # percent of the plot's height between two labels: a long one takes two lines
_CROWDED = 16  # percent of the plot's width, which two labels side by side need on a phone


@dataclass(frozen=True)
class Frame:
    """Positions of values: `across` from left (low) to right (high), `up` from bottom to top."""

    across: Axis
    up: Axis

    def x(self, value: float) -> float:
        """Percent from the left."""
        return 100 - self.across.percent(value)

    def y(self, value: float) -> float:
        """Percent from the top."""
        return self.up.percent(value)

    @property
    def left_room(self) -> str:
        """The style that reserves room for the labels at the left."""
        return label_room(label for _, label in self.up.ticks())

    def point(self, x: float, y: float) -> str:
        """A position in thousandths of the frame; positions far outside are clipped a little outside."""
        return f"{10 * self.x(x):.0f} {min(4000.0, max(-3000.0, 10 * self.y(y))):.0f}"

    def line(self, xs: Sequence[float], ys: Sequence[float]) -> str:
        """The path through points."""
        return "M" + "L".join(self.point(x, y) for x, y in zip(xs, ys, strict=True))


def plot(
    frame: Frame, marks: Child, words: Child, *, said: str, ticks: Sequence[tuple[float, str]] | None = None
) -> Markup:
    """The plot as an image with a description; `ticks` are those of the horizontal axis (percent, label)."""
    rows = [(at, label) for at, label in frame.up.ticks() if 0 <= at <= 100]
    columns = [(100 - at, label) for at, label in frame.across.ticks(5)] if ticks is None else ticks
    grid = element("path", d="".join(f"M0 {at * 10:.0f}H1000" for at, _ in rows), class_="grid")
    drawing = element("svg", grid, marks, viewBox="0 0 1000 1000", preserveAspectRatio="none", aria_hidden="true")
    return element(
        "div",
        drawing,
        (element("span", label, class_="tick y", style=f"top:{at:.1f}%") for at, label in rows),
        _across_ticks([(at, label) for at, label in columns if 0 <= at <= 100]),
        words,
        class_="plot small",
        role="img",
        aria_label=said,
    )


def _across_ticks(ticks: Sequence[tuple[float, str]]) -> list[Markup]:
    """The labels along the horizontal axis; those too close to the previous one are hidden on a narrow page."""
    last, written = -math.inf, []
    for at, label in ticks:
        crowded = at - last < _CROWDED
        last = last if crowded else at
        kind = "tick x crowded" if crowded else "tick x"
        written.append(element("span", label, class_=kind, style=f"left:{at:.1f}%"))
    return written


def end_labels(named: Sequence[tuple[str, float, str]]) -> Markup:
    """Names (text, percent from the top, class) at the right edge, spread apart, with leaders to their lines."""
    seen = [min(100.0, max(0.0, at)) for _, at, _ in named]
    places = spread_apart(seen, _GAP, 0, 100)
    leaders = "".join(f"M0 {a * 10:.0f}L10 {b * 10:.0f}" for a, b in zip(seen, places, strict=True))
    drawing = element("svg", element("path", d=leaders), viewBox="0 0 10 1000", preserveAspectRatio="none")
    texts = (
        element("span", shortened(text), class_=kind or None, style=f"top:{place:.1f}%")
        for (text, _, kind), place in zip(named, places, strict=True)
    )
    return element("div", drawing, texts, class_="ends", aria_hidden="true")


def axis_name(text: str) -> Markup:
    """The name of the horizontal axis."""
    return element("p", text, class_="axis-name", aria_hidden="true")


def mind(text: str) -> Markup:
    """The sentence of a caption on what would change the conclusion."""
    return join(element("b", "What would change this: "), text)
