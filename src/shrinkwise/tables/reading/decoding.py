"""Text files that are not UTF-8 but can be decoded safely: UTF-16 with a byte-order mark, and Windows-1252."""

from __future__ import annotations

import codecs
import re

_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def as_utf8(name: str, data: bytes) -> tuple[bytes, str]:
    """The text in UTF-8, and a sentence on the encoding if it was another one; else the bytes unchanged.

    Windows-1252, in which Excel saves CSV files, is assumed if every byte is one of its characters and no bytes are a
    UTF-8 character, so that a damaged UTF-8 file is not mistaken for it.
    """
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return _read_as(name, data, "utf-16", "UTF-16", "it starts with a byte-order mark")
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError:
        if not _CONTROLS.search(data) and data.decode(errors="ignore").isascii():
            return _read_as(name, data, "cp1252", "Windows-1252", "it is not UTF-8")
    return data, ""


def _read_as(name: str, data: bytes, codec: str, called: str, why: str) -> tuple[bytes, str]:
    try:
        return data.decode(codec).encode(), f"{name} was read as {called}, because {why}."
    except UnicodeDecodeError:
        return data, ""
