"""Every argument and option that names a file: what names none, or nothing that can be read, is refused in one sentence."""

from __future__ import annotations

import os

import click
import pytest

import shrinkwise as sw
from shrinkwise import cli
from shrinkwise.cli.files import FilePath
from shrinkwise.models.table_model import load
from shrinkwise.tables import InputError, read_table

VALUES = {
    "file": "t.csv",
    "table": "t.csv",
    "run_dir": "run",
    "first": "run",
    "second": "run",
    "record": "run/run.toml",
}
PATHS = [
    (command.name, parameter)
    for command in cli.cli.commands.values()
    for parameter in command.params
    if isinstance(parameter.type, click.Path)
]
EVERY_PATH = pytest.mark.parametrize(
    ("command", "path"), PATHS, ids=[f"{name} {parameter.name}" for name, parameter in PATHS]
)


def arguments(command: str, path: click.Parameter, value: str) -> list[str]:
    """The command with this value for one of its paths, and values for whatever else it needs."""
    found = [command]
    for parameter in cli.cli.commands[command].params:
        if isinstance(parameter, click.Argument):
            given = value if parameter is path else VALUES.get(parameter.name, "1")
            found += [given] if parameter.required or parameter is path else []
    if command == "fit":
        found += ["--target", "y", *(["t.csv"] if path.name != "file" else [])]
    return found + ([path.opts[0], value] if isinstance(path, click.Option) else [])


def refused(args: list[str], capfd) -> str:
    """The one line on stderr of a command that ends with code 2."""
    code = cli.run(args)
    out, err = capfd.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    return err


@EVERY_PATH
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_text_is_no_path(command, path, value, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert isinstance(path.type, FilePath)
    assert "got an empty text" in refused(arguments(command, path, value), capfd)
    assert not os.listdir(tmp_path)


@EVERY_PATH
def test_a_device_is_not_read(command, path, tmp_path, monkeypatch, capfd):
    if path.name == "out" or (path.name in ("file", "factor", "bounds") and command in ("explain", "onnx", "replay")):
        pytest.skip("it is written to, or is read after a run")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i % 7},{i}\n" for i in range(30)))
    said = refused(arguments(command, path, "/dev/zero"), capfd)
    if not (command in ("predict", "compare") and path.name in ("file", "second")):  # of which the run comes first
        assert "/dev/zero is not a regular file" in said


@pytest.mark.parametrize("name", ["", " ", "a\0b"])
def test_in_python_too(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("a,y\n1,2\n")
    for read in (read_table, load, lambda path: sw.fit(path, target="y"), lambda path: sw.rows(path, target="y")):
        with pytest.raises(ValueError, match=r"^Expected the name of a file|^The name of a file cannot"):
            read(name)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"table": "t.csv", "engine": "dask", "scheduler": ""}, "Expected scheduler to be the address"),
        ({"table": None, "sql": " ", "database": "sqlite:///x.db"}, "Expected sql to be a query"),
        ({"table": None, "sql": "SELECT 1", "database": ""}, "Expected database to be the URL"),
        ({"table": None, "sql": "SELECT 1", "database": "sales"}, "Expected the URL of a database"),
    ],
)
def test_an_empty_query_or_address_is_refused(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        sw.fit(**settings, target="y")


def test_the_runs_in_a_folder_are_no_part_of_its_table(tmp_path):
    from shrinkwise.tables.reading.files import files_of

    for name in ("a.csv", "deep/b.csv", "a-report/coefficients.csv", "a-report/run.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [file.name for file in files_of(tmp_path)] == ["a.csv", "b.csv"]
