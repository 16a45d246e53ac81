"""Sentences for people are plain technical English: none of the phrases listed here, and errors of one sentence.

Read are strings and docstrings of the package, and the documents. A phrase with a technical meaning is not listed.
"""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = [path for folder in ("src", "examples", "docs") for path in sorted((ROOT / folder).rglob("*.py"))]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
REPORT = sorted((ROOT / "src/shrinkwise/report/assets").iterdir())

AVOIDED = {
    "riddles": r"what is none|is (seen|promised) by|not the goal|by ear|come again|come and go|one would think",
    "doors and questions": r"\bdoors?\b|\basks? whether\b|\bexamines? nothing\b",
    "knowing": r"\bknows? (the target|nothing|the answer|no\b)|\btold\b|\btells? apart|\bto be said\b|\bsays nothing\b",
    "dear and paying": r"\bdear(er|est)?\b|\bpays?\b|\bfree of charge\b",
    "held out in turn": r"\bin turn\b|\btakes? turns\b|\bon one side of every split\b|\bexact copies of rows the\b",
    "left out": r"\bleave out what\b|\bleft out for it\b|\bfor want of\b|\bas asked for\b|\bis asked for\b",
    "guessing": r"\bguess(es|ed|ing)?\b|\bluck(y)?\b|\bflatter(s|ed|ing)?\b|\bbelieved?\b|\bhonest(ly)?\b",
    "a network is no sum": r"\b(is|are) no (sum|number|category|inputs?|measures?|table|text|weights?)\b",
    "one a row": r"\b(one|number|label|weight|factor|name|group|step|slope) an? (row|column|group|weight|target|entry|unit)\b",
    "flying": r"\bflights?\b|\baloft\b|\btake-?off\b|\blift(s|ed)?\b|\bland(s|ed|ing)\b|\bpilots?\b",
    "words of another language": r"\banew\b|\bbeforehand\b|\bfor ever\b|\bparted by\b|\bwhatever speaks\b|\bsilenced?\b",
    "personification": r"\bkernels? reach\b|\bsettles? on\b|\bspoil(s|ed|t)\b|\bat its word\b|\bhaunt",
}


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
    texts = [(path, line, " ".join(said.split())) for path in SOURCES for line, said in strings(path)]
    texts += [(path, 1, " ".join(path.read_text(encoding="utf-8").split())) for path in DOCUMENTS + REPORT]
    compiled = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in AVOIDED.items()}
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match[0]!r} ({kind})"
        for kind, pattern in compiled.items()
        for path, line, said in texts
        for match in pattern.finditer(said)
    ]
    assert not found, "\n".join(found)


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
