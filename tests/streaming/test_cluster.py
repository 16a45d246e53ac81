"""On a Dask cluster: the digits of one machine, also when a worker is killed; a scheduler that is gone is one sentence."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
import uuid
from contextlib import contextmanager

import numpy as np
import polars as pl
import pytest

import shrinkwise as sw
import shrinkwise.streaming.cluster as cluster_module
from shrinkwise import cli
from shrinkwise.streaming import RowsError, reduce_rows

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")

PENALTY, N = sw.L1(1.0), 6000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve Parquet files of 500 rows."""
    found, rng = tmp_path_factory.mktemp("cluster"), np.random.default_rng(0)
    X = rng.normal(size=(N, 4))
    table = pl.DataFrame({f"x{j}": X[:, j] for j in range(4)} | {"y": X @ [1.0, 0.0, -1.0, 0.5] + rng.normal(size=N)})
    table = table.with_columns(c=(pl.col("y") > 0).cast(pl.Float64))
    for k in range(12):
        table.slice(500 * k, 500).write_parquet(found / f"{k:02d}.parquet")
        table.slice(500 * k, 500).write_csv(found / f"{k:02d}.csv")
    return found


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as found:
        yield found


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster, set_as_default=False) as found:
        yield found


def fitted(folder, scheduler=None, files="*.parquet"):
    rows = sw.rows(folder / files, "y", scheduler=scheduler).map(
        lambda frame: frame.drop("c"), ["x0", "x1", "x2", "x3"]
    )
    return sw.PenalizedRegressorCV(PENALTY, cv=3, n_lambdas=5).fit(rows)


def same(a, b):
    for name in ("coef_", "cv_losses_", "lambdas_"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize("files", ["*.parquet", "*.csv"])
def test_least_squares_has_the_digits_of_one_machine(files, folder, cluster):
    same(fitted(folder, cluster.scheduler_address, files), fitted(folder, None, files))


def test_logistic_regression_has_the_digits_of_one_machine(folder, client):
    def path(scheduler):
        rows = sw.rows(folder / "*.parquet", "c", scheduler=scheduler).map(
            lambda f: f.drop("y"), ["x0", "x1", "x2", "x3"]
        )
        return sw.path(rows, penalty=PENALTY, loss="logistic", n_lambdas=4)

    found, known = path(client), path(None)
    np.testing.assert_array_equal(found.coefs, known.coefs)
    np.testing.assert_array_equal(found.gaps, known.gaps)


def slow_count():
    """A function that is sent by value: workers cannot import this file."""

    def count(blocks):
        time.sleep(0.15)
        return sum(len(block) for block in blocks)

    return count


def test_a_killed_worker_is_replaced(folder, client):
    """Killed after the first of twelve tasks; its results are computed again."""
    seen = []

    def watch(rows):
        seen.append(rows)
        if len(seen) == 3:
            pids = client.run(os.getpid)
            os.kill(next(iter(pids.values())), signal.SIGKILL)

    rows = sw.rows(folder / "*.parquet", "y", scheduler=client)
    assert reduce_rows(rows, slow_count(), int.__add__, progress=watch) == N
    assert len(seen) >= 12
    same(fitted(folder, client), fitted(folder))


def slow_map(folder, other):
    """A function that is sent by value, takes a while, and leaves a file for each of its calls."""

    def without(frame):
        (folder / f"{os.getpid()}-{uuid.uuid4()}").touch()
        time.sleep(0.2)
        return frame.drop(other)

    return without


@pytest.mark.parametrize(("target", "loss", "passes"), [("y", "squared", 1), ("c", "logistic", 2)])
def test_a_worker_that_is_killed_in_the_middle_of_a_fit_changes_no_digit(
    target, loss, passes, folder, client, tmp_path
):
    """After a third of the one pass of least squares, and in the second pass of a logistic path."""
    other = "c" if target == "y" else "y"
    started, inputs = [], ["x0", "x1", "x2", "x3"]

    def calls(pid=""):
        return len(list(tmp_path.glob(f"{pid}*")))

    def kill():
        while calls() < 12 * (passes - 1) + 4:
            time.sleep(0.02)
        before = calls(victim)
        while calls(victim) == before:  # while it works on a part, which another worker has to repeat
            time.sleep(0.005)
        started.append(calls())
        os.kill(victim, signal.SIGKILL)

    def path(scheduler, function):
        rows = sw.rows(folder / "*.parquet", target, scheduler=scheduler).map(function, inputs)
        return sw.path(rows, penalty=PENALTY, loss=loss, n_lambdas=4)

    known = path(None, lambda frame: frame.drop(other))
    victim = max(client.run(os.getpid).values())
    killer = threading.Thread(target=kill)
    killer.start()
    found = path(client, slow_map(tmp_path, other))
    killer.join()
    assert 12 * (passes - 1) < started[0] <= 12 * passes < calls()
    for name in ("coefs", "intercepts", "gaps", "lambdas"):
        np.testing.assert_array_equal(getattr(found, name), getattr(known, name))


def test_an_error_on_a_worker_names_the_file_and_the_row(folder, client, tmp_path):
    table = pl.read_parquet(folder / "00.parquet")
    table.write_parquet(tmp_path / "0.parquet")
    bad = table.with_columns(pl.when(pl.int_range(500) == 321).then(float("nan")).otherwise(pl.col("x1")).alias("x1"))
    bad.write_parquet(tmp_path / "1.parquet")
    with pytest.raises(RowsError, match=r"finite numbers in column 'x1', got NaN in .*1\.parquet, row 322"):
        fitted(tmp_path, client)


def test_an_iterator_stays_on_one_machine(client):
    frame = pl.DataFrame({"x": [1.0, 2.0], "y": [1.0, 2.0]})
    with pytest.raises(RowsError, match="An iterator cannot be read on a cluster"):
        sw.path(sw.rows(iter([frame]), "y", scheduler=client), penalty=PENALTY)


def test_no_scheduler_is_one_sentence(folder, monkeypatch):
    monkeypatch.setattr("shrinkwise.streaming.cluster._CONNECT_SECONDS", 0.5)
    with pytest.raises(
        RowsError, match=r"There is no Dask scheduler at tcp://127\.0\.0\.1:9 .*start one with `dask scheduler`"
    ):
        fitted(folder, "tcp://127.0.0.1:9")


def test_a_scheduler_that_accepts_and_never_answers_is_one_sentence(folder, monkeypatch):
    monkeypatch.setattr("shrinkwise.streaming.cluster._CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RowsError, match=r"no Dask scheduler at .* \(No answer within 1 seconds\)"):
            fitted(folder, address)


def test_a_scheduler_that_goes_is_one_sentence(folder):
    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    client = distributed.Client(cluster, set_as_default=False, timeout=2)
    rows = sw.rows(folder / "*.parquet", "y", scheduler=client)
    threading.Timer(0.5, cluster.close).start()
    with pytest.raises(RowsError, match="The Dask cluster was lost"):
        reduce_rows(rows, slow_count(), int.__add__)
    client.close()


def started(*command):
    """A process of Dask with this command."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    quiet = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-m", "dask", *command], env=environment, stdout=quiet, stderr=quiet)


@contextmanager
def cluster_of_processes(place):
    """A scheduler, and a worker that is its own process; the processes and the address."""
    place.mkdir()
    file = place / "scheduler.json"
    network = ["--scheduler-file", str(file), "--no-dashboard"]
    scheduler = started("scheduler", "--host", "127.0.0.1", "--port", "0", *network)
    while not file.exists() or not file.read_text().endswith("}"):
        time.sleep(0.05)
        assert scheduler.poll() is None
    worker = started("worker", *network, "--nthreads", "1", "--no-nanny", "--local-directory", str(place))
    try:
        yield scheduler, json.loads(file.read_text())["address"]
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()


def test_a_fit_whose_scheduler_is_killed_is_one_sentence_and_resumed(folder, tmp_path, capsys):
    """Killed in the second pass: the run that goes on, on another cluster, repeats this one and not the first."""

    def fit(out, *options):
        command = [
            "fit",
            str(folder / "*.parquet"),
            "--target",
            "y",
            "--out",
            str(tmp_path / out),
            "--methods",
            "lasso",
        ]
        return cli.run([*command, "--effort", "quick", "--quiet", "--jobs", "1", *options])

    def killing(scheduler):
        def merged(level, merge):
            passes.append(level)
            if len(passes) == 2:
                scheduler.kill()
            return tree(level, merge)

        return merged

    passes, tree = [], cluster_module._tree
    with cluster_of_processes(tmp_path / "first") as (scheduler, address), pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster_module, "_tree", killing(scheduler))
        assert fit("run", "--engine", "dask", "--scheduler", address) == 2
    said = capsys.readouterr().err
    assert "The Dask cluster was lost" in said
    assert said.count("\n") == 1
    with cluster_of_processes(tmp_path / "second") as (_, address), pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster_module, "_tree", lambda *given: passes.append(given) or tree(*given))
        assert fit("run", "--engine", "dask", "--scheduler", address, "--resume") == 0
    assert len(passes) == 3
    assert fit("known", "--engine", "stream") == 0
    results = [tomllib.loads((tmp_path / out / "run.toml").read_text())["results"] for out in ("run", "known")]
    for each in results:
        each["settings"] = {}  # the engine
    assert results[0] == results[1]
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("most", [1, 2, 3, 5, 12])
def test_fewer_tasks_than_parts_have_the_same_digits(most, folder, client, monkeypatch):
    monkeypatch.setattr(cluster_module, "_MOST_TASKS", most)
    monkeypatch.setattr(cluster_module, "_TASKS_A_WORKER", 0)
    same(fitted(folder, client), fitted(folder))


def test_dask_collections_are_sources(folder, client):
    dataframe = pytest.importorskip("dask.dataframe")
    array = pytest.importorskip("dask.array")
    table = pl.concat([pl.read_parquet(folder / f"{k:02d}.parquet") for k in range(12)]).drop("c")
    X, y = table.drop("y").to_numpy(), table["y"].to_numpy()
    known = sw.path(X, y, PENALTY, n_lambdas=5).coefs
    frame = dataframe.from_pandas(table.to_pandas(), npartitions=4)
    blocks = array.from_array(X, chunks=(1300, 2))
    for source, target, scheduler in [
        (frame, "y", None),
        (frame, "y", client),
        (blocks, array.from_array(y, chunks=700), client),
        (array.from_array(np.column_stack([X, y]), chunks=1300), 4, None),
    ]:
        found = sw.path(sw.rows(source, target, scheduler=scheduler), penalty=PENALTY, n_lambdas=5)
        np.testing.assert_allclose(found.coefs, known, atol=1e-12)
