"""The report and the playground by keyboard, for a screen reader, in both colour schemes and without motion."""

from __future__ import annotations

import pytest

from accessible import Chromium, faults, written
from report.documents import render_page
from report.test_browser import BROWSER
from report.test_exhibits import exhibits
from shrinkwise.report.playground import render_playground

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
BAD = """<!doctype html><title>bad</title><style>
p { color: #999; background: white } @media (prefers-color-scheme: dark) { p { color: #333; background: black } }
a:focus { outline: none } button { transition: opacity 1s } #far:focus { position: fixed; top: -99px }</style><body>
<p>grey</p><a href="#x">text</a><button></button><label>n = <output>3</output><input type="range"></label>
<a id="far" href="#y">far</a><button tabindex="2">later</button><details><summary>s</summary></details>
<div tabindex="0" style="outline: none" onfocus="this.blur()">never</div><svg role="img"></svg></body>"""


@pytest.fixture(scope="module")
def browser():
    with Chromium(BROWSER) as page:
        yield page


def test_each_kind_of_fault_is_found(browser, tmp_path):
    found = "\n".join(faults(browser, written(BAD, tmp_path)))
    for fault in (
        "contrast 2.85 of 'grey' (p.), light",
        "contrast 1.66 of 'grey' (p.), dark",
        "a transition in spite of reduced motion: <button",
        "no name: button",
        "no name: slider",  # its label names the output before it
        "no name: image",
        'no mark of the focus: <a href="#x"',
        "out of view when it has the focus: <a id",
        'not in the order of the page: <button tabindex="2"',
        "not reached by Tab: <div",
    ):
        assert fault in found


def test_the_report_can_be_used_by_everyone(browser, page, tmp_path):
    assert faults(browser, written(render_page(page | exhibits("a_rather_long_name")), tmp_path)) == []


def test_the_playground_can_be_used_by_everyone(browser, tmp_path):
    assert faults(browser, written(render_playground(), tmp_path)) == []


def test_the_playground_by_keyboard(browser, tmp_path):
    browser.open(written(render_playground(), tmp_path))
    steps = lambda: int(browser.run("at('now-steps').textContent"))  # noqa: E731
    for press in (("Enter", 13, "\r"), (" ", 32, " ")):
        before = steps()
        browser.run("at('one').focus()")
        browser.press(*press)
        assert steps() == before + 1
    browser.run("at('surface').focus()")
    browser.press("ArrowRight", 39)
    assert browser.run("examined") == [0.1, 0]
    assert browser.run("at('network-status').textContent").startswith("The point is at (0.1, 0.0); probability 0.")
    browser.run("at('keep').focus()")
    browser.press("ArrowRight", 39)
    assert browser.run("at('keep').value + at('keep-now').textContent") == "0.80.8"


def test_with_reduced_motion_training_is_one_step(browser, tmp_path):
    browser.open(written(render_playground(), tmp_path), motion="reduce")
    browser.run("at('train').click()")
    assert browser.run("[at('now-steps').textContent, running]") == ["200", False]
