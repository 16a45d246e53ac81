"""A fit whose rows are read in blocks: least squares is that of all rows, folds do not depend on files, runs can be resumed."""

import datetime as dt
import json
import signal
import subprocess
import sys
import time
import tomllib

import numpy as np
import polars as pl
import pytest

import shrinkwise as sw
from shrinkwise import cli
from shrinkwise.compare.options import Options
from shrinkwise.compare.streamed import sample as sampling
from shrinkwise.compare.streamed.pieces import PartSums
from shrinkwise.compare.streamed.sample import TableSample, sampled
from shrinkwise.compare.streamed.table import StreamedTable
from shrinkwise.service import engines
from shrinkwise.streaming.folds import hashes
from shrinkwise.tables import InputError
from shrinkwise.tables.reading.sources import open_table

N = 3000
LINEAR = ["ridge", "lasso", "elastic-net", "group-lasso"]
FEW = {"engine": "stream", "effort": "quick", "folds": 3, "stability_pairs": 0, "n_jobs": 1}


def table(n: int = N) -> pl.DataFrame:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(n, 4)) * [1, 10, 0.1, 1] + [0, 100, 0, 0]
    colour = rng.choice(["red", "green", "blue"], n)
    y = x[:, 0] + 0.1 * x[:, 1] + 2 * (colour == "red") + rng.normal(size=n)
    gaps = pl.Series(np.where(np.arange(n) % 11 == 3, np.nan, x[:, 2]), nan_to_null=True)
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": gaps, "d": x[:, 3], "colour": colour, "y": y})


def write_parts(frame: pl.DataFrame, folder, n_parts: int, ending: str = "parquet"):
    folder.mkdir(exist_ok=True)
    for k, rows in enumerate(np.array_split(np.arange(frame.height), n_parts)):
        part = frame[rows]
        getattr(part, f"write_{ending}")(folder / f"part-{k}.{ending}")
    return folder


@pytest.fixture
def small_sample(monkeypatch):
    monkeypatch.setattr(sampling, "SAMPLE_ROWS", 600)
    monkeypatch.setattr(sampling, "_FEWEST", 300)


def streamed(folder, **options) -> tuple[StreamedTable, object]:
    rows = open_table(folder).rows
    found = StreamedTable.read(rows, "y", None, PartSums(), lambda *_: None)
    plan = found.plan("y", name="t")
    splits = found.splits(plan, Options(**options))
    splits.prepare(lambda *_: None)
    return found, splits


def test_training_problems_have_the_sums_of_all_rows_of_their_folds(tmp_path, small_sample):
    frame = table()
    outside = np.argsort(hashes(np.arange(N), sampling._SEED))[
        -3:
    ]  # rows that are not in the sample, and a level of theirs
    colours = frame["colour"].to_numpy().astype(object)
    colours[outside] = "violet"
    frame = frame.with_columns(colour=pl.Series(colours, dtype=pl.String))
    found, splits = streamed(write_parts(frame, tmp_path / "t", 3), folds=4)
    assert not {"violet"} & {*found.sample.frame["colour"]}
    fold = sw.streaming.fold_numbers(0, N, 4)
    for number in (0, 3):
        split = splits[number]
        train = np.flatnonzero(fold != number)
        assert set(split.test) <= set(np.flatnonzero(fold[splits.numbers - 1] == number))
        encoder = splits.encoder(number, splits.frame)
        X, y = encoder.transform(frame, train), frame["y"].to_numpy()[train]
        assert np.abs(X.mean(axis=0)).max() < 1e-10
        assert np.allclose(X.std(axis=0), 1, atol=1e-10)
        found = split.problem.of_all_rows.folds
        data = np.column_stack([np.ones(len(train)), X, y])
        held = [fold[train] == k for k in range(4) if k != number]  # every other fold is held out once
        for triangles, parts in (
            ([found.whole], [held[0] | True]),
            (found.held, held),
            (found.known, [~h for h in held]),
        ):
            for triangle, part in zip(triangles, parts, strict=True):
                own = data[part]
                assert (triangle.n, triangle.weight) == (len(own), len(own))
                assert np.allclose(triangle.R.T @ triangle.R / len(own), own.T @ own / len(own), atol=1e-8)
        assert np.isclose(found.whole.target_deviation, y.std())


def test_the_kept_model_is_the_lasso_of_all_rows(tmp_path, small_sample):
    """KKT conditions: |x'r|/n = λ s where a coefficient is not 0, less elsewhere, s the scale that divides the target."""
    frame = table()
    result = sw.fit(write_parts(frame, tmp_path / "t", 3), "y", methods="lasso", **FEW)
    X, y = result.model.encoder.transform(frame), frame["y"].to_numpy()
    g = X.T @ (y - result.model.predictor.output(X)) / N
    used = result.model.predictor.coef != 0
    level = np.abs(g[used]).mean()
    assert 0 < used.sum() < len(used)
    assert np.allclose(np.abs(g[used]), level, rtol=1e-5)
    assert np.abs(g[~used]).max() < level
    assert level == pytest.approx(result.comparison.fit.settings["λ"] * y.std(), rel=0.01)
    assert result.page.notes[-1].startswith(f"The {N:,} rows are read in blocks.")


@pytest.mark.parametrize("task", ["binary", pytest.param("multiclass", marks=pytest.mark.thorough), "counts"])
def test_a_kept_model_of_classes_or_counts_is_that_of_all_rows(task, tmp_path, small_sample):
    """KKT conditions of the lasso on all rows, at the λ that the sample selects: mean of (μ − y) x is at most λ."""
    frame, rng = table(), np.random.default_rng(1)
    score = frame["a"].to_numpy() + 0.5 * (frame["colour"] == "red").to_numpy()
    y = (
        rng.poisson(np.exp(0.3 * score))
        if task == "counts"
        else (score > 0).astype(int) + (score > 1) * (task != "binary")
    )
    y = y if task == "counts" else np.where(rng.random(N) < 0.1, 0, y)
    frame = frame.with_columns(y=pl.Series(y))
    asked = "counts" if task == "counts" else "classes"
    result = sw.fit(write_parts(frame, tmp_path / "t", 3), "y", methods="lasso", task=asked, **FEW)
    X, model = result.model.encoder.transform(frame), result.model
    lam = result.comparison.fit.settings.get("λ", 0.0)  # without it the model without a penalty is kept
    if task == "counts":
        scale = frame["y"].to_numpy()[result.comparison.splits.places].mean()
        g = X.T @ (model.output(frame) - y)[:, None] / N / scale
    else:
        g = X.T @ (model.output(frame) - np.eye(len(model.plan.classes))[y]) / N
        g = g[:, 1:] if task == "binary" else g
    coef = np.atleast_2d(model.predictor.coef).T
    assert np.allclose(g[coef != 0], -lam * np.sign(coef[coef != 0]), atol=1e-5)
    assert np.abs(g).max() < lam + 1e-5
    assert 0 < (coef != 0).sum() < coef.size + (lam == 0)


@pytest.mark.thorough
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_neither_blocks_nor_files_change_the_result(ending, tmp_path, small_sample, monkeypatch):
    frame = table(1500)
    one = write_parts(frame, tmp_path / "one", 1, ending)
    whole = sw.fit(one, "y", methods=LINEAR, **FEW)
    monkeypatch.setattr(sw.streaming.blocks, "_MOST", 70)
    monkeypatch.setattr(sw.streaming.blocks, "_FEWEST", 70)
    parts = sw.fit(write_parts(frame, tmp_path / "five", 5, ending), "y", methods=LINEAR, **FEW)
    assert np.allclose(parts.table["score"], whole.table["score"], rtol=1e-8)
    assert np.allclose(parts.model.predictor.coef, whole.model.predictor.coef, atol=1e-7)
    assert parts.comparison.file_rows.tolist() == whole.comparison.file_rows.tolist()


def test_the_sample_is_random_and_all_rows_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "SAMPLE_ROWS", 400)
    monkeypatch.setattr(sampling, "_FEWEST", 100)
    frame = table(2000).with_columns(pl.when(pl.int_range(2000) % 10 > 0).then("y"), kind=pl.Series(["x", "y"] * 1000))
    rows = open_table(write_parts(frame, tmp_path / "t", 4)).rows
    found = sampled(rows, "y", None, PartSums(), lambda n: None)
    used = frame.filter(pl.col("y").is_not_null())
    assert (found.n_read, found.n_used, len(found.numbers)) == (2000, 1800, 400)
    assert dict(found.missing) == {"c": used["c"].null_count()}
    assert (found.low, found.high) == (used["y"].min(), used["y"].max())
    assert found.frame.equals(frame[found.numbers])
    quarters = np.bincount(found.numbers // 500)
    assert quarters.min() > 70  # 100 are expected, with a standard deviation below 9
    again = TableSample.of(found.arrays())
    assert again.frame.equals(found.frame)
    assert (again.missing, again.texts, again.n_used) == (found.missing, found.texts, found.n_used)


def test_classes_are_counted_in_all_rows_and_groups_stay_together(tmp_path, small_sample):
    frame = table().with_columns(y=pl.col("y") > 10, who=pl.Series(np.arange(N) // 20))
    folder = write_parts(frame, tmp_path / "t", 2)
    result = sw.fit(folder, "y", methods="ridge", group="who", **FEW)
    plan = result.comparison.plan
    assert plan.class_counts == [int((~frame["y"]).sum()), int(frame["y"].sum())]
    assert plan.n_rows == N
    held = [
        set(frame["who"].to_numpy()[result.comparison.file_rows[test] - 1])
        for _, test in result.comparison.splits.folds
    ]
    assert sum(map(len, held)) == len(set.union(*held))


@pytest.mark.parametrize(
    ("values", "at", "said"),
    [
        ({"a": "inf"}, 5, r"Column 'a' holds at least 1 value that is infinite .*row 5 of .*part-1\.csv: inf\)"),
        ({"a": "inf"}, 6, r"Column 'a' holds at least 1 value that is infinite .*row 6 of .*part-1\.csv: inf\)"),
        ({"y": "1e999"}, 5, r"Column 'y' holds at least 1 value that is infinite .*row 5 of .*part-1\.csv"),
    ],
)  # fmt: skip
def test_a_bad_value_is_reported_with_its_file_and_row(values, at, said, tmp_path, small_sample):
    folder = write_parts(table(1200), tmp_path / "t", 2, "csv")
    file = folder / "part-1.csv"
    part = pl.read_csv(file, infer_schema=False)  # row 605 is in the sample of 600, row 606 is not
    part[at - 1, next(iter(values))] = next(iter(values.values()))
    part.write_csv(file)
    with pytest.raises(InputError, match=said):
        sw.fit(folder, "y", methods="ridge", **FEW)


def test_a_file_without_targets_and_a_file_that_is_none(tmp_path, small_sample):
    folder = write_parts(table(1200), tmp_path / "t", 3)
    part = pl.read_parquet(folder / "part-1.parquet")
    part.with_columns(y=pl.lit(None, dtype=pl.Float64)).write_parquet(folder / "part-1.parquet")
    result = sw.fit(folder, "y", methods="ridge", **FEW)
    notes = " ".join(result.page.notes)
    assert "400 of 1,200 rows have no value in 'y' and are excluded." in notes
    assert f"No row of {folder / 'part-1.parquet'} has a value in 'y'." in notes
    (folder / "part-2.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"part-2\.parquet is empty, damaged or not a parquet file"):
        sw.fit(folder, "y", engine="stream")


def test_the_engine_is_what_fits(tmp_path, small_sample, monkeypatch):
    folder = write_parts(table(900), tmp_path / "t", 3)
    settings = {**FEW, "methods": "ridge", "engine": None}
    small = sw.fit(folder, "y", **settings)
    assert small.comparison.file_rows[-1] == 900
    whole = sw.fit(pl.read_parquet(folder), "y", **settings)
    assert small.table.equals(whole.table)
    monkeypatch.setattr(engines, "available_memory", lambda: 1e5)
    large = sw.fit(folder, "y", **settings)
    assert any(note.startswith("The engine stream is used, because about 0.0 GB") for note in large.page.notes)
    assert large.request.engine == "stream"
    for settings, said in (
        ({"scheduler": "tcp://x:1"}, "A scheduler belongs to the engine 'dask'"),
        ({"sql": "SELECT 1"}, "Expected a table, or sql with database"),
        ({"engine": "stream", "time": "a"}, "cannot be split by time"),
        ({"engine": "stream", "folds": 2}, "need 3 folds or more"),
    ):
        with pytest.raises(InputError, match=said):
            sw.fit(folder, "y", **settings)
    with pytest.raises(InputError, match="reads files or a query"):
        sw.fit(table(30), "y", engine="stream")


@pytest.mark.thorough
def test_a_cluster_gives_the_same_digits(tmp_path, small_sample):
    distributed = pytest.importorskip("distributed")
    folder = write_parts(table(), tmp_path / "t", 5)
    here = sw.fit(folder, "y", methods="lasso", **FEW)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        there = sw.fit(folder, "y", methods="lasso", scheduler=cluster.scheduler_address, **{**FEW, "engine": "dask"})
    assert there.table.equals(here.table)
    assert np.array_equal(there.model.predictor.coef, here.model.predictor.coef)


def test_a_query(tmp_path, small_sample):
    import sqlite3

    frame = table(900).drop("c")
    with sqlite3.connect(tmp_path / "s.db") as database:
        database.execute("CREATE TABLE t (a REAL, b REAL, d REAL, colour TEXT, y REAL)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", frame.rows())
    database.close()
    given = {"sql": "SELECT * FROM t ORDER BY rowid", "database": f"sqlite:///{tmp_path / 's.db'}"}
    settings = {**FEW, "methods": "ridge", "engine": None}
    assert sw.fit(None, "y", **given, **settings).table.equals(sw.fit(frame, "y", **settings).table)
    streamed = sw.fit(None, "y", **given, **{**settings, "engine": "stream"})
    assert streamed.comparison.plan.n_rows == 900


def test_finished_parts_are_not_read_again(tmp_path, small_sample, monkeypatch):
    folder = write_parts(table(1200), tmp_path / "t", 4)
    pieces, rows = PartSums(tmp_path / "pieces", "key"), open_table(folder).rows
    first = StreamedTable.read(rows, "y", None, pieces, lambda *_: None)
    plan = first.plan("y", name="t")
    splits = first.splits(plan, Options())
    splits.prepare(lambda *_: None)
    (tmp_path / "pieces" / "sample-2.npz").write_bytes(b"cut short")
    (tmp_path / "pieces" / "sums-1.npz").unlink()
    read = []
    of_part = type(rows).blocks_of
    monkeypatch.setattr(
        type(rows), "blocks_of", lambda self, part, *a: read.append(part.origin[-9]) or of_part(self, part, *a)
    )
    again = StreamedTable.read(rows, "y", None, pieces, lambda *_: None)
    assert (read, again.sample.frame.equals(first.sample.frame)) == (["2"], True)
    other = again.splits(plan, Options())
    other.prepare(lambda *_: None)
    assert read == ["2", "1"]
    assert all(np.array_equal(a.R, b.R) for a, b in zip(splits.sums, other.sums, strict=True))
    StreamedTable.read(rows, "y", None, PartSums(tmp_path / "pieces", "other key"), lambda *_: None)
    assert read[2:] == ["0", "1", "2", "3"]


def _command(folder, out) -> list[str]:
    command = ["fit", str(folder), "--target", "y", "--engine", "stream", "--out", str(out), "--methods", "ridge,lasso"]
    return [*command, "--effort", "quick", "--quiet", "--jobs", "1"]


def _killed_and_resumed(folder, out, wait_for: str) -> dict:
    """The results of a run that is killed when this piece is there, and then resumed."""
    command = _command(folder, out)
    piece = out.parent / f".{out.name}.unfinished" / wait_for
    process = subprocess.Popen([sys.executable, "-m", "shrinkwise", *command], stdout=subprocess.DEVNULL)
    while not piece.exists() and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    assert piece.exists()
    assert cli.run([*command, "--resume"]) == 0
    return tomllib.loads((out / "run.toml").read_text())["results"]


@pytest.mark.parametrize(
    "wait_for", [*(f"{what}-{k}.npz" for what in ("sample", "sums") for k in range(8)), *(f"ridge-{k}.npz" for k in range(4))]
)  # fmt: skip
@pytest.mark.thorough
def test_a_killed_run_is_resumed_with_the_same_result(wait_for, tmp_path, monkeypatch):
    folder = write_parts(table(4000), tmp_path / "t", 8)
    results = _killed_and_resumed(folder, tmp_path / "killed", wait_for)
    passes = []
    monkeypatch.setattr(PartSums, "get", lambda self, name, part: passes.append((name, part)))
    assert cli.run(_command(folder, tmp_path / "whole")) == 0
    assert len(passes) == 16
    assert json.dumps(results) == json.dumps(tomllib.loads((tmp_path / "whole" / "run.toml").read_text())["results"])
    assert not list(tmp_path.glob(".*"))


def test_rows_in_the_order_of_time_are_warned_of_and_not_said_to_be_split_by_it(tmp_path):
    days = pl.date_range(dt.date(2020, 1, 1), dt.date(2022, 12, 31), eager=True)
    level = np.cumsum(np.random.default_rng(0).normal(size=len(days)))
    frame = pl.DataFrame({"day": days, "x": level + 1.0, "y": level})
    files = write_parts(frame, tmp_path / "t", 2)
    result = sw.fit(files, "y", methods="lasso", **FEW)
    assert not result.comparison.plan.ordered_by
    assert not any("later" in note for note in result.page.notes if "random folds" not in note)
    assert any(
        "random folds score each row with a model that was fitted on its neighbours" in n for n in result.page.notes
    )
    in_memory = sw.fit(files, "y", methods="lasso", **FEW | {"engine": "memory"})
    assert in_memory.comparison.plan.ordered_by == ["day"]
