"""The run folder, written under a temporary name and renamed, so that it is either complete or absent.

Only files that run.toml lists with their current SHA-256 are deleted; other files in a run folder are kept.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import secrets
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from shrinkwise.tables import InputError

RUN_FILE = "run.toml"
FORMAT = "shrinkwise run 1"
_MARK = ".written-by-shrinkwise"  # in a folder that is being written: everything beside it is ours

Content = str | Callable[[Path], object]


def check_place(folder: Path) -> None:
    """Raise InputError, before any work is done, unless `folder` is new or a run folder."""
    if not folder.name or folder.name == "..":
        raise InputError(f"{folder} cannot be replaced by a run folder; choose a new folder with --out.")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} exists and is not a folder; choose another folder with --out.")
    if folder.exists() and not is_run_folder(folder) and any(folder.iterdir()):
        raise InputError(f"{folder} exists and was not written by shrinkwise fit; choose another folder with --out.")
    check_parent(folder)
    _sweep(folder.absolute())
    if is_run_folder(folder):
        _refuse_changed(folder, set(_written(folder)))


def check_parent(path: Path) -> None:
    """Raise InputError unless the folder in which a file or a folder would be written exists and is writable."""
    parent = path.absolute().parent
    if not parent.is_dir():
        raise InputError(f"The folder {parent}, in which {path.name} would be written, does not exist.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"The folder {parent} is not writable.")


def _refuse_changed(folder: Path, names: set[str]) -> None:
    """Raise InputError if one of the files `names` was changed after shrinkwise wrote it.

    An early record does not list its files: those are kept under another name (`_empty_into`).
    """
    for path in foreign_files(folder) if _lists_files(folder) else []:
        if path.name in names:
            raise InputError(
                f"{path} was changed after shrinkwise fit wrote it, and a new run would replace it; move it away, "
                "or choose another folder with --out."
            )


def foreign_files(folder: Path) -> list[Path]:
    """The files, folders and links in a run folder that differ from what its run.toml lists as written."""
    written = _written(folder)
    return [path for path in sorted(folder.iterdir()) if not _is_as_written(path, written)]


def _written(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file that run.toml lists as written."""
    try:
        listed = tomllib.loads((folder / RUN_FILE).read_text(encoding="utf-8")).get("written")
    except (OSError, ValueError, RecursionError):
        return {}
    return listed if isinstance(listed, dict) else {}


def _lists_files(folder: Path) -> bool:
    """Whether run.toml lists the files of the run, which early ones do not."""
    return not is_run_folder(folder) or "written" in tomllib.loads((folder / RUN_FILE).read_text(encoding="utf-8"))


def _is_as_written(path: Path, written: dict[str, str]) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    return path.name == RUN_FILE or (path.name in written and _hash(path) == written[path.name])


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sweep(folder: Path) -> None:
    """Remove the leftovers of a process that was killed while writing this run; restore a run that was moved aside.

    A folder of such a name that shrinkwise did not write, according to its mark or its run.toml, is not touched.
    """
    for left in folder.parent.glob(f".{glob.escape(folder.name)}-*-*"):
        process = left.name.removeprefix(f".{folder.name}-").partition("-")[0]
        if left.is_symlink() or not left.is_dir() or not process.isdigit() or _lives(int(process)):
            continue
        if left.suffix == ".new":
            _discard(left)
        elif left.suffix == ".old" and is_run_folder(left):
            if not folder.exists():
                left.rename(folder)
            elif is_run_folder(folder):
                _empty_into(left, folder)


def _discard(staged: Path) -> None:
    """Remove a partly written folder; one without the mark only if it is empty."""
    with suppress(OSError):
        if (staged / _MARK).is_file():
            for path in sorted(staged.iterdir(), key=lambda path: path.name == _MARK):
                path.unlink()
        staged.rmdir()


def _empty_into(aside: Path, folder: Path) -> None:
    """Move the files of a replaced run that shrinkwise did not write into the new one, and remove the others."""
    with suppress(OSError):
        for path in foreign_files(aside):
            names = [path.name, *([] if _lists_files(aside) else [f"{path.name}.before"])]
            free = [name for name in names if not os.path.lexists(folder / name)]
            if free:
                path.rename(folder / free[0])
        written = _written(aside)
        for path in sorted(aside.iterdir(), key=lambda path: path.name == RUN_FILE):
            if _is_as_written(path, written):
                path.unlink()
        aside.rmdir()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def is_run_folder(folder: Path) -> bool:
    """Whether the folder has a run.toml with the mark of a run."""
    try:
        with (folder / RUN_FILE).open("rb") as file:
            return tomllib.load(file).get("format") == FORMAT
    except (OSError, ValueError, RecursionError):
        return False


def write_run(folder: Path, contents: dict[str, Content]) -> None:
    """Write all files of a run or none; files in an existing run folder that shrinkwise did not write are kept.

    They are written into a temporary folder next to `folder`, flushed to disk, and the folder is renamed. An existing
    run folder is moved aside first and removed afterwards; if anything fails before, it is unchanged.

    Parameters
    ----------
    contents : dict
        For each file name its text, or a function that writes the given path and possibly other files next to it. The
        content of run.toml is a text; a table `[written]` with the SHA-256 of every other file is added to it.
    """
    check_place(folder)
    folder = folder.absolute()
    staged = folder.with_name(f".{folder.name}-{os.getpid()}-{secrets.token_hex(4)}.new")
    try:
        staged.mkdir()
        (staged / _MARK).touch()
        for name, content in contents.items():
            if name != RUN_FILE:
                _write(staged / name, content)
        written = {path.name: _hash(path) for path in sorted(staged.iterdir()) if path.name != _MARK}
        if folder.exists():
            _refuse_changed(folder, set(written))
        listed = "".join(f"{json.dumps(name)} = {json.dumps(digest)}\n" for name, digest in written.items())
        _write(staged / RUN_FILE, f"{contents[RUN_FILE]}\n[written]\n{listed}")
        (staged / _MARK).unlink()
        _move_into_place(staged, folder)
    except OSError as error:
        raise OSError(
            error.errno,
            f"The run folder {folder} could not be written ({error.strerror or error}); its previous contents are "
            "unchanged.",
        ) from error
    finally:
        if staged.exists():
            with suppress(OSError):
                (staged / _MARK).touch()
            _discard(staged)


def check_out(out: Path, run_dir: Path, *tables: Path) -> None:
    """Raise InputError if `out` cannot be written, or would replace a file of the run or one of the tables that are read."""
    if not out.exists():
        check_parent(out)
        return
    ours = [run_dir / name for name in (RUN_FILE, *_written(run_dir))] if out.suffix != ".onnx" else []
    for path in [*ours, *tables]:
        if path.exists() and out.samefile(path):
            raise InputError(f"{out} is {path}, which would be replaced; name another file with --out.")


def add_to_run(folder: Path, name: str, content: Content) -> None:
    """Write one more file into a run folder and list it in run.toml, so that the next run there does not leave it behind.

    Raises InputError where a file of that name is not as shrinkwise wrote it.
    """
    path = folder / name
    if os.path.lexists(path) and not _is_as_written(path, _written(folder)):
        raise InputError(f"{path} was not written by shrinkwise: move it away, or name another file with --out.")
    write_file(path, content)
    record, _, listed = (folder / RUN_FILE).read_text(encoding="utf-8").partition("\n[written]\n")
    lines = [line for line in listed.splitlines() if not line.startswith(f"{json.dumps(name)} = ")]
    lines.append(f"{json.dumps(name)} = {json.dumps(_hash(path))}")
    write_file(folder / RUN_FILE, "\n".join([f"{record}\n[written]", *lines, ""]))


def write_file(path: Path, content: Content) -> None:
    """Write one file completely or not at all: under a temporary name that is then renamed.

    A link stays: the file that it points to is replaced. A pipe or a device, such as /dev/stdout, is written to as it is.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        _put(path, content)
        return
    path = path.resolve() if path.is_symlink() else path
    staged = path.with_name(f".{path.name}-{secrets.token_hex(4)}.new")
    try:
        _write(staged, content)
        staged.replace(path)
    except OSError as error:
        raise OSError(error.errno, f"{path} could not be written ({error.strerror}).") from error
    finally:
        staged.unlink(missing_ok=True)


def _put(path: Path, content: Content) -> None:
    if callable(content):
        content(path)
    else:
        path.write_text(content, encoding="utf-8", newline="\n")


def _write(path: Path, content: Content) -> None:
    _put(path, content)
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
    _empty_into(aside, folder)
