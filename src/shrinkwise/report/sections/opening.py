"""The first page: the question, the answer in one sentence, a chart of all scores, the verdict and the key numbers."""

from __future__ import annotations

from collections.abc import Sequence

from shrinkwise.report.charts.scores import score_chart
from shrinkwise.report.markup import Markup, element, join, name
from shrinkwise.report.numbers import count, counted, interval, plus_minus, setting, spelled
from shrinkwise.report.schema import Page
from shrinkwise.report.section import Section

_SHOWN = 3  # sentences below the picture; the others are folded
_TASKS = {"regression": "regression", "counts": "counts", "binary": "two classes", "multiclass": "several classes"}


def _render(page: Page, _: bool) -> Markup:
    task = join("predict ", name(page.target), f", {_TASKS.get(page.task, page.task)}")
    facts = (page.title, counted(page.n_rows, "row"), counted(page.n_inputs, "input"), task)
    verdict = page.verdict or page.plain[:1]
    rest = [sentence for sentence in page.plain if sentence not in verdict]
    shown, folded = verdict[1 : 1 + _SHOWN], [*verdict[1 + _SHOWN :], *rest]
    return element(
        "header",
        element("p", (element("span", fact) for fact in facts), class_="facts"),
        element("h1", page.subtitle),
        element(
            "div",
            (element("p", spelled(sentence), class_="verdict") for sentence in verdict[:1]),
            score_chart(page),
            (element("p", spelled(sentence)) for sentence in shown),
            _fold(folded),
            class_="prose",
        ),
        _key_numbers(page),
    )


def _fold(sentences: Sequence[str]) -> Markup | None:
    if not sentences:
        return None
    summary = element("summary", "How the scores were measured, and what they do not show")
    return element("details", summary, (element("p", spelled(sentence)) for sentence in sentences), class_="more")


def _key_numbers(page: Page) -> Markup | None:
    """Four key numbers of the kept model: those of the refitted model if there is one, else medians over the folds."""
    if (row := page.kept_row) is None or (choice := row.kept) is None:
        return None
    difference = choice.difference
    strength = setting(page.kept.strength if page.kept else choice.strength) or row.regularizer
    inputs, n_inputs = (page.kept.inputs, page.kept.n_inputs) if page.kept else (choice.inputs, page.n_inputs)
    pairs = [
        ("kept model", join(row.name, element("small", strength) if strength else None)),
        (f"held-out {page.score.name}", plus_minus(choice.score, choice.se)),
        (
            "difference to no regularization",
            difference and interval(difference.mean, difference.low, difference.high),
        ),
        ("inputs used", inputs is not None and f"{count(inputs)} of {count(n_inputs)}"),
    ]
    items = (element("div", element("dt", term), element("dd", value)) for term, value in pairs if value)
    return element("dl", items, class_="key")


SECTION = Section(lambda _: True, _render)
