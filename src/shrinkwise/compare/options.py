"""The options of a comparison."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

from shrinkwise.tables import InputError, TablePlan

NO_TORCH = 'Networks are skipped because PyTorch is not installed; install it with pip install "shrinkwise[torch]".'
CHOICES = {"1se": "one_se", "best": "best", "within": "one_se"}


@dataclass(frozen=True)
class CocktailOptions:
    """The networks of `network-cocktail`: two hidden layers of ReLU units on piecewise-linear embeddings of the numbers.

    Parameters
    ----------
    mixes : tuple of (keep, keep of inputs, decay, label smoothing, sharpness of bins, λ of inputs)
        The settings that are compared: the probability of keeping a hidden unit and of keeping an input, decoupled weight
        decay, the share of a label that is spread over all classes, the power of their number by which the bins of a
        number are multiplied (½ lets effects jump), and the strength of the group lasso that selects inputs in the first
        steps; the last two are 0 if left out.
    hidden : int
        Number of units of each hidden layer.
    members : int
        Minimum number of inner folds, whose networks are averaged.
    passes, steps, most_steps : int
        Steps of Adam, each on `batch_size` rows: enough for `passes` passes over the rows, but at least `steps` and at most
        `most_steps`; twice as many, again and again up to `most_steps`, while the held-out loss falls by 15 % in the second
        half of those before the decay of the learning rate. The stopping step is chosen with the setting.
    learning_rate : float
        Learning rate in the first half of the steps; it then decays to 0 along half a cosine.
    plateau : float
        The learning rate begins to decay early, and in as many steps as were made, once the held-out loss fell in half of
        the steps by less than this share of what it fell in all; 0 for never.
    bins : int
        Maximum number of bins of a number: one between any two neighbouring values, or between quantiles.
    terms : int
        Maximum number of bins of all inputs together. A table with so many numbers that each would have less than two bins
        has none.
    """

    mixes: tuple[tuple[float, ...], ...] = (
        (1.0, 1.0, 0.1, 0.0),
        (0.9, 1.0, 0.1, 0.0),
        (0.5, 0.8, 1.0, 0.0),
        (0.8, 0.9, 0.3, 0.0, 0.5),
        (0.8, 0.9, 0.1, 0.0, 0.0, 0.6),
    )
    hidden: int = 64
    members: int = 2
    passes: int = 40
    steps: int = 400
    most_steps: int = 3000
    batch_size: int = 256
    learning_rate: float = 0.003
    plateau: float = 0.0
    bins: int = 128
    terms: int = 512

    def steps_on(self, n_rows: int) -> int:
        """Number of training steps for this number of rows."""
        return min(max(self.steps, self.passes * n_rows // self.batch_size), self.most_steps)

    def shortened(self, steps: int) -> CocktailOptions:
        """The same with a given number of steps."""
        return replace(self, steps=steps, most_steps=steps)


@dataclass(frozen=True)
class NetworkOptions:
    """The small network: one hidden layer of ReLU units, trained by Adam with a cosine schedule, no early stopping.

    Parameters
    ----------
    hidden : int
        Number of units of the hidden layer.
    steps, passes, most_steps : int
        Steps of Adam, each on `batch_size` rows (all rows if there are fewer): enough for `passes` passes over the
        rows, but at least `steps` and at most `most_steps`.
    learning_rate : float
        Initial learning rate; it decays to 0 along half a cosine.
    lambdas : tuple of float, decreasing
        Grid of L2 strengths on the weights (biases are not penalised).
    keeps : tuple of float, increasing
        Grid of keep probabilities for dropout, on the hidden units alone and on the inputs as well.
    l1_lambdas, l1_keeps : tuples of float
        Grids of strengths and keep probabilities for L1 on the weights with dropout of the hidden units.
    seeds : int
        Number of random starts. A fitted network is the mean of the networks from these starts, stored as one network
        with that many times the hidden units.
    """

    hidden: int = 32
    steps: int = 400
    passes: int = 20
    most_steps: int = 4000
    learning_rate: float = 0.03
    batch_size: int = 256
    lambdas: tuple[float, ...] = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0001)
    keeps: tuple[float, ...] = (0.5, 0.8, 0.95)
    l1_lambdas: tuple[float, ...] = (0.01, 0.003, 0.001, 0.0003, 0.0001)
    l1_keeps: tuple[float, ...] = (0.8,)
    seeds: int = 3
    cocktail: CocktailOptions = field(default_factory=CocktailOptions)

    def steps_on(self, n_rows: int) -> int:
        """Number of training steps for this number of rows."""
        return min(max(self.steps, self.passes * n_rows // self.batch_size), max(self.steps, self.most_steps))


@dataclass(frozen=True)
class Options:
    """How the candidates are compared.

    Parameters
    ----------
    folds : int
        Number of outer folds. Each is held out once and used neither for fitting nor for selection before it is scored.
    inner_folds : int
        Number of folds of the cross-validation inside each training fold that selects λ, l1_ratio and keep.
    seed : int
        Seed of the folds, the random starts of networks and their dropout.
    select : "1se", "best" or "within"
        How the kept model is selected. "1se": the candidate with the lowest score, at its strongest regularization
        within one standard error of the paired difference to its best (if the held-out rows confirm it); "best": at its
        best setting; "within": the model with the fewest inputs whose score is within the share `within` of the lowest.
    within : float, optional
        Share for select="within", for example .01 for one per cent.
    max_features : int, optional
        Maximum number of inputs of the kept model.
    n_lambdas : int
        Length of the grid of λ.
    l1_ratios : tuple of float
        Grid of l1_ratio for the elastic net.
    network : NetworkOptions or None
        None skips the networks.
    methods : tuple of str, optional
        Candidates by their names on the command line (slugs); the baseline of a family is added automatically. None
        means all.
    left_out : tuple of str
        Candidates that are compared only if `methods` names them, because they take most of the time.
    most_trees : int
        Largest number of boosted trees that is tried (for each class, if there are more than two).
    trees_fitted_once : bool
        Whether the boosted trees are fitted once, at one depth, to nine tenths of the training rows and stopped by the other
        tenth, in place of inner folds at each depth and a fit to all training rows.
    factors : dict, optional
        Factors ≥ 0 of λ by input, for the linear models; an input with factor 0 is not penalised.
    bounds : dict, optional
        (low, high) of the coefficient by input, in the units of the data; candidates without support for bounds are
        skipped.
    stability_pairs : int
        Number of complementary pairs of half-samples on which the lasso is fitted to measure selection stability; 0 for
        none.
    budget : float, optional
        Time limit in seconds; candidates that do not finish are skipped and listed.
    n_jobs : int or None
        Number of processes, at most one per core; None means one per core. The results do not depend on it.
    log_target : bool, optional
        Whether models are fitted to the logarithm of a positive target; None: if it is skewed and that predicts better.
    """

    folds: int = 5
    inner_folds: int = 5
    seed: int = 0
    select: str = "1se"
    within: float | None = None
    max_features: int | None = None
    n_lambdas: int = 50
    l1_ratios: tuple[float, ...] = (0.1, 0.5, 0.9)
    network: NetworkOptions | None = field(default_factory=NetworkOptions)
    methods: tuple[str, ...] | None = None
    left_out: tuple[str, ...] = ()
    most_trees: int = 400
    trees_fitted_once: bool = False
    factors: dict[str, float] = field(default_factory=dict)
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)
    stability_pairs: int = 50
    budget: float | None = None
    n_jobs: int | None = None
    log_target: bool | None = None

    def __post_init__(self):
        if self.select not in CHOICES:
            raise ValueError(f'Expected select to be "1se", "best" or "within", got {self.select!r}.')
        if (self.within is not None) != (self.select == "within"):
            raise ValueError('Expected both select="within" and within (the share of the best score), or neither.')
        if self.budget is not None and not 0 < self.budget < float("inf"):
            raise InputError(f"Expected budget to be a positive number of seconds, got {self.budget:g}.")
        if self.n_jobs is not None and self.n_jobs < 1:
            raise InputError(f"Expected n_jobs to be 1 or more, or None for one process per core, got {self.n_jobs}.")

    @property
    def choice(self) -> str:
        """The key of the kept choice: "one_se" or "best"."""
        return CHOICES[self.select]

    @property
    def one_se_label(self) -> str:
        """The name of the choice besides the best one: "1-SE", or "within 1%"."""
        return "1-SE" if self.within is None else f"within {100 * self.within:.3g}%"

    @property
    def most_inner_folds(self) -> int:
        """The largest number of inner folds of any candidate."""
        return self.inner_folds if self.network is None else max(self.inner_folds, self.network.cocktail.members)

    def wants(self, method: str) -> bool:
        """Whether a candidate (by its slug) is requested."""
        return method not in self.left_out if self.methods is None else method in self.methods

    def described(self, methods: list[str], splits_by: str = "") -> list[str]:
        """The plan in a sentence, shown before the work starts; `methods` are the names of the candidates.

        splits_by is "group", "time" or "", the kind of splits (TablePlan.splits_by).
        """
        folds = {
            "group": f"{self.folds} held-out folds of whole groups",
            "time": f"{self.folds} later periods by models fitted on the rows before",
        }.get(splits_by, f"{self.folds} held-out folds")
        sentences = [
            f"Plan: {'; '.join(methods)}. Each is scored on {folds}; λ, l1_ratio and keep are selected inside each "
            f"training fold by {self.inner_folds}-fold cross-validation; seed {self.seed}."
        ]
        if self.left_out and self.methods is None:
            names = ", ".join(self.left_out)
            sentences.append(
                f"Left out, because of the time it takes with this many classes: {names}; --methods compares what it names."
            )
        if self.most_trees < Options.most_trees:
            once = "; they are fitted to nine tenths of the training rows, and stopped by the other tenth"
            sentences.append(
                f"At most {self.most_trees} boosted trees are grown for each class, not {Options.most_trees}"
                f"{once if self.trees_fitted_once else ''}."
            )
        return sentences if find_spec("torch") else [*sentences, NO_TORCH]

    def check(self, plan: TablePlan) -> None:
        """Raise InputError for factors and bounds of columns that are not inputs."""
        names = {column.name for column in plan.kept}
        for what, given in (("penalty factor", self.factors), ("bound", self.bounds)):
            for name in given:
                if name not in names:
                    raise InputError(f"There is a {what} for {name!r}, which is not an input of {plan.name}.")
        for name, factor in self.factors.items():
            if not 0 <= factor < float("inf"):
                raise InputError(f"Expected the penalty factor of {name!r} to be a number ≥ 0, got {factor:g}.")
        free = [name for name, factor in self.factors.items() if factor == 0]
        if self.max_features is not None and len(free) > self.max_features:
            raise InputError(
                f"At most {self.max_features} inputs were requested, but {len(free)} have the penalty factor 0 "
                "and are always used."
            )
        for name, (low, high) in self.bounds.items():
            if not low <= 0 <= high:
                raise InputError(
                    f"Expected bounds low ≤ 0 ≤ high for {name!r}, so that the input can be excluded, got {low:g} "
                    f"and {high:g}."
                )


EFFORTS: dict[str, dict[str, Any]] = {
    "quick": {
        "n_lambdas": 30,
        "l1_ratios": (0.5,),
        "network": None,
        "stability_pairs": 10,
    },
    "normal": {},
    "thorough": {
        "folds": 10,
        "n_lambdas": 100,
        "l1_ratios": (0.1, 0.3, 0.5, 0.7, 0.9),
        "network": NetworkOptions(
            hidden=64,
            steps=1000,
            most_steps=10_000,
            lambdas=(0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001, 0.00001),
            keeps=(0.3, 0.5, 0.7, 0.8, 0.9, 0.95),
            l1_lambdas=(0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001, 0.00003),
            l1_keeps=(0.5, 0.8),
            seeds=5,
            cocktail=CocktailOptions(passes=100, steps=1000, most_steps=10_000, hidden=96),
        ),
    },
}

# What normal effort changes on a table of many rows, whose held-out rows tell settings apart with less work, so that adult
# (32,561 rows, 14 inputs) takes five minutes on two processes.
_MANY_ROWS: dict[str, Any] = {
    "inner_folds": 3,
    "n_lambdas": 30,
    "l1_ratios": (0.5,),
    "network": NetworkOptions(
        most_steps=800,
        cocktail=CocktailOptions(mixes=CocktailOptions.mixes[1:], members=5, most_steps=2000, plateau=0.005),
    ),
}
_FEWEST_ROWS, _ROWS_PER_INPUT, _FEWEST_VALUES = 5000, 100, 300_000
# What quick effort changes with many classes, where a fit takes as many times longer: 20,000 rows, 16 inputs and 26 classes
# take three minutes on two processes. A hundred trees a class are scikit-learn's default number.
_MANY_CLASSES: dict[str, Any] = {
    "inner_folds": 3,
    "n_lambdas": 15,
    "left_out": ("mcp", "additive-lasso"),
    "most_trees": 100,
    "stability_pairs": 5,
}
_FEWEST_CLASSES = 10
# At normal effort many classes cost likewise: on 340 rows, 280 inputs and 10 classes five inner folds, 50 λ and three l1_ratios
# take 20 s a fold, MCP 8 s, and the path of the additive lasso, with 25,000 weights, minutes.
_MANY_CLASSES_AT_NORMAL: dict[str, Any] = {
    "inner_folds": 3,
    "n_lambdas": 20,
    "l1_ratios": (0.5, 0.9),
    "left_out": _MANY_CLASSES["left_out"],
}
# With many rows beside, two inner folds choose λ as well, and a tenth of the rows the number of trees.
_MANY_CLASSES_AND_ROWS = {**_MANY_CLASSES, "inner_folds": 2, "trees_fitted_once": True}


def options_for(effort: str = "normal", plan: TablePlan | None = None, **given: Any) -> Options:
    """The options of an effort, "quick", "normal" or "thorough", overridden by those given.

    Normal effort does less on a table of many rows: from 5000 rows, 100 for each input and 300,000 values on. Quick and normal
    effort do less with ten or more classes, and quick again less if there are 5000 rows as well.
    """
    if effort not in EFFORTS:
        raise InputError(f"Expected effort to be one of {', '.join(EFFORTS)}, got {effort!r}.")
    less: dict[str, Any] = {}
    has_many_classes = plan is not None and len(plan.classes or ()) >= _FEWEST_CLASSES
    if effort == "normal" and plan is not None:
        less = (_MANY_CLASSES_AT_NORMAL if has_many_classes else {}) | (_MANY_ROWS if _has_many_rows(plan) else {})
    elif effort == "quick" and plan is not None and has_many_classes:
        less = _MANY_CLASSES if plan.n_rows < _FEWEST_ROWS else _MANY_CLASSES_AND_ROWS
    return Options(**{**EFFORTS[effort], **less, **given})


def _has_many_rows(plan: TablePlan) -> bool:
    n_inputs = len(plan.kept)
    return plan.n_rows >= max(_FEWEST_ROWS, _ROWS_PER_INPUT * n_inputs) and plan.n_rows * n_inputs >= _FEWEST_VALUES
