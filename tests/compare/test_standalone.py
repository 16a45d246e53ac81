"""score.py gives the model's numbers where there is nothing but Python."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from compare.handmade import CLASSES, drawn_model, every_kind
from shrinkwise.compare.coefficients import csv_text
from shrinkwise.compare.standalone import score_py
from shrinkwise.tables import read_table


def scored(model, folder, table: str) -> tuple[int, list[dict], str]:
    """score.py run on a CSV, isolated: no site-packages, no environment."""
    (folder / "score.py").write_text(score_py(model), encoding="utf-8")
    (folder / "new.csv").write_text(table, encoding="utf-8")
    command = [sys.executable, "-I", "-S", "score.py", "new.csv"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8")
    return done.returncode, list(csv.DictReader(io.StringIO(done.stdout))), done.stderr


@pytest.mark.parametrize("kind", ["linear", "network"])
@pytest.mark.parametrize("task", CLASSES)
def test_the_same_numbers_with_gaps_and_what_was_never_seen(task, kind, tmp_path):
    frame = every_kind(task)
    model = drawn_model(task, kind, frame)
    strange = {"colour": ["mauve", None], "=cmd()": ["YES", "maybe"], "size": ["HIGH", "huge"], "flag": ["true", "2"]}
    new = pl.concat([frame, frame.head(2).with_columns(**{k: pl.Series(v) for k, v in strange.items()})]).drop("y")
    code, rows, said = scored(model, tmp_path, new.write_csv())
    assert (code, said) == (0, "")
    expected = model.output(read_table(tmp_path / "new.csv"))
    if task == "regression":
        np.testing.assert_allclose([float(row["prediction"]) for row in rows], expected, rtol=1e-9)
    else:
        chances = [[float(row[f"probability of {name}"]) for name in model.plan.classes] for row in rows]
        np.testing.assert_allclose(chances, expected, rtol=1e-9, atol=1e-300)
        labels = [row["prediction"].removeprefix("'") for row in rows]
        assert labels == model.decide(expected).tolist()
        assert not any(row["prediction"].startswith("=") for row in rows)


def test_semicolons_and_decimal_commas(tmp_path):
    frame = every_kind("regression").select("a number", "y")
    model = drawn_model("regression", "linear", frame.with_columns(code=pl.Series(["1", "2", "3"] * 20)))
    table = "a number;code\n" + "".join(f"{v or ''};1\n".replace(".", ",") for v in frame["a number"])
    code, rows, _ = scored(model, tmp_path, table)
    expected = model.output(read_table(tmp_path / "new.csv"))
    assert code == 0
    np.testing.assert_allclose([float(row["prediction"]) for row in rows], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("a number\n1\n", "no column 'price, net'"),
        ("a number,b\n1\n", "fields"),
        ('a number,"price, net",=cmd(),size,colour,code,seen,flag\nten,$ 1,no,low,red,1,01/01/2024 00:30,0\n', "'ten'"),
        ('a number,"price, net",=cmd(),size,colour,code,seen,flag\n1,$ 1,no,low,red,1,yesterday,0\n', "'yesterday'"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(table, sentence, tmp_path):
    model = drawn_model("regression", "linear", every_kind("regression"))
    code, rows, said = scored(model, tmp_path, table)
    assert (code, rows, said.count("\n")) == (2, [], 1)
    assert sentence in said


def test_it_imports_the_standard_library_alone_and_names_cannot_run():
    frame = every_kind("regression").rename({"colour": '"""\n__import__("os")#'})
    text = score_py(drawn_model("regression", "linear", frame))
    assert set(re.findall(r"^(?:import|from) (\w+)", text, re.M)) <= {
        "__future__",
        "csv",
        "math",
        "re",
        "sys",
        "datetime",
    }
    assert compile(text, "score.py", "exec")
    assert '\n__import__("os")' not in text


def test_texts_that_a_spreadsheet_would_run_are_made_harmless():
    texts = ["=1+1", "+cmd|'/c calc'!A0", "@SUM(A1)", "-x", "\t=1", "plain", "-1.5", "+3e4", ""]
    cells = next(csv.reader(io.StringIO(csv_text(["n"], [texts]).split("\n", 1)[1])))
    assert cells == ["'" + t if t[:1] in ("=", "@", "\t") or t in ("-x", texts[1]) else t for t in texts]
