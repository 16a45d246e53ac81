"""Terminal output: text from a user's files can contain escape sequences, which a terminal would execute."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

# Control characters that JSON does not escape by itself, and halves of surrogate pairs, which UTF-8 cannot hold.
_UNSAFE = re.compile("[\x7f-\x9f\ud800-\udfff]")


def visible(text: str) -> str:
    """The text with "�" in place of every character that is not printable, a line end or a tab."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def say(text: str, *, err: bool = False) -> None:
    """Print a sentence."""
    click.echo(visible(text), err=err)


def say_json(value: Any) -> None:
    """Print one JSON document, in which control characters are escaped."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    click.echo(_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def put_out(text: str) -> None:
    """Write data to standard output: unchanged into a file or a pipe, with control characters replaced on a
    terminal."""
    if sys.stdout.isatty():
        click.echo(visible(text), nl=False)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))


def put_out_file(path: Path) -> None:
    """Write the text of a file to standard output as `put_out` does, in parts."""
    with path.open(encoding="utf-8", newline="") as file:
        while text := file.read(1 << 20):
            put_out(text)
