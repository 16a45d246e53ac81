"""A file is read as it is written, or refused with one sentence that names what is wrong."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tracemalloc
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from shrinkwise.tables import InputError, as_frame, data_hash, plan_table, read_table
from shrinkwise.tables.columns.kinds import MISSING
from shrinkwise.tables.reading.delimited import parse_delimited
from shrinkwise.tables.reading.read import read_with_notes

LONG = b"a,b\n" + b"1,2\n" * 1500


def written(folder: Path, content: bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def one_sentence(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith(".")
    assert ". " not in text.replace("1. ", "")
    return text


BAD_CONTENT = {
    "empty": (b"", "empty"),
    "only white space": (b"\xef\xbb\xbf \r\n \n", "empty"),
    "only a header": (b"a,b\n", "no row"),
    "only a header, line end missing": (b"a,b", "no row"),
    "blank lines around a short row": (b"a,b\n\n\n1,2\n\n1\n", "line 6 has 1 field"),
    "header and blank lines": (b"a,b\n\r\n\n", "no row"),
    "bytes that are no text": (b"a,b\n1,\xe9\x07\n", "line 2 holds the byte 0xE9"),
    "UTF-16 cut short": ("a,b\n1,2\n".encode("utf-16")[:-1], "byte 0xFF"),
    "blank lines before the header": (b"\n\r\n\na,b\n\n1\n", "line 6 has 1 field"),
    "NUL": (b"a,b\n1,2\n1,\0\n", "line 3 holds a NUL byte"),
    "row too long": (LONG + b"1,2,3\n" + b"1,2\n", "line 1502 has 3 fields, but the header has 2"),
    "row too short": (LONG + b"1\n", "line 1502 has 1 field, but the header has 2"),
    "several ragged rows": (
        b"a;b\n1;2\n1\n1;2;3\n",
        "line 3 has 1 field, but the header has 2, separated by semicolons (and 1",
    ),
    "ragged after a value of two lines": (b'a,b\n"1\n1",2\n3\n', "line 4 has 1 field"),
    "a quote never closed": (b'a,b\n1,"x\n1,y\n', 'a quote (") on line 2 that is never closed'),
    "a quote inside a value": (b'a,b\n"1",5" pipe\n2,6" pipe\n', 'a quote (") inside a value on line 2'),
    "text after a quoted value": (b'a,b\n1,"x"y\n', 'a quote (") inside a value on line 2'),
}


@pytest.mark.parametrize(("content", "said"), BAD_CONTENT.values(), ids=BAD_CONTENT)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_bad_content_is_one_sentence(tmp_path, content, said, packed):
    path = written(tmp_path, gzip.compress(content), "t.csv.gz") if packed else written(tmp_path, content, "t.csv")
    with pytest.raises(InputError) as error:
        read_table(path)
    assert said in one_sentence(error)
    assert path.name in str(error.value)


def test_bad_paths_are_one_sentence(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    cases = {
        tmp_path / "no" / "such.csv": "no file",
        tmp_path / "folder.csv": "is a folder",
        written(tmp_path, b"a,b\n1,2\n", "table.doc"): "does not end in one of .csv",
        written(tmp_path, b"a,b\n1,2\n", "table"): "does not end in one of .csv",
        written(tmp_path, b"a,b\n1,2\n", "table.xlsx.gz"): "does not end in one of .csv",
        tmp_path / ("x" * 300 + ".csv"): "too long",
    }
    for path, said in cases.items():
        with pytest.raises(InputError) as error:
            read_table(path)
        assert said in one_sentence(error)
    with pytest.raises(InputError, match="no file"):
        data_hash(tmp_path / "gone.csv")


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="permissions are those of POSIX")
@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_file_one_may_not_read(tmp_path, name):
    path = written(tmp_path, b"a,b\n1,2\n", name)
    path.chmod(0)
    script = (
        "import os, sys; from shrinkwise.tables import InputError, read_table\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"  # the superuser may read everything
        "try: read_table(sys.argv[1])\n"
        "except InputError as error: sys.stdout.write(str(error))\n"
    )
    said = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True).stdout
    assert "cannot be read: permission denied." in said


@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "t.arrow", "t[1].parquet", "t[1].feather"])
def test_columnar_files(tmp_path, name):
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "y"]})
    path = tmp_path / name
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_ipc(path)
    assert read_table(path).equals(frame)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:3], b"a,b\n1,2\n", b""):
        path.write_bytes(content)
        with pytest.raises(InputError, match=re.escape(name)) as error:
            read_table(path)
        one_sentence(error)
    pl.DataFrame({"a": []}).write_parquet(tmp_path / "no_rows.parquet")
    with pytest.raises(InputError, match="no rows"):
        read_table(tmp_path / "no_rows.parquet")


def test_damaged_gz(tmp_path):
    packed = gzip.compress(LONG)
    for content in (packed[:-9], packed[:20], packed[:4], packed[:15] + b"\xff\xff\xff" + packed[18:]):
        with pytest.raises(InputError, match="damaged or truncated gzip") as error:
            read_table(written(tmp_path, content, "t.csv.gz"))
        one_sentence(error)


def test_a_gz_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("shrinkwise.tables.reading.read._LARGEST_UNPACKED", len(LONG))
    assert read_table(written(tmp_path, gzip.compress(LONG), "t.csv.gz")).height == 1500
    path = written(tmp_path, gzip.compress(LONG + b"1,2\n" * 5_000_000), "t.csv.gz")
    tracemalloc.start()
    with pytest.raises(InputError, match="decompresses to more than"):
        read_table(path)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)


@st.composite
def tables_of_text(draw):
    """Names and rows whose values are text to every rule: they start with a letter and hold any of the specials."""
    names = draw(st.lists(TEXT.filter(str.strip), min_size=1, max_size=4, unique=True))
    cell = TEXT.map(lambda text: "x" + text + "x")
    return names, draw(st.lists(st.tuples(*[cell] * len(names)), min_size=1, max_size=6))


@given(tables_of_text(), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]), st.sampled_from(csv.__all__[:2]))
@settings(deadline=None, max_examples=200)
@example((['<img src=x onerror="alert(1)">', "naïve, \n", " a "], [("x,\n\"'", "é", "x;")]), ",", "\n", "QUOTE_ALL")
def test_what_csv_writes_is_read_back(table, delimiter, line_end, quoting):
    names, rows = table
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=getattr(csv, quoting))
    writer.writerows([names, *rows])
    ambiguous = "".join(names) if len(names) > 1 else "".join(names + [row[0] for row in rows])
    assume(not (set(",;\t|") - {delimiter}) & set(ambiguous))  # where another delimiter could be meant
    frame = parse_delimited("t", text.getvalue().encode())[0]
    assert frame.columns == names
    assert frame.rows() == [tuple(value.strip() for value in row) for row in rows]


@given(
    st.lists(st.sampled_from([b"a", b"1", b",", b";", b'"', b"\n", b"\r", b" ", b"\xc3\xa9", b".", b"\xff"])).map(
        b"".join
    )
)
@settings(deadline=None, max_examples=500)
def test_any_bytes_are_read_or_refused(data):
    try:
        frame = parse_delimited("t", data)[0]
    except InputError:
        return
    assert len(set(frame.columns)) == len(frame.columns)
    assert all(frame.columns)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_usual_forms_of_a_file(tmp_path, delimiter, line_end, bom):
    lines = ["name,weight,n", '"x, y; z\t|",1.5,1', "y,2,2", "", '"é ""q""", 3e1 ,3', ""]
    if delimiter != ",":
        lines = [delimiter.join(next(csv.reader([line]))) if '"' not in line else line for line in lines]
        lines[1] = delimiter.join(['"x, y; z\t|"', "1.5", "1"])
        lines[4] = delimiter.join(['"é ""q"""', " 3e1 ", "3"])
    frame = read_table(written(tmp_path, bom + line_end.join(lines).encode(), "t.csv"))
    assert frame.to_dict(as_series=False) == {
        "name": ["x, y; z\t|", "y", 'é "q"'],
        "weight": [1.5, 2.0, 30.0],
        "n": [1, 2, 3],
    }
    assert frame.dtypes == [pl.String, pl.Float64, pl.Int64]


def test_a_scan_in_blocks_counts_like_a_scan_at_once(monkeypatch):
    data = b'a,b\n"x,\n""",2\n' * 1 + b'"",3\n4,"5,\n"\n\n6,7'
    whole = parse_delimited("t", data)[0]
    for block in range(1, 9):
        monkeypatch.setattr("shrinkwise.tables.reading.records._BLOCK", block)
        assert parse_delimited("t", data)[0].equals(whole)


def test_text_that_begins_like_a_compressed_file(tmp_path):
    frame = read_table(written(tmp_path, b"x^2,x\nx^3,1\n"))
    assert (frame.columns, frame.rows()) == (["x^2", "x"], [("x^3", 1)])


def test_types_come_from_all_values(tmp_path):
    values = [*map(str, range(1000)), "text", *map(str, range(1000))]
    late_text = read_table(
        written(tmp_path, "\n".join(f"{value},1" for value in ["a,b", *values][1:]).join(["a,b\n", "\n"]).encode())
    )
    assert late_text["a"].to_list() == values
    late_point = b"a,b\n" + b"1,1\n" * 5000 + b"0.5,1\n"
    assert read_table(written(tmp_path, late_point)).dtypes == [pl.Float64, pl.Int64]


@pytest.mark.parametrize("marker", MISSING)
def test_missing_markers(tmp_path, marker):
    frame = read_table(written(tmp_path, f"a,b,c\n1,{marker},x\n{marker},2.5, {marker} \n".encode()))
    assert frame.to_dict(as_series=False) == {"a": [1, None], "b": [None, 2.5], "c": ["x", None]}


def test_what_would_be_a_guess_stays_text(tmp_path):
    content = b'a,b,c,d,e\n"1,234",01234,12%,1_000,0x10\n"5,678",90210,13%,2_000,0x11\n'
    assert read_table(written(tmp_path, content)).dtypes == [pl.String] * 5
    # of different widths, a leading zero is only a way to write a number
    assert read_table(written(tmp_path, b"a,b\n05,1\n123,1\n")).dtypes == [pl.Int64, pl.Int64]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a;b\n1,5;x\n2,25;y\n3;z\n", [1.5, 2.25, 3.0]),
        (b"a;b\n1,500;2,5\n2,250;3,5\n", [1.5, 2.25]),  # b shows that the commas are decimal
        (b"a;b\n1,500;1\n2,250;2\n", ["1,500", "2,250"]),  # they could part thousands
        (b"a;b\n1,5;2.5\n2,5;3.5\n", ["1,5", "2,5"]),  # the points are decimal
        (b'a,b\n"1,5",1\n"2,5",1\n', ["1,5", "2,5"]),  # the fields are parted by commas
    ],
)
def test_decimal_commas(tmp_path, content, expected):
    assert read_table(written(tmp_path, content))["a"].to_list() == expected


def test_columns_without_a_name_get_one(tmp_path):
    frame = read_table(written(tmp_path, b",a, \n1,2,3\n4,5,6\n"))
    assert frame.columns == ["unnamed column 1", "a", "unnamed column 3"]
    assert as_frame(pl.DataFrame({"": [1], "a": [2]})).columns == ["unnamed column 1", "a"]


@pytest.mark.parametrize(
    ("codec", "said"), [("cp1252", "Windows-1252, because it is not"), ("utf-16", "UTF-16, because")]
)
def test_files_of_windows_are_read_and_it_is_said(tmp_path, codec, said):
    text = "Straße;Miete\r\nKö\xa0weg;€ 5\r\n"
    frame, [note] = read_with_notes(written(tmp_path, text.encode(codec)))
    assert frame.equals(read_table(written(tmp_path, text.encode())))
    assert note.startswith(f"table.csv was read as {said}")
    assert read_with_notes(written(tmp_path, text.encode()))[1] == []


@pytest.mark.parametrize(
    ("content", "text", "said"),
    [
        ("a,b\n1,é\n3,caf".encode() + b"\xe9\n", "a,b\n1,é\n3,café\n", "0xE9 on line 3"),
        (b"a,b\n1,2\n3,\x81\n", "a,b\n1,2\n3,\ufffd\n", "0x81 on line 3"),
        (b"\xef\xbb\xbfa,b\n\xff,2\n", "a,b\nÿ,2\n", "0xFF on line 2"),
    ],
    ids=["UTF-8 with a damaged byte", "neither UTF-8 nor Windows-1252", "not UTF-8 after a byte-order mark"],
)
def test_a_mixture_of_encodings_is_read_and_it_is_said(tmp_path, content, text, said):
    frame, [note] = read_with_notes(written(tmp_path, content))
    assert frame.equals(read_table(written(tmp_path, text.encode())))
    assert note.startswith("table.csv is not UTF-8 text, nor Windows-1252: bytes that are no UTF-8, the first " + said)


def test_hash_is_that_of_the_bytes(tmp_path):
    assert data_hash(written(tmp_path, LONG)) == hashlib.sha256(LONG).hexdigest()


def test_data_frames_of_others():
    frame = as_frame(
        pd.DataFrame(
            {
                1: [1.5, np.nan],
                "text": ["x", None],
                "flag": pd.array([True, None], dtype="boolean"),
                "n": pd.array([1, None], dtype="Int64"),
                "c": pd.Categorical(["u", None]),
            }
        )
    )
    assert frame.columns == ["1", "text", "flag", "n", "c"]
    assert frame["n"].to_list() == [1, None]
    assert as_frame(frame) is frame


def test_lazy_frames_and_dicts_of_columns():
    expected = {"a": [1.0, None], "2": ["x", "y"]}
    assert as_frame(pl.LazyFrame(expected)).to_dict(as_series=False) == expected
    assert as_frame({"a": np.array([1.0, np.nan]), 2: ["x", "y"]}).to_dict(as_series=False) == expected


def test_a_column_of_its_own_kind_leaves_the_others_readable():
    zeros = np.r_[np.zeros(30), np.arange(30.0)]
    others = {
        "m": pd.period_range("2020-01", periods=60, freq="M"),
        "s": pd.arrays.SparseArray(zeros),
        "mixed": [1, "x", 2.5, None] * 15,
        "complex": zeros + 1j,
        "array": [np.ones(2), {"k": 1}, pd.NA] * 20,
        "t": pd.to_timedelta(zeros, unit="h"),
    }
    y = np.random.default_rng(0).normal(size=60)
    for names in [*([name] for name in others), list(others)]:
        frame = as_frame(pd.DataFrame({"x": zeros, **{name: others[name] for name in names}, "y": y}))
        assert frame["x"].to_list() == zeros.tolist()
        plans = {column.name: column for column in plan_table(frame, "y").columns}
        for name, kind, reason in (
            ("m", "date", ""),
            ("s", "number", ""),
            ("mixed", "category", ""),
            ("complex", "dropped", "of type Object, which is neither numeric nor text"),
            ("array", "dropped", "which is neither numeric nor text"),
            ("t", "number", ""),
        ):
            if name in names:
                assert plans[name].kind == kind
                assert reason in plans[name].reason
    assert frame["m"].to_list()[1] == datetime(2020, 2, 1)
    assert frame["s"].to_list() == zeros.tolist()
    assert frame["mixed"].to_list()[:4] == ["1", "x", "2.5", None]
    with pytest.raises(InputError, match="'complex'"):
        plan_table(frame, "complex")


PANDAS_WITHOUT_PYARROW = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name.split(".")[0] == "pyarrow" else found(name, *rest)
sys.modules["pyarrow"] = None
import numpy as np, pandas as pd
from shrinkwise.tables import as_frame
frame = pd.DataFrame({
    1: [1.5, np.nan], "text": pd.array(["x", None], dtype="str"), "object": ["y", None],
    "flag": pd.array([True, None], dtype="boolean"),
    "n": pd.array([1, None], dtype="Int64"), "b": [True, False], "c": pd.Categorical([3, None]),
    "day": pd.to_datetime(["2024-01-31", None]),
}, index=[7, 3])
sys.stdout.write(as_frame(frame).write_json())
sys.stderr.write(str(as_frame(pd.DataFrame({"a": [1, "x"]}))["a"].to_list()))
"""


def test_pandas_frames_need_no_pyarrow():
    done = subprocess.run([sys.executable, "-c", PANDAS_WITHOUT_PYARROW], capture_output=True, text=True)
    assert json.loads(done.stdout) == [
        {"1": 1.5, "text": "x", "object": "y", "flag": True, "n": 1, "b": True, "c": "3", "day": "2024-01-31 00:00:00"},
        {"1": None, "text": None, "object": None, "flag": None, "n": None, "b": False, "c": None, "day": None},
    ]
    assert done.stderr == "['1', 'x']"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one column named 'a'"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "more than one column named '1'"),
        ({"a": [1], 2: [1, 2]}, "different lengths"),
        ({"a": 1}, "cannot be read"),
        (np.zeros((2, 2)), "got ndarray; make a data frame of it"),
        ([[1, 2]], "got list; make a data frame of it"),
        (pl.LazyFrame({"a": [1]}).select("b"), "lazy frame cannot be collected"),
    ],
)
def test_what_is_no_data_frame(table, said):
    with pytest.raises(InputError, match=said) as error:
        as_frame(table)
    one_sentence(error)


def test_a_hundred_thousand_columns_are_refused_at_the_header(tmp_path):
    (tmp_path / "wide.csv").write_text(",".join(f"c{j}" for j in range(100_000)) + "\n" + "1," * 99_999 + "1\n")
    with pytest.raises(InputError, match="100000 columns, more than the limit of 30000"):
        read_table(tmp_path / "wide.csv")


@pytest.mark.parametrize("name", ["Int128", "UInt128"])
def test_integers_of_128_bits_are_numbers(name):
    """NumPy has none, so that such a column ended in an error of polars."""
    dtype = getattr(pl, name, None)
    if dtype is None:
        pytest.skip("this polars has no such integers")
    frame = pl.DataFrame(
        {
            "big": pl.Series([i * 2**70 for i in range(40)], dtype=dtype),
            "y": pl.Series([i * 7 % 11 for i in range(40)]).cast(dtype),
        }
    )
    read = as_frame(frame)
    assert read["big"].to_list() == [i * 2.0**70 for i in range(40)]
    assert [column.kind for column in plan_table(read, "y").columns] == ["number"]
