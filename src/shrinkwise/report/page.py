"""The page: one HTML file that opens offline, carries all it needs and is allowed to fetch nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from string import Template

from shrinkwise.report.charts.view import view_path
from shrinkwise.report.sections.errors import errors
from shrinkwise.report.sections.explorer import explorer
from shrinkwise.report.sections.halves import halves
from shrinkwise.report.sections.stress import stress

from .markup import Markup, element, join, script_json
from .sections import base as sections


def render_page(page: dict) -> str:
    """The report as the text of one HTML file.

    Parameters
    ----------
    page : dict of plain data
        title, subtitle, version, seed, command, task, target, n_rows, n_inputs; plain, verdict, columns, notes; score;
        candidates; path, network (None where there is none); coefficients; formula; reproduce. Optional: `select`
        ("1se" or "best": which choice became the model, default "1se") and, in `path`, `cv_label` (the name of the
        cross-validated loss, default the score's name), stress, halves, errors,
        checks and written (compare.exhibits). All text in it is the user's and is escaped.

    Returns
    -------
    str
        HTML, the same for the same page. It works without JavaScript at the chosen λ; the script, the only one the
        page's Content-Security-Policy admits (by its hash), moves the slider.

    """
    view = view_path(page) if page.get("path") else None
    body = join(
        sections.opening(page),
        explorer(view) if view else None,
        sections.comparison(page),
        halves(page),
        stress(page),
        errors(page),
        sections.network(page),
        sections.model(page),
        sections.data(page),
        sections.reproduce(page),
    )
    data = script_json(view.for_script()) if view else None
    html = _filled(page, body, data)
    return html.replace(sections.SIZE, f"{round(len(html.encode()) / 1000)} kB", 1)


def _filled(page: dict, body: Markup, data: Markup | None) -> str:
    script = _compact_script(_asset("page.js"))
    return Template(_asset("page.html")).substitute(
        policy=_policy(script),
        title=element("title", f"{page['title']}: {page['subtitle']}"),
        style=_compact_style(_asset("page.css")),
        body=body,
        data=element("script", data, type="application/json", id="path-data") if data else "",
        script=script,
    )


def _policy(script: str) -> str:
    """Nothing may be fetched, sent, framed or run, but this script; images are the empty icon alone."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _compact_style(css: str) -> str:
    """The style sheet without comments and without the blanks that only its editor reads; no string in it holds any."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"\s*([{};,])\s*", r"\1", css.strip())
    return re.sub(r"(?<![\d.])0\.(?=\d)", ".", re.sub(r": +", ":", css)).replace(";}", "}")


def _compact_script(script: str) -> str:
    """The script without indentation and whole-line comments: no string in it goes over a line."""
    lines = (line.strip() for line in script.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _asset(name: str) -> str:
    return (files("shrinkwise.report") / "assets" / name).read_text(encoding="utf-8")
