"""What shrinkwise did not write is never removed or taken for its own, whatever a record, a name or another process says."""

from __future__ import annotations

import copy
import os
import select
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shrinkwise.compare import compare_table
from shrinkwise.compare.comparison import Place
from shrinkwise.compare.scoring.journal import claimed, clear_pieces
from shrinkwise.runs.folder import FORMAT, add_to_run, check_place, foreign_files, is_run_folder, write_run
from shrinkwise.runs.two_runs import read_record
from shrinkwise.service import FitRequest
from shrinkwise.tables import InputError, plan_table

RECORD = f'format = "{FORMAT}"\n'
NO_PROCESS = 2**22 + 1


def write(folder, text="text"):
    write_run(folder, {"a.txt": text, "run.toml": RECORD})


def add_foreign(folder):
    (folder / "notes.txt").write_text("mine")
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "thesis.txt").write_text("mine too")
    (folder / "link").symlink_to("notes.txt")


def assert_foreign_kept(folder):
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "deep" / "er" / "thesis.txt").read_text() == "mine too"
    assert (folder / "link").is_symlink()


def test_foreign_files_in_a_run_folder_outlive_the_next_run(tmp_path):
    folder = tmp_path / "run"
    write(folder, "first")
    add_foreign(folder)
    write(folder, "second")
    assert (folder / "a.txt").read_text() == "second"
    assert_foreign_kept(folder)
    assert os.listdir(tmp_path) == ["run"]


def test_a_file_that_was_changed_is_refused_before_the_work(tmp_path):
    folder = tmp_path / "run"
    write(folder)
    (folder / "a.txt").write_text("edited by hand")
    with pytest.raises(InputError, match=r"a\.txt was changed after shrinkwise fit wrote it"):
        check_place(folder)
    assert (folder / "a.txt").read_text() == "edited by hand"


def test_a_run_of_before_files_were_listed_is_replaced_and_its_files_are_kept(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.toml").write_text(RECORD)
    (folder / "a.txt").write_text("perhaps edited")
    add_foreign(folder)
    write(folder, "new")
    assert (folder / "a.txt").read_text() == "new"
    assert (folder / "a.txt.before").read_text() == "perhaps edited"
    assert_foreign_kept(folder)
    assert os.listdir(tmp_path) == ["run"]
    write(folder, "newer")
    assert (folder / "a.txt.before").read_text() == "perhaps edited"


def test_a_file_added_to_a_run_goes_with_it_and_one_of_another_hand_is_refused(tmp_path):
    folder = tmp_path / "run"
    write(folder)
    for text in ("first", "second"):
        add_to_run(folder, "model.onnx", text)
        assert foreign_files(folder) == []
    record = tomllib.loads((folder / "run.toml").read_text())
    assert sorted(record["written"]) == ["a.txt", "model.onnx"]
    write(folder, "refitted")
    assert sorted(os.listdir(folder)) == ["a.txt", "run.toml"]
    (folder / "model.onnx").write_text("mine")
    with pytest.raises(InputError, match=r"model\.onnx was not written by shrinkwise"):
        add_to_run(folder, "model.onnx", "third")
    assert (folder / "model.onnx").read_text() == "mine"


def test_a_record_that_lists_a_foreign_file_does_not_own_it(tmp_path):
    folder = tmp_path / "run"
    write(folder)
    (folder / "thesis.txt").write_text("mine")
    with (folder / "run.toml").open("a") as file:
        file.write(f'"thesis.txt" = "{"0" * 64}"\n')
    with pytest.raises(InputError, match=r"thesis\.txt"):
        write(folder)
    assert (folder / "thesis.txt").read_text() == "mine"


def test_a_new_file_does_not_replace_a_foreign_one_of_its_name(tmp_path):
    folder = tmp_path / "run"
    write(folder)
    (folder / "new.txt").write_text("mine")
    with pytest.raises(InputError, match=r"new\.txt"):
        write_run(folder, {"a.txt": "second", "new.txt": "ours", "run.toml": RECORD})
    assert (folder / "new.txt").read_text() == "mine"
    assert (folder / "a.txt").read_text() == "text"


@pytest.mark.parametrize("suffix", ["new", "old"])
@pytest.mark.parametrize("there", [True, False])
def test_hidden_folders_of_such_a_name_that_are_not_ours_stay(tmp_path, suffix, there):
    folder, hidden = tmp_path / "run", tmp_path / f".run-{NO_PROCESS}-mine.{suffix}"
    if there:
        write(folder)
    hidden.mkdir()
    add_foreign(hidden)
    check_place(folder)
    assert_foreign_kept(hidden)


def test_foreign_files_come_back_from_a_run_that_was_being_replaced(tmp_path):
    folder, aside = tmp_path / "run", tmp_path / f".run-{NO_PROCESS}-abcd.old"
    write(folder, "first")
    add_foreign(folder)
    folder.rename(aside)
    write_run(tmp_path / "other", {"a.txt": "second", "run.toml": RECORD})
    (tmp_path / "other").rename(folder)  # killed between the two renames
    check_place(folder)
    assert_foreign_kept(folder)
    assert (folder / "a.txt").read_text() == "second"
    assert os.listdir(tmp_path) == ["run"]


def test_a_half_written_run_is_cleared_away(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from shrinkwise.runs.folder import write_run\n"
        f"write_run(Path('run'), {{'a.txt': 'text', 'b': lambda path: os._exit(9), 'run.toml': {RECORD!r}}})"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False).returncode == 9
    assert len(os.listdir(tmp_path)) == 1
    check_place(tmp_path / "run")
    assert os.listdir(tmp_path) == []


@pytest.fixture
def asked(small_table, linear):
    frame = small_table("binary", n=40)
    return frame, plan_table(frame, "y"), replace(linear, folds=2, n_lambdas=5, methods=("ridge", "lasso"))


def test_pieces_of_another_comparison_in_the_same_folder_are_done_again(asked, tmp_path):
    frame, plan, options = asked
    other = replace(options, seed=1)
    whole = compare_table(frame, plan, options)
    compare_table(frame, plan, other, place=Place(tmp_path / "other"))
    compare_table(frame, plan, options, place=Place(tmp_path / "pieces"))
    for piece in (tmp_path / "other").glob("*.npz"):  # as a process that still runs would put them there
        shutil.copy(piece, tmp_path / "pieces")
    again = compare_table(frame, plan, options, place=Place(tmp_path / "pieces", resume=True))
    for a, b in zip(whole.rows, again.rows, strict=True):
        np.testing.assert_array_equal(a.best.scores, b.best.scores)


def test_one_process_at_a_time_holds_the_pieces(tmp_path):
    folder = tmp_path / ".run.unfinished"
    script = (
        "import sys, time; from pathlib import Path; from shrinkwise.compare.scoring.journal import claimed\n"
        f"with claimed(Path({str(folder)!r})):\n    print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="Another shrinkwise process"), claimed(folder):
            pass
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    with claimed(folder):  # the lock of a process that was killed is gone with it
        assert folder.is_dir()
    assert os.listdir(tmp_path) == []


def test_foreign_files_among_the_pieces_are_refused_and_kept(asked, tmp_path):
    frame, plan, options = asked
    folder = tmp_path / "pieces"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.txt"), claimed(folder):
        pass
    with pytest.raises(InputError, match=r"thesis\.txt"):
        compare_table(frame, plan, options, place=Place(folder))
    clear_pieces(folder)
    assert os.listdir(folder) == ["thesis.txt"]


@pytest.mark.parametrize("name", ["out", "jobs", "quiet", "as_json", "resume"])
def test_a_record_may_not_set_what_is_never_recorded(name):
    record = {"fit": {"table": "t.csv", "target": "y", name: "1"}, "files": {"table": "0"}}
    with pytest.raises(InputError, match=f"the setting '{name}'"):
        FitRequest.from_toml(record)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"fit": 3, "files": {}},
        {"fit": {"target": "y"}, "files": {}},
        {"fit": {"table": "t.csv"}, "files": {}},
        {"fit": {"table": "t.csv", "target": "y"}},
        {"fit": {"table": "t.csv", "target": "y"}, "files": 3},
        {"fit": {"table": "t.csv", "target": "y"}, "files": {"table": 3}},
        {"fit": {"table": "t.csv", "target": "y", "select": ["1se", "--out", "precious"]}, "files": {"table": "0"}},
        {"fit": {"table": "t.csv", "target": "y", "later": 1}, "files": {"table": "0"}, "versions": 3},
        {"fit": {"table": "nowhere.csv", "target": "y"}, "files": {"table": "0"}},
        {"fit": {"table": ["nowhere.csv"], "target": "y"}, "files": {"table": "0"}},
        {"fit": {"table": "t.csv", "target": "y", "network": {"hidden": {}, "units": 1}}, "files": {"table": "0"}},
    ],
)
def test_a_record_without_its_settings_is_one_sentence(record):
    with pytest.raises(InputError):
        FitRequest.from_toml(record)


def test_the_number_of_processes_in_a_record_is_not_obeyed(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("a,y\n1,2\n")
    record = FitRequest(str(table), "y", n_jobs=2).to_toml()
    record["fit"]["n_jobs"] = 5000
    assert FitRequest.from_toml(record).n_jobs is None


WHOLE = {
    "data": {"target": "y", "rows_used": 3},
    "versions": {},
    "results": {
        "score": "RMSE",
        "kept": "lasso",
        "settings": {},
        "fold_sizes": [2.0, 1.0],
        "candidates": {"lasso": {"fold_scores": [1.0, 2.0], "best_fold_scores": [1.0, 2.0]}},
    },
}


def without(path):
    """The whole record without what stands at the path, and with a wrong type there."""
    for value in (None, [["wrong"]]):
        table = record = {k: dict(v) for k, v in WHOLE.items()}
        *above, last = path
        for name in above:
            table[name] = dict(table[name])
            table = table[name]
        table.pop(last)
        if value is not None:
            table[last] = value
        yield record


@pytest.mark.parametrize(
    "path",
    [
        ("data", "target"),
        ("results", "score"),
        ("results", "candidates"),
        ("results", "fold_sizes"),
        ("results", "candidates", "lasso", "fold_scores"),
        ("versions",),
    ],
)
def test_a_damaged_record_is_one_sentence_that_names_the_place(tmp_path, path):
    import tomli_w

    file = tmp_path / "run.toml"
    file.write_text(RECORD + tomli_w.dumps(WHOLE))
    assert tomllib.loads(file.read_text()) == read_record(file)
    for record in without(path):
        file.write_text(RECORD + tomli_w.dumps(record))
        with pytest.raises(InputError, match=path[-1]):
            read_record(file)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes in /proc")
def test_workers_end_with_the_process_that_started_them(tmp_path):
    script = (
        "import os, sys, time; from joblib import Parallel, delayed\n"
        "from shrinkwise.compare.scoring.workers import end_with\n"
        "run = Parallel(2, backend='loky', initializer=end_with, initargs=(os.getpid(),), return_as='generator_unordered')\n"
        "print(*{pid for pid in run(delayed(os.getpid)() for _ in range(8))}, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    workers = [int(word) for word in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    assert workers
    ended, _, _ = select.select([parent.stdout], [], [], 10)  # the pipe ends with the last process that holds it
    parent.stdout.close()
    assert ended


@pytest.mark.parametrize("name", ["lock", "lasso-1.npz"])
def test_a_link_among_the_pieces_is_not_followed(tmp_path, name):
    folder, other = tmp_path / "pieces", tmp_path / "precious"
    folder.mkdir()
    other.write_text("mine")
    (folder / name).symlink_to(other)
    with pytest.raises(InputError, match=name), claimed(folder):
        pass
    assert other.read_text() == "mine"


def test_a_record_with_a_number_out_of_range_is_one_sentence(tmp_path):
    import tomli_w

    record = copy.deepcopy(WHOLE)
    record["results"]["candidates"]["lasso"]["fold_scores"] = [10**400, 1.0]
    (tmp_path / "run.toml").write_text(RECORD + tomli_w.dumps(record))
    with pytest.raises(InputError, match="fold_scores"):
        read_record(tmp_path)


def test_a_record_that_is_nested_too_deeply_is_one_sentence(tmp_path):
    (tmp_path / "run.toml").write_text(f"{RECORD}a = {'[' * 5000}")
    with pytest.raises(InputError, match=r"not a valid run\.toml"):
        read_record(tmp_path)
    assert not is_run_folder(tmp_path)
