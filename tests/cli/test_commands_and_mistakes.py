"""The command line, as a user meets it: exit codes, one sentence for a mistake, no traceback, nothing lost."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shrinkwise import cli

EVERY = ["--effort", "quick", "--jobs", "1", "--folds", "3"]
QUICK = [*EVERY, "--methods", "lasso"]  # where the subject is not the models: boosted trees take seconds


def table(n: int = 48, seed: int = 0) -> pl.DataFrame:
    """Two numbers, a category with a missing value, and a number to predict from them."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    colour = rng.choice(["red", "green", "blue"], n).tolist()
    y = 2 * a + (np.array(colour) == "red") + 0.3 * rng.normal(size=n)
    return pl.DataFrame({"a": a, "b": b, "colour": [None, *colour[1:]], "y": y})


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """A run of the small table, made once."""
    folder = tmp_path_factory.mktemp("run")
    table().write_csv(folder / "t.csv")
    assert cli.run(["fit", f"{folder}/t.csv", "--target", "y", "--out", f"{folder}/t-report", "--quiet", *QUICK]) == 0
    return folder


@pytest.fixture
def fitted(run_folder, shrinkwise):
    """`shrinkwise` in a folder with t.csv and its run t-report."""
    shutil.copytree(run_folder, ".", dirs_exist_ok=True)
    return shrinkwise


@pytest.fixture
def shrinkwise(capfd, tmp_path, monkeypatch):
    """Runs the command in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        code = cli.run([str(arg) for arg in args])
        out, err = capfd.readouterr()
        return code, out, err

    return run


def refused(result, sentence: str):
    """A user's mistake: exit code 2, one line on stderr that says so, nothing on stdout."""
    code, out, err = result
    assert sentence in err
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "Traceback" not in err


CSV = "a,b,y\n" + "".join(f"{i % 7},{i % 5 + 0.5},{i * 1.5}\n" for i in range(30))
BAD_TABLES = {
    "an empty file": ("", "is empty"),
    "only a header": ("a,b,y\n", "no row"),
    "one row": ("a,b,y\n1,2,3\n", "1 row"),
    "a constant target": ("a,y\n" + "".join(f"{i % 7},5\n" for i in range(30)), "'5' in all 30 rows"),
    "no such column": (CSV.replace("y\n", "yield\n", 1), "did you mean"),
    "infinite values": (CSV + "inf,1,2\n", "infinite"),
    "not UTF-8": (CSV.encode() + b"\x81\x07,1,2\n", "not UTF-8"),
    "no input left": ("y,z\n" + "".join(f"{i * 1.5},same\n" for i in range(30)), "no usable input"),
    "a binary file": (b"\x00\x01\x02PK" * 50, "NUL byte"),
    "ragged": (CSV + "1,2\n", "rows of unequal length"),
    "a class of fewer rows than folds": (
        "a,y\n" + "".join(f"{i % 7},{'rare' if i < 3 else 'often'}\n" for i in range(30)),
        "pass --folds 3",
    ),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_bad_table_is_one_sentence(case, shrinkwise):
    content, sentence = BAD_TABLES[case]
    Path("bad.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    target = "yeild" if case == "no such column" else "y"
    refused(shrinkwise("fit", "bad.csv", "--target", target), sentence)
    assert os.listdir() == ["bad.csv"]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["fit", "nowhere.csv", "--target", "y"], "no file nowhere.csv"),
        (["fit", "good.csv"], "Name the column to predict with --target: good.csv has 3 columns: 'a'"),
        (["fit", "good.csv", "--target", "y", "--folds", "1"], "--folds"),
        (["fit", "good.csv", "--target", "y", "--folds", "999"], "half the number of rows"),
        (["fit", "good.csv", "--target", "y", "--drop", "bb"], "'b'"),
        (["fit", "good.csv", "--target", "y", "--methods", ""], "names of methods"),
        (["fit", "good.csv", "--target", "y", "--within", ""], "a percentage"),
        (["fit", "good.csv", "--target", "y", "--seed", str(2**32)], "--seed"),
        (["audit", "os:system"], "without arguments"),
        (["fit", "good.csv", "--target", "y", "--select", "worst"], "--select"),
        (["fit", "good.csv", "--target", "y", "--out", "no/such/place"], "does not exist"),
        (["fit", "good.csv", "--target", "y", "--out", "good.csv"], "not a folder"),
        (["fit", "good.csv", "--target", "y", "--out", "."], "choose a new folder"),
        (["fit", "good.parquet", "--target", "y"], "no file"),
        (["predict", "nowhere", "good.csv"], "not a run folder"),
        (["predict", ".", "good.csv"], "not a run folder"),
        (["frobnicate"], "frobnicate"),
        (["predict", "."], "Missing argument 'FILE'; usage: shrinkwise predict [OPTIONS] RUN_DIR FILE."),
    ],
)
def test_a_wrong_call_is_one_sentence(args, sentence, shrinkwise):
    Path("good.csv").write_text(CSV)
    refused(shrinkwise(*args), sentence)
    assert os.listdir() == ["good.csv"]


def test_a_folder_without_tables_is_one_sentence(shrinkwise):
    Path("none").mkdir()
    refused(shrinkwise("fit", "none", "--target", "y"), "has no file that ends in")
    assert os.listdir() == ["none"]


def test_an_unreadable_file_is_one_sentence(shrinkwise):
    Path("secret.csv").write_text(CSV)
    Path("secret.csv").chmod(0)
    if os.access("secret.csv", os.R_OK):
        pytest.skip("this user may read every file")
    refused(shrinkwise("fit", "secret.csv", "--target", "y"), "cannot be parsed")


def test_a_foreign_folder_is_refused_before_the_work_and_untouched(shrinkwise):
    Path("good.csv").write_text(CSV)
    Path("mine").mkdir()
    Path("mine/diary.txt").write_text("dear diary")
    refused(shrinkwise("fit", "good.csv", "--target", "y", "--out", "mine"), "not written by shrinkwise fit")
    assert os.listdir("mine") == ["diary.txt"]


def test_columns_that_are_no_inputs_are_dropped_and_said(shrinkwise):
    frame = table().with_columns(
        id=pl.int_range(1, 49), day=pl.lit("2024-05-01"), empty=pl.lit(None, pl.String), day2=pl.lit("2024-05-02")
    )
    frame = frame.with_columns(day=pl.when(pl.col("a") > 0).then("day").otherwise("day2")).drop("day2")
    frame.write_csv("t.csv")
    code, out, err = shrinkwise("fit", "t.csv", "--target", "y", *QUICK)
    assert (code, err) == (0, "")
    for name, kind in (("id", "dropped"), ("day", "date"), ("empty", "dropped")):
        assert any(line.split()[:2] == [name, kind] for line in out.splitlines())


def test_more_columns_than_rows_and_rows_without_target(shrinkwise):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 32))
    y = np.where(X[:, 0] + 0.5 * rng.normal(size=30) > 0, "yes", "no").astype(object)
    y[:3] = None
    pl.DataFrame({**{f"x{j}": X[:, j] for j in range(32)}, "y": y.tolist()}).write_csv("wide.csv")
    code, out, err = shrinkwise("fit", "wide.csv", "--target", "y", *QUICK)
    assert (code, err) == (0, "")
    assert "3 of 30 rows have no value in 'y'" in out
    assert "no finite optimum without a penalty" in out
    held_out = pl.read_csv("wide-report/predictions.csv")
    assert held_out["row"].to_list() == list(range(4, 31))


def test_columns_of_one_name_and_a_class_of_one_row_are_read_and_said(shrinkwise):
    rows = "".join(f"{i % 7},{i % 5 + 0.5},{'b' if i == 9 else 'a' if i % 2 else 'c'}\n" for i in range(30))
    Path("t.csv").write_text("a,a,y\n" + rows)
    code, out, err = shrinkwise("fit", "t.csv", "--target", "y", "--json", *QUICK)
    page = json.loads(out)
    assert (code, err) == (0, "")
    assert [column["name"] for column in page["columns"]] == ["a", "a (2)"]
    assert "'b'" in json.dumps(page)
    scored = subprocess.run([sys.executable, "t-report/score.py", "t.csv"], capture_output=True, text=True, check=True)
    assert len(scored.stdout.splitlines()) == 31  # a model without inputs also has a score.py


def test_one_input_column(shrinkwise):
    table().select("a", "y").write_csv("one.csv")
    code, out, err = shrinkwise("fit", "one.csv", "--target", "y", *QUICK)
    assert (code, err) == (0, "")
    assert "lasso" in out


def test_fit_says_its_plan_and_writes_a_whole_run_folder(shrinkwise):
    table().write_csv("t.csv")
    code, out, err = shrinkwise("fit", "t.csv", "--target", "y", "--seed", "7", *QUICK)
    assert (code, err) == (0, "")
    assert sorted(os.listdir()) == ["t-report", "t.csv"]
    assert sorted(os.listdir("t-report")) == [
        "coefficients.csv",
        "model.json",
        "model.npz",
        "predictions.csv",
        "report.html",
        "run.toml",
        "score.py",
    ]
    columns, plan, result = out.index("category"), out.index("Plan:"), out.index("Held-out")
    assert columns < plan < result
    assert "seed 7" in out
    assert "held-out RMSE" in " ".join(out.split())


def test_json_is_one_document_and_quiet_is_the_verdict(shrinkwise):
    table().write_csv("t.csv")
    code, out, err = shrinkwise("fit", "t.csv", "--target", "y", "--json", *EVERY)
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert [c["name"] for c in document["candidates"]] == [
        "no penalty",
        "ridge",
        "lasso",
        "elastic net",
        "group lasso",
        "MCP",
        "additive, no penalty",
        "additive lasso",
        "boosted trees",
    ]
    document = json.loads(shrinkwise("fit", "t.csv", "--target", "y", "--json", *QUICK)[1])
    code, out, err = shrinkwise("fit", "t.csv", "--target", "y", "--quiet", *QUICK)
    assert (code, err, out.strip()) == (0, "", " ".join(document["verdict"]))


def test_the_methods_in_the_help_are_those_there_are(shrinkwise):
    from shrinkwise.compare.candidates.registry import CANDIDATES

    _, out, _ = shrinkwise("fit", "--help")
    assert all(candidate.slug in " ".join(out.split()) for candidate in CANDIDATES)


def test_settings_of_a_boss(shrinkwise):
    table().write_csv("t.csv")
    Path("cost.csv").write_text("input,factor\na,1\nb,100\n")
    Path("bounds.csv").write_text("input,low,high\na,0,1.5\n")
    table(n=30, seed=4).write_csv("fresh.csv")
    settings = ["--max-features", "2", "--within", "1%", "--penalty-factor", "cost.csv", "--bounds", "bounds.csv"]
    code, out, err = shrinkwise("fit", "t.csv", "--target", "y", "--test", "fresh.csv", *settings, *QUICK)
    assert (code, err) == (0, "")
    assert "within 1%" in out
    assert "On the 30 rows of the test table" in " ".join(out.split())
    coefficients = dict(pl.read_csv("t-report/coefficients.csv").select("feature", "coefficient").iter_rows())
    assert 0 < coefficients["a"] <= 1.5 + 1e-9
    for wrong, sentence in (
        (["--within", "x"], "Expected a percentage such as 1%"),
        (["--methods", "lasso,magic"], "Unknown method 'magic'"),
        (["--penalty-factor", "bounds.csv"], "no column 'factor'"),
        (["--group", "a", "--time", "b"], "not by both"),
        (["--number", "colour"], "cannot be parsed as numeric"),
    ):
        refused(shrinkwise("fit", "t.csv", "--target", "y", *EVERY, *wrong), sentence)


def test_predict_takes_unseen_categories_missing_values_and_other_column_order(fitted):
    Path("new.csv").write_text("extra,colour,b,a\nx,red,0.5,1\nx,purple,,2\nx,,1,\n")
    code, out, err = fitted("predict", "t-report", "new.csv")
    lines = out.splitlines()
    assert (code, lines[0], len(lines)) == (0, "row,prediction", 4)
    assert all(np.isfinite(float(line.split(",")[1])) for line in lines[1:])
    assert "'purple'" in err
    code, out, _ = fitted("predict", "t-report", "new.csv", "--out", "scores.csv")
    assert (code, out) == (0, "")
    assert Path("scores.csv").read_text().splitlines() == lines


def test_predict_reads_a_file_of_windows_and_says_so(fitted):
    Path("new.csv").write_bytes("colour,b,a\nrosé,0.5,1\n".encode("cp1252"))
    code, _, err = fitted("predict", "t-report", "new.csv")
    assert code == 0
    assert err.splitlines()[0] == "new.csv was read as Windows-1252, because it is not UTF-8."
    assert "'rosé'" in err.splitlines()[1]


def test_fit_says_that_a_file_was_read_as_another_encoding(shrinkwise):
    lines = [f"{i % 7},{'rosé' if i % 3 else 'grün'},{i * i % 31}" for i in range(30)]
    Path("t.csv").write_bytes("\n".join(["a,b,y", *lines]).encode("cp1252"))
    code, out, _ = shrinkwise("fit", "t.csv", "--target", "y", "--json", *QUICK)
    assert code == 0
    assert "t.csv was read as Windows-1252, because it is not UTF-8." in json.loads(out)["notes"]


def test_predict_says_which_column_is_missing(fitted):
    table().drop("colour").write_csv("new.csv")
    refused(fitted("predict", "t-report", "new.csv"), "'colour'")


def test_a_damaged_model_is_one_sentence(fitted):
    model = Path("t-report/model.json")
    model.write_bytes(model.read_bytes()[:200])
    refused(fitted("predict", "t-report", "t.csv"), "damaged")


def test_gzip_is_read_and_names_the_run_folder(shrinkwise):
    with gzip.open("t.csv.gz", "wt") as file:
        file.write(table().write_csv())
    code, _, err = shrinkwise("fit", "t.csv.gz", "--target", "y", "--quiet", *QUICK)
    assert (code, err) == (0, "")
    assert Path("t-report/report.html").is_file()


def test_a_full_disk_is_one_sentence_and_the_old_run_stands(fitted, monkeypatch):
    before = {path.name: path.read_bytes() for path in Path("t-report").iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shrinkwise.models.table_model.TableModel.save", full)
    code, _, err = fitted("fit", "t.csv", "--target", "y", "--quiet", "--seed", "3", *QUICK)
    assert (code, err.count("\n")) == (1, 1)
    assert "No space left on device" in err
    assert "finished parts are kept in" in err
    assert ".t-report.unfinished; free some space and repeat the command with --resume" in err
    assert {path.name: path.read_bytes() for path in Path("t-report").iterdir()} == before
    assert sorted(os.listdir()) == [".t-report.unfinished", "t-report", "t.csv"]


def test_a_disk_that_is_full_before_the_first_part_leaves_nothing_behind(shrinkwise, monkeypatch):
    table().write_csv("t.csv")

    def full(*_):
        raise OSError(errno.EFBIG, "File too large")

    monkeypatch.setattr("shrinkwise.compare.scoring.journal.os.fsync", full)
    code, _, err = shrinkwise("fit", "t.csv", "--target", "y", "--quiet", *QUICK)
    assert (code, err.count("\n")) == (1, 1)
    assert "could not be written (File too large). Nothing was left behind" in err
    assert "--resume" not in err
    assert os.listdir() == ["t.csv"]


def test_ctrl_c_is_one_line_and_leaves_what_is_finished(shrinkwise, monkeypatch):
    table().write_csv("t.csv")

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shrinkwise.models.table_model.TableModel.save", interrupted)
        code, _, err = shrinkwise("fit", "t.csv", "--target", "y", "--quiet", *QUICK)
    assert (code, err.strip().count("\n")) == (130, 0)
    assert "--resume to continue" in err
    assert sorted(os.listdir()) == [".t-report.unfinished", "t.csv"]
    code, _, err = shrinkwise("fit", "t.csv", "--target", "y", "--quiet", "--resume", *QUICK)
    assert (code, err) == (0, "")
    assert sorted(os.listdir()) == ["t-report", "t.csv"]


def test_a_reader_that_leaves_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m shrinkwise doctor --json | true; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.returncode in (0, 1, 141)  # 0 when the reader left after the last byte; 1 is click's own


def test_help_and_version_load_nothing_heavy():
    heavy = ("numpy", "polars", "sklearn", "scipy", "torch", "rich", "joblib")
    script = (
        "import sys; from shrinkwise.cli import run; codes = run(['--help']), run(['--version']);"
        f"print(codes, [m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "(0, 0) []"
    assert "fit" in done.stdout


def test_python_m_shrinkwise_is_the_command():
    done = subprocess.run([sys.executable, "-m", "shrinkwise", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("shrinkwise 0.")


def test_doctor_says_what_is_active(shrinkwise, monkeypatch):
    code, out, _ = shrinkwise("doctor", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["cores"] >= 1
    assert set(found["extras"]) == {"torch", "matplotlib", "onnxruntime"}
    assert {"available", "simd", "reason"} <= set(found["kernels"])
    code, out, _ = shrinkwise("doctor")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [
        "shrinkwise",
        "kernels",
        "threads",
        "torch",
        "matplotlib",
        "onnxruntime",
        "packages",
    ]


@pytest.mark.thorough
def test_kill_nine_at_any_moment_leaves_a_whole_run_or_none_and_resume_ends_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(n=120).write_csv("t.csv")
    command = [sys.executable, "-m", "shrinkwise", "fit", "t.csv", "--target", "y", "--quiet", *QUICK]

    def results(folder: str) -> dict:
        return tomllib.loads(Path(folder, "run.toml").read_text())["results"]

    start = time.monotonic()
    subprocess.run([*command, "--out", "whole"], check=True, capture_output=True)
    took, rng = time.monotonic() - start, np.random.default_rng(0)
    for k in range(8):
        folder, whole = f"r{k}", set(os.listdir("whole"))
        killed = subprocess.Popen([*command, "--out", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(took * rng.uniform(0.3, 1.05))
        killed.kill()
        killed.wait()
        assert not Path(folder).exists() or set(os.listdir(folder)) == whole
        subprocess.run([*command, "--out", folder, "--resume"], check=True, capture_output=True)
        assert set(os.listdir(folder)) == whole
        assert results(folder) == results("whole")
        for name in ("coefficients.csv", "predictions.csv"):
            assert Path(folder, name).read_bytes() == Path("whole", name).read_bytes()
    assert {entry for entry in os.listdir() if entry.startswith(".")} == set()


def test_a_run_that_answers_another_question_is_not_replaced(shrinkwise):
    table().write_csv("t.csv")
    table().write_csv("u.csv")
    few = ["--effort", "quick", "--methods", "ridge", "--jobs", "1", "--quiet", "--out", "run"]
    assert shrinkwise("fit", "t.csv", "--target", "y", *few)[0] == 0
    before = Path("run/run.toml").read_text()
    for asked in (("u.csv", "--target", "y"), ("t.csv", "--target", "a")):
        code, out, err = shrinkwise("fit", *asked, *few)
        assert (code, out) == (2, "")
        assert err.startswith("run contains a run on t.csv that predicts 'y'; choose another folder")
    assert Path("run/run.toml").read_text() == before
    assert shrinkwise("fit", "t.csv", "--target", "y", "--seed", "1", *few)[0] == 0  # the same question: replaced
    assert Path("run/run.toml").read_text() != before


def test_ctrl_c_while_the_command_is_loaded_is_one_sentence(tmp_path):
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-m", "shrinkwise", "--help"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted; nothing was written.\n")


def test_predictions_are_written_through_links_and_into_pipes_and_never_over_what_they_are_made_from(fitted):
    shown = fitted("predict", "t-report", "t.csv")[1]
    Path("old.csv").write_text("old")
    Path("link.csv").symlink_to("old.csv")
    assert fitted("predict", "t-report", "t.csv", "--out", "link.csv")[0] == 0
    assert Path("link.csv").is_symlink()
    assert Path("old.csv").read_text() == shown
    os.mkfifo("pipe")
    with subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE, text=True) as reader:
        assert fitted("predict", "t-report", "t.csv", "--out", "pipe")[0] == 0
        assert reader.stdout.read() == shown
    Path("same.csv").symlink_to("t.csv")
    before = {path: path.read_bytes() for path in (Path("t.csv"), Path("t-report/model.json"))}
    for out in ("t.csv", "same.csv", "t-report/model.json"):
        refused(fitted("predict", "t-report", "t.csv", "--out", out), "would be replaced")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are any bytes")
def test_a_file_name_that_is_no_text_is_refused_before_the_work(shrinkwise):
    """run.toml and the report could not hold it, which was an error at the end of the fit."""
    name = os.fsdecode(b"t\xff.csv")
    table().write_csv("t.csv")
    shutil.copy("t.csv", name)
    refused(shrinkwise("fit", name, "--target", "y", *EVERY), "not valid UTF-8")
    code, _, _ = shrinkwise("fit", "t.csv", "--target", "y", "--out", os.fsdecode(b"r\xff"), "--quiet", *QUICK)
    assert code == 0


def test_an_error_of_the_system_names_the_file(shrinkwise):
    table().write_csv("t.csv")
    code, _, err = shrinkwise("fit", "t.csv", "--target", "y", "--out", "n" * 300, *QUICK)
    assert code == 1
    assert "nnn" in err
    assert err.count("\n") == 1
