"""The README's code runs as it stands, and its commands are those of the Makefile."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_table_door_opens(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rooms = rng.normal(size=40)
    frame = pl.DataFrame({"rooms": rooms, "age": rng.normal(size=40), "price": 2 * rooms + rng.normal(size=40)})
    exec(BLOCKS[0].replace('"quick"', '"quick", methods=("ridge",), folds=2, n_jobs=1'), {"frame": frame, "new": frame})
    assert "L2 (ridge)" in " ".join(capsys.readouterr().out.split())  # a line may end within
    assert (tmp_path / "price-report" / "report.html").is_file()


def test_the_scikit_learn_door_opens():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 6))
    space = {"X": X, "y": (X[:, 0] + rng.normal(size=80) > 0).astype(int), "groups": [0, 0, 0, 1, 1, 1]}
    exec(BLOCKS[1], space)
    assert space["model"].status_.startswith("solved")
    exec(BLOCKS[2], space)
    assert space["model"].alpha_ > 0


def test_the_pytorch_door_opens():
    torch = pytest.importorskip("torch")
    import shrinkwise as sw

    model = torch.nn.Linear(5, 2)
    space = {"sw": sw, "nn": torch.nn, "model": model, "optimizer": torch.optim.Adam(model.parameters()), "print": str}
    exec(BLOCKS[3], space)
    assert len(space["reg"].terms) == 1
    assert isinstance(space["model"][2], sw.Dropout)


def test_every_make_target_named_in_the_documents_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"make ([a-z-]+)", README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert {"demo", "test"} <= named
    for target in named - {"and"}:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
