"""Sentences for people are plain technical English: none of the phrases listed here, and errors of one sentence."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = [path for folder in ("src", "examples", "docs") for path in sorted((ROOT / folder).rglob("*.py"))]
DOCUMENTS = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
DOCUMENTS += sorted((ROOT / "src/shrinkwise/report/assets").iterdir())
AVOIDED = [  # a phrase that also has a technical meaning is not listed
    r"what is none|is (seen|promised) by|not the goal|by ear|come again|come and go|one would think",
    r"doors?|asks? whether|examines? nothing|knows? (the target|nothing|the answer|no)|told|tells? apart|says nothing",
    r"dear(er|est)?|pays?|free of charge|in turn|takes? turns|on one side of every split|exact copies of rows the",
    r"leave out what|left out for it|for want of|(as|is) asked for|guess(es|ed|ing)?|luck(y)?|flatter(s|ed|ing)?",
    r"believed?|honest(ly)?|(is|are) no (sum|number|category|inputs?|measures?|table|text|weights?)|to be said",
    r"(one|number|label|weight|factor|name|group|step|slope) an? (row|column|group|weight|target|entry|unit)",
    r"flights?|aloft|take-?off|lift(s|ed)?|land(s|ed|ing)|pilots?",
    r"anew|beforehand|for ever|parted by|whatever speaks|silenced?|kernels? reach|spoil(s|ed|t)|at its word",
]


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def strings(path: Path) -> list[tuple[int, str]]:
    """(line, text) of every string of a source file, docstrings among them, placeholders as {}."""
    inner = {id(value) for node in nodes(path) if isinstance(node, ast.JoinedStr) for value in node.values}
    return [(node.lineno, text(node)) for node in nodes(path) if text(node) and id(node) not in inner]


def text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return "".join(text(value) or "{}" for value in node.values) if isinstance(node, ast.JoinedStr) else ""


def test_no_phrase_that_a_technical_writer_would_not_write():
    texts = [(path, line, said) for path in SOURCES for line, said in strings(path)]
    texts += [(path, 1, path.read_text(encoding="utf-8")) for path in DOCUMENTS]
    avoided = re.compile(rf"\b({'|'.join(AVOIDED)})\b", re.IGNORECASE)
    found = [(path, line, match[0]) for path, line, said in texts for match in avoided.finditer(" ".join(said.split()))]
    assert not found, "\n".join(f"{path.relative_to(ROOT)}:{line}: {phrase!r}" for path, line, phrase in found)


def test_an_error_is_one_sentence_that_starts_with_a_capital_or_a_name():
    raised = [
        (f"{path.relative_to(ROOT)}:{node.lineno}", text(node.args[0]))
        for path in SOURCES
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(("Error", "InputError", "Exception"))
        and node.args
    ]
    errors = [(place, said) for place, said in raised if said]
    assert len(errors) > 400
    wrong = [e for e in errors if not re.match(r"[A-Z{'\"`]", e[1]) or re.search(r"  |\s$|[.!?] [A-Z]", e[1])]
    assert not wrong, "\n".join(map(" ".join, wrong))
