"""Check the built site: `python docs/check_site.py build/docs` exits with 1 if something is wrong.

Links: every address within the site leads to a page and to an anchor on it. With Chromium: pages write nothing to the console,
at the width of a screen and of a phone, in the light and the dark theme; no page requests anything outside the site; the
search finds a page, and no text is wider than a phone. Controls and images have names, the Tab key reaches every control, texts
have a contrast of at least 4.5, and nothing moves for people who do not want it (tests/accessible.py).
"""

import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from accessible import Chromium, faults

PAGES = [
    "index.html",
    "learn/pictures.html",
    "linear.html",
    "guides/migrate.html",
    "gallery/index.html",
    "trust/benchmarks.html",
]
PAGES += [
    "gallery/pictures/plot_what_lambda_does.html",
    "reference/generated/shrinkwise.attach.html",
    "playground_page.html",
]
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking --hide-scrollbars "
    "--disable-component-update --disable-sync --enable-logging=stderr --v=0 --virtual-time-budget=6000 --dump-dom"
).split()
PHONE = """<!doctype html><body><script>
async function tooWide(page) {
  const frame = Object.assign(document.createElement("iframe"), {width: 390, height: 844, src: page});
  await new Promise((loaded) => { frame.onload = loaded; document.body.append(frame); });
  const shown = frame.contentDocument.querySelector("article") ?? frame.contentDocument.querySelector("main");
  return [...shown.querySelectorAll("p, dt, dd, li, h1, h2, h3")]
    .filter((e) => e.getBoundingClientRect().right > 391 && !e.closest(".pst-scrollable-table-container, .scroll, svg"))
    .map((e) => `${page}: wider than a phone: ${e.textContent.trim().slice(0, 60)}`).slice(0, 3);
}
(async () => {
  const found = [];
  for (const page of PAGES) found.push(await tooWide(page));
  document.body.dataset.wide = JSON.stringify(found);
})();
</script>"""
REMOTE = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """The links, the anchors and the resources of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.anchors, self.resources = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Collect what an element refers to and what it is called."""
        attributes = dict(attrs)
        self.anchors |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if tag in REMOTE and attributes.get(REMOTE[tag]) and attributes.get("rel") != "canonical":
            self.resources.append(attributes[REMOTE[tag]])


def is_remote(address: str) -> bool:
    """Whether an address is outside the site."""
    return bool(re.match(r"(?:[a-z]+:)?//|(?:mailto|javascript|data):", address))


def dead_links(site: Path) -> list[str]:
    """Addresses within the site that lead nowhere, and resources from elsewhere."""
    files = [file for file in site.rglob("*.html") if "_static" not in file.parts]  # where the theme has templates
    pages = {file.relative_to(site).as_posix(): Page(file.read_text(encoding="utf-8")) for file in files}
    found = []
    for name, page in pages.items():
        found += [f"{name}: requests {each}" for each in page.resources if re.match(r"(?:https?:)?//", each)]
        for link in (*page.links, *page.resources):
            if is_remote(link):
                continue
            target, anchor = urldefrag(urljoin(name, link))
            target, anchor = unquote(target).split("?")[0], unquote(anchor)
            if not (site / target).is_file():
                found.append(f"{name}: {link} does not exist")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                found.append(f"{name}: {link} has no such anchor")
    return found


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A handler that does not print every request."""

    def log_message(self, *_):
        """Print nothing."""


def serve(site: Path) -> http.server.ThreadingHTTPServer:
    """A server of the site on a free port of this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def opened(browser: str, address: str, *flags: str) -> tuple[str, list[str]]:
    """The document after its scripts have run, and the lines that it wrote to the console."""
    with tempfile.TemporaryDirectory() as profile:
        only_here = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        command = [browser, *FLAGS, only_here, f"--user-data-dir={profile}", *flags, address]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=True)
    written = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, [line for line in written if "[PST]:" not in line]  # the theme reports each of its steps


def in_the_browser(site: Path, browser: str) -> list[str]:
    """What the pages write to the console, and whether the search finds the lasso."""
    server, found = serve(site), []
    home = f"http://127.0.0.1:{server.server_address[1]}"
    dark = ("--window-size=390,844", "--blink-settings=preferredColorScheme=0")
    for page in filter(lambda page: (site / page).is_file(), PAGES):
        for flags in (("--window-size=1400,900",), dark):
            found += [f"{page}: {line}" for line in opened(browser, f"{home}/{page}", *flags)[1]]
    document, console = opened(browser, f"{home}/search.html?q=soft+threshold")
    hits = re.findall(r'<li class="kind-', document)
    found += [f"search: {line}" for line in console] + ([] if hits else ["search: no page has 'soft threshold'"])
    found += [line for page in wider_than_a_phone(site, home, browser) for line in page]
    with Chromium(browser) as chromium:
        for page in filter(lambda page: (site / page).is_file(), PAGES):
            found += [f"{page}: {line}" for line in faults(chromium, f"{home}/{page}")]
    server.shutdown()
    print(f"the search for 'soft threshold' finds {len(hits)} pages")
    return found


def wider_than_a_phone(site: Path, home: str, browser: str) -> list[list[str]]:
    """For each page the texts that do not fit into a window 390 pixels wide."""
    with tempfile.NamedTemporaryFile("w", dir=site, suffix=".html", encoding="utf-8") as file:
        file.write(PHONE.replace("PAGES", json.dumps([page for page in PAGES if (site / page).is_file()])))
        file.flush()
        document = opened(browser, f"{home}/{Path(file.name).name}")[0]
    return json.loads(html.unescape(re.search(r'data-wide="([^"]*)"', document)[1]))


def main(site: Path) -> int:
    """Print what is wrong; 1 if anything is."""
    found = dead_links(site)
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
    found += in_the_browser(site, browser) if browser else []
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{sum(1 for _ in site.rglob('*.html'))} pages, {len(found)} faults{'' if browser else ', no browser'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
