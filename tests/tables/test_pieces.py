"""Text files in pieces: the same rows, types, notes and errors as when they are read at once."""

import gzip
import pickle
import re
from collections import namedtuple

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from shrinkwise.streaming.spool import InMemory, OnDisk
from shrinkwise.tables import InputError, read_table
from shrinkwise.tables.columns.kinds import typed
from shrinkwise.tables.reading import delimited, read, sources, text_bytes
from shrinkwise.tables.reading.delimited import text_table
from shrinkwise.tables.reading.layout import Layout
from shrinkwise.tables.reading.read import read_with_notes
from shrinkwise.tables.reading.text_bytes import TextFile

NUMBERS = np.random.default_rng(0).normal(size=60).round(4)
LATE = ["7"] * 40 + ["7.5"] * 20  # whole numbers first
FILES = {
    "plain": "a,b\n" + "".join(f"{x},{i}\n" for i, x in enumerate(NUMBERS)),
    "whole numbers first": "a,b\n" + "".join(f"{x},{y}\n" for x, y in zip(LATE, NUMBERS, strict=True)),
    "text last": "a,b\n" + "".join(f"{i if i < 58 else 'n' + str(i)},{x}\n" for i, x in enumerate(NUMBERS)),
    "codes": "a,b\n" + "".join(f"{i:05d},{x}\n" for i, x in enumerate(NUMBERS)),
    "no codes, as lengths differ": "a,b\n" + "".join(f"{i:02d},{x}\n" for i, x in enumerate([*NUMBERS, *NUMBERS])),
    "gaps and blanks": "a,b,c\n"
    + "".join(f" {i} ,{'NA' if i % 7 == 0 else x},{'' if i < 50 else i}\n\n" for i, x in enumerate(NUMBERS)),
    "quotes": 'a,b\n' + "".join(f'{i},"x, {i}\nand ""more"""\n' if i % 9 == 8 else f"{i},y\n" for i in range(90)),
    "a quote inside": "a,b\n" + "".join(f'{i},5" x {i % 3}\n' for i in range(60)),
    "windows": "a;b\r\n" + "".join(f"{str(x).replace('.', ',')};{i}\r\n" for i, x in enumerate(NUMBERS)),
    "titles and remarks": "Sales\nof a year\n\nname,b\n"
    + "".join(f"n{i % 4},{x}\n" for i, x in enumerate(NUMBERS))
    + "\nSource: office\n",
    "byte-order mark": "\ufeffa,b\n" + "".join(f"ä{i % 3},{x}\n" for i, x in enumerate(NUMBERS)),
    "no last line end": "a\tb\n" + "\n".join(f"{i}\t{x}" for i, x in enumerate(NUMBERS)),
}  # fmt: skip

N = 400
COLUMNS = {
    "whole": [str(i) for i in range(N)],
    "later a float": [str(i) if i < 390 else f"{i}.5" for i in range(N)],
    "float, later whole": [f"{i}.25" if i < 20 else str(i) for i in range(N)],
    "beyond 2^53": [str(2**60 + i) for i in range(N - 1)] + ["0.5"],
    "codes": [f"{i:03d}" for i in range(N)],
    "late codes": [str(100 + i) if i < 300 else f"{i - 300:03d}" for i in range(N)],
    "leading zeros, no codes": [f"{i:03d}" if 60 < i < 90 else str(i) for i in range(N)],
    "late text": [str(i) for i in range(N - 1)] + ["x"],
    "late gap": [str(i) for i in range(N - 1)] + [""],
    "a block of gaps": ["" if 50 < i < 120 else f"{i}" for i in range(N)],
    "all gaps": [""] * N,
    "a word for missing": [f"{i}" if i % 7 else "NA" for i in range(N)],
    "nan": [f"{i}.5" if i % 7 else "nan" for i in range(N)],
    "spaces": [f" {i} " for i in range(N)],
    "text": [f"word {i % 5}" for i in range(N)],
    "long minus": [f"\u2212{i}" for i in range(N)],
}


@pytest.fixture
def small_pieces(monkeypatch):
    """A function from which on files are read in pieces of 200 bytes."""

    def start():
        monkeypatch.setattr(text_bytes, "PIECE", 200)
        monkeypatch.setattr(delimited, "PIECE", 200)
        monkeypatch.setattr(read, "_SMALL", 300)

    return start


class Nowhere:
    """A store without space."""

    def put(self, frame):
        return None


@pytest.mark.parametrize("kind", FILES)
def test_pieces_give_what_the_whole_file_gives(kind, tmp_path, small_pieces):
    file = tmp_path / "t.csv"
    file.write_text(FILES[kind], encoding="utf-8", newline="")
    whole, notes = read_with_notes(file)
    small_pieces()
    for store in (InMemory(), OnDisk(tmp_path / "kept"), Nowhere()):
        table = text_table(TextFile(file), Layout(), store)
        assert (table.kept is None) == isinstance(store, Nowhere)
        for _ in range(2):  # as often as needed
            parts = list(table.frames(list(table.schema)))
            assert len(parts) > 2
            assert_frame_equal(pl.concat(parts), whole, check_exact=True)
        assert_frame_equal(table.whole(), whole, check_exact=True)
        assert (table.height, table.notes) == (whole.height, notes)
    assert_frame_equal(read_with_notes(file)[0], whole, check_exact=True)
    found = sources.open_table(file)
    assert_frame_equal(pl.concat([block.frame for block in found.rows.blocks(whole.columns[:1])]), whole[:, :1])


@pytest.mark.parametrize("name", COLUMNS)
def test_types_are_those_of_all_values_together(name, tmp_path, small_pieces):
    file = tmp_path / "t.csv"
    others = [f"{x:.3f}" for x in np.random.default_rng(0).normal(size=N)]
    file.write_text("\n".join(["x,other", *map(",".join, zip(COLUMNS[name], others, strict=True))]), encoding="utf-8")
    texts = {"x": [text or None for text in COLUMNS[name]], "other": others}
    expected = pl.DataFrame([typed(pl.Series(name, values, dtype=pl.String)) for name, values in texts.items()])
    assert_frame_equal(read_table(file), expected, check_exact=True)
    small_pieces()
    assert_frame_equal(read_table(file), expected, check_exact=True)


COMMAS = {
    "decimal": (["1,25"] * N, ["3"] * N),
    "late": (["0"] * (N - 5) + ["0,5"] * 5, ["x"] * N),
    "thousands": (["1,250"] * N, ["1"] * N),
    "thousands and decimal": (["1,250"] * N, ["1,5"] * N),
    "a decimal point elsewhere": (["1,25"] * N, ["1"] * (N - 1) + ["1.5"]),
    "beside a word": ([f"{i},5" if i % 3 else "none" for i in range(N)], ["1"] * N),
    "beside another text": ([f"{i},5" if i else "red" for i in range(N)], ["1"] * N),
    "long minus": ([f"\u2212{i},5" for i in range(N)], ["1"] * N),
    "pieces without a comma": ([f"{i}" if 100 < i < 300 else f"{i},5" for i in range(N)], ["1"] * N),
}


@pytest.mark.parametrize("name", COMMAS)
def test_commas_are_decimal_by_all_values(name, tmp_path, small_pieces):
    file = tmp_path / "t.csv"
    file.write_text("\n".join(["a;b", *map(";".join, zip(*COMMAS[name], strict=True))]), encoding="utf-8")
    expected = _by_the_rule(dict(zip("ab", COMMAS[name], strict=True)))
    assert_frame_equal(read_table(file), expected, check_exact=True)
    small_pieces()
    assert_frame_equal(read_table(file), expected, check_exact=True)
    table = text_table(TextFile(file), Layout(), Nowhere())
    assert_frame_equal(pl.concat(list(table.frames(["a", "b"]))), expected, check_exact=True)


def _by_the_rule(texts):
    """Texts as numbers: with a point, or with decimal commas if no number has a point and not all may separate thousands."""

    def is_number(text, sign):
        digits = text.lstrip("\u2212-").replace(sign, "", 1)
        return digits.isdigit()

    columns = {name: [text for text in values if text != "none"] for name, values in texts.items()}
    points = any(
        any("." in v for v in values) and all(is_number(v, ".") for v in values) for values in columns.values()
    )
    commas = {n: v for n, v in columns.items() if any("," in t for t in v) and all(is_number(t, ",") for t in v)}
    separate = all(re.fullmatch(r"[1-9]\d{0,2}(,\d{3})?", text) for values in commas.values() for text in values)
    found = {
        name: [text.replace(",", ".") for text in values] if name in commas and not points and not separate else values
        for name, values in texts.items()
    }
    return pl.DataFrame([typed(pl.Series(name, values)) for name, values in found.items()])


def test_a_column_whose_text_comes_late_keeps_its_texts(tmp_path, small_pieces):
    values = ["1.50", *map(str, NUMBERS)] * 3 + ["1.5a"]
    file = tmp_path / "t.csv"
    file.write_text("\n".join(["a,b", *[f"{value},{i}" for i, value in enumerate(values)]]))
    small_pieces()
    table = text_table(TextFile(file), Layout(), OnDisk())
    assert pl.concat(list(table.frames(["a"])))["a"].to_list() == values


def test_a_temporary_file_takes_at_most_half_of_the_space(tmp_path, monkeypatch):
    frame, usage = pl.DataFrame({"a": NUMBERS}), namedtuple("usage", "free")
    store = OnDisk(tmp_path / "new")
    size = store.put(frame)[1]
    assert not list((tmp_path / "new").iterdir())  # it has no name
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(2.9 * size))
    assert store.put(frame) is None
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(3.1 * size))
    for place in (store.put(frame), (0, size)):
        assert_frame_equal(store.get(place, ["a"]), frame)
    assert pickle.loads(pickle.dumps(store)) is None


def test_packed_files_and_settings_of_the_layout(tmp_path, small_pieces):
    file = tmp_path / "t.csv.gz"
    file.write_bytes(gzip.compress(("skip me\n" + FILES["plain"]).encode()))
    layouts = (Layout(skip=1), Layout(header=2))
    whole = [read_table(file, layout) for layout in layouts]
    small_pieces()
    for layout, expected in zip(layouts, whole, strict=True):
        table = text_table(TextFile(file), layout, InMemory())
        assert_frame_equal(pl.concat(list(table.frames(["b", "a"]))), expected.select("b", "a"))


@pytest.mark.parametrize(
    ("at", "line"),
    [(150, "1,2,3"), (150, '1,"open'), (150, 'a"b,"c"'), (20, "x,\0")],
    ids=["ragged", "open quote", "stray quote", "NUL"],
)
def test_errors_name_the_same_line(at, line, tmp_path, small_pieces):
    file = tmp_path / "t.csv"
    lines = ["a,b", *(f'{i},"{x}"' for i, x in enumerate(np.resize(NUMBERS, 160)))]
    lines.insert(at, line)
    file.write_text("\n".join(lines), newline="")
    with pytest.raises(InputError) as whole:
        read_table(file)
    small_pieces()
    with pytest.raises(InputError) as found:
        read_table(file)
    assert str(found.value) == str(whole.value)


def test_another_encoding_is_decided_by_the_whole_file(tmp_path, small_pieces):
    file = tmp_path / "t.csv"
    file.write_bytes(FILES["byte-order mark"].removeprefix("\ufeff").encode("cp1252"))
    whole, notes = read_with_notes(file)
    small_pieces()
    found, said = read_with_notes(file)
    assert_frame_equal(found, whole)
    assert said == notes != []


def test_files_of_a_folder_have_the_same_columns_and_one_type(tmp_path, small_pieces):
    small_pieces()
    (tmp_path / "b").mkdir()
    for name, first in (("1.csv", "1"), ("b/2.csv", "2.5"), ("3.csv", "x")):
        (tmp_path / name).write_text("a,b\n" + f"{first},4\n" * 30)
    found = sources.open_table(tmp_path)
    assert [file.name for file in found.files] == ["1.csv", "3.csv", "2.csv"]
    assert found.rows.schema == {"a": pl.String, "b": pl.Int64}
    values = pl.concat([block.frame for block in found.rows.blocks()])["a"]
    assert values.unique(maintain_order=True).to_list() == ["1", "x", "2.5"]
    assert sources.open_table(f"{tmp_path}/[12].csv").rows.schema == {"a": pl.Int64, "b": pl.Int64}
    (tmp_path / "4.csv").write_text("a,c\n1,2\n")
    with pytest.raises(InputError, match=r"4\.csv has no column 'b', but .*1\.csv has; the files of one table need"):
        sources.open_table(tmp_path)
    with pytest.raises(InputError, match="No file matches"):
        sources.open_table(f"{tmp_path}/*.parquet")
