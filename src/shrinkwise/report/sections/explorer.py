"""The slider and the parts that follow it: the paths, the cross-validation curve, the histogram and the kept inputs."""

from __future__ import annotations

from shrinkwise.report.charts.charts import cv_chart, histogram_chart, left_room, marks_of, path_chart
from shrinkwise.report.charts.plots import mind
from shrinkwise.report.charts.view import PathView, view_path
from shrinkwise.report.markup import Markup, element, join, numbers, script_json, shortened, table
from shrinkwise.report.numbers import copyable, count, number
from shrinkwise.report.schema import Page, PathPage
from shrinkwise.report.section import Section, section

_WEAKER = element("p", "← stronger penalty · λ · weaker →", class_="axis-name", aria_hidden="true")


def _render(page: Page, path: PathPage) -> Markup:
    """The section of the λ slider, initially at the λ of the kept model, and the data for the page's script."""
    view = view_path(page, path)
    several = len(view.lambdas) > 1
    charts = element("div", _path_figure(view), _cv_figure(view), class_="charts") if several else None
    side = element("div", _histogram_figure(view), _kept_list(view), class_="side")
    alone = element("p", "Only one λ was fitted, so there is no path to show.") if not several else None
    return section(
        "strength",
        "How strong the penalty is, and which inputs remain",
        element("p", _introduction(view), class_="prose"),
        alone,
        element(
            "div",
            _dial(view, several),
            charts,
            side,
            class_="explorer" if several else "explorer single",
            style=left_room(view),
        ),
        element("script", script_json(view.for_script()), type="application/json", id="path-data"),
    )


def _introduction(view: PathView) -> str:
    strengths = "one strength" if len(view.lambdas) == 1 else f"{count(len(view.lambdas))} strengths"
    shown = (
        f"The kept model is “{view.model}”; the path shown is that of the {view.name}"
        if view.model
        else f"Shown is {view.name}"
    )
    sentence = f"{shown}, fitted on all rows at {strengths} of its penalty λ. "
    if not view.zeros.any():
        return sentence + "This penalty shrinks the weights but sets none of them to exactly zero."
    last = len(view.lambdas) - 1
    if last == 0:
        return sentence + "A weight that is regularized away is exactly zero."
    return sentence + (
        f"The strongest keeps {view.kept_text(0)} inputs, the weakest {view.kept_text(last)}; "
        "an input whose weights are all exactly zero is not needed for prediction."
    )


def _dial(view: PathView, several: bool) -> Markup:
    """The slider, its buttons and the numbers at its λ."""
    at = view.chosen
    slider = element(
        "input",
        type="range",
        id="lambda",
        min=0,
        max=len(view.lambdas) - 1,
        step=1,
        value=at,
        aria_valuetext=f"λ = {number(view.lambdas[at])}",
    )
    jumps = [("best", "best λ"), ("1se", f"{view.one_se_label} λ")]
    jumps += [("chosen", f"{view.standing} λ")] if at not in (view.best, view.one_se) else []
    buttons = (element("button", words, type="button", data_jump=where) for where, words in jumps)
    control = element(
        "div",
        element("div", element("label", "Penalty strength λ", for_="lambda"), buttons, class_="dial-head"),
        slider,
        id="control",
        hidden=True,
    )
    readings = [("λ", "now-lambda", number(view.lambdas[at])), ("inputs kept", "now-kept", view.kept_text(at))]
    readings += [("exact zeros", "now-zeros", view.zeros_text(at))]
    readings += [(f"held-out {view.score}", "now-score", view.score_text(at))]
    items = (element("div", element("dt", term), element("dd", value, id=i)) for term, i, value in readings)
    script = element("noscript", element("p", f"Without JavaScript this section shows the {view.standing} λ."))
    return element("div", control if several else None, element("dl", items, class_="readings"), script, class_="dial")


def _path_figure(view: PathView) -> Markup:
    chart, cut = path_chart(view)
    hidden = view.n_weights - len(view.features)
    words = join(
        f"Coefficient paths: {view.coef_label}. ",
        f"The {len(view.features)} largest of {count(view.n_weights)} weights are drawn; all are counted. "
        if hidden
        else None,
        "Near the smallest λ some lines leave the frame; the table has their values. " if cut else None,
        element("span", f"The largest at the {view.standing} λ are labelled at the right. ", class_="ends-note"),
        "Point at a line, or use the arrow keys, to see its name. ",
        mind(f"a fit with another --seed, if lines change places near the {view.standing} λ."),
    )
    table_at = join(element("div", id="path-table"), element("noscript", "This table needs JavaScript."))
    return element(
        "figure",
        chart,
        _WEAKER,
        element("figcaption", words),
        numbers("The paths as a table", table_at, id="path-numbers"),
        element("p", id="said", class_="unseen", aria_live="polite"),
    )


def _cv_figure(view: PathView) -> Markup:
    if not view.scored:
        return element("p", "There is no cross-validation curve for this path.", class_="prose")
    chart, cut = cv_chart(view)
    words = join(
        f"Cross-validation: held-out {view.score} and its ±1 standard error band. ",
        "At the smallest λ the curve leaves the frame. " if cut else None,
        _one_se_words(view),
        "These scores selected λ, so they are slightly optimistic; the nested scores of the comparison are not. ",
        mind("a flat curve, for which the data do not determine λ and a simpler model further left scores as well."),
    )
    rows = [
        [copyable(lam), copyable(view.mean[i]), copyable(view.se[i]), view.kept[i], int(view.zeros[i]), _mark(view, i)]
        for i, lam in enumerate(view.lambdas)
    ]
    head = ["λ", view.score, "standard error", "inputs kept", "exact zeros", "mark"]
    return element(
        "figure",
        chart,
        _WEAKER,
        _legend(view),
        element("figcaption", words),
        numbers("The curve as a table", table(head, rows, caption="Cross-validation at every λ")),
    )


def _one_se_words(view: PathView) -> str:
    if view.one_se_label == "1-SE":
        return (
            "The dotted line lies one standard error above the best score. 1-SE is the strongest λ within one standard error "
            "of the paired difference to the best λ, fold by fold, which is less. "
        )
    return f"“{view.one_se_label}” is the strongest λ whose score is {view.one_se_label} of the best. "


def _legend(view: PathView) -> Markup:
    return element(
        "p",
        (element("span", element("span", class_=f"dot {kind}"), words) for _, kind, words in marks_of(view)),
        class_="legend",
        aria_hidden="true",
    )


def _mark(view: PathView, i: int) -> str:
    return ", ".join(word for at, _, word in marks_of(view) if at == i)


def _histogram_figure(view: PathView) -> Markup:
    """The zeros as a separate bar, as a share of all weights, and below it the histogram of the others."""
    share = 100 * view.zeros[view.chosen] / max(1, view.n_weights)
    zeros = element(
        "div",
        element("p", "exactly zero: ", element("b", view.zeros_text(view.chosen), id="zero-count")),
        element("div", element("div", id="zero-bar", style=f"width:{share:.2f}%"), class_="share"),
        class_="zeros",
    )
    edges = [copyable(float(edge)) for edge in view.edges]
    bins = list(zip(edges, edges[1:], view.histogram[view.chosen].tolist(), strict=False))
    rows = [["exactly 0", "exactly 0", int(view.zeros[view.chosen])], *bins]
    return element(
        "figure",
        element("h3", "The weights at this λ"),
        zeros,
        histogram_chart(view),
        element(
            "figcaption",
            "The others by size",
            "; those beyond the ends are counted in the last bars. " if view.beyond else ". ",
            mind("many small weights and few zeros at the best λ suggest L2; a few large ones suggest L1."),
        ),
        numbers(
            "The histogram as a table", table(["from", "to", "weights"], rows, caption="Weights at this λ"), id="bins"
        ),
    )


def _kept_list(view: PathView) -> Markup:
    """All names; those that are not kept at the λ of the slider are hidden."""
    lines = {feature: i for i, feature in enumerate(view.features)}
    listed = view.listed(view.chosen)
    items = (
        element("li", shortened(word), data_line=lines.get(word), hidden=not shown)
        for word, shown in zip(view.names, listed, strict=True)
    )
    more = view.kept[view.chosen] - sum(listed)
    return element(
        "div",
        element("h3", "Inputs kept, in the order in which they enter"),
        element("ul", items, class_=_columns(view.names), id="kept", tabindex=0, aria_label="Inputs kept"),
        element("p", f"… and {count(more)} more", id="kept-more", hidden=more == 0),
        element(
            "p",
            "No input: the model predicts the same for every row.",
            id="kept-none",
            hidden=view.kept[view.chosen] > 0,
        ),
    )


def _columns(names: list[str]) -> str:
    """Three columns if all names are short, one if some are long."""
    longest = max(map(len, names), default=0)
    return "kept-list short" if longest <= 10 else "kept-list long" if longest > 18 else "kept-list"


SECTION = Section(lambda page: page.path, _render)
