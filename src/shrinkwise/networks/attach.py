"""`attach`: two lines that make any torch optimizer minimise L(θ) + Σ_k λ_k f_k(θ_k), with exact zeros."""

from __future__ import annotations

import math
import warnings

from torch import nn

from shrinkwise.penalties import Penalty

from .certificate import Certificate, certify
from .normal_map import NormalMap
from .optimizers import arm, check_optimizer, disarm, stepper_of
from .report import Report, describe
from .rules import Chosen, Selection, select
from .stepper import Stepper, Term


def attach(
    optimizer, model: nn.Module, penalty, *, method: str = "normal_map", threshold=None, max_norm=None
) -> Regularization:
    """Make `optimizer` minimise the loss plus a penalty on the model's weights. The training loop stays as it is.

    The loss is whatever is backpropagated; λ f adds to it as written, once a step, however often gradients are accumulated
    or scaled. Weights that the penalty removes are exactly 0.0. Before the first step nothing changes.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Any but LBFGS and SparseAdam. It keeps its class name, its state_dict grows by one tensor a penalised parameter, and
        its copies and pickles keep the penalty.
    model : nn.Module
    penalty : Penalty, Rule or list of them
        A bare penalty is for all weights (no biases, normalisations or embeddings); see `rule`.
    method : "normal_map"
        The optimizer trains a latent z with ∇L(w) + (λ/t)(z − w), the model runs on w = prox_{t f}(z); what it settles on
        satisfies 0 ∈ ∇L(w) + λ ∂f(w). That a given optimizer settles is seen by the certificate, not promised.
    threshold : float > 0, optional
        t, in units of the weights for L1. By default the mean of |w| (of ‖w_g‖/c_g for groups) of each tensor at its first
        step, raised where the steps are long against it. It decides the way, not the goal.
    max_norm : float > 0, optional
        Clips the norm of the gradient of the whole sum over all parameters. Clipping the gradients of the loss before the
        step, as is usual, weakens the loss against the penalty: λ is then larger than written.

    Returns a `Regularization`: `report()`, `zeros()`, `value()`, `set_lam()`, `certificate()`, `detach()`.

    Notes: an optimizer's weight decay acts on w as it did before. Weights changed from outside between steps are taken
    over with a warning, except through ``param.data``, which torch does not count. Weights averaged over steps (EMA) are
    not exactly zero. The learning rate should decay to zero for the last digits of the certificate.

    References: Qiu, Jiang, Milzarek, arXiv 2305.05828.

    >>> import torch
    >>> import shrinkwise as sw
    >>> model = nn.Linear(3, 1)
    >>> reg = sw.attach(torch.optim.Adam(model.parameters()), model, sw.L1(1e-4))
    """
    _check(optimizer, model, method, {"threshold": threshold, "max_norm": max_norm})
    selection = select(model, penalty)
    terms = _terms(optimizer, selection)
    for unused in selection.unused:
        warnings.warn(f"this rule matches nothing: {unused}", stacklevel=2)
    arm(optimizer, Stepper(terms, threshold, max_norm, selection.left))
    return Regularization(optimizer, model)


def attached(optimizer, model: nn.Module | None = None) -> Regularization:
    """The `Regularization` of an optimizer, for one that was copied or unpickled."""
    if stepper_of(optimizer) is None:
        raise ValueError("this optimizer has no penalty attached; call sw.attach(optimizer, model, penalty)")
    return Regularization(optimizer, model)


class Regularization:
    """What `attach` did to an optimizer, and what can be asked of it."""

    def __init__(self, optimizer, model: nn.Module | None):
        self.optimizer = optimizer
        self.model = model
        self._stepper = stepper_of(optimizer)

    @property
    def terms(self) -> list[Term]:
        """The penalised parameters, weights in place even if a step was interrupted."""
        self._stepper.undo()
        return self._stepper.terms

    def report(self) -> Report:
        """What is penalised, by what, how much of it is zero, what is not penalised and why. Prints as a table."""
        return describe(self.terms, self._stepper, self.optimizer)

    def value(self) -> float:
        """Σ_k λ_k f_k at the current weights."""
        return sum(float(term.map.penalty.value(term.param.detach())) for term in self.terms)

    def zeros(self) -> dict[str, int]:
        """Number of weights that are exactly 0.0, by name of the penalised parameter."""
        return {term.name: int((term.param == 0).sum()) for term in self.terms}

    def set_lam(self, lam: float, *, rule: int | None = None) -> None:
        """Give λ another value from the next step on; no weight moves at once. A sum's λ multiplies all its terms.

        Parameters
        ----------
        lam : float ≥ 0
        rule : int, optional
            Number of the rule as in the report, from 1; needed when there are several.
        """
        numbers_used = sorted({term.rule + 1 for term in self._stepper.terms})
        if rule is None and len(numbers_used) > 1:
            raise ValueError(f"there are several penalties; say which one with rule= (one of {numbers_used})")
        chosen = [term for term in self._stepper.terms if rule is None or term.rule + 1 == rule]
        if not chosen:
            raise ValueError(f"rule {rule} penalises nothing; expected one of {numbers_used}")
        for term in chosen:
            if term.map.has_fixed:
                raise ValueError(
                    f"the λ of {term.map.penalty!r} is fixed in part and cannot be changed during training"
                )
            term.map.unit.with_lam(lam)  # checks it
        for term in chosen:
            term.map.lam = float(lam)

    def certificate(self, loss_fn, loader=None, *, draws: int | None = None) -> Certificate:
        """How nearly 0 ∈ ∇L(w) + λ ∂f(w) holds, tensor by tensor, from gradients over all the data.

        Parameters
        ----------
        loss_fn : callable
            With a loader ``loss_fn(model(x), y)``, the mean loss of a batch; without one ``loss_fn()``, the mean loss over
            all data as a tensor, not yet backpropagated.
        loader : iterable of (x, y), optional
            All the data, once.
        draws : int, optional
            Passes to average over; by default 1, and 8 where the model has dropout layers in training mode.

        Normalisations use the statistics of each batch as in training (give batches of the training size) and keep their
        running averages; gradients, weights, buffers and the random state are left as they were.
        """
        return certify(self._need_model(), self.optimizer, self.terms, loss_fn, loader, draws)

    def detach(self) -> None:
        """Stop penalising. The weights stay as they are; zeros will move again when training goes on."""
        if stepper_of(self.optimizer) is not self._stepper:
            raise ValueError("this penalty is detached already")
        self._stepper.forget(self.optimizer)
        disarm(self.optimizer)

    def _need_model(self) -> nn.Module:
        if self.model is None:
            raise ValueError("the model is needed here: sw.networks.attached(optimizer, model)")
        return self.model

    def __str__(self) -> str:
        return str(self.report())

    __repr__ = __str__


def _check(optimizer, model, method: str, numbers: dict) -> None:
    if method != "normal_map":
        raise ValueError(f"expected method='normal_map', the only one there is, got {method!r}")
    for name, value in numbers.items():
        if value is not None and not (isinstance(value, (int, float)) and 0 < value < math.inf):
            raise ValueError(f"expected {name} as a number > 0 or None, got {value!r}")
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected the model as a torch.nn.Module, got {type(model).__name__}")
    check_optimizer(optimizer)
    if stepper_of(optimizer) is not None:
        raise ValueError(
            "this optimizer has a penalty attached already; detach() it first, or give all rules in one call"
        )


def _terms(optimizer, selection: Selection) -> list[Term]:
    """A term for each chosen parameter that the optimizer trains; frozen and empty ones go to what is left out."""
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    terms = []
    for c in selection.chosen:
        if not c.param.numel():
            selection.left.append((c.name, "empty"))
        elif id(c.param) not in trained and not c.param.requires_grad:
            selection.left.append((c.name, "frozen"))
        elif id(c.param) not in trained:
            raise ValueError(
                f"the optimizer does not train {c.name}; give attach the part of the model that it trains, "
                f'or leave the parameter out with sw.rule(None, names="{c.name}")'
            )
        else:
            terms.append(Term(c.name, c.param, _normal_map(c), c.rule, c.note))
    if not terms:
        reasons = "; ".join(f"{name}: {why}" for name, why in selection.left[:5])
        raise ValueError(f"no parameter is left to penalise ({reasons or 'the model has none'})")
    return terms


def _normal_map(chosen: Chosen) -> NormalMap:
    # anchor="initial" means the weights at this moment.
    penalty: Penalty = chosen.penalty.resolve(chosen.param.detach())
    try:
        fits = penalty.prox(chosen.param.detach(), 1.0).shape == chosen.param.shape
        reason = "its weights have another shape"
    except (ValueError, RuntimeError) as error:
        fits, reason = False, str(error).splitlines()[0]
    if not fits:
        shape = tuple(chosen.param.shape)
        raise ValueError(f"{penalty!r} does not fit {chosen.name} of shape {shape}: {reason}")
    return NormalMap(penalty, chosen.param.shape)
