"""The sections of the page that need no script: the opening, the comparison, the network, the model, the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from shrinkwise.report.charts.view import careful
from shrinkwise.report.markup import Child, Markup, element, join, name, numbers, scroll, shortened, table
from shrinkwise.report.numbers import copyable, count, counted, interval, number, plus_minus, setting, spelled

from .comparison import comparison_table, kept_choice
from .network import network_figure

_TASKS = {"regression": "regression", "binary": "two classes", "multiclass": "several classes"}
_SHOWN = 30
_MOST_ROWS = 500
_MOST_ZEROS = 12
SIZE = "\ue000size\ue000"  # where the size of the whole file is written when it is known; of no use to a text


def section(identity: str, title: str, *content: Child) -> Markup:
    """A section under its heading."""
    heading = element("h2", title, id=f"{identity}-title")
    return element("section", heading, content, id=identity, aria_labelledby=f"{identity}-title")


def opening(page: dict) -> Markup:
    """The first page: what was asked, the verdict, what was compared, how sure it is."""
    facts = (page["title"], counted(page["n_rows"], "row"), counted(page["n_inputs"], "input"), _task(page))
    verdict = page["verdict"] or page["plain"][:1]
    rest = [sentence for sentence in page["plain"] if sentence not in verdict]
    return element(
        "header",
        element("p", (element("span", fact) for fact in facts), class_="facts"),
        element("h1", page["subtitle"]),
        element(
            "div",
            element("p", spelled(" ".join(verdict)), class_="verdict"),
            (element("p", spelled(sentence)) for sentence in rest),
            class_="prose",
        ),
        _key_numbers(page),
    )


def comparison(page: dict) -> Markup:
    """Every candidate, honestly scored."""
    explain = page["score"].get("explain")
    return section(
        "comparison",
        "What was compared",
        element("p", explain, class_="prose") if explain else None,
        scroll("Comparison", comparison_table(page)),
        numbers("The comparison as a table of numbers", _comparison_numbers(page)),
    )


def network(page: dict) -> Markup | None:
    """The network before and after one draw of dropout."""
    if not page.get("network"):
        return None
    return section("network", "What dropout does to the network", network_figure(page["network"]))


def model(page: dict) -> Markup | None:
    """The chosen model: its objective and its coefficients in the units of the data."""
    coefficients = page["coefficients"]
    if not coefficients and not page.get("formula"):
        return None
    formula = page.get("formula")
    return section(
        "model",
        "The model that is kept",
        element("p", "It minimizes") if formula else None,
        element("pre", element("code", spelled(formula)), class_="formula") if formula else None,
        _to_deploy(page.get("written")),
        _coefficients(coefficients, {column["name"] for column in page["columns"]}) if coefficients else None,
    )


def _to_deploy(written: dict | None) -> Markup | None:
    """The formula to copy, and the files of the run that do the same."""
    if not written:
        return None
    formula = element("pre", element("code", written["formula"]), class_="formula") if written["formula"] else None
    return join(
        element("h3", "To deploy it"),
        join(formula, (element("p", note) for note in written["notes"])) if formula else None,
        element(
            "p",
            "In the run folder: score.py gives the same numbers with nothing but Python (python score.py NEW.csv), "
            "coefficients.csv has the weights, model.json and model.npz are for shrinkwise predict and shrinkwise explain.",
        ),
    )


def data(page: dict) -> Markup:
    """The columns with their kinds, and what was noticed."""
    columns = page["columns"]
    kinds = Counter(column["kind"] for column in columns)
    summary = ", ".join(f"{count(n)} {kind}" for kind, n in kinds.items())
    dropped = [c for c in columns if c["kind"] == "dropped"]
    return section(
        "data",
        "The data, as they were read",
        element(
            "p", f"{counted(page['n_rows'], 'row')}; columns: {summary}." if columns else "No columns are described."
        ),
        element("ul", (element("li", note) for note in page["notes"]), class_="notes") if page["notes"] else None,
        _checks(page.get("checks") or []),
        scroll("Columns left out", _columns_table("Columns left out, and why", dropped)) if dropped else None,
        numbers("All columns with their kinds", _columns_table("Columns", columns)) if columns else None,
    )


def _checks(checks: list[dict]) -> Markup | None:
    """What ought to be asked of every result, with the answers."""
    if not checks:
        return None
    rows = [[check["question"], check["answer"]] for check in checks]
    caption = "Leakage and other checks"
    return scroll(caption, table(["question", "answer"], rows, caption=caption, class_="checks"))


def reproduce(page: dict) -> Markup:
    """How to get the same page again."""
    lines = "\n".join(page["reproduce"])
    return section(
        "reproduce",
        "How to reproduce this",
        element("p", "The same table, version and seed give the same numbers."),
        element("pre", element("code", lines or page["command"])),
        element(
            "footer",
            f"shrinkwise {page['version']} · seed {page['seed']} · this file is {SIZE} and asks the network for nothing · "
            f"{page['command']}",
        ),
    )


def _task(page: dict) -> Markup:
    return join("predict ", name(page["target"]), f", {_TASKS.get(page['task'], page['task'])}")


def _key_numbers(page: dict) -> Markup | None:
    """The chosen candidate in four numbers."""
    chosen = next((c for c in page["candidates"] if c.get("chosen")), None)
    if chosen is None:
        return None
    choice = kept_choice(page, chosen)
    difference = choice.get("difference") or chosen.get("difference")
    elsewhere = ", at its best λ" if choice is not chosen["best"] and not choice.get("difference") else ""
    kept = page.get("kept") or {}  # the refitted model's own; else the medians over the folds
    strength = setting(kept.get("strength") or choice.get("strength")) or chosen.get("regularizer")
    inputs, n_inputs = kept.get("inputs", choice.get("inputs")), kept.get("n_inputs", page["n_inputs"])
    pairs = [
        ("chosen", join(chosen["name"], element("small", strength) if strength else None)),
        (f"held-out {page['score']['name']}", plus_minus(choice["score"], choice["se"])),
        (
            f"difference to no regularization{elsewhere}",
            difference and interval(*(difference[k] for k in ("mean", "low", "high"))),
        ),
        ("inputs used", inputs is not None and f"{count(inputs)} of {count(n_inputs)}"),
    ]
    items = (element("div", element("dt", term), element("dd", value)) for term, value in pairs if value)
    return element("dl", items, class_="key")


def _comparison_numbers(page: dict) -> Markup:
    head: list[Child] = ["candidate", "family", "regularizer", "choice", "strength", "score", "standard error"]
    head += ["difference", "low", "high", "inputs", "zeros", "weights", "seconds", "chosen"]
    rows = []
    for c in page["candidates"]:
        for label, choice in (("best", c["best"]), (careful(page), c.get("one_se"))):
            if not choice:
                continue
            difference = choice.get("difference") or (label == "best" and c.get("difference")) or {}
            row = [c["name"], c["family"], c.get("regularizer"), label, spelled(choice.get("strength") or "")]
            row += [copyable(choice["score"]), copyable(choice["se"])]
            row += [copyable(difference.get(k)) for k in ("mean", "low", "high")]
            row += [choice.get(k) if choice.get(k) is not None else "–" for k in ("inputs", "zeros", "weights")]
            row += [copyable(c.get("seconds")), "yes" if c.get("chosen") else ""]
            rows.append(row)
    return table(head, rows, caption=f"Held-out {page['score']['name']} of every candidate")


def _coefficients(coefficients: list[dict], columns: set[str]) -> Markup:
    """The largest in sight, the rest to open, the zeros in one line; all end where a page stops being readable."""
    by_size = sorted((c for c in coefficients if c["coefficient"] != 0), key=lambda c: -_size(c["coefficient"]))
    first, rest = by_size[:_SHOWN], by_size[_SHOWN:_MOST_ROWS]
    more = len(by_size) - len(first) - len(rest)
    beyond = f" The {count(more)} smallest are in coefficients.csv." if more else ""
    return join(
        scroll("Coefficients", _coefficient_table("Coefficients in the units of the data", first, number)),
        _zeros(coefficients, columns),
        numbers(
            f"The next {counted(len(rest), 'coefficient')}", _coefficient_table(f"The rest.{beyond}", rest, copyable)
        )
        if rest
        else None,
    )


def _zeros(coefficients: list[dict], columns: set[str]) -> Markup | None:
    """How many inputs are exactly zero (for every class, where there are several), and the first of their names.

    Where columns were encoded, a zero is one of a level: its column may still be needed.
    """
    used = {c["feature"] for c in coefficients if c["coefficient"] != 0}
    zeros = list(dict.fromkeys(c["feature"] for c in coefficients if c["feature"] not in used))
    if not zeros:
        return None
    names = [part for feature in zeros[:_MOST_ZEROS] for part in (", ", name(feature))][1:]
    more = len(zeros) - _MOST_ZEROS
    features = (used | set(zeros)) - {"(intercept)"}
    of = counted(len(features), "input" if features <= columns else "coefficient")
    return element(
        "p",
        f"Exactly zero: {count(len(zeros))} of {of} (",
        names,
        f" and {count(more)} more)." if more > 0 else ").",
    )


def _coefficient_table(caption: str, coefficients: list[dict], written: Callable[[float | None], str]) -> Markup:
    """A table to read (`written` is `number`) or to copy (`copyable`)."""
    head: list[Child] = ["input", "coefficient", "unit"]
    if not any(c.get("unit_note") for c in coefficients):
        head.pop()
    rows = (
        [shortened(c["feature"]), written(c["coefficient"]), c.get("unit_note") or ""][: len(head)]
        for c in coefficients
    )
    return table(head, rows, caption=caption, class_="coefficients")


def _size(value: float | None) -> float:
    return abs(value) if value is not None and value == value else -1.0


def _columns_table(caption: str, columns: list[dict]) -> Markup:
    rest = len(columns) - _MOST_ROWS
    shown = columns[:_MOST_ROWS]
    rows = [[shortened(c["name"]), c["kind"], c.get("reason") or ""] for c in shown]
    more = f" (the first {count(_MOST_ROWS)}; {count(rest)} more)" if rest > 0 else ""
    return table(["column", "kind", "why"], rows, caption=caption + more, class_="columns")
