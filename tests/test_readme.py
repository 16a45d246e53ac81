"""The code of the README and of the pages in docs/ runs as it stands, and the commands and files they name exist."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").rglob("*.md"))


def blocks(text):
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_the_table_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rooms = rng.normal(size=40)
    frame = pl.DataFrame({"rooms": rooms, "age": rng.normal(size=40), "price": 2 * rooms + rng.normal(size=40)})
    code = blocks(README)[0].replace('"quick"', '"quick", methods=("ridge",), folds=2, n_jobs=1')
    exec(code, {"frame": frame, "new": frame})
    assert "L2 (ridge)" in " ".join(capsys.readouterr().out.split())  # a line may end within
    assert (tmp_path / "price-report" / "report.html").is_file()


def test_the_scikit_learn_example_runs():
    import shrinkwise as sw

    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 6))
    y = X[:, 0] + rng.normal(size=80)
    space = {"sw": sw, "X": X, "y": y, "labels": y > 0}
    exec(blocks(README)[1], space)
    assert space["model"].status_.startswith("solved")


def test_the_pytorch_example_runs():
    torch = pytest.importorskip("torch")
    import shrinkwise as sw

    space = {"sw": sw, "make_optimizer": torch.optim.Adam, "example": torch.randn(4, 784), "print": str}
    exec(blocks(README)[2], space)
    assert [term.name for term in space["reg"].terms] == ["0.weight", "3.weight"]
    assert space["proof"].relative_diff <= 1e-5


@pytest.mark.parametrize(
    "page", PAGES, ids=[page.relative_to(ROOT / "docs").with_suffix("").as_posix() for page in PAGES]
)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, capsys):
    code = blocks(page.read_text(encoding="utf-8"))
    if any("torch" in block for block in code):
        pytest.importorskip("torch")
    exec("\n".join(code), {})


def source_of(target: str) -> str:
    """The file that a link in docs/ leads to: a page of the gallery, and its pictures, are made from an example."""
    return re.sub(r"gallery/(\w+/)(?:images/sphx_glr_)?(plot_\w+?)(?:_\d{3}\.png)?$", r"../examples/\1\2.py", target)


def test_every_file_and_link_of_the_documents_exists():
    assert source_of("../gallery/pictures/plot_l1_l2_ball") == "../../examples/pictures/plot_l1_l2_ball.py"
    assert source_of("gallery/linear/images/sphx_glr_plot_copies_001.png") == "../examples/linear/plot_copies.py"
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES]:
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert target == "../gallery/index" or (document.parent / source_of(target)).exists(), (
                f"{document.name}: {target}"
            )
        for name in re.findall(r"`((?:examples|benchmarks|docs|tests)/[\w./-]+\.\w+)`", text):
            assert (ROOT / name).exists(), f"{document.name}: {name}"


def test_every_make_target_named_in_the_documents_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES)]
    named = set(re.findall(r"(?:`|^ +)make ([a-z-]+)", "\n".join(texts), flags=re.MULTILINE))
    assert {"demo", "test"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
