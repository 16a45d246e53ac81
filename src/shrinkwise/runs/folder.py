"""The run folder: written beside its place and moved into it, so that there is a whole one or none."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

from shrinkwise.tables import InputError

RUN_FILE = "run.toml"
FORMAT = "shrinkwise run 1"

Content = str | Callable[[Path], object]


def check_place(folder: Path) -> None:
    """Refuse a place where a run folder cannot go, before any work is done: only a new one, or one of ours, is written."""
    if not folder.name or folder.name == "..":
        raise InputError(f"{folder} cannot be replaced by a run folder: name a new folder with --out.")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} exists and is not a folder: name another one with --out.")
    if folder.exists() and not is_run_folder(folder) and any(folder.iterdir()):
        raise InputError(f"{folder} exists and was not written by shrinkwise fit: name another folder with --out.")
    parent = folder.absolute().parent
    if not parent.is_dir():
        raise InputError(f"There is no folder {parent} to write {folder.name} into.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"The folder {parent} cannot be written to.")
    _sweep(folder.absolute())


def _sweep(folder: Path) -> None:
    """Clear away what a process that was killed while it wrote this run left beside it; a run moved aside comes back."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}-*-*"):
        process, suffix = left.name.removeprefix(f".{folder.name}-").partition("-")[0], left.suffix
        if suffix not in (".new", ".old") or not process.isdigit() or _lives(int(process)):
            continue
        if suffix == ".old" and not folder.exists():
            left.rename(folder)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def is_run_folder(folder: Path) -> bool:
    """Whether the folder carries the mark of a run in its run.toml."""
    try:
        with (folder / RUN_FILE).open("rb") as file:
            return tomllib.load(file).get("format") == FORMAT
    except (OSError, ValueError):
        return False


def write_run(folder: Path, contents: dict[str, Content]) -> None:
    """Write the files of a run, all of them or none.

    They are written into a new folder beside `folder`, flushed to the disk, and the folder is renamed into place. A run
    folder that is there is moved aside first and removed after; whatever fails before that, it stands as it was.

    Parameters
    ----------
    contents : dict
        For each file name its text, or a function that writes the path it is given.
    """
    check_place(folder)
    folder = folder.absolute()
    staged = folder.with_name(f".{folder.name}-{os.getpid()}-{secrets.token_hex(4)}.new")
    try:
        staged.mkdir()
        for name, content in contents.items():
            _write(staged / name, content)
        _move_into_place(staged, folder)
    except OSError as error:
        raise OSError(
            error.errno,
            f"The run folder {folder} could not be written ({error.strerror or error}); nothing was left behind, and "
            "what stood there before stands.",
        ) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def write_file(path: Path, content: Content) -> None:
    """Write one file, whole or not at all: beside its place, then renamed into it."""
    staged = path.with_name(f".{path.name}-{secrets.token_hex(4)}.new")
    try:
        _write(staged, content)
        staged.replace(path)
    except OSError as error:
        raise OSError(error.errno, f"{path} could not be written ({error.strerror}).") from error
    finally:
        staged.unlink(missing_ok=True)


def _write(path: Path, content: Content) -> None:
    if callable(content):
        content(path)
    else:
        path.write_text(content, encoding="utf-8", newline="\n")
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _move_into_place(staged: Path, folder: Path) -> None:
    if not folder.exists():
        staged.rename(folder)
        return
    aside = staged.with_suffix(".old")
    folder.rename(aside)
    try:
        staged.rename(folder)
    except BaseException:
        if not folder.exists():
            aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
