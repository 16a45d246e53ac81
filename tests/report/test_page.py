from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from report.documents import render_page

VOID = {"meta", "link", "input", "br", "hr"}
ENDS = {
    "td": {"td", "th"},
    "th": {"td", "th"},
    "tr": {"td", "th", "tr"},
    "li": {"li"},
}  # open elements that a start ends
UNENDED = {"td", "th", "tr", "li"}  # what the end of a parent ends


class Reader(HTMLParser):
    """Elements, attributes and visible text; fails where the nesting is broken."""

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        while self.open and self.open[-1] in ENDS.get(tag, ()):
            self.open.pop()
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        while tag not in UNENDED and self.open[-1] in UNENDED:
            self.open.pop()
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.raw[self.open[-1]] if self.open and self.open[-1] in self.raw else self.texts).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def tags(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.elements if name == tag]

    def data(self) -> dict:
        return json.loads(self.raw["script"][0])


def test_a_page_with_all_its_parts_stays_under_a_hundred_kilobytes(full_page):
    html = render_page(full_page)
    assert len(Reader(html).tags("section")) == 9
    assert len(html.encode()) < 100_000


def test_page_is_one_file_that_refers_to_nothing(page):
    html = render_page(page)
    for reference in ("http://", "https://", "src=", "url(", "@import", "//cdn"):
        assert reference not in html
    reader = Reader(html)
    assert [attrs["href"] for attrs in reader.tags("link")] == ["data:,"]
    assert not {"img", "iframe", "object", "embed", "base", "form", "a"} & {tag for tag, _ in reader.elements}


def test_policy_admits_the_pages_own_script_alone(page):
    html = render_page(page)
    policy = next(m["content"] for m in Reader(html).tags("meta") if m.get("http-equiv") == "Content-Security-Policy")
    script = re.search(r"<script>(.*?)</script>", html, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}';")
    assert not any("on" == name[:2] for _, attrs in Reader(html).elements for name in attrs)


def test_same_page_same_bytes(page):
    assert render_page(page) == render_page(json.loads(json.dumps(page)))


def test_ids_are_unique_and_headings_in_order(page):
    reader = Reader(render_page(page))
    ids = [attrs["id"] for _, attrs in reader.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in reader.elements:
        for reference in ("for", "aria-labelledby"):
            assert attrs.get(reference, ids[0]) in ids
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_every_chart_has_its_numbers_to_copy(page):
    reader = Reader(render_page(page))
    figures = reader.tags("figure")
    copies = [attrs for attrs in reader.tags("details") if attrs.get("class") == "numbers"]
    assert len(figures) == 5
    assert len(copies) >= len(figures)  # the scores of the first picture are in the comparison's


def test_texts_of_the_user_stay_text(hostile_page):
    reader = Reader(render_page(hostile_page))
    benign = {"html", "head", "meta", "title", "link", "style", "body", "main", "script"}
    assert len(reader.tags("script")) == 2
    assert not {"img", "svg onload"} & {tag for tag, _ in reader.elements}
    for tag, attrs in reader.elements:
        assert not any(name.startswith("on") for name in attrs), tag
        assert tag in benign or "onerror" not in " ".join(attrs)
    assert "<img src=x onerror=document.documentElement.dataset.ran=1>" in reader.text
    assert "</script><script>document.documentElement.dataset.ran=2</script>" in reader.text
    assert "<" not in reader.raw["script"][0]
    assert reader.data()["features"].count("<img src=x onerror=document.documentElement.dataset.ran=1>") == 1


def test_page_can_be_written_whatever_the_names(hostile_page):
    assert render_page(hostile_page).encode("utf-8")


def test_long_names_are_cut(page):
    page["columns"][0]["name"] = "x" * 1_000_000
    page["path"]["features"][0] = "y" * 1_000_000
    page["network"]["layers"][0][0] = "z" * 1_000_000
    assert len(render_page(page)) < 100_000


def counts(data: dict, i: int) -> list[int]:
    """The histogram at λ number i: counts between commas, nothing for a zero."""
    return [int(count or 0) for count in data["histogram"][i].split(",")]


def test_slider_data_agree_with_the_path(page):
    path = page["path"]
    coefs = np.array(path["coefs"])
    data = Reader(render_page(page)).data()
    drawn = [path["features"].index(name) for name in data["features"]]
    np.testing.assert_allclose(np.array(data["coefs"]) / data["unit"], coefs[:, drawn].T, rtol=5e-3)
    for i in (0, 1, 23, 41, 99):
        kept = [name for name, run in zip(path["features"], coefs[i], strict=True) if run != 0]
        assert data["kept"][i] == len(kept)
        assert data["zeros"][i] == (coefs[i] == 0).sum()
        assert data["zeros"][i] + sum(counts(data, i)) == 60


def test_histogram_counts_the_nonzero_weights_of_each_bin(page):
    reader = Reader(render_page(page))
    data, i = reader.data(), page["path"]["index_kept"]
    largest = max(abs(c) for c in page["path"]["coefs"][page["path"]["index_best"]])
    edges = np.linspace(-2.5, 2.5, len(counts(data, i)) + 1)
    assert 2 < largest <= 2.5
    live = [w for w in page["path"]["coefs"][i] if w != 0]
    by_hand = [sum(a <= w < b for w in live) for a, b in pairwise(edges)]
    assert counts(data, i) == by_hand


def test_wide_table_draws_thirty_lines_and_counts_all(wide_page):
    page = wide_page
    html = render_page(page)
    data = Reader(html).data()
    coefs = np.array(page["path"]["coefs"])
    at = page["path"]["index_kept"]
    assert len(html.encode()) <= 120_000
    assert len(data["features"]) == 30
    largest = np.argsort(-np.abs(coefs[at]))[:30]
    assert set(data["features"]) == {page["path"]["features"][j] for j in largest}
    assert (data["kept"][99], data["inputs"]) == (np.count_nonzero(coefs[99]), 3000)
    assert f"{np.count_nonzero(coefs[at]):,} of 3,000" in Reader(html).text
    assert data["zeros"][at] + sum(counts(data, at)) == 3000
    assert "30 largest of 3,000 weights" in Reader(html).text


def test_a_weight_that_is_not_zero_never_becomes_one(page):
    largest = int(np.argmax(np.abs(page["path"]["coefs"][23])))
    page["path"]["coefs"][50][largest] = 1e-290
    data = Reader(render_page(page)).data()
    row = data["coefs"][data["features"].index(page["path"]["features"][largest])]
    assert row[50] != 0


def test_verdict_is_said_once_and_first(page):
    text = Reader(render_page(page)).text
    assert text.count("Regularization helps here.") == 1
    assert text.index("Regularization helps here.") < text.index("Six candidates were compared.")


def test_comparison_shows_scores_intervals_and_marks_the_chosen(page):
    reader = Reader(render_page(page))
    for shown in (
        "0.452 ± 0.031",
        "0.471 ± 0.028",
        "−0.46 [−0.60, −0.31]",
        "37 of 60",
        "no finite optimum without a penalty",
    ):
        assert shown in reader.text
    assert [a["class"] for a in reader.tags("tr") if a.get("class") == "kept"] == ["kept"]
    assert [t for t in reader.tags("span") if t.get("class") == "tag"] == [{"class": "tag"}]
    sure = [a for a in reader.tags("circle") if a.get("class") == "sure"]
    unsure = [a for a in reader.tags("circle") if a.get("class") == "unsure"]
    assert (len(sure), len(unsure)) == (2, 2)


def test_the_choice_that_is_kept_became_the_model(page):
    lasso = page["candidates"][2]
    lasso["one_se"]["difference"] = {"mean": -0.4, "low": -0.5, "high": -0.3}
    key = Reader(render_page(page)).text
    assert "kept model lasso λ = 0.031 held-out log loss 0.471 ± 0.028" in key
    assert "difference to no regularization −0.40 [−0.50, −0.30]" in key
    lasso["one_se"]["kept"], lasso["best"]["kept"] = False, True
    key = Reader(render_page(page)).text
    assert "kept model lasso λ = 0.012 held-out log loss 0.452 ± 0.031" in key
    assert "difference to no regularization −0.46 [−0.60, −0.31]" in key


def test_the_refitted_models_own_settings_are_shown_where_they_are_known(page):
    page["kept"] = {"strength": "λ = 0.11", "inputs": 6, "n_inputs": 60}
    text = Reader(render_page(page)).text
    assert "kept model lasso λ = 0.11 held-out log loss 0.471" in text
    assert "inputs used 6 of 60" in text


def marks(html: str) -> set[str]:
    table = re.search(r"<caption>Cross-validation at every λ.*?</table>", html, re.S)[0]
    return set(re.findall(r"<td>([^<]*(?:best|SE|chosen|within)[^<]*)", table))


def test_only_the_path_of_the_kept_model_has_a_chosen_mark(page):
    html = render_page(page)
    assert marks(html) == {"best", "1-SE, chosen"}
    assert 'class="dot chosen"' in html
    page["candidates"][2]["one_se"]["kept"], page["candidates"][4]["best"]["kept"] = False, True
    html = render_page(page)
    assert marks(html) == {"best", "1-SE"}
    assert 'class="dot chosen"' not in html
    text = Reader(html).text
    assert "The kept model is “network with dropout”; the path shown is that of the lasso" in text
    assert "chosen" not in text[text.index("How strong") : text.index("The comparison")]


def test_the_choice_beside_the_best_is_called_what_was_asked_for(page):
    page["one_se_label"] = "within 1%"
    html = render_page(page)
    assert marks(html) == {"best", "within 1%, chosen"}
    assert "1-SE" not in Reader(html).text
    assert "score is within 1% of the best" in Reader(html).text


def test_coefficients_that_are_zero_are_one_line(page):
    for i, coefficient in enumerate(page["coefficients"]):
        coefficient["coefficient"] = 0.0 if i < 46 else -1080.25 * (i - 45)
    page["coefficients"].insert(0, {"feature": "(intercept)", "coefficient": 1.0, "unit_note": ""})
    html = render_page(page)
    assert "Exactly zero: 46 of 60 inputs (<bdi>band_01</bdi>, <bdi>band_02</bdi>," in html
    assert " and 34 more)." in html
    table = re.search(
        r'<table class="coefficients">.*?</table>|<table[^>]*class="coefficients".*?</table>', html, re.S
    )[0]
    rows = re.findall(r"<th>([^<]+)<td>([^<]+)", table)
    assert rows[0] == ("band_60", "−15,124")
    assert [feature for feature, _ in rows] == [f"band_{i}" for i in range(60, 46, -1)] + ["(intercept)"]


@pytest.mark.parametrize(
    ("best", "one_se", "labels"),
    [
        (41, 23, [("1-SE", "left"), ("best", "right")]),
        (41, 41, [("best = 1-SE", "right")]),
        (99, 23, [("1-SE", "left"), ("best", "left")]),
        (99, 95, [("1-SE, best", "left")]),
    ],
)
def test_marker_names_stay_inside_the_page_and_apart(page, best, one_se, labels):
    page["path"] |= {"index_best": best, "index_one_se": one_se, "index_kept": one_se}
    found = re.findall(r'class="stop-label (\w+)"[^>]*>([^<]*)<', render_page(page))
    assert [(word, side) for side, word in found] == labels


def test_labels_at_the_left_of_a_chart_have_the_room_they_need(page):
    def room(page: dict) -> float:
        return float(re.search(r'class="explorer" style="--left:([\d.]+)rem"', render_page(page))[1])

    narrow = room(page)
    page["path"]["coefs"] = [[1e5 * c for c in row] for row in page["path"]["coefs"]]
    assert room(page) >= narrow + 1.5


def test_network_draws_ten_units_and_silences_those_of_the_draw(page):
    reader = Reader(render_page(page))
    circles = [a.get("class") for a in reader.tags("circle") if a.get("r") == "5.5"]
    silenced = page["network"]["silenced"][1]
    assert circles.count("off") == sum(silenced[:10])
    assert len(circles) == 2 * (10 + 10 + 2)
    assert "… and 54 more" in reader.text
    assert f"in this draw {sum(silenced)} of 64 are dropped" in reader.text
    full, draw = (a["d"].count("M") for a in reader.tags("path") if a.get("class") == "edges")
    live = 10 - sum(silenced[:10])
    assert (full, draw) == (10 * 10 + 10 * 2, 10 * live + live * 2)


MISSING = {
    "no path": lambda p: p.update(path=None),
    "no network": lambda p: p.update(network=None),
    "no coefficients": lambda p: p.update(coefficients=[]),
    "no coefficients, no formula": lambda p: p.update(coefficients=[], formula=""),
    "one candidate": lambda p: p.update(candidates=p["candidates"][:1]),
    "nothing chosen": lambda p: p["candidates"][2]["one_se"].update(kept=False),
    "no differences": lambda p: [c["best"].update(difference=None) for c in p["candidates"]],
    "no columns": lambda p: p.update(columns=[], notes=[]),
    "no sentences": lambda p: p.update(plain=[], verdict=[]),
    "higher is better": lambda p: p["score"].update(name="R²", lower_is_better=False),
    "NaN score": lambda p: p["candidates"][2]["best"].update(score=math.nan, se=math.inf),
    "no score": lambda p: p["candidates"][2]["best"].update(score=None, se=None),
    "negative and huge scores": lambda p: p["candidates"][2]["best"].update(score=-1.5e300, se=2e299),
    "NaN difference": lambda p: p["candidates"][2]["best"].update(
        difference={"mean": math.nan, "low": -math.inf, "high": 1.0}
    ),
    "zero difference": lambda p: [
        c["best"].update(difference={"mean": 0.0, "low": 0.0, "high": 0.0}) for c in p["candidates"]
    ],
    "NaN curve": lambda p: p["path"].update(cv_mean=[math.nan] * 100, cv_se=[math.nan] * 100),
    "curve with holes": lambda p: p["path"].update(cv_mean=[None, math.inf, 0.5, 0.5] * 25),
    "infinite coefficient": lambda p: p["path"]["coefs"][99].__setitem__(3, math.inf),
    "all zero": lambda p: p["path"].update(coefs=[[0.0] * 60] * 100, inputs_kept=[[]] * 100),
    "huge coefficients": lambda p: p["path"].update(coefs=[[1e200 * c for c in row] for row in p["path"]["coefs"]]),
    "λ ends at zero": lambda p: p["path"]["lambdas"].__setitem__(99, 0.0),
    "best is 1-SE": lambda p: p["path"].update(index_one_se=41, index_kept=41),
    "chosen is neither": lambda p: p["path"].update(index_kept=60),
    "one λ": lambda p: p["path"].update(
        index_best=0,
        index_one_se=0,
        index_kept=0,
        **{k: p["path"][k][50:51] for k in ("lambdas", "coefs", "inputs_kept", "cv_mean", "cv_se")},
    ),
    "no inputs": lambda p: p["path"].update(features=[], coefs=[[]] * 100, inputs_kept=[[]] * 100, n_inputs=0),
    "deep network": lambda p: p["network"].update(
        layers=[["a"], 3, 20, ["y"]], silenced=[[False], [True] * 3, [False] * 20, [False]]
    ),
}


@pytest.mark.parametrize("change", MISSING.values(), ids=MISSING.keys())
def test_parts_may_be_missing_or_strange(page, change):
    change(page)
    html = render_page(page)
    reader = Reader(html)
    assert not re.search(r"\b(nan|inf|None|NaN|Infinity)\b", reader.text)
    for _, attrs in reader.elements:
        geometry = " ".join(str(attrs.get(k, "")) for k in ("d", "x", "y", "cx", "cy", "width", "height", "style"))
        assert not re.search(r"nan|inf(?!o)|None", geometry), geometry


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_meets_wcag_aa_in_light_and_dark(page):
    style = Reader(render_page(page)).raw["style"][0]
    palettes = [dict(re.findall(r"--(\w+):(#\w{6})", block)) for block in re.findall(r":root\{([^}]*#[^}]*)\}", style)]
    assert len(palettes) >= 2
    for palette in palettes[:2]:
        for ink, least in (("ink", 4.5), ("quiet", 4.5), ("accent", 4.5), ("up", 4.5), ("down", 4.5), ("line", 3.0)):
            for paper in ("paper", "faint") if least > 3 else ("paper",):
                bright, dark = sorted((luminance(palette[ink]), luminance(palette[paper])), reverse=True)
                assert (bright + 0.05) / (dark + 0.05) >= least, (ink, paper)
