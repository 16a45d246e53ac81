"""shrinkwise: minimize L(θ) + λ f(θ), from a lasso on a spreadsheet to a sparse PyTorch network.

Public names are resolved on first use, so `import shrinkwise` loads neither torch nor scikit-learn nor polars.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "linear": [
        *("PenalizedClassifier", "PenalizedClassifierCV", "PenalizedCox", "PenalizedCoxCV"),
        *("PenalizedRegressor", "PenalizedRegressorCV"),
        *("adaptive_weights", "knockoffs", "path", "stability_selection"),
    ],
    "networks": ["InputSelector", "NetworkPath", "attach", "compact", "rule"],
    "networks.audit": ["audit"],
    "models": ["load"],
    "service": ["fit"],
    "streaming": ["rows"],
}
_FOLDERS = [
    "kernels",
    "figures",
    "penalties",
    "selection",
    "streaming",
    "linear",
    "networks",
    "dropout",
    "tables",
    "models",
    "compare",
    "runs",
    "report",
    "service",
]
_WHERE = {name: folder for folder, names in _HOME.items() for name in names}


def _removable(model, example):
    """The groups of weights of a network that `shrinkwise.compact` can remove if they are zero; see
    `networks.removable`."""
    return import_module(f"{__name__}.networks").removable(model, example)


def _penalties():
    """penalties/, with `Groups.removable` from networks/: every name exported by penalties/ is public."""
    penalties = import_module(f"{__name__}.penalties")
    penalties.Groups.removable = staticmethod(_removable)
    return penalties


def _layers() -> list[str]:
    """The dropout layers in the list of dropout/layers, which is parsed and not imported, because importing it loads torch."""
    import ast
    from pathlib import Path

    door = ast.parse(Path(__file__).with_name("dropout").joinpath("layers", "__init__.py").read_text(encoding="utf-8"))
    return ast.literal_eval(next(node.value for node in door.body if isinstance(node, ast.Assign)))


def _public() -> list[str]:
    return sorted(["__version__", *_WHERE, *_penalties().__all__, *_layers()])


def __getattr__(name: str):
    if name == "__all__":
        return _public()
    if name.startswith("__"):
        raise AttributeError(f"Module {__name__!r} has no attribute {name!r}")
    if name in _WHERE:
        value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    if name in _FOLDERS or name in ("cli", "optim"):
        return import_module(f"{__name__}.{name}")
    penalties = _penalties()
    if name in penalties.__all__:
        globals()[name] = getattr(penalties, name)
        return globals()[name]
    if name in _layers():
        globals()[name] = getattr(import_module(f"{__name__}.dropout"), name)
        return globals()[name]
    raise AttributeError(f"{name!r} is not a public name of shrinkwise; see dir(shrinkwise)")


def __dir__() -> list[str]:
    return sorted([*_public(), *_FOLDERS, "optim"])
