"""Names of a user's files reach the terminal without their escape sequences, and files and pipes as they are."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from shrinkwise import cli

ESC, CSI = "\x1b]0;owned\x07\x1b[31m", "\x9b31m"
NAME = f"a{ESC}{CSI}"
FEW = ("--effort", "quick", "--methods", "lasso", "--jobs", "1", "--folds", "3")


def harmless(text):
    return "owned\x07" not in text and "\x1b]" not in text and CSI not in text and "�" in text


@pytest.fixture(scope="module")
def run_there(tmp_path_factory):
    """A table whose input, classes and file name hold escape sequences, and a run on it."""
    place = tmp_path_factory.mktemp("escapes")
    lines = [f"{i % 7},{i % 3},yes{CSI if (i % 7 > 3) != (i % 5 == 0) else ''}" for i in range(60)]
    (place / f"t{CSI}.csv").write_text("\n".join([f"{NAME},b,y", *lines]) + "\n", encoding="utf-8")
    assert cli.run(["fit", f"{place}/t{CSI}.csv", "--target", "y", "--out", f"{place}/run", "--quiet", *FEW]) == 0
    return place


@pytest.fixture
def folder(run_there, monkeypatch):
    monkeypatch.chdir(run_there)
    return f"t{CSI}.csv"


@pytest.fixture
def terminal(folder, monkeypatch, capfd):
    """Runs a command as on a terminal, where nothing is stripped: all that it writes."""

    def run(*args):
        with monkeypatch.context() as patch:
            patch.setattr("click.utils.should_strip_ansi", lambda *_: False)
            patch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
            cli.run(list(args))
        return "".join(capfd.readouterr())

    return run


@pytest.mark.parametrize(
    "args",
    [
        ("fit", f"t{CSI}.csv", "--target", "z"),
        ("fit", f"t{CSI}.csv", "--target", "y", "--out", f"r{CSI}", *FEW),
        ("predict", f"no{CSI}where", "x.csv"),
        ("predict", "run", f"t{CSI}.csv"),
        ("explain", "run", "5", "--file", f"t{CSI}.csv"),
        ("replay", "run", "--out", f"again{CSI}"),
    ],
    ids=lambda args: " ".join(args[:2]),
)
def test_on_a_terminal(args, terminal):
    assert harmless(terminal(*args))


def run(*args):
    """Exit code and the bytes on stdout of a command in a pipe."""
    done = subprocess.run([sys.executable, "-m", "shrinkwise", *args], capture_output=True, check=False)
    return done.returncode, done.stdout


def test_predictions_in_a_pipe_are_those_of_the_file(folder):
    code, out = run("predict", "run", folder)
    assert (code, run("predict", "run", folder, "--out", "p.csv")[0]) == (0, 0)
    assert out == Path("p.csv").read_bytes()
    assert f"yes{CSI}".encode() in out


def test_json_has_its_own_escapes(folder):
    code, out = run("explain", "run", "5", "--file", folder, "--json")
    assert code == 0
    assert CSI not in out.decode()
    assert NAME in [part["input"] for part in json.loads(out)["contributions"]]


@pytest.fixture(scope="module")
def score_py(run_there):
    return [sys.executable, str(run_there / "run" / "score.py")]


def test_score_py_hides_escape_sequences_from_a_terminal_alone(folder, score_py):
    """A terminal is played by a pseudo-terminal; into a pipe the names are written as they are."""
    pty = pytest.importorskip("pty")
    piped = subprocess.run([*score_py, folder], capture_output=True, check=True)
    assert f"yes{CSI}".encode() in piped.stdout
    ours, theirs = pty.openpty()
    with open(theirs, "wb") as terminal:
        subprocess.run([*score_py, folder], stdout=terminal, stderr=terminal, check=True)
        shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert CSI not in shown
    assert "yes�31m" in shown


@pytest.mark.parametrize("stdout", [">&-", ">/dev/full"])
@pytest.mark.parametrize("command", ["predict", "score.py"])
def test_output_that_cannot_be_written_is_no_traceback(folder, score_py, command, stdout):
    if stdout.endswith("full") and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    args = (
        [*score_py, folder] if command == "score.py" else [sys.executable, "-m", "shrinkwise", "predict", "run", folder]
    )
    done = subprocess.run(f"{shlex.join(args)} {stdout}", shell=True, capture_output=True, text=True, check=False)
    assert len(done.stderr.strip().splitlines()) <= 1, done.stderr
    assert done.returncode == (0 if (command, stdout) == ("predict", ">&-") else 1)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_an_output_without_the_characters_of_a_sentence(folder, score_py, encoding, monkeypatch):
    """As standard output redirected on Windows, or in the locale C: "−" and "λ" become question marks."""
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    code, out = run("compare", "run", "run")
    assert code == 0
    assert b"?" in out
    assert f"yes{CSI}" in subprocess.run([*score_py, folder], capture_output=True, check=True).stdout.decode()


def test_an_estimate_that_takes_too_long_is_left_out(tmp_path, monkeypatch, capsys):
    from shrinkwise.compare.scoring import estimate

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimate, "LONGEST", 0.0)
    Path("t.csv").write_text("a,y\n" + "".join(f"{i % 7}.5,{i * 1.5}\n" for i in range(40)), encoding="utf-8")
    assert cli.run(["fit", "t.csv", "--target", "y", "--effort", "quick", "--methods", "ridge", "--jobs", "1"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Estimated time: unknown, because measuring a sample of the work took more than 0 s" in said
