"""Every note on a table and on new rows: where it is said, where it is silent, and its line in docs/validation.md."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import shrinkwise
from sentences import sentences
from shrinkwise.compare.options import Options
from shrinkwise.compare.scale import with_scale
from shrinkwise.compare.splits.splits import Splits
from shrinkwise.compare.streamed import sample as sampling
from shrinkwise.service import FitRequest, engines
from shrinkwise.service.answer import Question
from shrinkwise.streaming.folds import hashes
from shrinkwise.tables import Encoder, plan_table, read_table

SOURCE = Path(shrinkwise.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "validation.md"
N = 60
RNG = np.random.default_rng(0)
A, B, NOISE = (RNG.normal(size=N).round(3) for _ in range(3))
Y = (A - B + NOISE).round(3)
CLASSES = ["yes", "no"] * (N // 2)
LINES = ["a,b,y", *(f"{a},{b},{y}" for a, b, y in zip(A, B, Y, strict=True))]
DAYS = [f"2024-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(N)]
WAVE = np.sin(np.arange(N) / 6).round(3)
PATIENTS = [f"p{i % 20}" for i in range(N)]


@dataclass(frozen=True)
class Told:
    """The notes on a file: its lines (or one list for each of several files), its encoding, the settings of the fit."""

    lines: list
    settings: dict
    codec: str = "utf-8"
    target: str = "y"
    memory: float | None = None  # that there is
    in_sample: int | None = None  # rows of the sample of a stream
    errors: str = "strict"  # "surrogateescape": "\udce9" is the byte 0xE9

    def notes(self, folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
        if self.memory is not None:
            patch.setattr(engines, "available_memory", lambda: self.memory)
        if self.in_sample is not None:
            patch.setattr(sampling, "SAMPLE_ROWS", self.in_sample)
            patch.setattr(sampling, "_FEWEST", self.in_sample // 2)
        (folder / "t").mkdir(parents=True)
        parts = self.lines if isinstance(self.lines[0], list) else [self.lines]
        for k, part in enumerate(parts):
            (folder / "t" / f"{k}.csv").write_bytes(("\n".join(part) + "\n").encode(self.codec, self.errors))
        file = folder / "t" if len(parts) > 1 else folder / "t" / "0.csv"
        return Question.of(FitRequest(file, self.target, **self.settings)).plan.notes


@dataclass(frozen=True)
class New:
    """The remarks on a value of a column of the plain table that has the values `known`."""

    known: list
    value: str

    def notes(self, folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
        folder.mkdir()
        for name, cells in (("old", self.known), ("new", [self.value])):
            text = ["x,y", *(f"{x},{y}" for x, y in zip(cells, Y[: len(cells)], strict=True))]
            (folder / f"{name}.csv").write_text("\n".join(text) + "\n")
        old = read_table(folder / "old.csv")
        return Encoder(plan_table(old, "y")).fit(old).remarks(read_table(folder / "new.csv"))


@dataclass(frozen=True)
class Scaled:
    """The notes after the scale of a target was chosen."""

    y: np.ndarray

    def notes(self, folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
        folder.mkdir()
        (folder / "t.csv").write_text(
            "\n".join(["a,b,y", *(f"{a},{b},{y}" for a, b, y in zip(A, B, self.y, strict=True))])
        )
        frame, options = read_table(folder / "t.csv"), Options(network=None)
        return with_scale(Splits(frame, plan_table(frame, "y"), options), options).plan.notes


def lines(**columns) -> list[str]:
    """The plain table with other columns."""
    found = {"a": A, "b": B, "y": Y} | columns
    return [",".join(found), *(",".join(map(str, row)) for row in zip(*found.values(), strict=True))]


def told(*parts, **settings) -> Told:
    return Told([*parts], settings)


def told_of(settings: dict | None = None, **columns) -> Told:
    return Told(lines(**columns), settings or {})


PLAIN = told(*LINES)
STREAMED = told(*LINES, engine="stream")
KLIMT = lines(c=["Köln", "Bonn", "Trier"] * 20)
MIXED = Told([each.replace("Trier", "T\udce9r\udc81") for each in KLIMT], {}, "utf-8", errors="surrogateescape")
RARE = {n: ["rare"] * n + CLASSES[n:] for n in (1, 5, 6)}
LAST = int(np.argmax(hashes(np.arange(N), sampling._SEED)))  # the row that a sample has last
UNSEEN = ["rare" if i == LAST else y for i, y in enumerate(CLASSES)]
PAID = [round(5 + abs(v), 2) if i < 30 else 0.0 for i, v in enumerate(np.tile(A, 4))]  # by 30 of 240
REFUNDED, OTHERS = (
    ["a,paid,y", *(f"{i % 7},{v},{y}" for i, (v, y) in enumerate(zip(PAID, target, strict=True)))]
    for target in (["back"] * 30 + CLASSES * 3 + CLASSES[:30], CLASSES * 4)
)
CITIES = ["city,a,y", *(f"c{i % 250},{i % 7},{(i * 37) % 101}.5" for i in range(750))]

# name: when it is said, a pattern of its text in the source and as it is said, where it is said, where it is not
NOTES: dict[str, tuple[str, str, Told | New | Scaled, Told | New | Scaled]] = {
    "encoding": (
        "the file starts with the mark of UTF-16, or all its bytes are characters of Windows-1252 and none is one of UTF-8",
        "was read as .*, because",
        Told(KLIMT, {}, "cp1252"),
        Told(KLIMT, {}),
    ),
    "mixed encodings": (
        "the file holds bytes that are no UTF-8, and characters of UTF-8 or bytes without a character of Windows-1252",
        "is not UTF-8 text, nor Windows-1252: bytes that are no UTF-8, the first",
        MIXED,
        Told(KLIMT, {}, "cp1252"),
    ),
    "titles": (
        "lines with another number of fields stand above the header",
        r"above the header of .* skipped; use --header",
        told("A survey of things", *LINES),
        PLAIN,
    ),
    "footer": (
        "the last lines have one text in the first cell and nothing else",
        "skipped as a footer",
        told(*LINES, "Source: a survey"),
        PLAIN,
    ),
    "no header": (
        "the first line holds values like those below it",
        "has no header row",
        Told(LINES[1:], {}, target="column 3"),
        PLAIN,
    ),
    "two header rows": (
        "a second row of names stands below the first one",
        "has two rows, joined into names",
        Told(["inputs,,result", *LINES], {}, target="result y"),
        Told(["inputs,,result", *LINES], {"header": 2}),
    ),
    "repeated names": (
        "a column has the name of an earlier one",
        "^Columns whose name occurs before were renamed",
        told("a,a,y", *LINES[1:]),
        PLAIN,
    ),
    "nameless columns": ("a column has no name", "without a name .* named", told("a,,y", *LINES[1:]), PLAIN),
    "regression": (
        "the target holds numbers that are neither class codes nor counts, or this task was requested",
        "^Regression on ",
        PLAIN,
        told_of(y=CLASSES),
    ),
    "counts": (
        "the target holds whole numbers from 0 or 1 to at most 10,000, more than ten different ones and on average twice each, "
        "or this task was requested",
        "^Counts of ",
        told_of(y=[i % 15 for i in range(N)]),
        PLAIN,
    ),
    "classes": (
        "the target holds text, two values or whole numbers up to 10, or this task was requested",
        "classes of .*; rows of each: ",
        told_of(y=CLASSES),
        PLAIN,
    ),
    "rare classes": (
        "a class has fewer than 3 rows and two other classes remain",
        "too few rows to learn and to score, so these rows are set aside",
        told_of(y=RARE[1]),
        told_of(y=CLASSES),
    ),
    "reading of the target": (
        "the target is written in another form than plain numbers, or words mark a missing one",
        r"^The target \S+: ",
        told_of(y=[f"${y}" for y in np.abs(Y)]),
        PLAIN,
    ),
    "excluded rows": (
        "a row has no target, or the weight 0",
        "(no value in .* excluded|^{} of {} {} {} and {} excluded)",
        told_of(y=[*Y[1:], ""]),
        PLAIN,
    ),
    "small class": (
        "a class has fewer than 10 rows",
        "^The class .* rows, so its scores are uncertain",
        told_of(y=RARE[6]),
        told_of(y=CLASSES),
    ),
    "unbalanced classes": (
        "the smallest class has less than 10 % of the rows",
        "^The classes are unbalanced",
        told_of(y=RARE[5]),
        told_of(y=RARE[6]),
    ),
    "more inputs than rows": (
        "there are more inputs than rows",
        "^There are more inputs",
        told_of(**{f"x{j}": RNG.normal(size=N).round(3) for j in range(N)}),
        PLAIN,
    ),
    "copies": (
        "rows are equal in all columns, apart from one that counts them, and no column splits the rows",
        "are exact copies of another row",
        told(*LINES, LINES[5]),
        PLAIN,
    ),
    "level means": (
        "a category of many levels becomes the mean of the target by level",
        "many levels, so the mean of",
        told(*CITIES),
        told(*CITIES, level_means=False),
    ),
    "possible leak": (
        "a column alone predicts the target of held-out rows almost without error, and it is kept because that was "
        "requested or nothing else is left",
        r"^Column .* may leak the target: (this column alone predicts .*|\{\})\.$",
        told_of({"keep": ["copy"]}, copy=2 * Y + 1),
        told_of(copy=2 * Y + 1),
    ),
    "sign of a leak": (
        "at most three columns predict the class of a tenth of the rows or order the rows nearly as the target does",
        "^Column .* may leak the target: .*; check that its value",
        told(*REFUNDED),
        told(*OTHERS),
    ),
    "sum": (
        "two or more numeric columns, with the same weights in all rows, add up to the target in 95 % of the rows held out "
        "or more",
        "^The target .* is exactly",
        told_of(y=(A + B).round(3)),
        PLAIN,
    ),
    "row of totals": (
        "the last row is near the sums of the rows above it, or in three numeric columns "
        "or more near their means, and in half of those it has",
        "^The last row is near the (sums|means|{}) of the rows above",
        Told([*lines(a=abs(A), y=abs(Y)), f"{abs(A).sum():.3f},,{abs(Y).sum():.3f}"], {}),
        Told([*lines(a=abs(A), y=abs(Y)), "5,,7"], {}),
    ),
    "split by time": (
        "targets of successive rows by a date, or by year, quarter, month, week, day and hour, have a correlation of .3 or "
        "more, and the rows can be split by it",
        "models are scored on rows later than those they were fitted on",
        told_of(seen=DAYS, y=WAVE),
        told_of(seen=DAYS),
    ),
    "alike in time": (
        "they have it, but the rows cannot be split by it, or --shuffle was given",
        "random folds score each row with a model that was fitted on its neighbours in time",
        told_of({"shuffle": True}, seen=DAYS, y=WAVE),
        told_of({"shuffle": True}, seen=DAYS),
    ),
    "alike in groups": (
        "rows with the same value of a column whose name says that it identifies something have an intraclass correlation of "
        ".3 or more",
        "^Rows with the same .* have similar targets",
        told_of(patient=PATIENTS, y=[round(3 * np.sin(i % 20) + a, 3) for i, a in enumerate(A / 5)]),
        told_of(patient=PATIENTS),
    ),
    "log scale": (
        "models are fitted to the logarithm of the target, because that was requested or predicts a skewed target better by "
        "more than a standard error",
        "^Models are fitted to the logarithm of",
        Scaled(np.exp(2 * A - B)),
        Scaled(np.abs(Y) + 1),
    ),
    "engine": (
        "no engine was requested and the rows do not fit in memory",
        "^The engine stream is used, because",
        Told(LINES, {}, memory=1.0),
        PLAIN,
    ),
    "read in blocks": ("the engine is stream or dask", "rows are read in blocks", STREAMED, PLAIN),
    "networks in blocks": (
        "rows are read in blocks and no methods were requested",
        "^Networks are not compared, because",
        STREAMED,
        told(*LINES, engine="stream", methods=("lasso",)),
    ),
    "excluded rows in blocks": (
        "rows are read in blocks, and some have no target",
        "rows have no value in .* and are excluded",
        told(*LINES, "1,2,", engine="stream"),
        STREAMED,
    ),
    "levels in blocks": (
        "rows are read in blocks, and a category has too many levels for 0/1 features",
        "^The many levels of",
        told(*CITIES, engine="stream"),
        STREAMED,
    ),
    "files without a target": (
        "rows are read in blocks, and no row of a file has a target",
        "^No row of",
        told(LINES, ["a,b,y", "1,2,", "3,4,"], engine="stream"),
        told(LINES[:40], [LINES[0], *LINES[40:]], engine="stream"),
    ),
    "types of files": (
        "a column has text in one of several files and numbers in another",
        "^Columns that do not have the type",
        told(LINES, ["a,b,y", "1,2,3", "x,4,5"], engine="stream"),
        told(LINES[:40], [LINES[0], *LINES[40:]], engine="stream"),
    ),
    "classes outside the sample": (
        "rows are read in blocks, and the sample has no row of a class",
        "are set aside and never predicted, because the sample",
        Told(lines(y=UNSEEN), {"engine": "stream"}, in_sample=40),
        Told(lines(y=CLASSES), {"engine": "stream"}),
    ),
    "new levels": (
        "new rows have a value of a category that the training rows did not have",
        "with a value not seen in training",
        New(CLASSES, "perhaps"),
        New(CLASSES, "no"),
    ),
    "values that are not read": (
        "new rows have a text where numbers in a form, times or coordinates were learned",
        "not .*, such as .*, treated as missing",
        New([f"{abs(a)} kg" for a in A], "a lot"),
        New([f"{abs(a)} kg" for a in A], "1 kg"),
    ),
    "new gaps": (
        "new rows lack a value of a column that has one in all training rows",
        "with a missing value, not seen in training",
        New(CLASSES, ""),
        New(["", *CLASSES[1:]], ""),
    ),
    "far values": (
        "a number of a new row is further outside the range of the training rows than that range is wide",
        "far outside the range",
        New(A.tolist(), "1000"),
        New(A.tolist(), "0.5"),
    ),
}

MODULES = ["tables", "compare/scale.py", "compare/streamed/table.py", "service/tables.py"]
NOT_NOTES = (
    r"^Column {}: {}\.$",
    "fitted to (all|the) rows",
)  # around the remarks on new rows; the end of "read in blocks"


def files() -> list[Path]:
    return [
        file
        for name in MODULES
        for file in ([SOURCE / name] if name.endswith(".py") else sorted((SOURCE / name).rglob("*.py")))
    ]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", NOTES)
def test_a_note_is_said_where_its_condition_holds_and_only_there(name, tmp_path, monkeypatch):
    _, pattern, said, silent = NOTES[name]
    found = [note for note in said.notes(tmp_path / "said", monkeypatch) if re.search(pattern, note)]
    assert len(found) == 1
    assert found[0].endswith(".")
    monkeypatch.undo()
    assert not [note for note in silent.notes(tmp_path / "silent", monkeypatch) if re.search(pattern, note)]


def test_every_note_in_the_source_is_in_the_list():
    found = [text for file in files() for text in sentences(ast.parse(file.read_text(encoding="utf-8")))]
    assert len(found) > 30
    patterns = [*NOT_NOTES, *(pattern for _, pattern, *_ in NOTES.values())]
    unlisted = [text for text in found if not any(re.search(pattern, text) for pattern in patterns)]
    assert unlisted == []


def test_a_note_that_is_not_in_the_list_is_found():
    planted = "def note(n):\n    return f'There are {n} rows too many.'"
    assert sentences(ast.parse(planted)) == ["There are {} rows too many."]
    assert sentences(ast.parse(f"raise InputError({planted.split('return ')[1]})")) == []


def test_the_list_in_the_documentation_is_that_of_the_tests():
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name, (when, *_) in NOTES.items() if f"| {name} | {when} |" not in text] == []
