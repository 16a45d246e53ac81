"""Finished pieces of a comparison on disk, so that an interrupted run can be resumed.

The folder of pieces belongs to one process at a time (`claimed`), every piece stores the key of its comparison, and
only files with the names given here are ever removed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from polars import DataFrame

from shrinkwise.compare.options import Options
from shrinkwise.models.predictors import Usage
from shrinkwise.tables import InputError, TablePlan

from .nested import FoldResult, HeldOut

_KEY_FILE, _LOCK_FILE = "key.json", "lock"
_OURS = re.compile(r"(key\.json|lock|.+-\d+\.npz)(\.[0-9a-f]+\.new)?")


def fingerprint(frame: DataFrame, plan: TablePlan, options: Options, version: str) -> str:
    """A key that is equal for runs that can share pieces: values, plan, options, version."""
    digest = hashlib.sha256(frame.hash_rows().to_numpy().tobytes())
    asked = replace(options, n_jobs=None, budget=None)
    digest.update(repr((version, list(frame.columns), plan, asdict(asked))).encode())
    return digest.hexdigest()


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Lock the folder of pieces for this process; afterwards it is removed if it is empty.

    Raises InputError if another process has locked it, or if it contains files that shrinkwise did not write. The lock
    is the operating system's and ends with the process. Where such locks are not available (Windows, some network
    disks), the key of each piece still separates two comparisons.
    """
    _refuse_foreign(folder)
    file = _locked(folder)
    try:
        yield
    finally:
        (folder / _LOCK_FILE).unlink(missing_ok=True)
        file.close()
        with suppress(OSError):
            folder.rmdir()


def _locked(folder: Path) -> io.TextIOWrapper:
    """The lock file, open and locked. It is opened again if its last owner removed it in between."""
    while True:
        folder.mkdir(exist_ok=True)
        try:
            file = (folder / _LOCK_FILE).open("w")
        except FileNotFoundError:
            continue
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise InputError(
                f"Another shrinkwise process is writing this run (it has locked {folder}); wait for it, or choose "
                "another folder with --out."
            ) from None
        except (ImportError, OSError):
            return file
        with suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), (folder / _LOCK_FILE).stat()):
                return file
        file.close()


def clear_pieces(folder: Path) -> None:
    """Remove the pieces, and the folder if nothing else is in it."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if _OURS.fullmatch(path.name) and path.name != _LOCK_FILE:
            path.unlink()
    with suppress(OSError):
        folder.rmdir()


def has_pieces(folder: Path) -> bool:
    """Whether a piece is stored there."""
    return any(path.suffix == ".npz" for path in folder.iterdir()) if folder.is_dir() else False


def _refuse_foreign(folder: Path) -> None:
    is_folder = folder.is_dir() and not folder.is_symlink()
    if not is_folder and not os.path.lexists(folder):
        return
    foreign = [path.name for path in folder.iterdir() if not _is_ours(path)] if is_folder else [folder.name]
    if foreign:
        raise InputError(
            f"Unfinished work would be stored in {folder}, but {foreign[0]!r} there was not written by "
            "shrinkwise; move it away, or choose another folder with --out."
        )


def _is_ours(path: Path) -> bool:
    """Whether a file may be a piece or the lock: a link, also of such a name, leads to a file of somebody else."""
    return bool(_OURS.fullmatch(path.name)) and path.is_file() and not path.is_symlink()


class Journal:
    """A folder with one file per candidate and fold; a file is either complete or absent."""

    def __init__(self, folder: Path, key: str, *, resume: bool):
        _refuse_foreign(folder)
        self.folder, self.key = folder, key
        if resume and (folder / _KEY_FILE).exists() and self._key() != key:
            raise InputError(
                f"The unfinished run in {folder} has a different table, options or version; omit --resume to "
                "start again."
            )
        if not resume:
            clear_pieces(folder)
        folder.mkdir(parents=True, exist_ok=True)
        put_piece(self.folder, _KEY_FILE, json.dumps({"key": key}).encode())

    def get(self, candidate: str, fold: int) -> FoldResult | None:
        """The piece, if it exists and belongs to this comparison."""
        try:
            whole = io.BytesIO((self.folder / _name(candidate, fold)).read_bytes())
            with np.load(whole, allow_pickle=False) as stored:
                said = json.loads(str(stored["said"]))
                if said["key"] != self.key:
                    return None
                choices = {name: _restored(part, stored[f"output {name}"]) for name, part in said["choices"].items()}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return FoldResult(candidate, fold, choices, said["seconds"])

    def put(self, result: FoldResult) -> None:
        """Store a piece."""
        said = {name: asdict(replace(held, output=np.empty(0))) for name, held in result.choices.items()}
        for part in said.values():
            del part["output"]
        buffer = io.BytesIO()
        text = json.dumps({"key": self.key, "choices": said, "seconds": result.seconds})
        outputs = {f"output {name}": held.output for name, held in result.choices.items()}
        np.savez(buffer, said=np.array(text), **outputs)  # type: ignore[arg-type]
        put_piece(self.folder, _name(result.candidate, result.fold), buffer.getvalue())

    def _key(self) -> str:
        try:
            return json.loads((self.folder / _KEY_FILE).read_text())["key"]
        except (OSError, ValueError, KeyError, TypeError):
            return ""


def put_piece(folder: Path, name: str, data: bytes) -> None:
    """Write a file into the folder of pieces; it is complete or absent."""
    staged = folder / f"{name}.{secrets.token_hex(4)}.new"
    try:
        with staged.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(folder / name)
    except OSError as error:
        said = f"{folder / name} could not be written ({error.strerror})"
        raise OSError(error.errno, said) from error
    finally:
        staged.unlink(missing_ok=True)


def _name(candidate: str, fold: int) -> str:
    return f"{candidate.replace(' ', '-')}-{fold}.npz"


def _restored(part: dict, output: np.ndarray) -> HeldOut:
    usage = None if part["usage"] is None else Usage(**part["usage"])
    return HeldOut(**{**part, "usage": usage, "output": output})
