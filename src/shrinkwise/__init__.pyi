"""The names of `shrinkwise` for type checkers; at run time `__init__.py` resolves them on first use."""

from . import cli as cli
from . import compare as compare
from . import dropout as dropout
from . import figures as figures
from . import kernels as kernels
from . import linear as linear
from . import models as models
from . import networks as networks
from . import optim as optim
from . import penalties as penalties
from . import report as report
from . import runs as runs
from . import selection as selection
from . import service as service
from . import streaming as streaming
from . import tables as tables
from .dropout.layers import *  # noqa: F403
from .linear import PenalizedClassifier as PenalizedClassifier
from .linear import PenalizedClassifierCV as PenalizedClassifierCV
from .linear import PenalizedCox as PenalizedCox
from .linear import PenalizedCoxCV as PenalizedCoxCV
from .linear import PenalizedRegressor as PenalizedRegressor
from .linear import PenalizedRegressorCV as PenalizedRegressorCV
from .linear import adaptive_weights as adaptive_weights
from .linear import knockoffs as knockoffs
from .linear import path as path
from .linear import stability_selection as stability_selection
from .models import load as load
from .networks import InputSelector as InputSelector
from .networks import NetworkPath as NetworkPath
from .networks import attach as attach
from .networks import compact as compact
from .networks import rule as rule
from .networks.audit import audit as audit
from .penalties import *  # noqa: F403
from .service import fit as fit
from .streaming import rows as rows

__version__: str
