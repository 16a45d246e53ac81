"""The errors of the kept model on held-out rows: residuals of a regression, calibration of class probabilities."""

from __future__ import annotations

from shrinkwise.report.axes import Axis, axis_over
from shrinkwise.report.charts.plots import Frame, axis_name, mind, plot
from shrinkwise.report.exhibits import Calibration, Residuals
from shrinkwise.report.markup import Markup, element, join, numbers, table
from shrinkwise.report.numbers import copyable, count, number
from shrinkwise.report.schema import Page
from shrinkwise.report.section import Section, section


def _render(page: Page, _: object) -> Markup:
    return section(
        "errors",
        "Errors of the kept model",
        _residuals(page.target, page.residuals) if page.residuals and page.residuals.bins else None,
        _calibration(page.calibration) if page.calibration and page.calibration.bins else None,
    )


def _residuals(target: str, found: Residuals) -> Markup:
    bins = found.bins
    xs, ys = zip(*found.points, strict=True)
    reach = max(map(abs, ys)) or 1.0
    frame = Frame(axis_over(min(xs), max(xs)), axis_over(-reach, reach))
    dots = element("path", d="".join(f"M{frame.point(x, y)}h0" for x, y in found.points), class_="dots")
    middles = [(b.low + b.high) / 2 for b in bins]
    mean = element("path", d=frame.line(middles, [b.mean for b in bins]), class_="mean")
    zero = element("path", d=f"M0 {10 * frame.y(0):.0f}H1000", class_="zero")
    drawn = f"{count(len(xs))} of {count(found.n_rows)}" if len(xs) < found.n_rows else f"All {count(len(xs))}"
    head = ["prediction from", "to", "rows", "mean residual", "standard deviation"]
    rows = [[copyable(b.low), copyable(b.high), b.rows, copyable(b.mean), copyable(b.spread)] for b in bins]
    worst = [[w.row, copyable(w.truth), copyable(w.predicted)] for w in found.worst]
    caption = join(
        f"{drawn} held-out rows: {target} minus its prediction, over the prediction; the line is the mean in each tenth of "
        "the rows. ",
        mind(
            "a line that bends away from zero suggests a missing nonlinear term or interaction; points that fan out show that "
            "the error grows with the prediction, so that the logarithm may be a better target."
        ),
    )
    said = "Residuals over predictions; their means are in the table below."
    return element(
        "figure",
        plot(frame, [zero, dots, mean], None, said=said),
        axis_name(f"prediction of {target}"),
        element("figcaption", caption),
        numbers("The residuals as a table", table(head, rows, caption="Residuals by tenths of the prediction")),
        numbers(
            "The five largest residuals",
            table(["row of the table", "truth", "prediction"], worst, caption="Rows with the largest residuals"),
        ),
        class_="one",
        style=frame.left_room,
    )


def _calibration(found: Calibration) -> Markup:
    frame, bins = Frame(Axis(0, 1), Axis(0, 1)), found.bins
    diagonal = element("path", d=frame.line([0, 1], [0, 1]), class_="threshold")
    bars = "".join(f"M{frame.point(b.predicted, b.low)}L{frame.point(b.predicted, b.high)}" for b in bins)
    marks = [diagonal, element("path", d=bars, class_="whisker")]
    dots = [
        element("span", class_="dot", style=f"left:{frame.x(b.predicted):.2f}%;top:{frame.y(b.share):.2f}%")
        for b in bins
    ]
    rows = [[copyable(b.predicted), copyable(b.share), copyable(b.low), copyable(b.high), b.rows] for b in bins]
    head = ["mean predicted probability", "observed frequency", "95 % low", "95 % high", "rows"]
    caption = join(
        f"Held-out rows by the predicted probability of {found.of}, in tenths, and the observed frequency with "
        f"its 95 % interval. {_verdict(found)} ",
        mind(
            "points below the line at the right and above it at the left show overconfident probabilities; recalibrate them on "
            "fresh rows before decisions depend on them."
        ),
    )
    lowest, highest = number(bins[0].predicted, 2), number(bins[-1].predicted, 2)
    said = f"Calibration for predicted probabilities from {lowest} to {highest}; the numbers are in the table below."
    return element(
        "figure",
        plot(frame, marks, dots, said=said),
        axis_name("predicted probability → · observed frequency ↑"),
        element("figcaption", caption),
        numbers("The calibration as a table", table(head, rows, caption=f"Calibration, probability of {found.of}")),
        class_="one square",
        style=frame.left_room,
    )


def _verdict(found: Calibration) -> str:
    outside, bins = found.outside, len(found.bins)
    if not outside:
        return "All intervals contain the predicted probability, so the probabilities can be taken as they are."
    return (
        f"{outside} of {bins} intervals miss{'es' if outside == 1 else ''} the predicted probability (by chance one "
        "in twenty does)."
    )


def _has_rows(page: Page) -> bool:
    return any(found is not None and found.bins for found in (page.residuals, page.calibration))


SECTION = Section(_has_rows, _render)
