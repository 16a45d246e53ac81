from __future__ import annotations

import io

import pytest
from rich.console import Console

from report.documents import print_summary


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
    assert next(line for line in lines if line.startswith("*")).startswith("*   1-SE")
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


def test_a_setting_never_breaks_within_and_its_second_line_is_indented(page):
    strengths = ["λ = 1.2e+03, 90% L1", "keep = 0.5 (inputs too)", "λ = 0.003, keep = 0.8", "λ = 4.4e-05"]
    for candidate, strength in zip(page["candidates"], strengths, strict=False):
        candidate["best"] = candidate["best"] | {
            "strength": strength,
            "difference": {"mean": 0.1, "low": -9, "high": 9},
        }
    for width in (80, 90, 120):
        lines = printed(page, width).splitlines()
        assert max(map(len, lines)) <= width
        for setting in (
            "λ = 1,200",
            "90% L1",
            "keep = 0.5",
            "(inputs too)",
            "λ = 0.003",
            "keep = 0.8",
            "λ = 4.4 × 10⁻⁵",
        ):
            assert any(setting in line for line in lines), (width, setting)
        assert not any(line.startswith(("keep", "λ", "90%", "(")) for line in lines)


def test_no_line_ends_in_blanks(page):
    page["notes"] = ["A note that is long enough to be wrapped. " * 5]
    for width in (60, 80, 120):
        assert not [line for line in printed(page, width).splitlines() if line != line.rstrip()]


def test_advice_is_wrapped_and_never_cut(page):
    reason = "every value is different " * 12 + "--keep-column id if it is known before the target"
    page["columns"] = [
        {"name": "id", "kind": "dropped", "reason": reason},
        {"name": "x" * 50, "kind": "number", "reason": reason},
    ]
    for columns in (page["columns"], page["columns"][:1] + [{"name": f"x{i}", "kind": "number"} for i in range(20)]):
        lines = printed(page | {"columns": columns}, 80).splitlines()
        assert "--keep-column id if it is known before the target" in " ".join(" ".join(lines).split())
        assert max(map(len, lines)) <= 80


def test_the_mark_stands_on_the_row_that_is_kept(page):
    def marked(page: dict) -> list[str]:
        return [line for line in printed(page, 120).splitlines() if line.startswith("*")]

    assert [line.split()[1] for line in marked(page)] == ["1-SE"]
    assert [line.split()[1] for line in marked(page | {"one_se_label": "within 1%"})] == ["within"]
    page["candidates"][2]["best"]["kept"], page["candidates"][2]["one_se"]["kept"] = True, False
    assert [line.split()[1] for line in marked(page)] == ["lasso"]
    page["candidates"][2]["one_se"] = None
    assert [line.split()[1] for line in marked(page)] == ["lasso"]


def test_candidates_that_have_no_row_are_named_with_the_reason(page):
    why = "not finished within the budget"
    page["left_out"] = [{"name": "MCP", "reason": why}, {"name": "network + L2", "reason": why}]
    assert f"skipped, {why}: MCP, network + L2\n" in printed(page, 120)
