"""Pickles that store the version of the package that wrote them."""

from __future__ import annotations

from sklearn.base import BaseEstimator

from shrinkwise import __version__
from shrinkwise.linear.paths.path import warn_of_version


class Versioned(BaseEstimator):
    """A scikit-learn estimator whose pickle stores the package's version; unpickling with another version warns."""

    def __getstate__(self):
        return {**super().__getstate__(), "_shrinkwise_version": __version__}

    def __setstate__(self, state):
        state = dict(state)
        warn_of_version(state.pop("_shrinkwise_version", None), type(self).__name__)
        super().__setstate__(state)
