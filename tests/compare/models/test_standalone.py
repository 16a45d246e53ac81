"""score.py gives the model's numbers where there is nothing but Python."""

from __future__ import annotations

import csv
import datetime
import io
import re
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from compare.handmade import CLASSES, drawn_model, every_kind
from shrinkwise.models.coefficients import csv_text
from shrinkwise.models.onnx import onnx_inputs
from shrinkwise.models.score_py import score_py
from shrinkwise.tables import InputError, read_table
from shrinkwise.tables.reading.read import read_with_notes


def scored(model, folder, table: str | bytes) -> tuple[int, list[dict], str]:
    """score.py run on a CSV, isolated: no site-packages, no environment."""
    (folder / "score.py").write_text(score_py(model), encoding="utf-8")
    (folder / "new.csv").write_bytes(table.encode() if isinstance(table, str) else table)
    command = [sys.executable, "-I", "-S", "score.py", "new.csv"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8")
    return done.returncode, list(csv.DictReader(io.StringIO(done.stdout))), done.stderr


@pytest.mark.one_in(5)
@pytest.mark.parametrize("kind", ["linear", "additive", "network", "cocktail"])
@pytest.mark.parametrize("task", CLASSES)
def test_the_same_numbers_with_gaps_and_what_was_never_seen(task, kind, tmp_path):
    frame = every_kind(task)
    model = drawn_model(task, kind, frame)
    strange = {"colour": ["mauve", None], "=cmd()": ["YES", "maybe"], "size": ["HIGH", "huge"], "flag": ["true", "2"]}
    strange |= {"city": ["CITY 3", "Umeå"]}
    new = pl.concat([frame, frame.head(2).with_columns(**{k: pl.Series(v) for k, v in strange.items()})]).drop("y")
    code, rows, said = scored(model, tmp_path, new.write_csv())
    read = read_table(tmp_path / "new.csv")
    assert (code, said.splitlines()) == (0, model.remarks(read))
    assert len(said.splitlines()) == 5
    expected = model.output(read)
    if task == "regression":
        np.testing.assert_allclose([float(row["prediction"]) for row in rows], expected, rtol=1e-9)
    else:
        chances = [[float(row[f"probability of {name}"]) for name in model.plan.classes] for row in rows]
        np.testing.assert_allclose(chances, expected, rtol=1e-9, atol=1e-300)
        labels = [row["prediction"].removeprefix("'") for row in rows]
        assert labels == model.decide(expected).tolist()
        assert not any(row["prediction"].startswith("=") for row in rows)


@pytest.mark.parametrize("kind", ["additive", "cocktail"])
def test_a_model_that_uses_no_input_predicts_the_same_for_every_row(kind):
    frame = every_kind("regression")
    model = drawn_model("regression", kind, frame)
    arrays = model.predictor.arrays()
    arrays |= {name: np.zeros_like(arrays[name]) for name in ("coef", "weight 0") if name in arrays}
    model = replace(model, predictor=type(model.predictor).of(arrays))
    names: dict = {"__name__": "score"}
    exec(score_py(model), names)
    assert [row["prediction"] for row in names["score"]([{}, {}])] == pytest.approx(model.output(frame[:2]))


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path):
    frame = every_kind("regression")
    (tmp_path / "score.py").write_text(score_py(drawn_model("regression", "linear", frame)), encoding="utf-8")
    pl.concat([frame] * 200).write_csv(tmp_path / "new.csv")
    command = [sys.executable, "-I", "-S", "score.py", "new.csv"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (-signal.SIGPIPE, b"")


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
        (b"a number\n1\n\xc3\xa9\xff\n", "is not UTF-8 text"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(table, sentence, tmp_path):
    model = drawn_model("regression", "linear", every_kind("regression"))
    code, rows, said = scored(model, tmp_path, table)
    assert (code, rows, said.count("\n")) == (2, [], 1)
    assert sentence in said


CELLS = {
    "amount": [
        *(
            "€5",
            "-€5",
            "€ -5",
            "\u22125",
            "\u20137",
            "(5.00)",
            "(€1,234.50)",
            "1.234,5",
            "1,234",
            "12,5",
            "155-",
            "-(5)",
            "lot-17",
        ),
        *(
            "abc",
            "12.5.2",
            "-",
            "n.a.",
            "Unknown",
            "",
            "?",
            "5 (approx)",
            "±5",
            ".5",
            "1e3",
            "EUR-5",
            "5 N-m",
            "007",
            "--5",
        ),
    ],
    "plain": ["5", "-5", "\u22125", "\u2013.5", "-", "#VALUE!", "None", "", "1e-3", "+7"],
    "marked": ["1", "0", "unknown", "true", "-", "2", ""],
    "word": ["red", "RED", "Red ", "green", "blue", "rare 1", "RARE 2", "-", "unknown", ""],
    "size": ["Low", "low", "HIGH", "med", "huge", ""],
    "day": ["31/12/2023", "2023-12-31", "2023-12-31 10:30", "1.2.2024", "-", "Unknown", ""],
    "typed": ["31/12/2023", "30/11/2023 ", "1.2.2024", "-", ""],
    "compact": ["20231231", "2023-12-31", "none", ""],
}


def odd_model(every: int):
    """A model on columns of every form; every `every`-th value is missing."""
    rng, n = np.random.default_rng(8), 60
    days = [datetime.date(2023, 1, 1) + datetime.timedelta(days=int(i)) for i in rng.integers(0, 700, n)]
    frame = pl.DataFrame(
        {
            "amount": [f"€{v:,.2f}" if v > 0 else f"(€{-v:,.2f})" for v in rng.normal(scale=2000, size=n)],
            "plain": rng.normal(size=n).astype(str),
            "marked": ["unknown" if i % 9 == 3 else str(v) for i, v in enumerate(rng.integers(0, 2, n))],
            "word": [*["rare 1", "rare 2"], *rng.choice(["red", "Red", "green", "blue"], n - 2)],
            "size": rng.choice(["low", "med", "high", "HIGH"], n),
            "day": [f"{day:%d/%m/%Y}" for day in days],
            "typed": days,
            "compact": [int(f"{day:%Y%m%d}") for day in days],
            "y": rng.normal(size=n),
        }
    )
    gone = pl.int_range(pl.len()) % every == every - 1
    return drawn_model("regression", "linear", frame.with_columns(pl.when(~gone).then(pl.all().exclude("y"))), ())


@pytest.mark.parametrize("every", [1000, 7], ids=["no gaps", "gaps"])
def test_odd_cells_are_read_as_predict_reads_them_and_the_same_is_said(every, tmp_path):
    model = odd_model(every)
    most = max(map(len, CELLS.values()))
    columns = {name: [cells[i % len(cells)] for i in range(most)] for name, cells in CELLS.items()}
    code, rows, said = scored(model, tmp_path, pl.DataFrame(columns).write_csv())
    read = read_table(tmp_path / "new.csv")
    assert code == 0
    np.testing.assert_allclose([float(row["prediction"]) for row in rows], model.output(read), rtol=1e-9)
    assert said.splitlines() == model.remarks(read)
    assert "Column 'amount': 8 values that are not numeric, such as '155-' (row 11), treated as missing" in said


def test_columns_without_weight_are_not_needed(tmp_path):
    frame = every_kind("binary")
    model = drawn_model("binary", "linear", frame)
    weights = model.predictor.coef
    unused = {"seen", "a number", "colour"}
    names = [column.name for column in model.plan.kept]
    weights[:, [names[i] in unused for i in model.encoder.inputs]] = 0
    new = frame.drop("y", "colour").with_columns(seen=pl.lit("whenever"), **{"a number": pl.lit("many")})
    code, rows, said = scored(model, tmp_path, new.write_csv())
    assert (code, said, model.remarks(new)) == (0, "", [])
    expected = model.predictor.output(model.encoder.transform(frame))
    np.testing.assert_allclose(model.output(new), expected, rtol=1e-12)
    np.testing.assert_allclose([float(row["probability of mid"]) for row in rows], expected[:, 1], rtol=1e-9)
    with pytest.raises(InputError, match="no column 'size'"):
        model.output(new.drop("size"))
    assert (onnx_inputs(model, frame.drop("colour"))["colour"] == "").all()


@pytest.mark.parametrize("codec", ["cp1252", "utf-16"])
def test_other_encodings_are_read_and_said(codec, tmp_path):
    model = drawn_model("regression", "linear", every_kind("regression"))
    table = every_kind("regression").head(9).with_columns(colour=pl.lit("ünï")).drop("y").write_csv()
    code, rows, said = scored(model, tmp_path, table.encode(codec))
    read, [note] = read_with_notes(tmp_path / "new.csv")
    assert (code, said.splitlines()) == (0, [note, *model.remarks(read)])
    np.testing.assert_allclose([float(row["prediction"]) for row in rows], model.output(read), rtol=1e-9)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_title_lines_and_remarks_are_skipped_and_said(mark, tmp_path):
    frame = every_kind("regression")
    model = drawn_model("regression", "linear", frame)
    plain = frame.head(9).drop("y").write_csv(separator=mark)
    expected = scored(model, tmp_path, plain)[1]
    width = plain.split("\n")[0].count(mark)
    titled = f"Sales, by shop, and day{mark * width}\nAll shops\n\n{plain}\nSource: nobody{mark * width}\n"
    code, rows, said = scored(model, tmp_path, titled)
    assert (code, rows) == (0, expected)
    assert said == "2 lines above the header skipped.\n1 line below the table skipped.\n"


def test_a_header_without_the_columns_of_the_model_is_refused(tmp_path):
    frame = every_kind("regression")
    model = drawn_model("regression", "linear", frame)
    code, rows, said = scored(model, tmp_path, "One title\n\n" + frame.drop("colour").write_csv())
    assert (code, rows) == (2, [])
    assert len(said.splitlines()) == 1


def test_it_imports_the_standard_library_alone_and_names_cannot_run():
    frame = every_kind("regression").rename({"colour": '"""\n__import__("os")#'})
    text = score_py(drawn_model("regression", "linear", frame))
    assert set(re.findall(r"^(?:import|from) (\w+)", text, re.M)) <= {
        "__future__",
        "csv",
        "io",
        "math",
        "re",
        "signal",
        "sys",
        "datetime",
    }
    assert compile(text, "score.py", "exec")
    assert '\n__import__("os")' not in text


def test_texts_that_a_spreadsheet_would_run_are_made_harmless():
    texts = ["=1+1", "+cmd|'/c calc'!A0", "@SUM(A1)", "-x", "\t=1", "plain", "-1.5", "+3e4", ""]
    cells = next(csv.reader(io.StringIO(csv_text(["n"], [texts]).split("\n", 1)[1])))
    assert cells == ["'" + t if t[:1] in ("=", "@", "\t") or t in ("-x", texts[1]) else t for t in texts]
