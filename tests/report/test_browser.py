"""The page in headless Chromium: three launches, each read for several things."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from report.conftest import HOSTILE
from report.documents import render_page
from report.test_exhibits import exhibits

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")

FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --enable-logging=stderr --v=0 --dump-dom"
).split()
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND"


def opened(html: str, folder, address: str = "", *flags: str) -> tuple[str, list[str]]:
    """The document after its script has run, and what the page wrote to the console."""
    file = folder / "report.html"
    file.write_text(html, encoding="utf-8")
    command = [
        BROWSER,
        *FLAGS,
        *flags,
        NO_NETWORK,
        f"--user-data-dir={folder / 'profile'}",
        f"{file.as_uri()}{address}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def reading(dom: str, identity: str) -> str:
    return re.search(rf'id="{identity}"[^>]*>([^<]*)<', dom)[1]


def shown(dom: str) -> dict:
    """What the page says at the λ it stands at."""
    kept = re.search(r'<ul class="kept-list[^>]*>(.*?)</ul>', dom, re.S)[1]
    items = re.findall(r"<li([^>]*)>([^<]*)</li>", kept, re.S)
    return {
        "lambda": reading(dom, "now-lambda"),
        "kept": reading(dom, "now-kept"),
        "zeros": reading(dom, "now-zeros"),
        "score": reading(dom, "now-score"),
        "bars": [int(c) for c in re.findall(r'data-count="(\d+)"', dom)],
        "names": {name for attributes, name in items if "hidden" not in attributes},
    }


def expected(page: dict, i: int) -> dict:
    """The same from the path itself."""
    path = page["path"]
    coefs = np.array(path["coefs"][i])
    edges = np.linspace(-2.5, 2.5, 25)
    return {
        "lambda": f"{path['lambdas'][i]:#.3g}",
        "kept": f"{np.count_nonzero(coefs)} of 60",
        "zeros": f"{(coefs == 0).sum()} of 60",
        "score": f"{path['cv_mean'][i]:.3f} ± {path['cv_se'][i]:.3f}",
        "bars": np.histogram(np.clip(coefs[coefs != 0], -2.49, 2.49), edges)[0].tolist(),
        "names": {name for name, c in zip(path["features"], coefs, strict=True) if c != 0},
    }


def test_slider_positions_agree_with_the_path(page, tmp_path):
    dom, console = opened(render_page(page), tmp_path, "#lambda=8")
    assert console == []
    assert shown(dom) == expected(page, 8)
    assert shown(dom) != expected(page, page["path"]["index_kept"])
    assert re.search(r'aria-valuetext="λ = [\d.]+, \d+ of 60 inputs kept, log loss', dom)


def test_texts_of_the_user_do_not_run_and_nothing_is_fetched(hostile_page, tmp_path):
    dom, console = opened(render_page(hostile_page | exhibits(HOSTILE[0])), tmp_path, "#lambda=best")
    assert console == []
    assert "data-ran" not in dom.split(">", 2)[1]
    assert len(re.findall(r"<img\b", dom)) == 0
    assert len(re.findall(r"<script\b", dom)) == 2
    assert "&lt;img src=x onerror=document.documentElement.dataset.ran=1&gt;" in dom
    assert not re.search(r'(?:src|href)="(?!data:,")', dom)
    at = hostile_page["path"]["index_best"]
    assert reading(dom, "now-kept") == f"{np.count_nonzero(hostile_page['path']['coefs'][at])} of 60"


DRIVER = """
<script>
const say = [];
const read = () => ["now-lambda", "now-kept", "zero-count"].map((id) => document.getElementById(id).textContent);
const tip = document.getElementById("tip");
const note = (what) => say.push([what, ...read(), tip.hidden ? "" : tip.textContent]);
const slider = document.getElementById("lambda"), paths = document.getElementById("paths");
const press = (key) => paths.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
note("start");
slider.value = 60; slider.dispatchEvent(new Event("input")); slider.dispatchEvent(new Event("change")); note("slide");
say.push(["address", location.hash]);
document.querySelector('[data-jump="best"]').click(); note("best");
document.querySelector('[data-jump="1se"]').click(); note("1se");
press("ArrowUp"); note("first"); press("ArrowUp"); note("second");
press("ArrowRight"); note("right"); press("Escape"); note("escape");
document.getElementById("path-numbers").open = true;
document.getElementById("path-numbers").dispatchEvent(new Event("toggle"));
const count = (what) => document.querySelectorAll(`#path-table ${what}`).length;
say.push(["table", count("tbody tr"), count("thead th")]);
say.push(["requests", performance.getEntriesByType("resource").length]);
say.push(["wide", document.documentElement.scrollWidth - innerWidth]);
document.documentElement.dataset.said = JSON.stringify(say);
</script>"""


def test_slider_buttons_and_keys(page, tmp_path):
    whole = render_page(page | exhibits("a_rather_long_name" * 3))
    html = re.sub(r"<meta http-equiv[^>]*>", "", whole).replace("</body>", DRIVER + "</body>")
    dom, console = opened(html, tmp_path)
    assert console == []
    said = re.search(r'data-said="([^"]*)"', dom)[1].replace("&quot;", '"').replace("&nbsp;", " ")
    said = {what: rest for what, *rest in json.loads(said)}
    path = page["path"]
    for what, at in (("start", 23), ("slide", 60), ("best", 41), ("1se", 23), ("right", 24)):
        assert said[what][0] == f"{path['lambdas'][at]:#.3g}", what
        assert said[what][1] == f"{len(path['inputs_kept'][at])} of 60", what
        assert said[what][2] == f"{60 - len(path['inputs_kept'][at])} of 60", what
    order = np.argsort(path["coefs"][23])
    assert said["first"][3].startswith(path["features"][order[0]])
    assert said["second"][3].startswith(path["features"][order[1]])
    assert said["right"][3].startswith(path["features"][order[1]])
    assert said["escape"][3] == ""
    assert said["address"] == ["#lambda=60"]
    assert said["table"] == [100, 31]
    assert said["requests"] == [0]
    assert said["wide"][0] <= 0
