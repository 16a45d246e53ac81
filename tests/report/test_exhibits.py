"""The sections on stress, half-samples, errors and checks: their numbers, and names that try to be markup."""

from __future__ import annotations

import math
import re

import pytest

from report.conftest import HOSTILE
from report.documents import render_page
from report.test_page import Reader


def exhibits(name: str = "ph") -> dict:
    curves = {
        "levels": [0.0, 0.5, 1.0],
        "candidates": [
            {"name": "lasso", "regularizer": "L1", "kept": True, "scores": [0.4123, 0.45, 0.6]},
            {"name": name, "regularizer": "", "kept": False, "scores": [0.4, 0.9, 77.25]},
        ],
    }
    inputs = [{"name": name, "frequency": 0.93, "partners": []}, {"name": "b", "frequency": 0.41, "partners": [name]}]
    return {
        "stress": {
            "noise": curves,
            "missing": curves,
            "findings": [{"claim": "c", "sentence": f"It held for {name}."}],
        },
        "halves": {
            "lam": 0.25,
            "n_halves": 100,
            "threshold": 0.9,
            "inputs": inputs,
            "turns": [{"first": name, "second": "b", "one_of_both": 0.92}],
            "n_turns": 1,
        },
        "shapes": {
            "of": name,
            "n_halves": 20,
            "inputs": [
                {
                    "name": name,
                    "xs": [0.0, 1.0, 2.0, 3.0, 4.0, 400.0],
                    "labels": [],
                    "lines": [
                        {"name": "", "values": [-1.5, 0, 0, 1, 1, 91.25], "errors": [0.5, 0.5, 0.5, 0.5, 0.5, 7]}
                    ],
                    "used": 0.95,
                    "missing": [-0.375],
                },
                {
                    "name": "b",
                    "xs": [],
                    "labels": [name, "other"],
                    "lines": [
                        {"name": name, "values": [0.625, -0.625], "errors": []},
                        {"name": "second", "values": [-0.625, 0.625], "errors": []},
                    ],
                    "n_more": 3,
                },
            ],
            "n_inputs": 7,
            "dates": [name],
        },
        "residuals": {
            "points": [[1.0, -0.5], [2.0, 0.25]],
            "n_rows": 2,
            "bins": [{"low": 1.0, "high": 2.0, "rows": 2, "mean": -0.125, "spread": 0.375}],
            "worst": [{"row": 17, "truth": 0.5, "predicted": 1.0}],
        },
        "coverage": {
            "level": 0.9,
            "how": f"wider by {name}",
            "valid": "It holds on average.",
            "held_out": [
                {"low": 1.5, "high": 9.5, "rows": 60, "coverage": 0.917, "size": 4.25},
                {"low": 1.5, "high": 3.5, "rows": 20, "coverage": 0.85, "size": 3.75},
            ],
            "fresh": [{"low": 2.5, "high": 8.5, "rows": 31, "coverage": 0.871, "size": 4.5}],
        },
        "checks": [{"question": "Leaks?", "answer": f"No, not even {name}."}],
        "written": {"formula": f"y = 1\n    + 2 × {name}", "notes": [f"{name} is a number"]},
    }


CALIBRATION = {
    "of": "y = yes",
    "bins": [{"predicted": 0.125, "share": 0.5, "low": 0.3, "high": 0.7, "rows": 20}],
    "outside": 1,
    "n_rows": 20,
}


def test_every_number_is_in_a_table_and_every_figure_says_what_would_change_it(page):
    reader = Reader(render_page(page | exhibits()))
    for shown in (
        "0.4123",
        "77.25",
        "0.93",
        "replace each other: 92 %",
        "-0.125",
        "0.375",
        "17",
        "91.7%",
        "4.25",
        "87.1%",
        "No, not even ph.",
        "+ 2 × ph",
        "the 2 of 7 inputs with the largest effects",
        "91.25",
        "used in 95 % of the halves; a missing value: −0.375",
        "3 levels with smaller effects are not shown",
        "second 0.62",
    ):
        assert shown in reader.text, shown
    assert "Some lines leave the frame" in reader.text
    captions = len(reader.tags("figcaption")) + 1  # and that of the comparison
    assert reader.text.count("What would change this") == captions
    text = Reader(render_page(page | exhibits() | {"residuals": None, "calibration": CALIBRATION})).text
    for shown in ("0.125", "0.5", "0.3", "0.7", "1 of 1 intervals misses"):
        assert shown in text, shown


def test_points_stand_where_their_numbers_say(page):
    html = render_page(page | exhibits() | {"residuals": None, "calibration": CALIBRATION})
    assert 'style="left:12.50%;top:50.00%"' in html
    dots = re.search(r'd="(M[^"]*)" class="dots"', render_page(page | exhibits()))[1]
    assert dots == "M37 963h0M963 269h0"  # 4 % air: x 0.04/1.08; y 1.04/1.08 and 0.29/1.08


def test_only_the_lines_in_question_are_labelled_and_all_say_their_name(page):
    kinds = {"lasso": "L1", "ridge": "L2", "MCP": "MCP", "net": "", "net + dropout": "dropout", "trees": ""}
    curves = {
        "levels": [0.0, 1.0],
        "candidates": [
            {"name": n, "regularizer": kind, "kept": n == "net", "scores": [0.4, 0.5 + (n != "ridge") * (i + 1)]}
            for i, (n, kind) in enumerate(kinds.items())
        ],
    }
    page["candidates"][-1]["name"] = "trees"
    html = render_page(page | {"stress": {"noise": curves, "missing": curves, "findings": []}})
    ends = re.findall(r'class="ends" aria-hidden="true">(.*?)</div>', html[html.index('id="stress"') :], re.S)
    assert [re.findall(r"<span[^>]*>([^<]*)<", end) for end in ends] == [
        ["lasso", "ridge", "net", "net + dropout", "trees"]
    ] * 2
    assert html.count("<title>MCP</title>") == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_names_in_the_exhibits_are_text(page, name):
    html = render_page(page | exhibits(name))
    reader = Reader(html)
    assert html.encode("utf-8")
    assert not {"img", "iframe"} & {tag for tag, _ in reader.elements}
    assert len(reader.tags("script")) == 2
    assert not any(key.startswith("on") for _, attrs in reader.elements for key in attrs)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_left_out_of_the_drawing(page, bad):
    found = exhibits()
    found["stress"]["noise"]["candidates"][1]["scores"][2] = bad
    reader = Reader(render_page(page | found))
    assert not re.search(r"\b(nan|inf|None|NaN)\b", reader.text)
    assert not any(re.search("nan|inf", str(attrs.get("d", ""))) for _, attrs in reader.elements)


def test_parts_that_are_not_there_have_no_section(page):
    ids = {attrs.get("id") for _, attrs in Reader(render_page(page)).elements}
    assert not {"stress", "halves", "errors"} & ids
    ids = {attrs.get("id") for _, attrs in Reader(render_page(page | exhibits())).elements}
    assert {"stress", "halves", "errors"} <= ids


def test_the_page_says_how_large_it_is(page):
    html = render_page(page)
    said = int(re.search(r"this file is (\d+) kB and makes no network requests", html)[1])
    assert abs(said - len(html.encode()) / 1000) <= 1
