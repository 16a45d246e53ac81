"""The settings of a fit, checked once (`FitRequest`), the work (`Question`) and its outcome (`Result`).

The command line, Python and `shrinkwise replay` all use it. The names are resolved on first use, so that
importing this folder loads neither polars nor scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .answer import Question, Result
    from .fitting import fit, fit_to_folder
    from .request import FitRequest

_WHERE = {
    "FitRequest": "request",
    "Question": "answer",
    "Result": "answer",
    "fit": "fitting",
    "fit_to_folder": "fitting",
}

__all__ = ["FitRequest", "Question", "Result", "fit", "fit_to_folder"]


if not TYPE_CHECKING:  # for mypy a name that is not imported above does not exist

    def __getattr__(name: str):
        if name not in _WHERE:
            raise AttributeError(f"{name!r} is not a name in shrinkwise.service; see shrinkwise.service.__all__")
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
