from __future__ import annotations

import io

import pytest
from rich.console import Console

from shrinkwise.report import print_summary


def printed(page: dict, width: int, **how) -> str:
    out = io.StringIO()
    print_summary(page, Console(file=out, width=width, **how))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_every_candidate_and_its_numbers_are_there(page, width):
    text = printed(page, width)
    assert all(len(line) <= width for line in text.splitlines())
    lines = text.splitlines()
    for candidate in page["candidates"]:
        row = next(line for line in lines if line[2:].startswith(candidate["name"]))
        assert "0.452 ± 0.031" in row
        assert "1.2" in row
    assert text.count("1-SE") >= 2
    assert "0.471 ± 0.028" in text
    assert "−0.46 [−0.60, −0.31]" in text
    assert next(line for line in lines if line.startswith("*"))[2:].startswith("lasso")
    assert text.rstrip().endswith("Regularization helps here.")
    assert "…" not in text.replace("band_02 … band_60", "")


def test_many_columns_are_told_by_kind_and_dropped_ones_by_name(page):
    page["columns"].append({"name": "id", "kind": "dropped", "reason": "every value is different"})
    text = printed(page, 80)
    assert "band_01, band_02 … band_60" in text
    assert "band_31" not in text
    assert any("id" in line and "every value is different" in line for line in text.splitlines())


def test_few_columns_are_all_named(page):
    page["columns"] = page["columns"][:5]
    text = printed(page, 80)
    assert all(column["name"] in text for column in page["columns"])


def test_piped_output_has_no_escape_codes_and_colours_are_for_terminals(page):
    assert "\x1b" not in printed(page, 80)
    assert "\x1b" in printed(page, 80, force_terminal=True, color_system="standard")


def test_names_cannot_steer_the_terminal_or_rich(page):
    page["columns"] = [{"name": "[bold red]x[/]\x1b[2J\n\u202e", "kind": "number", "reason": "[link]"}]
    page["verdict"] = ["\x1b]0;title\x07 done [/nothing]"]
    text = printed(page, 80)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold red]x[/]�[2J" in text
    assert "done [/nothing]" in text


def test_strange_numbers_print(page):
    page["candidates"][2]["best"] |= {"score": float("nan"), "se": None, "inputs": None, "zeros": None}
    page["candidates"][2]["seconds"] = None
    assert "nan" not in printed(page, 80).replace("nance", "")
