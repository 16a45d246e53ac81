"""The sentences that a source file can say, found by their form."""

from __future__ import annotations

import ast
import re
from itertools import chain


def sentences(tree: ast.AST) -> list[str]:
    """The texts that end like a sentence, outside errors, docstrings and help, with {} for what is filled in."""
    raised = [
        n for n in ast.walk(tree) if isinstance(n, ast.Raise) or "Error" in getattr(getattr(n, "func", None), "id", "")
    ]
    stated = [n for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
    filled = [v for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for v in n.values]
    helps = [n.value for n in ast.walk(tree) if isinstance(n, ast.keyword) and n.arg in ("help", "short_help")]
    left_out = {id(part) for node in chain(raised, stated, filled, helps) for part in ast.walk(node)}
    texts = (text_of(node) for node in ast.walk(tree) if id(node) not in left_out)
    return [text for text in texts if re.search(r"\w( .*){3}\.$", text)]


def text_of(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
