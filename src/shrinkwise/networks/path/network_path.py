"""`NetworkPath`: a network at every λ of a grid, from dense to empty, and the λ selected on held-out rows."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch

from shrinkwise.networks.attaching.rules import as_rules
from shrinkwise.penalties import fingerprint as fingerprint_of_penalty
from shrinkwise.penalties.contract import check_lam
from shrinkwise.selection import check_select, folds, mean_and_se, one_standard_error, selected

from .checkpoint import Folder, Shelf, fingerprint
from .progress import Bar
from .run import PathRun, Recipe, shares
from .training import TensorRows, Training, as_tensor, outputs

# A single validation part is cut into so many blocks of rows, whose spread gives the standard error.
_BLOCKS = 10
# Where a network holds on to its weights beyond λ_max, the grid goes on upwards to this many times λ_max.
_FURTHEST = 1e4


class NetworkPath:
    """Train a network with L(θ) + λ f(θ) at every λ of a grid, warm-started from dense to sparse, and select λ.

    The network is first trained without penalty, then at increasing λ until no penalised weight is left, each time from
    the previous weights. The latents of `attach` are kept, so that changing λ does not change weights immediately.
    Every λ is scored on held-out rows; the path on all rows then gives the model at the selected λ.

    Parameters
    ----------
    make_model : callable
        ``make_model()`` returns a new torch.nn.Module with random initial weights.
    penalty : Penalty, Rule or list of them
        As for `attach`. λ is replaced along the grid; with several rules the grid is for the first, and the others keep
        their ratio to it. Constraints and penalties with ``.fixed()`` are constant, also before the first λ.
    loss : callable
        ``loss(model(x), y)``, the mean loss of a batch.
    lambdas : array (L,), optional
        The grid, > 0. By default `n_lambdas` values from λ_max down to `lambda_min_ratio` λ_max, equally spaced in log λ.
        λ_max is the smallest λ for which zero is stationary: the largest over penalised tensors, each from the full
        gradient at zero after training the unpenalised parameters. For one layer it is exact. A deeper network may keep
        weights at larger λ; the grid then continues by the same factor until no weight is left. It also ends when no
        weight is left before λ_max.
    cv : float, int, splitter or iterable of (train, test)
        Share of rows held out once (stratified where y has integer classes), number of shuffled folds, or any scikit-learn
        splitter: by groups, by time, ...
    seeds : int ≥ 1
        Number of random starts. Scores are means over them; the kept model has the lowest L + λf on all rows.
    select : "best" or "1se"
        Select the λ with the best mean score, or the largest within one standard error of it.
    refit : bool
        Score and keep networks that were trained further without penalties and constraints but with their zeros fixed,
        which undoes the shrinkage.
    score : callable, optional
        ``score(model(x), y)`` of held-out rows, lower is better; by default the loss.
    training : Training, optional
        Optimizer, epochs, batch size.
    folder : path, optional
        Folder for checkpoints after every λ; fitting again with the same data and settings resumes from them, with the
        same results bit for bit as without the interruption.
    random_state : int
        Seed of random starts, batches and folds.
    verbose : bool
        Show a progress bar.

    Attributes
    ----------
    lambdas_ : (L,) decreasing;  lambda_max_ : as above, None for a given grid.
    scores_, scores_se_ : (L,) mean held-out score and its standard error, over folds or, for a single validation part, over
        ten blocks of its rows;  part_scores_ : (L, parts, seeds).
    lambda_best_, lambda_1se_, lambda_ : both choices, and the selected one.
    kept_ : (L,) groups (weights, for penalties without groups) that are nonzero in the network trained on all rows;
        zeros_ : (L,) its exact zeros, of n_weights_;  objectives_ : (L,) its L + λf.
    best_model_ : torch.nn.Module at lambda_, in evaluation mode;  seed_ : its random start.

    Notes: costs (folds · seeds + seeds) paths of L · epochs passes, and twice the passes in the folds with `refit`. The
    network's weights at every λ are kept until `fit` ends, in memory or in the folder.

    References: warm starts from dense to sparse: Lemhadri, Ruan, Abraham, Tibshirani, LassoNet, JMLR 2021.
    """

    def __init__(
        self,
        make_model,
        penalty,
        loss,
        *,
        lambdas=None,
        n_lambdas: int = 30,
        lambda_min_ratio: float = 1e-3,
        cv=0.2,
        seeds: int = 1,
        select: str = "best",
        refit: bool = False,
        score=None,
        training: Training | None = None,
        folder=None,
        random_state: int = 0,
        verbose: bool = False,
    ):
        self.make_model, self.penalty, self.loss = make_model, penalty, loss
        self.lambdas, self.n_lambdas, self.lambda_min_ratio = lambdas, n_lambdas, lambda_min_ratio
        self.cv, self.seeds, self.select, self.refit, self.score = cv, seeds, select, refit, score
        self.training, self.folder, self.random_state, self.verbose = training, folder, random_state, verbose

    def fit(self, X, y=None, groups=None) -> NetworkPath:
        """Train along the path.

        Parameters
        ----------
        X, y : arrays or tensors (n, ...)
            Numbers without NaN; floating-point numbers are converted to the model's precision, integers to int64. Or X
            alone: a DataLoader or Dataset of (x, y), read once into memory.
        groups : (n,), optional
            Passed to the splitter.
        """
        given, recipe = self._checked(), self._recipe()
        rows = TensorRows.of(X, y)
        self._has_classes = rows.y.dim() == 1 and not rows.y.is_floating_point()
        splits = _splits(self.cv, rows, groups, self.random_state)
        shelf = self._shelf(recipe, rows, splits)
        planned = self.n_lambdas if given is None else len(given)
        with Bar("λ path", planned * self.seeds * (len(splits) + 1), self.verbose) as bar:
            whole = [PathRun(recipe, rows, self._seed(0), shelf, "all-0", keep=True)]
            if given is None:
                self.lambda_max_, records = self._explore(whole[0], shelf, bar)
                grid = np.array([record.lam for record in records])
            else:
                self.lambda_max_, grid = None, given[::-1]
                records = self._walk(whole[0], grid, bar)
            bar.expect(len(grid) * self.seeds * (len(splits) + 1))
            held_out = self._held_out(recipe, rows, splits, grid, shelf, bar)
            all_records = [records]
            for k in range(1, self.seeds):
                whole.append(PathRun(recipe, rows, self._seed(k), shelf, f"all-{k}", keep=True))
                all_records.append(self._walk(whole[k], grid, bar))
        self._choose(grid, held_out)
        self._keep(whole, all_records)
        return self

    def predict(self, X) -> np.ndarray:
        """The prediction of `best_model_` for each row of X, from its outputs.

        Class numbers (n,), the largest of each row's outputs, where y held class numbers and the model gives one output per
        class; in all other cases the outputs themselves, of the model's output shape (n, ...).
        """
        if not hasattr(self, "best_model_"):
            raise ValueError("This NetworkPath is not fitted; call fit(X, y) first")
        x = as_tensor(X, "X")
        with torch.no_grad():
            found = outputs(self.best_model_, TensorRows(x, x).like(self.best_model_)).cpu()
        return (found.argmax(1) if self._has_classes and found.dim() == 2 and found.shape[1] > 1 else found).numpy()

    def __repr__(self) -> str:
        text = f"NetworkPath({self.penalty!r}, select={self.select!r})"
        if not hasattr(self, "best_model_"):
            return f"{text}, not fitted"
        k = self.index_
        return (
            f"{text}: λ = {self.lambda_:.4g} of {len(self.lambdas_)} from {self.lambdas_[0]:.4g} to {self.lambdas_[-1]:.4g}, "
            f"score {self.scores_[k]:.4g} ± {self.scores_se_[k]:.2g}, {self.kept_[k]} kept, {self.zeros_[k]} of "
            f"{self.n_weights_} weights exactly zero"
        )

    def plot(self, ax=None):
        """Plot the held-out score and the number of kept groups or weights over λ; needs matplotlib."""
        from shrinkwise.figures import network_path

        return network_path(
            self.lambdas_, self.scores_, self.scores_se_, self.kept_, best=self.lambda_best_, chosen=self.lambda_, ax=ax
        )

    # --- what is asked ---------------------------------------------------------------------------------
    def _checked(self) -> np.ndarray | None:
        """The given grid, decreasing; an error for invalid settings."""
        for name in ("make_model", "loss"):
            if not callable(getattr(self, name)):
                raise TypeError(f"Expected {name} to be a function, got {type(getattr(self, name)).__name__}")
        if isinstance(self.make_model, torch.nn.Module):
            raise TypeError(
                "Expected make_model to be a function that makes a new model, got a model; pass lambda: MyModel()"
            )
        for name in ("n_lambdas", "seeds"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"Expected {name} to be an integer ≥ 1, got {value!r}")
        if not 0 < self.lambda_min_ratio < 1:
            raise ValueError(
                "Expected lambda_min_ratio (the ratio of the smallest λ to λ_max) to be between 0 and 1, got "
                f"{self.lambda_min_ratio!r}"
            )
        check_select(self.select)
        if self.lambdas is None:
            return None
        grid = np.asarray(self.lambdas, dtype=float)
        if grid.ndim != 1 or not grid.size:
            raise ValueError(f"Expected lambdas to be a list of at least one λ, got shape {grid.shape}")
        for lam in grid:
            check_lam(float(lam))
        if len(np.unique(grid)) != len(grid) or grid.min() == 0:
            raise ValueError("Expected lambdas to be > 0 and distinct")
        return np.sort(grid)[::-1]

    def _recipe(self) -> Recipe:
        rules = as_rules(self.penalty)
        shares(rules)
        if self.training is not None and not isinstance(self.training, Training):
            raise TypeError(
                f"Expected training to be sw.networks.Training(epochs=..., ...), got {type(self.training).__name__}"
            )
        return Recipe(self.make_model, rules, self.loss, self.training or Training(), self.refit)

    def _seed(self, number: int) -> int:
        return int(self.random_state) + number

    def _shelf(self, recipe: Recipe, rows: TensorRows, splits) -> Shelf:
        if self.folder is None:
            return Shelf()
        model, optimizer, _ = recipe.begin(self._seed(0))
        training = {name: value for name, value in asdict(recipe.training).items() if name != "optimizer"}
        settings = {
            name: getattr(self, name)
            for name in (
                "n_lambdas",
                "lambda_min_ratio",
                "seeds",
                "refit",
                "random_state",
            )  # `select` is free to change
        }
        mark = fingerprint(
            rows.x,
            rows.y,
            *model.state_dict().values(),
            *(torch.as_tensor(index) for split in splits for index in split),
            *(str(rule) for rule in recipe.rules),
            *(fingerprint_of_penalty(rule.penalty) for rule in recipe.rules if rule.penalty is not None),
            (type(optimizer).__name__, optimizer.defaults, training, settings),
            None if self.lambdas is None else list(map(float, self.lambdas)),
            [getattr(call, "__qualname__", type(call).__name__) for call in (self.loss, self.score)],
        )
        return Folder(Path(self.folder), mark)

    # --- what is trained -------------------------------------------------------------------------------
    def _explore(self, run: PathRun, shelf: Shelf, bar):
        """(λ_max, records) upwards from the smallest λ until nothing is left."""
        top = (shelf.get("lambda_max") or {}).get("value")
        if top is None:
            top = run.lambda_max()
            shelf.put("lambda_max", {"value": top})
        n = self.n_lambdas
        factor = (1.0 / self.lambda_min_ratio) ** (1.0 / (n - 1)) if n > 1 else 10.0
        records: list = []
        while not records or not (records[-1].empty or records[-1].lam >= _FURTHEST * top):
            # The exponent counts from λ_max, so that λ_max itself is on the grid to the last bit.
            records += self._walk(run, [top * factor ** (len(records) - (n - 1))], bar)
        return top, records

    def _walk(self, run: PathRun, grid, bar) -> list:
        """Records at these λ, upwards."""
        records = []
        for lam in grid:
            records.append(run.at(lam))
            bar.advance(f"{run.name}, λ = {lam:.3g}, {records[-1].kept} not zero")
        return records

    def _held_out(self, recipe, rows, splits, grid, shelf, bar) -> np.ndarray:
        """(L, parts, seeds) scores at the increasing grid."""
        scores = []
        for k in range(self.seeds):
            columns = []
            for number, (train, test) in enumerate(splits):
                score = partial(_scores, self.score or self.loss, rows.take(test), _BLOCKS if len(splits) == 1 else 1)
                run = PathRun(recipe, rows.take(train), self._seed(k), shelf, f"fold-{number}-{k}", score)
                columns.append(np.array([record.scores for record in self._walk(run, grid, bar)]))
            scores.append(np.concatenate(columns, axis=1))
        return np.stack(scores, axis=2)

    # --- what comes of it ------------------------------------------------------------------------------
    def _choose(self, grid, held_out) -> None:
        self.lambdas_, self.part_scores_ = grid[::-1].copy(), held_out[::-1].copy()
        self.scores_, self.scores_se_ = mean_and_se(self.part_scores_.mean(2).T)
        best, one_se = one_standard_error(self.scores_, self.scores_se_)
        self.lambda_best_, self.lambda_1se_ = float(self.lambdas_[best]), float(self.lambdas_[one_se])
        self.index_ = selected(self.scores_, self.scores_se_, self.select)
        self.lambda_ = float(self.lambdas_[self.index_])

    def _keep(self, runs: list[PathRun], records: list) -> None:
        """The model at the chosen λ from the start with the lowest objective there."""
        at = len(self.lambdas_) - 1 - self.index_
        self.seed_ = int(np.argmin([record[at].objective for record in records]))
        run, record = runs[self.seed_], records[self.seed_]
        run.back_to(at)
        self.best_model_ = (run.refitted() if self.refit else run.model).eval()
        self.kept_, self.zeros_ = (np.array([getattr(r, name) for r in record[::-1]]) for name in ("kept", "zeros"))
        self.objectives_ = np.array([r.objective for r in record[::-1]])
        self.n_weights_ = record[0].size


def _splits(cv, rows: TensorRows, groups, seed: int) -> list:
    """(train, test) row numbers."""
    from sklearn.model_selection import check_cv, train_test_split

    y = rows.y.cpu().numpy()
    has_classes = y.ndim == 1 and y.dtype.kind in "iub"
    if isinstance(cv, float):
        if not 0 < cv < 1:
            raise ValueError(f"Expected cv to be a share between 0 and 1, a number of folds or a splitter, got {cv!r}")
        every = np.arange(len(y))
        strata = y if has_classes and np.unique(y, return_counts=True)[1].min() > 1 else None
        try:
            return [train_test_split(every, test_size=cv, random_state=seed, stratify=strata)]
        except ValueError as error:
            raise ValueError(f"{len(y)} rows cannot be split with cv={cv!r}: {error}") from None
    if isinstance(cv, (int, np.integer)) and not isinstance(cv, bool):
        return folds(y, int(cv), task="multiclass" if has_classes else "regression", random_state=seed)
    return [tuple(map(np.asarray, split)) for split in check_cv(cv).split(np.zeros((len(y), 1)), y, groups)]


def _scores(score, rows: TensorRows, blocks: int, model) -> list[float]:
    """Scores of the blocks of held-out rows."""
    rows = rows.like(model)
    with torch.no_grad():
        output = outputs(model, rows)
        parts = zip(
            output.tensor_split(min(blocks, len(rows))), rows.y.tensor_split(min(blocks, len(rows))), strict=True
        )
        return [float(score(out, y)) for out, y in parts]
