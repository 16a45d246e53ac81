"""What a comparison is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from shrinkwise.tables import InputError, TablePlan

NO_TORCH = 'Networks are left out because PyTorch is not installed: pip install "shrinkwise[torch]" adds them.'
CHOICES = {"1se": "one_se", "best": "best", "within": "one_se"}


@dataclass(frozen=True)
class NetworkOptions:
    """The small network: one hidden layer of ReLU units, trained by Adam with a cosine schedule, no early stopping.

    Parameters
    ----------
    hidden : int
        Units of the hidden layer.
    steps, passes : int
        Steps of Adam, each on `batch_size` rows (all rows where there are fewer): as many as make `passes` passes over the
        rows, but no fewer than `steps` and no more than ten times as many.
    learning_rate : float
        Its value at the first step; it falls to 0 along half a cosine.
    lambdas : tuple of float, decreasing
        Strengths tried for L2 on the weights (biases are not penalised).
    keeps : tuple of float, increasing
        Probabilities of keeping a unit tried for dropout, of the hidden units alone and of the inputs too.
    l1_lambdas, l1_keeps : tuples of float
        Strengths and probabilities tried for L1 on the weights with dropout of the hidden units.
    seeds : int
        Random starts. A fitted network is the mean of networks from so many starts, in one network of as many times the
        hidden units.
    """

    hidden: int = 32
    steps: int = 400
    passes: int = 20
    learning_rate: float = 0.03
    batch_size: int = 256
    lambdas: tuple[float, ...] = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0001)
    keeps: tuple[float, ...] = (0.5, 0.8, 0.95)
    l1_lambdas: tuple[float, ...] = (0.01, 0.003, 0.001, 0.0003, 0.0001)
    l1_keeps: tuple[float, ...] = (0.8,)
    seeds: int = 3

    def steps_on(self, n_rows: int) -> int:
        """Steps of a training on so many rows."""
        return min(max(self.steps, self.passes * n_rows // self.batch_size), 10 * self.steps)


@dataclass(frozen=True)
class Options:
    """How the candidates are compared.

    Parameters
    ----------
    folds : int
        Outer folds: each is held out once, and nothing that is fitted or chosen sees it before it is scored.
    inner_folds : int
        Folds of the cross-validation, inside each training fold, that chooses λ, l1_ratio and keep.
    seed : int
        Seeds the folds, the networks' start and their dropout.
    select : "1se", "best" or "within"
        Which choice the kept model makes: of the candidate with the lowest score the strongest regularization within one
        standard error of the paired difference to its best (where the held-out rows find it there too), or its best; or the
        model with the fewest inputs within the share `within` of the lowest score.
    within : float, optional
        Share, .01 for one per cent, for select="within".
    max_features : int, optional
        The most inputs that the kept model may use.
    n_lambdas : int
        Length of the grid of λ.
    l1_ratios : tuple of float
        Mixtures tried for the elastic net.
    network : NetworkOptions or None
        None leaves the networks out.
    methods : tuple of str, optional
        Candidates by their names on the command line (slugs); each family's baseline comes with its members. None is all.
    factors : dict, optional
        Factors ≥ 0 of λ by input, for the linear models; 0 is not penalised.
    bounds : dict, optional
        (low, high) of the coefficient, in the units of the data, by input; candidates that cannot keep them are left out.
    stability_pairs : int
        Complementary pairs of half-samples on which the lasso is fitted to see which inputs come again; 0 for none.
    budget : float, optional
        Seconds for everything; candidates that do not finish in time are left out, which is said.
    n_jobs : int or None
        Processes, at most one per core; None takes one per core. The results do not depend on it.
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
    factors: dict[str, float] = field(default_factory=dict)
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)
    stability_pairs: int = 50
    budget: float | None = None
    n_jobs: int | None = None

    def __post_init__(self):
        if self.select not in CHOICES:
            raise ValueError(f'select must be "1se", "best" or "within": got {self.select!r}')
        if (self.within is not None) != (self.select == "within"):
            raise ValueError('within is the share of the best score for select="within": give both or neither')
        if self.budget is not None and not 0 < self.budget < float("inf"):
            raise InputError(f"budget must be a positive number of seconds: got {self.budget:g}.")
        if self.n_jobs is not None and self.n_jobs < 1:
            raise InputError(f"n_jobs must be 1 or more, or None for one process per core: got {self.n_jobs}.")

    @property
    def choice(self) -> str:
        """The key of the kept choice: "one_se" or "best"."""
        return CHOICES[self.select]

    @property
    def careful(self) -> str:
        """How the choice beside the best one is called: "1-SE", or "within 1%"."""
        return "1-SE" if self.within is None else f"within {100 * self.within:.3g}%"

    def wants(self, method: str) -> bool:
        """Whether a candidate (by its slug) is among those asked for."""
        return self.methods is None or method in self.methods

    def described(self, methods: list[str], splits_by: str = "") -> list[str]:
        """The plan in sentences, said before the work starts; `methods` are the names of the candidates.

        splits_by is "group", "time" or "", what decides the splits (TablePlan.splits_by).
        """
        folds = {
            "group": f"{self.folds} held-out folds of whole groups",
            "time": f"{self.folds} later periods by models fitted on the rows before",
        }.get(splits_by, f"{self.folds} held-out folds")
        sentences = [
            f"Plan: {', '.join(methods)}; each scored on {folds}; λ, l1_ratio and keep are chosen inside "
            f"each training fold by {self.inner_folds}-fold cross-validation; seed {self.seed}."
        ]
        return sentences if find_spec("torch") else [*sentences, NO_TORCH]

    def check(self, plan: TablePlan) -> None:
        """Refuse factors and bounds of columns that are no inputs."""
        names = {column.name for column in plan.kept}
        for what, given in (("penalty factor", self.factors), ("bound", self.bounds)):
            for name in given:
                if name not in names:
                    raise InputError(f"There is a {what} for {name!r}, which is no input of {plan.name}.")
        for name, factor in self.factors.items():
            if not 0 <= factor < float("inf"):
                raise InputError(f"The penalty factor of {name!r} is {factor:g}; a number ≥ 0 was expected.")
        free = [name for name, factor in self.factors.items() if factor == 0]
        if self.max_features is not None and len(free) > self.max_features:
            raise InputError(
                f"At most {self.max_features} inputs were asked for, but {len(free)} have the penalty factor 0 and are never "
                "left out."
            )
        for name, (low, high) in self.bounds.items():
            if not low <= 0 <= high:
                raise InputError(
                    f"The bounds of {name!r} are {low:g} and {high:g}; low ≤ 0 ≤ high was expected, so that an input can be "
                    "left out."
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
            lambdas=(0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001, 0.00001),
            keeps=(0.3, 0.5, 0.7, 0.8, 0.9, 0.95),
            l1_lambdas=(0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001, 0.00003),
            l1_keeps=(0.5, 0.8),
            seeds=5,
        ),
    },
}


def options_for(effort: str = "normal", **given: Any) -> Options:
    """The options of an effort, "quick", "normal" or "thorough", with those given instead of its own."""
    if effort not in EFFORTS:
        raise InputError(f"The effort is one of {', '.join(EFFORTS)}: got {effort!r}.")
    return Options(**{**EFFORTS[effort], **given})
