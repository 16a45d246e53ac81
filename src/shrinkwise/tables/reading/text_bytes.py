"""The bytes of a text: of a file or in memory, in pieces, and in UTF-8 where it has another encoding.

Text that is not UTF-8 is decoded, and it is said: UTF-16 with a byte-order mark, Windows-1252, and a mixture of that and
UTF-8, as a file has that was put together from others or damaged.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from shrinkwise.tables.errors import InputError, first_line

PIECE = 1 << 24  # bytes

_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def as_utf8(name: str, data: bytes) -> tuple[bytes, str]:
    """The text in UTF-8, and a sentence on the encoding if it was another one; else the bytes unchanged.

    Windows-1252, in which Excel saves CSV files, is assumed if every byte is one of its characters and no bytes are a
    UTF-8 character, so that a damaged UTF-8 file is not mistaken for it. In other text each byte that is not part of a
    UTF-8 character is read as one of Windows-1252, or as the replacement character where that has none.
    """
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return _read_as(name, data, "utf-16", "UTF-16", "it starts with a byte-order mark")
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        if _CONTROLS.search(data):
            return data, ""
        if data.decode(errors="ignore").isascii():
            found = _read_as(name, data, "cp1252", "Windows-1252", "it is not UTF-8")
            if found[1]:
                return found
        line = data.count(b"\n", 0, error.start) + 1
        return data.decode(errors="shrinkwise.windows").encode(), (
            f"{name} is not UTF-8 text, nor Windows-1252: bytes that are no UTF-8, the first 0x{data[error.start]:02X} on line "
            f"{line}, were read as Windows-1252, so that some characters may be wrong."
        )
    return data, ""


def _read_as(name: str, data: bytes, codec: str, called: str, why: str) -> tuple[bytes, str]:
    try:
        return data.decode(codec).encode(), f"{name} was read as {called}, because {why}."
    except UnicodeDecodeError:
        return data, ""


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    """The characters of Windows-1252 for the bytes that a decoder cannot read."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


codecs.register_error("shrinkwise.windows", _as_windows)


class TextSource(Protocol):
    """A text that can be read from its beginning as often as needed."""

    @property
    def name(self) -> str:
        """Its name in messages."""

    def open(self) -> Any:
        """A binary file at the beginning."""


@dataclass(frozen=True)
class TextFile:
    """A file of UTF-8 text, as it is or in a .gz."""

    path: Path

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name

    def open(self) -> Any:
        """The file, decompressed if it holds gzip data."""
        with self.path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
        return gzip.open(self.path) if packed else self.path.open("rb")


@dataclass(frozen=True)
class TextBytes:
    """UTF-8 text in memory."""

    name: str
    data: bytes

    def open(self) -> io.BytesIO:
        """The bytes."""
        return io.BytesIO(self.data)


def in_pieces(source: TextSource) -> Iterator[tuple[bytes, bool]]:
    """The bytes of a text in pieces, and whether a piece is the last.

    The first and the last are a quarter of the others, enough rows to find a header and a footer: their values are read as
    texts, which takes longer.
    """
    try:
        with source.open() as file:
            end = PIECE // 4
            data, following = file.read(end), file.read(PIECE)
            while len(following) == PIECE:
                yield data, False
                data, following = following, file.read(PIECE)
            data += following
            if len(data) > 2 * end:
                yield data[:-end], False
                data = data[-end:]
            if data:
                yield data, True
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{source.name} is a damaged or truncated gzip file ({first_line(error)}).") from error
    except OSError as error:
        raise InputError(f"{source.name} cannot be read: {(error.strerror or str(error)).lower()}.") from error
