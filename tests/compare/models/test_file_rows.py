"""Predictions of files block by block: the text of one piece, and the row of the file in errors and remarks."""

import io

import numpy as np
import polars as pl
import pytest

from compare.handmade import drawn_model, every_kind
from shrinkwise import cli
from shrinkwise.models import predictions
from shrinkwise.models.predictions import predictions_csv, write_predictions
from shrinkwise.streaming import blocks
from shrinkwise.tables import InputError, read_table
from shrinkwise.tables.reading import read, text_bytes


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(text_bytes, "PIECE", 1000)
    monkeypatch.setattr(read, "_SMALL", 1500)
    monkeypatch.setattr(blocks, "_MOST", 16)
    monkeypatch.setattr(blocks, "_FEWEST", 16)
    monkeypatch.setattr(predictions, "_LINES", 7)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("task", ["regression", "multiclass"])
@pytest.mark.parametrize("kind", ["linear", "cocktail"])
def test_blocks_give_the_text_and_the_remarks_of_one_piece(task, kind, tmp_path, small_blocks):
    frame = every_kind(task)
    model = drawn_model(task, kind, frame)
    strange = {"colour": ["mauve", None], "size": ["HIGH", "huge"], "flag": ["true", "2"]}
    late = frame.head(2).with_columns(**{name: pl.Series(values) for name, values in strange.items()})
    new = pl.concat([frame, frame, late, frame]).drop("y")
    new.write_csv(tmp_path / "new.csv")
    new.write_parquet(tmp_path / "new.parquet", row_group_size=50)
    whole = read_table(tmp_path / "new.csv")
    for ending in ("csv", "parquet"):
        text = io.StringIO()
        said = write_predictions(model, tmp_path / f"new.{ending}", text)
        assert said == model.remarks(whole)
        assert text.getvalue() == predictions_csv(model, whole)
        predicted = model.predict(tmp_path / f"new.{ending}")
        assert predicted.tolist() == model.predict(whole).tolist()


def test_an_error_names_the_row_of_the_file_and_leaves_no_output(tmp_path, small_blocks, capfd):
    frame = every_kind("regression")
    model = drawn_model("regression", "linear", frame)
    model.save(tmp_path / "model.json")
    number = "a number"
    for name, row in (("1.csv", None), ("2.csv", 51)):
        values = frame[number].to_list()
        if row is not None:
            values[row - 1] = "1e999"
        frame.with_columns(pl.Series(number, values)).write_csv(tmp_path / name)
    out = tmp_path / "out.csv"
    out.write_text("kept")
    assert cli.run(["predict", str(tmp_path / "model.json"), str(tmp_path / "2.csv"), "--out", str(out)]) == 2
    said = f"Column {number!r} holds at least 1 value that is infinite or beyond ±1e100 (first in row 51: inf)"
    assert said in capfd.readouterr().err
    assert cli.run(["predict", str(tmp_path / "model.json"), str(tmp_path / "[12].csv")]) == 2
    said = capfd.readouterr()
    assert f"(first in row 51 of {tmp_path / '2.csv'}: inf)" in said.err
    assert said.out == ""
    assert out.read_text() == "kept"
    with pytest.raises(InputError, match="first in row 51 of"):
        model.predict(tmp_path / "[12].csv")


def test_several_files_are_named_and_have_their_own_rows(tmp_path, small_blocks, capfd):
    frame = every_kind("regression")
    model = drawn_model("regression", "linear", frame)
    model.save(tmp_path / "model.json")
    for name, part in (("1.parquet", frame.head(40)), ("2.parquet", frame.slice(40))):
        part.write_parquet(tmp_path / name)
    assert (
        cli.run(["predict", str(tmp_path / "model.json"), f"{tmp_path}/*.parquet", "--out", f"{tmp_path}/out.csv"]) == 0
    )
    found = pl.read_csv(tmp_path / "out.csv")
    assert found["row"].to_list() == [*range(1, 41), *range(1, frame.height - 39)]
    assert found["file"].unique(maintain_order=True).to_list() == [f"{tmp_path}/1.parquet", f"{tmp_path}/2.parquet"]
    assert np.array_equal(found["prediction"], model.predict(frame))
