"""The playground: its numbers in headless Chromium against Python's, and the file the command writes."""

from __future__ import annotations

import html as escapes
import itertools
import json
import re

import numpy as np
import polars as pl
import pytest

import shrinkwise as sw
from report.test_browser import BROWSER, opened
from shrinkwise import cli
from shrinkwise.report.playground import is_playground, render_playground

in_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
HOSTILE = '</script><img src=x onerror="document.documentElement.dataset.ran=1">, "quoted"'


def table(n: int = 50, seed: int = 0) -> pl.DataFrame:
    """Correlated numbers, one of them constant and one with a missing value, a category, and a target."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6)) * [1, 1, 1, 100, 0.01, 1] + [0, 0, 5, 1000, 0, 0]
    X[:, 1] = X[:, 0] + 0.05 * X[:, 1]
    colour = rng.choice(["blue", "green", "red"], n)
    y = 2 * X[:, 0] - X[:, 2] + 0.02 * X[:, 3] + (colour == "red") + rng.normal(size=n)
    named = (
        {HOSTILE: X[:, 0]}
        | {f"x{j}": X[:, j] for j in range(1, 6)}
        | {"constant": np.ones(n), "colour": colour, "y": y}
    )
    return pl.DataFrame(named).with_columns(x5=pl.when(pl.int_range(n) == 3).then(None).otherwise("x5"))


def design(frame: pl.DataFrame) -> np.ndarray:
    numbers = frame.select(HOSTILE, "x1", "x2", "x3", "x4", pl.col("x5").fill_null(strategy="mean"))
    return np.column_stack([numbers.to_numpy(), frame["colour"] == "green", frame["colour"] == "red"]).astype(float)


DRIVER = """
<script>
const said = {linear: [], minibatches: []};
const change = (id, value, event) => { at(id).value = value; at(id).dispatchEvent(new Event(event)); };
const coefficients = () => Array.from(document.querySelectorAll("[data-input]"))
  .sort((a, b) => a.dataset.input - b.dataset.input).map((cell) => Number(cell.dataset.value));
for (const kind of ["lasso", "ridge", "elastic-net"]) {
  change("penalty", kind, "change");
  change("ratio", 0.3, "input");
  for (const i of [0, 1, 12, 25, 40, 59]) {
    change("lambda", i, "input");
    const {gap, intercept} = path[i], lambda = Number(at("now-lambda").dataset.value);
    said.linear.push({kind, lambda, coef: coefficients(), gap, intercept});
  }
}
said.about = at("table-about").textContent;
change("units", 6, "input"); change("l1", 0.02, "input"); change("l2", 0.01, "input");
at("many").click();
for (let i = 0; i < 3; i++) {
  const before = network, batch = minibatch();
  said.minibatches.push({before, batch, mask, after: network, ...settings()});
}
at("surface").dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));
at("one").click();
said.average = {network, examined, keep: setting("keep"), zeros: at("now-zeros").textContent,
  ...Object.fromEntries(["arithmetic", "geometric", "scaled"].map((what) => [what, Number(at(`now-${what}`).dataset.value)]))};
said.circles = document.querySelectorAll("#network .dropped").length - mask.filter((kept) => !kept).length;
said.requests = performance.getEntriesByType("resource").length;
said.wide = document.documentElement.scrollWidth - innerWidth;
const dropped = new DataTransfer(), count = steps;
dropped.items.add(new File(["\\"a, b, c, d\\";k;y\\r\\n1,5;p;3\\r\\n2,5;q;4\\r\\n0;r;1\\r\\n1;p;1\\r\\n"], "own.csv"));
page.dispatchEvent(new DragEvent("drop", {dataTransfer: dropped, bubbles: true, cancelable: true}));
at("train").click();
const waiting = setInterval(() => {
  const about = at("table-about").textContent;
  if ((steps - count < 2 || !about.startsWith("own")) && performance.now() < 15000) return;
  clearInterval(waiting);
  at("train").click();
  Object.assign(said, {live: steps - count, dropped: about});
  document.documentElement.dataset.said = JSON.stringify(said);
}, 100);
</script>"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the page with `table` says while it is used, under a narrow window."""
    html = render_playground(table().write_csv(), HOSTILE, "y")
    html = re.sub(r"<meta http-equiv[^>]*>", "", html).replace("</body>", DRIVER + "</body>")
    flags = ("--virtual-time-budget=20000", "--window-size=500,900")
    dom, console = opened(html, tmp_path_factory.mktemp("page"), "", *flags)
    assert console == []
    assert "data-ran" not in dom.split(">", 2)[1]
    return json.loads(escapes.unescape(re.search(r'data-said="([^"]*)"', dom)[1]))


@in_browser
def test_paths_are_those_of_python(said):
    X, y = design(table()), table()["y"].to_numpy()
    penalties = {"lasso": sw.L1(1.0), "ridge": sw.L2(1.0), "elastic-net": sw.ElasticNet(1.0, l1_ratio=0.3)}
    for kind, found in itertools.groupby(said["linear"], lambda each: each["kind"]):
        found = list(found)
        lambdas = [each["lambda"] for each in found]
        fitted = sw.path(X, y, penalties[kind], lambdas=lambdas, standardize=True, tol=1e-15)
        for each, coef, intercept in zip(found, fitted.coefs, fitted.intercepts, strict=True):
            assert np.abs((np.array(each["coef"]) - coef) * X.std(axis=0)).max() <= 1e-8, (kind, each["lambda"])
            assert abs(each["intercept"] - intercept) <= 1e-8 * (1 + abs(intercept))
            assert 0 <= each["gap"] <= 1e-12
    first = said["linear"][0]["coef"], said["linear"][1]["coef"]
    assert (np.count_nonzero(first[0]), np.count_nonzero(first[1])) == (0, 1)
    assert "constant" in said["about"]
    assert "1 missing value is replaced by the mean of its column." in said["about"]


def flat(network) -> np.ndarray:
    return np.concatenate([np.ravel(network["W"]), network["v"], network["b"], [network["c"]]])


def outputs(weights, m, x, mask, keep):
    W, v, b, c = weights[: 2 * m].reshape(m, 2), weights[2 * m : 3 * m], weights[3 * m : 4 * m], weights[-1]
    return np.maximum(x @ W.T + b, 0) * mask / keep @ v + c


@in_browser
def test_a_minibatch_is_a_proximal_gradient_step_on_the_thinned_network(said):
    for each in said["minibatches"]:
        w, mask, m = flat(each["before"]), np.array(each["mask"], float), len(each["mask"])
        x, y = np.array([p["x"] for p in each["batch"]]), np.array([p["y"] for p in each["batch"]])

        def smooth(w, x=x, y=y, mask=mask, m=m, each=each):
            z = outputs(w, m, x, mask, each["keep"])
            return np.mean(np.logaddexp(0, z) - y * z) + each["l2"] * np.sum(w[: 3 * m] ** 2)

        steps = 1e-5 * np.eye(len(w))
        slope = np.array([(smooth(w + e) - smooth(w - e)) / 2e-5 for e in steps])
        after = w - each["rate"] * slope
        weights = after[: 3 * m]
        after[: 3 * m] = np.sign(weights) * np.maximum(np.abs(weights) - each["rate"] * each["l1"], 0)
        assert np.abs(after - flat(each["after"])).max() <= 1e-8
    assert any(0 < sum(each["mask"]) < len(each["mask"]) for each in said["minibatches"])
    assert said["circles"] == 0
    zeros = np.sum(flat(said["average"]["network"])[:18] == 0)
    assert said["average"]["zeros"] == f"{zeros} of 18"
    assert zeros > 0


@in_browser
def test_averages_are_those_of_all_subnetworks(said):
    found = said["average"]
    w, x, keep, m = flat(found["network"]), np.array([found["examined"]]), found["keep"], 6
    masks = list(itertools.product([0, 1], repeat=m))
    chance = np.array([keep ** sum(mask) * (1 - keep) ** (m - sum(mask)) for mask in masks])
    logits = np.array([outputs(w, m, x, np.array(mask), keep)[0] for mask in masks])
    p = 1 / (1 + np.exp(-logits))
    yes, no = np.exp(chance @ np.log(p)), np.exp(chance @ np.log1p(-p))
    assert abs(found["arithmetic"] - chance @ p) <= 1e-12
    assert abs(found["geometric"] - yes / (yes + no)) <= 1e-12
    assert abs(found["scaled"] - found["geometric"]) <= 1e-12
    assert found["examined"] == [0.1, 0]


@in_browser
def test_a_dropped_table_is_read_without_a_request_and_training_runs_live(said):
    assert said["dropped"].startswith("own.csv: 4 rows, 3 inputs.")  # commas in a quoted name do not separate columns
    assert said["dropped"].endswith("Not offered as targets (neither numbers nor two classes): k.")
    assert said["requests"] == 0
    assert said["wide"] <= 0
    assert said["live"] >= 2


@in_browser
def test_the_page_runs_under_its_own_policy(tmp_path):
    dom, console = opened(render_playground(), tmp_path)
    assert console == []
    assert re.search(r'id="now-kept"[^>]*>\d+ of 12<', dom)


def test_the_command_replaces_only_what_it_wrote(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    table(400).write_csv("t.csv")
    assert cli.run(["playground"]) == 0
    assert cli.run(["playground", "t.csv", "--target", "x2"]) == 0
    page = tmp_path / "playground.html"
    html = page.read_text(encoding="utf-8")
    assert is_playground(html)
    assert len(html.encode()) <= 200_000
    assert '"target": "x2"' in html
    page.write_text(html.replace("Regularization playground", "My notes"), encoding="utf-8")
    assert cli.run(["playground"]) == 2
    assert "was not written by shrinkwise playground" in capfd.readouterr().err
    assert "My notes" in page.read_text(encoding="utf-8")
    assert cli.run(["playground", "t.csv", "--target", "z", "--out", "z.html"]) == 2
    assert cli.run(["playground", "--target", "y", "--out", "z.html"]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["playground.html", "t.csv"]


def test_a_large_table_is_thinned_to_the_size_of_a_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pl.DataFrame({"é": ["é" * 40] * 20_000, "y": np.arange(20_000.0)}).write_csv("long.csv")
    assert cli.run(["playground", "long.csv"]) == 0
    html = (tmp_path / "playground.html").read_text(encoding="utf-8")
    assert 150_000 <= len(html.encode()) <= 200_000
    assert re.search(r"contains \d+ of 20000 rows, evenly spaced", html)
    pl.DataFrame({f"x{j}": [0.123456789, 1.0, 2.0, 3.0] for j in range(9000)}).write_csv("wide.csv")
    assert cli.run(["playground", "wide.csv", "--out", "wide.html"]) == 2
