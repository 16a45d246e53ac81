"""The table is found among titles, headers of two rows or none, and footers; what is found is reported and can be overruled."""

from __future__ import annotations

import numpy as np
import pytest

from shrinkwise.tables import InputError, Layout, read_table
from shrinkwise.tables.reading.layout import suffixed
from shrinkwise.tables.reading.read import read_with_notes
from tables.workbook import write_book

RNG = np.random.default_rng(0)
NUMBERS = "\n".join(",".join(f"{value:.3f}" for value in row) for row in RNG.normal(size=(30, 4))) + "\n"
PLACES = "\n".join(f"p{i},{150 + i},{50 + i % 7},{i * 3},{i}" for i in range(30)) + "\n"
PEOPLE = "\n".join(
    f"{20 + i}, {'State' if i % 2 else 'Private'}, {900 + i * 37}, {'M' if i % 3 else 'F'}" for i in range(30)
)

FOUND = {
    "World Bank": (
        '"Source","WDI",\n\n"Updated","2023-01-02",\n\nplace,1960,1961,1962,1963\n' + PLACES,
        5,
        30,
        ["place", "1960"],
        "2 lines above the header of t.csv (line 5)",
    ),
    "GISTEMP": (
        "Land-Ocean: Global Means\nYear,Jan,Feb,Mar\n" + NUMBERS,
        4,
        30,
        ["Year", "Jan"],
        "1 line above the header of t.csv (line 2)",
    ),
    "a title in the first cell": ("Houses,,,\na,b,c,d\n" + NUMBERS, 4, 30, ["a", "b"], "(line 2) was skipped"),
    "a footer": (
        "a,b,c,d\n" + NUMBERS + "\nData from a survey\nLast updated: 2020\n",
        4,
        30,
        ["a", "b"],
        "The last 2 lines of t.csv (the first is 'Data from a survey')",
    ),
    "a footer in the first cell": (
        "a,b,c,d\n" + NUMBERS + "Source: a survey,,,\n",
        4,
        30,
        ["a", "b"],
        "The last line of t.csv ('Source: a survey')",
    ),
    "units below the names": (
        "place,h,w,x,y\n,cm,kg,m,s\n" + PLACES,
        5,
        30,
        ["place", "h cm"],
        "has two rows, joined into names such as 'h cm'",
    ),
    "names below common titles": (
        "place,2019,,2020,\n,price,n,price,n\n" + PLACES,
        5,
        30,
        ["place", "2019 price", "2019 n"],
        "has two rows",
    ),
    "numbers without a header": (NUMBERS, 4, 30, ["column 1", "column 2"], "no header row"),
    "levels without a header": ("39, State, 7751, M\n" + PEOPLE, 4, 31, ["column 1"], "no header row"),
    "names twice": ("a,a,b,a\n" + NUMBERS, 4, 30, ["a", "a (2)", "b", "a (3)"], "renamed to 'a (2)', 'a (3)'"),
}
PLAIN = {
    "years in the header": ("place,1960,1961,1962,1963\n" + PLACES, "place"),
    "dates in the header": ("1/22/20,1/23/20,1/24/20,1/25/20\n" + NUMBERS, "1/22/20"),
    "a missing value in every column of the first row": ("a,b,c,d\nNA,-,?,NA\n" + NUMBERS, "a"),
    "texts in some first cells": ("place,a,b,c,d\nx,1,n/k,2,3\n" + PLACES, "place"),
    "few rows": ("1,2\n3,4\n5,6\n", "1"),
    "a name and a blank name": ("a,\n1,2\n3,4\n", "a"),
    "a quote that encloses nothing": ('size,v\n5" pipe,1\n6" pipe,2\n', "size"),
}


def written(folder, text, name="t.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("text", "width", "height", "names", "said"), FOUND.values(), ids=FOUND)
def test_what_is_not_plain_is_found_and_reported(tmp_path, text, width, height, names, said):
    frame, [note] = read_with_notes(written(tmp_path, text))
    assert frame.shape == (height, width)
    assert frame.columns[: len(names)] == names
    assert said in note
    assert note.endswith(".")


@pytest.mark.parametrize(("text", "name"), PLAIN.values(), ids=PLAIN)
def test_a_plain_table_has_no_notes(tmp_path, text, name):
    frame, notes = read_with_notes(written(tmp_path, text))
    assert (frame.columns[0], frame.height, notes) == (name, text.count("\n") - 1, [])


def test_a_title_stands_above_two_header_rows(tmp_path):
    text = '"Table 1. Crime, 2009"\n,2019,,2020,\nplace,price,n,price,n\n' + PLACES
    frame, notes = read_with_notes(written(tmp_path, text))
    assert (frame.shape, frame.columns[:3]) == ((30, 5), ["place", "2019 price", "2019 n"])
    assert ["was skipped" in notes[0], "has two rows" in notes[1], len(notes)] == [True, True, 2]


def test_the_user_overrules_what_is_found(tmp_path):
    path = written(tmp_path, "junk\nmore;junk\na,b\n1,2\n3,4\n")
    assert read_table(path, Layout(header=3)).rows() == [(1, 2), (3, 4)]
    assert read_table(path, Layout(skip=3, no_header=True)).to_dict(as_series=False) == {
        "column 1": [1, 3],
        "column 2": [2, 4],
    }
    numbers = written(tmp_path, NUMBERS)
    assert read_table(numbers, Layout(header=1)).height == 29
    for layout, said in (
        (Layout(header=9), "has 6 lines"),
        (Layout(skip=5), "no table below"),
        (Layout(sheet="a"), "no sheets"),
    ):
        with pytest.raises(InputError, match=said):
            read_table(written(tmp_path, "junk\nmore;junk\na,b\n1,2\n3,4\n"), layout)


@pytest.mark.parametrize("text", ["a,b\n1,2,3\n1,2,3\n", "a,b\n1,2\n3\n4,5\n", "a,b\n1,2\n3,4\nBerl"])
def test_rows_of_unequal_length_are_still_refused(tmp_path, text):
    with pytest.raises(InputError, match="rows of unequal length"):
        read_table(written(tmp_path, text))


def test_suffixes_do_not_meet_names():
    assert suffixed(["a", "a (2)", "a", "b", "a"]) == ["a", "a (2)", "a (3)", "b", "a (4)"]


def test_sheets_of_a_workbook(tmp_path):
    pytest.importorskip("fastexcel")
    rows = [
        ["Houses"],
        [],
        ["town", "n", "price"],
        *[[f"t{i % 5}", i, i / 4] for i in range(30)],
        [],
        ["Source: a bank"],
    ]
    path = tmp_path / "book.xlsx"
    write_book(path, {"2020": rows, "empty": []})
    frame, notes = read_with_notes(path)
    assert frame.to_dict(as_series=False) == {
        "town": [f"t{i % 5}" for i in range(30)],
        "n": list(range(30)),
        "price": [i / 4 for i in range(30)],
    }
    assert "(line 3)" in notes[0]
    assert "'Source: a bank'" in notes[1]
    assert read_table(path, Layout(header=3)).shape == (31, 3)
    write_book(path, {"2020": rows, "2021": rows[2:]})
    for sheet, said in ((None, "several sheets, '2020', '2021'; select one with --sheet"), ("x", "no sheet 'x'")):
        with pytest.raises(InputError, match=said):
            read_table(path, Layout(sheet=sheet))
    assert read_table(path, Layout(sheet="2021")).equals(frame.vstack(read_table(path, Layout(sheet="2021")).tail(0)))
    path.write_bytes(b"no workbook")
    with pytest.raises(InputError, match="damaged or not a workbook"):
        read_table(path)
