"""What a page lacks for a keyboard, a screen reader, weak eyes or people whom motion makes ill, found by headless Chromium.

Chromium's protocol is read over a pipe: JSON, each message ended by a zero byte, on its file descriptors 3 and 4.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --remote-debugging-pipe --window-size=1400,900"
).split()
ONLY_HERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
NAMED = {
    *("button", "checkbox", "combobox", "ComboBoxMenuList", "DisclosureTriangle", "Iframe", "image", "img", "link"),
    *("listbox", "menuitem", "navigation", "radio", "searchbox", "slider", "spinbutton", "switch", "tab", "textbox"),
    *("application", "region"),
}
# The texts whose contrast is below 4.5 (3 for large ones), by WCAG 2's relative luminance, against the colours behind them.
CONTRAST = """(() => {
  const parse = (color) => {
    const parts = (color.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number), scale = color.startsWith("color(") ? 255 : 1;
    return [...parts.slice(0, 3).map((v) => v * scale), parts[3] ?? 1];
  };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const linear = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const probe = document.body.appendChild(document.createElement("div"));
  probe.style.cssText = "background-color: Canvas";
  const canvas = parse(getComputedStyle(probe).backgroundColor);
  probe.remove();
  const chain = (element) => (element ? [...chain(element.parentElement), element] : []);
  const found = new Map(), texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim(), element = texts.currentNode.parentElement;
    if (!text || element.closest("script, style, noscript, option, :disabled")) continue;
    if (!element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) continue;
    const style = getComputedStyle(element), around = chain(element);
    const opacity = around.reduce((product, each) => product * Number(getComputedStyle(each).opacity), 1);
    const back = around.reduce((below, each) => over(parse(getComputedStyle(each).backgroundColor), below), canvas);
    const [r, g, b, a] = parse(element.closest("svg") ? style.fill : style.color);
    const [low, high] = [luminance(over([r, g, b, a * opacity], back)), luminance(back)].sort((x, y) => x - y);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (high + 0.05) / (low + 0.05);
    const kind = `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""}`;
    if (ratio >= (large ? 3 : 4.5) || found.has(kind)) continue;
    found.set(kind, `contrast ${ratio.toFixed(2)} of '${text.slice(0, 40)}' (${kind})`);
  }
  return [...found.values()];
})()"""
FOCUSED = """(() => {
  const element = document.activeElement;
  if (!element || element === document.body || element.dataset.reached) return null;
  element.dataset.reached = true;
  const box = element.getBoundingClientRect(), outlined = (each) => getComputedStyle(each).outlineStyle !== "none";
  const ringed = [element, ...element.children].some(outlined) || getComputedStyle(element).boxShadow !== "none";
  return {ringed, seen: box.bottom > 0 && box.top < innerHeight, html: element.cloneNode().outerHTML.slice(0, 120)};
})()"""
# What can be focused and is seen, but was not reached. Of radio buttons of one name only one is a stop.
MISSED = """[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter((element) =>
  !element.dataset.reached && element.tabIndex >= 0 && !element.disabled && !["radio", "hidden"].includes(element.type)
  && element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}))
  .map((element) => `not reached by Tab: ${element.cloneNode().outerHTML.slice(0, 120)}`)"""
ORDER = """[...document.querySelectorAll("[tabindex]")].filter((element) => element.tabIndex > 0)
  .map((element) => `not in the order of the page: ${element.cloneNode().outerHTML.slice(0, 120)}`)"""
MOTION = """[...document.querySelectorAll("*")].flatMap((element) => {
  const style = getComputedStyle(element), lasts = (durations) => durations.split(",").some((each) => parseFloat(each) > 0);
  const moves = [style.animationName !== "none" && lasts(style.animationDuration) && "an animation",
    lasts(style.transitionDuration) && "a transition", style.scrollBehavior === "smooth" && "smooth scrolling"];
  const start = element.cloneNode().outerHTML.slice(0, 80);
  return moves.filter(Boolean).map((what) => `${what} in spite of reduced motion: ${start}`);
}).slice(0, 5)"""


class Chromium:
    """One page of a headless Chromium, driven through its protocol. A context manager."""

    def __init__(self, browser: str):
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        (read_there, write_here), (read_here, write_there) = os.pipe(), os.pipe()

        def as_three_and_four() -> None:
            os.dup2(os.dup(read_there), 3)
            os.dup2(os.dup(write_there), 4)

        command = [browser, *FLAGS, ONLY_HERE, f"--user-data-dir={self._profile.name}", "about:blank"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, preexec_fn=as_three_and_four, close_fds=False, **silent)
        os.close(read_there)
        os.close(write_there)
        self._out, self._in = os.fdopen(write_here, "wb", 0), os.fdopen(read_here, "rb")
        self._calls, self._session = 0, {}
        pages = [each for each in self.call("Target.getTargets")["targetInfos"] if each["type"] == "page"]
        session = self.call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)["sessionId"]
        self._session = {"sessionId": session}
        self.call("Accessibility.enable")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._out.close()
        self._in.close()
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one call; events are passed over."""
        self._calls += 1
        call = {"id": self._calls, "method": method, "params": parameters, **self._session}
        self._out.write(json.dumps(call).encode() + b"\0")
        while (answer := self._answer()).get("id") != self._calls:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _answer(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._in.read(1)) != b"\0":
            if not byte:
                raise EOFError("Chromium has ended.")
            text += byte
        return json.loads(text)

    def run(self, code: str) -> Any:
        """The value of an expression on the page."""
        found = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"].get("description"))
        return found["result"].get("value")

    def open(self, address: str, scheme: str = "light", motion: str = "no-preference") -> None:
        """Load a page under these preferences."""
        preferences = {"prefers-color-scheme": scheme, "prefers-reduced-motion": motion}
        features = [{"name": name, "value": value} for name, value in preferences.items()]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url=address)
        ends = time.monotonic() + 60
        while self.run("document.readyState === 'complete' && location.href !== 'about:blank'") is not True:
            assert time.monotonic() < ends, address
            time.sleep(0.02)

    def press(self, key: str, code: int, text: str = "") -> None:
        """One key, as from a keyboard."""
        about = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def unnamed(self) -> list[str]:
        """The controls, images and regions of the accessibility tree that have no name."""
        nodes = [node for node in self.call("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
        bare = [node for node in nodes if node["role"]["value"] in NAMED and not node["name"]["value"].strip()]
        found = []
        for node in bare:
            at = self.call("DOM.describeNode", backendNodeId=node["backendDOMNodeId"])["node"]
            shown = " ".join([at["nodeName"].lower(), *at.get("attributes", [])])
            found.append(f"no name: {node['role']['value']} <{shown[:80]}>")
        return found

    def by_keyboard(self) -> list[str]:
        """What the Tab key does not reach, or reaches without a mark that is seen."""
        found = []
        for _ in range(1000):
            self.press("Tab", 9)
            focused = self.run(FOCUSED)
            if focused is None:
                break
            found += [] if focused["ringed"] else [f"no mark of the focus: {focused['html']}"]
            found += [] if focused["seen"] else [f"out of view when it has the focus: {focused['html']}"]
        return found + self.run(ORDER) + self.run(MISSED)


def faults(page: Chromium, address: str) -> list[str]:
    """Sentences on what is wrong with a page: names, keyboard and contrast in both schemes, and motion."""
    page.open(address, "dark")
    found = [f"{each}, dark" for each in page.run(CONTRAST)]
    page.open(address, motion="reduce")
    found += [f"{each}, light" for each in page.run(CONTRAST)] + page.run(MOTION) + page.unnamed()
    return found + page.by_keyboard()


def written(html: str, folder: Path) -> str:
    """The address of a page, which is written into a folder."""
    file = folder / "page.html"
    file.write_text(html, encoding="utf-8")
    return file.as_uri()
