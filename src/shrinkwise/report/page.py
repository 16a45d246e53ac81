"""The page: one self-contained HTML file that works offline and makes no network requests."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from string import Template

from .markup import Markup, element, join
from .schema import Page
from .sections import SECTIONS
from .sections.reproduce import SIZE


def render_page(page: Page) -> str:
    """The report as the text of one HTML file.

    All text in `page` may come from the user and is escaped. The result is the same for the same page. It works without
    JavaScript at the kept λ; the script, the only one allowed by the page's Content-Security-Policy (by its hash),
    moves the slider.
    """
    shown = ((section, section.applies(page)) for section in SECTIONS)
    html = _filled(page, join(section.render(page, part) for section, part in shown if part))
    return html.replace(SIZE, f"{round(len(html.encode()) / 1000)} kB", 1)


def _filled(page: Page, body: Markup) -> str:
    script = compact_script(asset("page.js"))
    return Template(asset("page.html")).substitute(
        policy=content_policy(script),
        title=element("title", f"{page.title}: {page.subtitle}"),
        style=compact_style(asset("base.css") + asset("page.css")),
        body=body,
        script=script,
    )


def content_policy(script: str) -> str:
    """A policy that forbids all requests, frames and scripts except this script; the only image is the empty icon."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def compact_style(css: str) -> str:
    """The style sheet without comments and redundant white space; no string in it contains any."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"\s*([{};,])\s*", r"\1", css.strip())
    return re.sub(r"(?<![\d.])0\.(?=\d)", ".", re.sub(r": +", ":", css)).replace(";}", "}")


def compact_script(script: str) -> str:
    """The script without indentation and whole-line comments: no string in it goes over a line."""
    lines = (line.strip() for line in script.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def asset(name: str) -> str:
    """The text of a file of the folder assets."""
    return (files("shrinkwise.report") / "assets" / name).read_text(encoding="utf-8")
