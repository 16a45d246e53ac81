"""`InputSelector`: the k inputs that a network with a group lasso on its inputs keeps longest."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data
from torch import nn

from shrinkwise.networks.attaching.rules import rule
from shrinkwise.penalties import GroupLasso, Groups

from .progress import Bar
from .run import PathRun, Recipe
from .training import TensorRows, Training

# A path begins at this share of λ_max, where hardly an input leaves.
_START, _FURTHEST = 0.05, 1e6
# λ goes up by _STEP; in a round that only takes out the clearly useless, down to _AT_FIRST times k, by _LONG_STEP.
_STEP, _LONG_STEP, _AT_FIRST = 1.2, 2.0, 3
_TRAINING = Training(partial(torch.optim.Adam, lr=3e-3, fused=True), epochs=6, start_epochs=15, batch_size=128)


class InputSelector(SelectorMixin, BaseEstimator):
    """Select k inputs by a network with a group lasso on its inputs:  L(θ) + λ Σ_j ‖W_:j‖₂, W the first layer.

    A network with one hidden layer is trained on all inputs, then at increasing λ, each time from the previous weights,
    until fewer than k inputs are left. An input is removed when all its weights are exactly zero. Inputs are ranked by
    the λ at which they are removed, ties by ‖W_:j‖ just before; over several networks by the mean of log λ. With more
    than 3k inputs there are two rounds: a short path to 3k, then new networks on these inputs, whose weights have not
    been shrunk by the first λ.

    Parameters
    ----------
    k : int ≥ 1
        Number of inputs to keep; all of them if there are fewer.
    hidden : int
        Units of the hidden layer.
    n_networks : int ≥ 1
        Number of networks with different random starts whose rankings are averaged. The choice of a single network
        among correlated inputs is partly random.
    standardise : bool
        Scale the inputs to mean 0 and variance 1. Otherwise inputs with larger variance are preferred, which is
        appropriate if all have the same unit (pixels, counts); they are only centred and divided by a common scale.
    training : Training, optional
        Optimizer, epochs before the first λ and at each, batch size.
    random_state : int, RandomState or None
        Seed of random starts and batches.
    verbose : bool
        Show a progress bar.

    Attributes
    ----------
    ranking_ : (p,) 1 for the input that is kept longest.
    lambdas_ : (p,) largest λ of the grid at which an input was kept, in its last round; the geometric mean over the networks.
    support_ : (p,) mask of the k inputs.
    n_features_in_, feature_names_in_.

    Notes: y of classes is fitted by the log loss, numbers by the squared error of the standardised y; several columns of
    numbers together. Selection is based on exact zeros in the first layer, not on small weights; see `attach`.

    References: Yuan and Lin, JRSS B 2006 (group lasso). Lemhadri, Ruan, Abraham, Tibshirani, LassoNet, JMLR 2021 (the path
    from dense to sparse).

    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((200, 6))
    >>> InputSelector(k=2, random_state=0).fit(X, X[:, 1] * X[:, 4]).get_support()
    array([False,  True, False, False,  True, False])
    """

    def __init__(
        self,
        k: int = 50,
        *,
        hidden: int = 64,
        n_networks: int = 1,
        standardise: bool = True,
        training: Training | None = None,
        random_state=None,
        verbose: bool = False,
    ):
        self.k, self.hidden, self.n_networks = k, hidden, n_networks
        self.standardise, self.training, self.random_state, self.verbose = standardise, training, random_state, verbose

    def fit(self, X, y) -> InputSelector:
        """Rank the inputs of X (n, p) for y (n,) classes or numbers, or (n, K) numbers."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=False, ensure_min_samples=2)
        for name in ("k", "hidden", "n_networks"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"Expected {name} to be an integer ≥ 1, got {value!r}")
        target, loss, n_outputs = _target(y)
        p = X.shape[1]
        keep = min(self.k, p)
        if self.k > p:
            warnings.warn(f"All {p} inputs are kept because k={self.k}", stacklevel=2)
        X, left = self._scaled(X), np.arange(p)
        random = check_random_state(self.random_state)
        self.ranking_, self.lambdas_ = np.empty(p, dtype=int), np.empty(p)
        stops = [stop for stop in (_AT_FIRST * keep, keep) if stop < p] or [keep]
        with Bar("inputs", self.n_networks * (p - keep), self.verbose) as bar:
            for stop in stops:
                # Row by row in memory, where NumPy puts the columns that are left one after the other.
                rows = TensorRows(torch.tensor(np.ascontiguousarray(X[:, left]), dtype=torch.float32), target)
                recipe = self._recipe(len(left), n_outputs, loss)
                runs = (PathRun(recipe, rows, int(random.randint(2**31 - 1))) for _ in range(self.n_networks))
                step = _STEP if stop == keep else _LONG_STEP
                logs, norms = np.mean([_leave(run, stop, step, bar) for run in runs], axis=0)
                order = np.lexsort((-norms, -logs))
                self.ranking_[left[order]] = np.arange(1, len(left) + 1)
                self.lambdas_[left] = np.exp(logs)
                left = left[order[:stop]]
        self.support_ = self.ranking_ <= keep
        return self

    def _scaled(self, X: np.ndarray) -> np.ndarray:
        centred = X - X.mean(0)
        scale = centred.std(0) if self.standardise else np.full(X.shape[1], centred.std())
        return centred / np.where(scale > 0, scale, 1.0)

    def _recipe(self, p: int, n_outputs: int, loss) -> Recipe:
        hidden = self.hidden

        def make_model():
            return nn.Sequential(nn.Linear(p, hidden), nn.ReLU(), nn.Linear(hidden, n_outputs))

        columns = GroupLasso(1.0, Groups.columns(), weights=np.ones(p))
        return Recipe(make_model, [rule(columns, names="0.weight")], loss, self.training or _TRAINING)

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        return self.support_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.non_deterministic = self.random_state is None
        return tags


def _leave(run: PathRun, stop: int, step: float, bar: Bar) -> tuple[np.ndarray, np.ndarray]:
    """(log of the largest λ at which each input was kept, a step below the grid for none; its norm there)."""
    (term,) = run.moving
    weight = term.param.detach()
    top = run.lambda_max()
    lam, left = top * _START, weight.shape[1]
    last, norms = np.full(left, np.log(lam / step)), weight.norm(dim=0).numpy().copy()
    while left >= stop and lam <= _FURTHEST * top:
        run.at(lam)
        now = weight.norm(dim=0).numpy()
        kept = now > 0
        for _ in range(left - max(int(kept.sum()), stop)):
            bar.advance()
        left = int(kept.sum())
        last[kept], norms[kept] = np.log(lam), now[kept]
        lam *= step
    return last, norms


def _target(y: np.ndarray):
    """(targets as a tensor, loss, outputs of the network)."""
    if type_of_target(y) in ("binary", "multiclass"):
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        return torch.tensor(codes.reshape(-1)), nn.functional.cross_entropy, max(len(classes), 2)
    y = np.asarray(y, dtype=float).reshape(len(y), -1)
    scale = y.std(0)
    y = (y - y.mean(0)) / np.where(scale > 0, scale, 1.0)
    return torch.tensor(y, dtype=torch.float32), nn.functional.mse_loss, y.shape[1]
