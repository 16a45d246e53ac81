"""Every source gives the same rows with the same numbers, and an error names the file and the row."""

import sqlite3

import numpy as np
import polars as pl
import pytest

import shrinkwise as sw
from shrinkwise.streaming import RowsError


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    return pl.DataFrame({"a": rng.normal(size=900), "b": rng.integers(0, 5, 900) + 0.0, "y": rng.normal(size=900)})


@pytest.fixture(scope="module")
def folder(frame, tmp_path_factory):
    """Three files of each kind, 300 rows each, and a database."""
    found = tmp_path_factory.mktemp("rows")
    for k in range(3):
        part = frame.slice(300 * k, 300)
        part.write_parquet(found / f"part-{k}.parquet")
        part.write_csv(found / f"part-{k}.csv")
        part.write_ipc(found / f"part-{k}.arrow")
    connection = sqlite3.connect(found / "rows.db")
    connection.execute("create table t (a real, b real, y real)")
    connection.executemany("insert into t values (?, ?, ?)", frame.rows())
    connection.commit()
    connection.close()
    return found


def whole(rows):
    blocks = list(rows.blocks())
    assert [block.first for block in blocks] == np.cumsum([0, *map(len, blocks[:-1])]).tolist()
    return pl.concat([block.frame for block in blocks])


def opened(kind, folder, frame):
    thirds = [frame.slice(300 * k, 300) for k in range(3)]
    return {
        "parquet": lambda: sw.rows(folder / "*.parquet", "y"),
        "csv": lambda: sw.rows(f"{folder}/part-*.csv", "y"),
        "arrow": lambda: sw.rows([folder / f"part-{k}.arrow" for k in range(3)], "y"),
        "lazy": lambda: sw.rows(pl.scan_parquet(folder / "*.parquet"), "y"),
        "frame": lambda: sw.rows(frame.to_pandas(), "y"),
        "frames": lambda: sw.rows(thirds, "y"),
        "function": lambda: sw.rows(lambda: iter(thirds), "y"),
        "iterator": lambda: sw.rows(iter(thirds), "y"),
        "query": lambda: sw.rows("select * from t order by rowid", "y", database=f"sqlite:///{folder / 'rows.db'}"),
    }[kind]()


@pytest.mark.parametrize("kind", ["parquet", "csv", "arrow", "lazy", "frame", "frames", "function"])
def test_a_name_that_polars_takes_for_a_pattern(kind, frame, tmp_path):
    frame = frame.rename({"a": "^.*$"})
    for ending, write in (("parquet", frame.write_parquet), ("csv", frame.write_csv), ("arrow", frame.write_ipc)):
        write(tmp_path / f"rows.{ending}")
    source = {"lazy": frame.lazy(), "frame": frame, "frames": [frame], "function": lambda: iter([frame])}
    rows = sw.rows(source.get(kind, tmp_path / f"rows.{kind}"), "y")
    assert pl.concat([block.frame for block in rows.blocks(["b", "^.*$"])]).equals(frame[["b", "^.*$"]])


KINDS = ["parquet", "csv", "arrow", "lazy", "frame", "frames", "function", "iterator", "query"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_of_every_source_are_the_same(kind, folder, frame):
    rows = opened(kind, folder, frame)
    assert (rows.columns, rows.inputs) == (["a", "b", "y"], ["a", "b"])
    assert rows.n in (None, 900)
    assert whole(rows).equals(frame)
    assert rows.n == 900


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "iterator"])
def test_a_source_can_be_read_twice(kind, folder, frame):
    rows = opened(kind, folder, frame)
    assert whole(rows).equals(whole(rows))


def test_an_iterator_cannot(folder, frame):
    rows = opened("iterator", folder, frame)
    whole(rows)
    with pytest.raises(RowsError, match="can be read once, and a second pass is needed"):
        whole(rows)


def test_a_memory_map_is_read_in_blocks(tmp_path):
    X = np.random.default_rng(1).normal(size=(70_000, 3))
    np.save(tmp_path / "X.npy", X)
    rows = sw.rows(np.load(tmp_path / "X.npy", mmap_mode="r"), 2, weight=np.ones(70_000))
    assert (rows.inputs, rows.target, rows.n) == (["x0", "x1"], "x2", 70_000)
    found = whole(rows)
    assert len(list(rows.blocks())) == 2
    np.testing.assert_array_equal(found.select("x0", "x1", "x2").to_numpy(), X)


def test_blocks_do_not_depend_on_the_frames(frame):
    pieces = [frame.slice(start, 7) for start in range(0, 900, 7)]
    first, second = (list(sw.rows(lambda p=p: iter(p), "y").blocks()) for p in (pieces, [frame]))
    assert [len(block) for block in first] == [len(block) for block in second]


def test_map_changes_the_inputs_of_every_block(folder):
    rows = sw.rows(folder / "*.parquet", "y").map(lambda f: f.select(square=pl.col("a") ** 2), ["square"])
    assert rows.inputs == ["square"]
    block = next(iter(rows.blocks()))
    np.testing.assert_allclose(block.matrix(["square"])[:, 0], pl.read_parquet(folder / "part-0.parquet")["a"] ** 2)
    assert len(block.numbers("y")) == 300
    shorter = sw.rows(folder / "*.parquet", "y").map(lambda f: f.head(3), ["a"])
    with pytest.raises(RowsError, match="to have 300 rows, got 3"):
        list(shorter.blocks())


def test_empty_blocks_count_nothing(frame):
    rows = sw.rows([frame.head(0), frame.head(5), frame.head(0), frame.slice(5)], "y")
    assert whole(rows).equals(frame)


# --- bad input ----------------------------------------------------------------------------------------------------
def refused(source, match, **roles):
    with pytest.raises(RowsError, match=match):
        read(source, **{"target": "y", **roles})


def read(source, **roles):
    rows = sw.rows(source, **roles)
    for block in rows.blocks():
        block.matrix(rows.inputs)
        block.numbers("y")


def test_files_that_differ_are_named(folder, frame, tmp_path):
    for k in range(4):
        frame.write_parquet(tmp_path / f"{k}.parquet")
    frame.drop("b").write_parquet(tmp_path / "3.parquet")
    refused(tmp_path, r"3\.parquet lacks 'b'")
    frame.with_columns(pl.col("b").cast(pl.String)).write_parquet(tmp_path / "3.parquet")
    refused(tmp_path, r"'b' to have the type Float64 as in .*0\.parquet, but it is String in .*3\.parquet")
    frame.with_columns(c=1).write_parquet(tmp_path / "3.parquet")
    refused(tmp_path, r"3\.parquet also has 'c'")
    frame.with_columns(pl.col("b").cast(pl.Int16)).write_parquet(tmp_path / "3.parquet")
    assert whole(sw.rows(tmp_path, "y")).height == 3600


def test_an_unreadable_file_is_named(frame, tmp_path):
    for k in range(20):
        frame.head(2).write_parquet(tmp_path / f"{k:03d}.parquet")
    content = (tmp_path / "013.parquet").read_bytes()
    (tmp_path / "013.parquet").write_bytes(content[: len(content) // 2])
    refused(tmp_path, r"013\.parquet is empty, damaged or not a parquet file")
    (tmp_path / "013.parquet").write_bytes(b"")
    refused(tmp_path, r"013\.parquet is empty, damaged")


@pytest.mark.parametrize(("value", "what"), [(None, "a missing value"), (float("nan"), "NaN"), (float("inf"), "inf")])
@pytest.mark.parametrize("column", ["a", "y"])
def test_a_number_that_is_not_finite_is_placed(value, what, column, frame, tmp_path):
    bad = frame.with_columns(pl.when(pl.int_range(900) == 777).then(value).otherwise(pl.col(column)).alias(column))
    for k in range(3):
        (bad if k == 1 else frame).write_parquet(tmp_path / f"{k}.parquet")
    refused(tmp_path, rf"finite numbers in column '{column}', got {what} in .*1\.parquet, row 778")


def test_a_text_among_numbers_is_placed(folder, tmp_path):
    for k in range(2):
        (tmp_path / f"{k}.csv").write_bytes((folder / "part-0.csv").read_bytes())
    with (tmp_path / "1.csv").open("a") as file:
        file.write("1.5,unknown,2\n")
    refused(tmp_path, r"numbers in column 'b', got 'unknown' in .*1\.csv, row 301")


def test_a_target_missing_in_a_whole_file_is_placed(folder, frame, tmp_path):
    frame.write_csv(tmp_path / "0.csv")
    frame.with_columns(y=None).write_csv(tmp_path / "1.csv")
    refused(tmp_path, r"column 'y', got a missing value in .*1\.csv, row 1;")


@pytest.mark.parametrize(
    ("source", "roles", "match"),
    [
        ("frame", {"target": "z"}, "Expected target to be a column of the source, got 'z'; it has 'a', 'b', 'y'"),
        ("frame", {"weight": "y"}, "to be different columns, got the same name twice"),
        ("texts", {}, "Expected numbers in column 'a', got string values"),
        ("nowhere/at/all", {}, "There is no file or folder nowhere"),
        ("nowhere/*.parquet", {}, "No file matches nowhere"),
        ("none", {}, "Expected at least one frame"),
        (5, {}, "Expected a file, a folder, a pattern, .* got int"),
        (np.zeros(3), {}, "Expected an array of shape"),
        ("select * from t", {"database": "sqlite:///nowhere.db"}, "There is no database file nowhere.db"),
    ],
)
def test_other_sources_are_refused_in_a_sentence(source, roles, match, frame):
    given = {"frame": frame, "texts": frame.with_columns(a=pl.lit("x")), "none": iter(())}
    refused(given.get(source, source) if isinstance(source, str) else source, match, **roles)


def test_files_of_two_kinds_are_refused(folder):
    refused(folder, "Expected files of one kind, got arrow and csv and parquet files")


def test_a_query_that_fails_is_a_sentence(folder):
    database = f"sqlite:///{folder / 'rows.db'}"
    with pytest.raises(RowsError, match=r"The query failed: .*no such table: nowhere"):
        sw.rows("select * from nowhere", "y", database=database)


def test_an_error_in_a_later_block_of_a_file_has_the_row_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("shrinkwise.streaming.blocks._FEWEST", 40)
    monkeypatch.setattr("shrinkwise.streaming.blocks._MOST", 40)
    for k, bad in enumerate((None, 170)):
        x = np.arange(200.0)
        if bad is not None:
            x[bad] = np.nan
        pl.DataFrame({"x": x, "y": x}).write_parquet(tmp_path / f"{k}.parquet")
    with pytest.raises(RowsError, match=r"NaN in .*1\.parquet, row 171;"):
        sw.path(sw.rows(tmp_path, "y"), penalty=sw.L1(1.0))
