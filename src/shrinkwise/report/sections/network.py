"""The picture of the network: the full network, and the units that one draw of dropout keeps."""

from __future__ import annotations

from collections.abc import Sequence

from shrinkwise.report.exhibits import NetworkPicture
from shrinkwise.report.markup import Markup, element, numbers, shortened, table
from shrinkwise.report.numbers import count
from shrinkwise.report.schema import Page
from shrinkwise.report.section import Section, section

_MOST_UNITS = 10
_ROW = 19
_LEFT, _RIGHT, _TOP, _WIDTH = 112, 342, 28, 420
_NAME_LETTERS = 14


def _render(_: Page, network: NetworkPicture) -> Markup:
    return section("network", "What dropout does to the network", _figure(network))


def _figure(network: NetworkPicture) -> Markup:
    """Two drawings side by side and, as a table, which units the draw dropped."""
    layers = [_units(layer) for layer in network.layers]
    silenced = network.silenced
    nobody = [[False] * len(layer) for layer in silenced]
    pictures = element(
        "div",
        _picture("The full network", layers, nobody),
        _picture("One draw of dropout", layers, silenced),
        class_="pair",
    )
    numbers_of = table(
        ["layer", "units", "dropped", "which"],
        [_row(i, layer, off, len(layers)) for i, (layer, off) in enumerate(zip(layers, silenced, strict=True))],
        caption="Units dropped in this draw",
    )
    caption = element("figcaption", network.caption or None, " ", _explanation(network, silenced))
    return element("figure", pictures, caption, numbers("The draw as a table", numbers_of), class_="network")


def _units(layer: int | Sequence[str]) -> list[str | None]:
    return [None] * layer if isinstance(layer, int) else list(layer)


def _explanation(network: NetworkPicture, silenced: Sequence[Sequence[bool]]) -> str:
    off, total = sum(map(sum, silenced[1:-1])), sum(map(len, silenced[1:-1]))
    return (
        f"Each hidden unit is kept with probability {network.keep:g}; in this draw {count(off)} of {count(total)} are "
        "dropped (hollow, without edges). Every training step makes a new draw, so that no unit relies on a particular other "
        "one; prediction uses the full network. What would change this: this is one draw, for illustration. The comparison "
        "shows whether dropout improves the score."
    )


def _row(i: int, layer: list[str | None], off: Sequence[bool], n_layers: int) -> list[object]:
    which = [shortened(unit or k + 1) for k, (unit, gone) in enumerate(zip(layer, off, strict=True)) if gone]
    return [_layer_name(i, n_layers), count(len(layer)), count(sum(off)), ", ".join(which) or "none"]


def _layer_name(i: int, n_layers: int) -> str:
    return "inputs" if i == 0 else "outputs" if i == n_layers - 1 else f"hidden layer {i}" if n_layers > 3 else "hidden"


def _picture(title: str, layers: list[list[str | None]], silenced: Sequence[Sequence[bool]]) -> Markup:
    """One drawing: at most ten units of each layer, dropped units without their edges."""
    tallest = max(min(len(layer), _MOST_UNITS) for layer in layers)
    height = (tallest + 1) * _ROW + 34
    columns = [_places(i, layer, len(layers), tallest) for i, layer in enumerate(layers)]
    parts = [_edges(columns, silenced)]
    for i, layer in enumerate(layers):
        units = (_unit(at, off) for at, off in zip(columns[i], silenced[i], strict=False))
        parts.append(element("g", units, class_="units"))
        parts += _words(i, layer, columns[i], len(layers))
    words = f"{title}: " + ", ".join(
        f"{_layer_name(i, len(layers))} {len(layer)}" + (f" ({sum(off)} dropped)" if any(off) else "")
        for i, (layer, off) in enumerate(zip(layers, silenced, strict=True))
    )
    drawing = element("svg", parts, viewBox=f"0 0 {_WIDTH} {height}", role="img", aria_label=words)
    return element("div", element("p", title, class_="picture-title"), drawing)


def _places(i: int, layer: list[str | None], n_layers: int, tallest: int) -> list[tuple[float, float]]:
    shown = min(len(layer), _MOST_UNITS)
    x = _LEFT + (_RIGHT - _LEFT) * i / max(1, n_layers - 1)
    first = _TOP + (tallest - shown) * _ROW / 2
    return [(x, first + k * _ROW) for k in range(shown)]


def _edges(columns: list[list[tuple[float, float]]], silenced: Sequence[Sequence[bool]]) -> Markup:
    """All edges between units that are not dropped, in steps of a layer and half a row: short numbers, one path."""
    half = _ROW / 2
    edges = "".join(
        f"M{i} {(y1 - _TOP) / half:.0f}L{i + 1} {(y2 - _TOP) / half:.0f}"
        for i in range(len(columns) - 1)
        for (_, y1), off1 in zip(columns[i], silenced[i], strict=False)
        for (_, y2), off2 in zip(columns[i + 1], silenced[i + 1], strict=False)
        if not off1 and not off2
    )
    across = (_RIGHT - _LEFT) / max(1, len(columns) - 1)
    return element(
        "path", d=edges, class_="edges", transform=f"translate({_LEFT} {_TOP}) scale({across:.5g} {half:.5g})"
    )


def _unit(at: tuple[float, float], off: bool) -> Markup:
    return element("circle", cx=f"{at[0]:.0f}", cy=f"{at[1]:g}", r="5.5", class_="off" if off else None)


def _words(i: int, layer: list[str | None], places: list[tuple[float, float]], n_layers: int) -> list[Markup]:
    """Names beside the inputs and outputs, the layer's name above, and how many units are not drawn below."""
    x = f"{places[0][0]:.0f}"
    words = [element("text", _layer_name(i, n_layers), x=x, y=12, class_="layer")]
    hidden_units = len(layer) - len(places)
    if hidden_units:
        below = f"{places[-1][1] + _ROW + 3:.0f}"
        words.append(element("text", f"… and {count(hidden_units)} more", x=x, y=below, class_="more"))
    side, shift = ("start", 11) if i == n_layers - 1 else ("end", -11)
    for unit, (cx, cy) in zip(layer, places, strict=False):
        if unit is not None:
            words.append(_unit_name(unit, cx + shift, cy, side))
    return words


def _unit_name(unit: str, x: float, y: float, side: str) -> Markup:
    short = unit if len(unit) <= _NAME_LETTERS else unit[: _NAME_LETTERS - 1] + "…"
    whole = element("title", shortened(unit)) if short != unit else None
    return element("text", whole, short, x=f"{x:.0f}", y=f"{y + 3.5:g}", text_anchor=side)


SECTION = Section(lambda page: page.network, _render)
