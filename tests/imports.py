"""Who imports whom, read from the source: the graph that the house rules are held to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_BY_NAME = ("import_module", "__import__")  # calls that import what a text names


def modules_in(package: Path) -> dict[str, Path]:
    """Every module below a package folder by its dotted name; a package stands for its __init__.py."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(name: str, path: Path, modules: dict[str, Path]) -> Iterator[str]:
    """Modules of the package that a module imports anywhere in its file, in functions and for type checkers too."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for wanted in _named(path.read_text(encoding="utf-8"), tuple(package)):
        found = next((each for each in wanted if each in modules), None)
        if found is not None and found != name:
            yield found


@cache  # each planted import reads the whole package again
def _named(source: str, package: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What each import of a module may mean: a module in a package or, failing that, a name in a module."""
    found: list[tuple[str, ...]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(alias.name,) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            found += [(f"{base}.{alias.name}", base) for alias in node.names]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in _BY_NAME:
            found += [(each.value,) for each in node.args if isinstance(each, ast.Constant)]
    return found


def arrows(package: Path) -> list[tuple[str, str]]:
    """(importer, imported), by dotted names."""
    modules = modules_in(package)
    return [(name, other) for name, path in modules.items() for other in imports_of(name, path, modules)]


def between_children(folder: str, pairs: list[tuple[str, str]]) -> dict[str, set[str]]:
    """The arrows among the direct children of a folder, files and sub-folders; its own __init__.py, the door, is none."""
    graph: dict[str, set[str]] = {}
    depth = folder.count(".") + 1
    for importer, imported in pairs:
        if not (importer.startswith(f"{folder}.") and imported.startswith(f"{folder}.")):
            continue
        source, target = importer.split(".")[depth], imported.split(".")[depth]
        if source != target:
            graph.setdefault(source, set()).add(target)
    return graph


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """The names along one circle, or []."""
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph.get(name, ())):
            if found := visit(other, [*trail, name]):
                return found
        done.add(name)
        return []

    for name in sorted(graph):
        if found := visit(name, []):
            return found
    return []


def circles(package: Path) -> dict[str, list[str]]:
    """For every folder whose direct children import each other in a circle, one such circle."""
    pairs = arrows(package)
    folders = [name for name, path in modules_in(package).items() if path.name == "__init__.py"]
    found = {folder: circle_in(between_children(folder, pairs)) for folder in folders}
    return {folder: circle for folder, circle in found.items() if circle}
