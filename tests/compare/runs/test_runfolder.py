from __future__ import annotations

import os

import pytest

from shrinkwise.runs.folder import FORMAT, check_place, is_run_folder, write_file, write_run
from shrinkwise.tables import InputError

RECORD = f'format = "{FORMAT}"\n'


def write(folder, text, **more):
    write_run(folder, {"a.txt": text, "run.toml": RECORD, **more})


def test_a_run_is_written_whole_and_replaces_an_older_one(tmp_path):
    folder = tmp_path / "run"
    write(folder, "first", **{"gone.txt": "only in the first"})
    assert is_run_folder(folder)
    write(folder, "second")
    assert (folder / "a.txt").read_text() == "second"
    assert sorted(os.listdir(folder)) == ["a.txt", "run.toml"]
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("broken")])
@pytest.mark.parametrize("older", [True, False])
def test_a_failing_writer_leaves_what_stood_there(tmp_path, failure, older):
    folder = tmp_path / "run"
    if older:
        write(folder, "first")

    def fails(path):
        path.write_text("half")
        raise failure

    with pytest.raises(type(failure)):
        write_run(folder, {"a.txt": "second", "b.bin": fails, "run.toml": RECORD})
    assert os.listdir(tmp_path) == (["run"] if older else [])
    if older:
        assert (folder / "a.txt").read_text() == "first"


def test_a_move_that_fails_puts_the_older_run_back(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    write(folder, "first")
    rename = type(folder).rename

    def fails_into_place(self, target):
        if self.suffix == ".new":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(type(folder), "rename", fails_into_place)
    with pytest.raises(OSError, match="its previous contents are unchanged"):
        write(folder, "second")
    assert os.listdir(tmp_path) == ["run"]
    assert (folder / "a.txt").read_text() == "first"


def test_an_empty_folder_is_taken_and_a_foreign_one_refused(tmp_path):
    empty, foreign, file = tmp_path / "empty", tmp_path / "foreign", tmp_path / "file"
    empty.mkdir()
    foreign.mkdir()
    (foreign / "run.toml").write_text('format = "something else"\n')
    file.write_text("text")
    write(empty, "text")
    assert is_run_folder(empty)
    for place in (foreign, file, tmp_path, tmp_path / "no" / "where"):
        with pytest.raises(InputError):
            check_place(place)


def test_a_link_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(InputError, match="not a folder"):
        check_place(tmp_path / "link")


def test_one_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "scores.csv"
    write_file(path, "first")

    def fails(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="could not be written"):
        write_file(path, "second")
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["scores.csv"]


def test_what_a_killed_process_left_is_cleared_and_a_run_moved_aside_comes_back(tmp_path):
    folder, dead = tmp_path / "run", 2**22 + 1  # no process has such a number
    write(folder, "first")
    folder.rename(tmp_path / f".run-{dead}-abcd.old")
    (tmp_path / f".run-{dead}-abcd.new").mkdir()
    (tmp_path / f".run-{os.getpid()}-abcd.new").mkdir()  # this one is being written
    check_place(folder)
    assert sorted(os.listdir(tmp_path)) == [f".run-{os.getpid()}-abcd.new", "run"]
    assert (folder / "a.txt").read_text() == "first"
