"""Frames that are kept while a source is read, so that its text is parsed once: in memory, or in a temporary file."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import polars as pl

_SHARE = 0.5  # of the space that is free


class FrameStore(Protocol):
    """Where frames are kept."""

    def put(self, frame: pl.DataFrame) -> Any:
        """What `get` needs to return the frame; None if it is not kept."""

    def get(self, kept: Any, columns: Sequence[str]) -> pl.DataFrame:
        """These columns of a frame."""


class InMemory:
    """Frames as they are."""

    def put(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame itself."""
        return frame

    def get(self, kept: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
        """These columns of a frame."""
        return kept[list(columns)]


class OnDisk:
    """Frames in a file without a name, which is gone when the process ends; pickled, it is nothing (None).

    The file is in `folder`, by default that of temporary files, and takes at most half of the space that is free there.
    """

    def __init__(self, folder: Path | None = None):
        self._folder, self._size = folder, 0
        self._file: Any = None

    def put(self, frame: pl.DataFrame) -> tuple[int, int] | None:
        """The first byte of the frame and the number of its bytes; None where there is not enough space."""
        try:
            file = self._opened()
            file.seek(self._size)
            frame.write_ipc_stream(file)
            place = self._size, file.tell() - self._size
            if sum(place) > _SHARE * (self._size + shutil.disk_usage(self._folder or tempfile.gettempdir()).free):
                file.truncate(self._size)
                return None
        except OSError:  # a disk that is full after all
            return None
        self._size = sum(place)
        return place

    def get(self, kept: tuple[int, int], columns: Sequence[str]) -> pl.DataFrame:
        """These columns of a frame."""
        file = self._opened()
        file.seek(kept[0])
        return pl.read_ipc_stream(file)[list(columns)]

    def _opened(self) -> Any:
        if self._file is None:
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(buffering=0, dir=self._folder)  # polars reads and writes it itself
            weakref.finalize(self, self._file.close)
        return self._file

    def __reduce__(self):
        return type(None), ()
