"""The playground: one self-contained HTML file in which a penalty, a network and dropout can be tried out offline."""

from __future__ import annotations

import hashlib
import json
from string import Template

from .page import asset, compact_script, compact_style, content_policy

_MARK = "written by shrinkwise playground, SHA-256 of what follows: "
_SCRIPTS = ("playground_solver.js", "playground_table.js", "playground_network.js", "playground.js")


def render_playground(table: str | None = None, name: str = "", target: str | None = None, note: str = "") -> str:
    """The playground as the text of one HTML file without external requests.

    Parameters
    ----------
    table : text of a CSV file that the page opens with, optional; by default it draws an example
    name : what the page calls this table
    target : the column that is predicted at first, by default the last possible one
    note : a sentence on the table, such as which rows were left out

    >>> "Regularization playground" in render_playground()
    True
    """
    script = compact_script("\n".join(map(asset, _SCRIPTS)))
    given = {"table": table, "name": name, "target": target, "note": note}
    html = Template(asset("playground.html")).substitute(
        mark=_MARK,
        policy=content_policy(script),
        style=compact_style(asset("base.css") + asset("playground.css")),
        given=json.dumps(given, ensure_ascii=False).replace("<", "\\u003c"),
        script=script,
    )
    before, rest = html.split(_MARK, 1)
    return f"{before}{_MARK}{_digest(rest)}{rest}"


def is_playground(html: str) -> bool:
    """Whether `render_playground` wrote this text and nobody changed it."""
    _, mark, rest = html.partition(_MARK)
    return bool(mark) and rest[:64] == _digest(rest[64:])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
