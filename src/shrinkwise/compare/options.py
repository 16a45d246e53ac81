"""What a comparison is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib.util import find_spec

NO_TORCH = 'Networks are left out because PyTorch is not installed: pip install "shrinkwise[torch]" adds them.'
CHOICES = {"1se": "one_se", "best": "best"}


@dataclass(frozen=True)
class NetworkOptions:
    """The small network: one hidden layer of ReLU units, trained by Adam with a cosine schedule, no early stopping.

    Parameters
    ----------
    hidden : int
        Units of the hidden layer.
    steps : int
        Steps of Adam, each on `batch_size` rows (all rows where there are fewer).
    learning_rate : float
        Its value at the first step; it falls to 0 along half a cosine.
    lambdas : tuple of float, decreasing
        Strengths tried for L2 on the weights (biases are not penalised).
    keeps : tuple of float, increasing
        Probabilities of keeping a unit tried for dropout, of the hidden units alone and of the inputs too.
    """

    hidden: int = 32
    steps: int = 400
    learning_rate: float = 0.03
    batch_size: int = 256
    lambdas: tuple[float, ...] = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
    keeps: tuple[float, ...] = (0.5, 0.7, 0.9)


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
    select : "1se" or "best"
        Which choice the kept model makes: the strongest regularization within one standard error, or the best.
    n_lambdas : int
        Length of the grid of λ.
    l1_ratios : tuple of float
        Mixtures tried for the elastic net.
    network : NetworkOptions or None
        None leaves the networks out.
    n_jobs : int or None
        Processes; None takes one per core. The results do not depend on it.
    """

    folds: int = 5
    inner_folds: int = 5
    seed: int = 0
    select: str = "1se"
    n_lambdas: int = 50
    l1_ratios: tuple[float, ...] = (0.1, 0.5, 0.9)
    network: NetworkOptions | None = field(default_factory=NetworkOptions)
    n_jobs: int | None = None

    def __post_init__(self):
        if self.select not in CHOICES:
            raise ValueError(f'select must be "1se" or "best": got {self.select!r}')

    @property
    def choice(self) -> str:
        """The key of the kept choice: "one_se" or "best"."""
        return CHOICES[self.select]

    def without_missing_extras(self) -> Options:
        """These options, with the networks left out where PyTorch is not installed."""
        return self if find_spec("torch") else replace(self, network=None)

    def described(self) -> list[str]:
        """The plan in sentences, said before the work starts."""
        models = "4 linear models" + (", 3 networks" if self.network else "")
        sentences = [
            f"Plan: {models} and boosted trees, each scored on {self.folds} held-out folds; λ, l1_ratio and keep are chosen "
            f"inside each training fold by {self.inner_folds}-fold cross-validation; seed {self.seed}."
        ]
        return sentences if find_spec("torch") else [*sentences, NO_TORCH]
