"""Text files in pieces: the same rows, types, notes and errors as when they are read at once."""

import gzip

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from shrinkwise.tables import InputError, read_table
from shrinkwise.tables.reading import pieces, sources
from shrinkwise.tables.reading.layout import Layout
from shrinkwise.tables.reading.read import read_with_notes

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


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 200)
    monkeypatch.setattr(sources, "_SMALL", 300)


@pytest.mark.parametrize("kind", FILES)
def test_pieces_give_what_the_whole_file_gives(kind, tmp_path, small_pieces):
    file = tmp_path / "t.csv"
    file.write_text(FILES[kind], encoding="utf-8", newline="")
    whole, notes = read_with_notes(file)
    table = pieces.text_table(file, Layout())
    parts = list(table.frames(list(table.schema)))
    assert len(parts) > 2
    assert_frame_equal(pl.concat(parts), whole)
    assert (table.height, table.notes) == (whole.height, notes)
    found = sources.open_table(file)
    assert_frame_equal(pl.concat([block.frame for block in found.rows.blocks(whole.columns[:1])]), whole[:, :1])


def test_packed_files_and_settings_of_the_layout(tmp_path, small_pieces):
    file = tmp_path / "t.csv.gz"
    file.write_bytes(gzip.compress(("skip me\n" + FILES["plain"]).encode()))
    for layout in (Layout(skip=1), Layout(header=2)):
        table = pieces.text_table(file, layout)
        assert_frame_equal(pl.concat(list(table.frames(["b", "a"]))), read_table(file, layout).select("b", "a"))


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
    with pytest.raises(InputError) as found:
        pieces.text_table(file, Layout())
    assert str(found.value) == str(whole.value)


def test_files_of_a_folder_have_the_same_columns_and_one_type(tmp_path, small_pieces):
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
