"""Write docs/architecture.md from the code: the parts of the package, their levels and their imports.

Run `python docs/draw_architecture.py` after a change of the imports; a test compares the page with the code.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from imports import arrows, between_children, modules_in  # noqa: E402

PACKAGE = ROOT / "src" / "shrinkwise"
HEAD = """# Architecture

The folders of `src/shrinkwise` are the equation `minimize L(θ) + λ f(θ)`: penalties define f, linear and networks minimize, selection
chooses λ, dropout regularizes by noise, and tables, models, compare, runs and report are for users with a table.

## Conventions

* The loss L is a mean over the samples. `L1(lam)` = λ Σ|w|, `L2(lam)` = λ Σw² (no ½), `ElasticNet(lam, ρ)` = λ(ρ Σ|w| + (1−ρ)/2 Σw²),
  `GroupLasso(lam, groups)` = λ Σ √size ‖w_g‖₂. Intercepts, biases and normalization parameters are not penalized unless selected.
* `lam` is the multiplier, `lambdas` a decreasing grid, `lambda_max` the smallest λ whose solution is exactly zero.
* `prox(w, step)` = argmin_u ½‖u−w‖² + step · penalty(u).
* `keep` is the probability of keeping a unit.
* The relative duality gap is (P − D) / (loss of the null model). Without a conjugate the certificate is the violation of the KKT conditions.

## Rules

* No import cycle among the files and sub-folders of any folder, including imports in functions and for type
  checkers. The matrix `MAY_IMPORT` in `tests/test_house.py` lists the allowed imports between parts.
* At most twelve files in a folder, 350 lines in a file, 50 in a function.
* Code uses the members of an object, not its class or name: outside `penalties/` nothing tests the class of a penalty, and outside
  `compare/candidates/` nothing compares the name of a candidate.

## Parts

This section is written by `docs/draw_architecture.py` from the imports; a test compares it with the code. A part imports only parts
of lower floors.

| floor | part | what | imports |
|---|---|---|---|
"""


def summary(path: Path) -> str:
    """The first sentence of a module's docstring."""
    text = path.read_text(encoding="utf-8").split('"""')[1].strip().splitlines()[0]
    return text.rstrip(".").replace("|", "/")


def floors(graph: dict[str, set[str]], names: list[str]) -> dict[str, int]:
    """The length of the longest way down from each part; the graph has no circle."""
    found: dict[str, int] = {}

    def floor(name: str) -> int:
        if name not in found:
            found[name] = 1 + max((floor(other) for other in graph.get(name, ())), default=0)
        return found[name]

    for name in names:
        floor(name)
    return found


def page() -> str:
    """The whole page."""
    modules, pairs = modules_in(PACKAGE), arrows(PACKAGE)
    parts = sorted({name.split(".")[1] for name in modules if "." in name} - {"__main__"})
    graph = {k: v - {"__main__"} for k, v in between_children("shrinkwise", pairs).items()}
    height = floors(graph, parts)
    lines = []
    for part in sorted(parts, key=lambda name: (-height[name], name)):
        below = ", ".join(f"`{other}`" for other in sorted(graph.get(part, ())))
        lines.append(f"| {height[part]} | `{part}` | {summary(modules[f'shrinkwise.{part}'])} | {below} |")
    text = HEAD + "\n".join(lines) + "\n\n## Rooms\n"
    for part in parts:
        rooms = [n for n, path in modules.items() if n.startswith(f"shrinkwise.{part}.") and path.name == "__init__.py"]
        direct = [name for name in rooms if name.count(".") == 2]
        if direct:
            text += f"\n### {part}\n\n" + "".join(
                f"* `{name.rpartition('.')[2]}/` {summary(modules[name])}\n" for name in direct
            )
    return text


if __name__ == "__main__":
    (ROOT / "docs" / "architecture.md").write_text(page(), encoding="utf-8")
