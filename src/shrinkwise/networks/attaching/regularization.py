"""The handle of an attached penalty: reports, certificates, λ, averages, polishing, refitting."""

from __future__ import annotations

from torch import nn

from shrinkwise.networks.distributed.shards import reshard
from shrinkwise.networks.methods.normal_map import NormalMapStepper
from shrinkwise.networks.methods.support import SupportStepper
from shrinkwise.networks.step.arming import arm, disarm, stepper_of
from shrinkwise.networks.step.plan import StepOptions
from shrinkwise.networks.terms.block import blocks
from shrinkwise.networks.terms.term import Term

from .averaging import Average
from .certificate import Certificate, certify
from .polish import Polish, polish
from .report import Report, describe


class Regularization:
    """The handle that `attach` returns."""

    def __init__(self, optimizer, model: nn.Module | None):
        self.optimizer = optimizer
        self.model = model
        self._stepper = stepper_of(optimizer)

    @property
    def method(self) -> str:
        """How the penalty acts: "normal_map", "metric" or "gradient"; "refit" while the support is trained without it."""
        return self._stepper.method

    @property
    def terms(self) -> list[Term]:
        """The penalised parameters, with their weights restored even if a step was interrupted."""
        self._stepper.undo()
        self._stepper.adopt(self.optimizer)
        if self.model is not None:
            reshard(self.model)
            own = {id(p) for p in self.model.parameters()}
            gone = [term.name for term in self._stepper.terms if id(term.param) not in own]
            if gone:
                raise ValueError(
                    f"{gone[0]} is no longer a parameter of the model because it was replaced after attach; "
                    "create the optimizer for the new parameters and attach again"
                )
        return self._stepper.terms

    # --- what is so ------------------------------------------------------------------------------------
    def report(self) -> Report:
        """The penalised parameters with their penalties and zeros, and the other parameters with the reason. Prints as
        a table."""
        return describe(self.terms, self._stepper, self.optimizer, self.model)

    def summary(self) -> str:
        """One sentence: how many weights are exactly zero, in how many tensors, the method, and the current penalty."""
        report = self.report()
        whole = f", {report.zero_groups} of {report.groups} groups" if report.groups else ""
        count = len(report.tensors)
        return (
            f"{report.zeros} of {report.size} penalised weights ({100 * report.zeros / max(report.size, 1):.1f} %){whole} "
            f"in {count} {'tensor' if count == 1 else 'tensors'} are exactly zero after {report.steps} steps of "
            f"{type(self.optimizer).__name__} with method {self.method!r}; the penalty is {report.value:.6g}."
        )

    def value(self) -> float:
        """Σ_k λ_k f_k at the current weights."""
        return sum(block.value() for block in blocks(self.terms))

    def zeros(self) -> dict[str, int]:
        """Number of weights that are exactly 0.0, by name of the penalised parameter."""
        return {term.name: int((term.whole() == 0).sum()) for term in self.terms}

    # --- what is changed -------------------------------------------------------------------------------
    def set_lam(self, lam, *, rule: int | None = None) -> None:
        """Change λ from the next step on, without changing weights immediately. The λ of a sum multiplies all its
        terms.

        Parameters
        ----------
        lam : float ≥ 0, or a tensor of them
            A tensor has one λ per weight for L1, L2 and ElasticNet (the shape of the weights), or one per group for
            GroupLasso.
        rule : int, optional
            Number of the rule as in the report, from 1; required if there are several.

        A schedule continues to multiply it.
        """
        self._check_attached()
        if self.method == "refit":
            raise ValueError("The penalty has been off since refit(), so λ has no effect; attach again to penalise")
        numbers_used = sorted({term.rule + 1 for term in self._stepper.terms})
        if rule is None and len(numbers_used) > 1:
            raise ValueError(f"There are several penalties; specify one with rule= (one of {numbers_used})")
        chosen = [term for term in self._stepper.terms if rule is None or term.rule + 1 == rule]
        if not chosen:
            raise ValueError(f"Rule {rule} penalises no parameter; expected one of {numbers_used}")
        for term in chosen:
            if term.map.has_fixed:
                raise ValueError(f"The λ of {term.map.penalty!r} is partly fixed and cannot be changed during training")
            try:
                term.map.checked(lam)
            except ValueError as error:
                raise ValueError(f"{term.name}: {error}") from None
        for term in chosen:
            term.map.set_lam(lam)

    def averaged(self, decay: float = 0.999) -> Average:
        """Start an exponential moving average of the weights that keeps exact zeros; see `Average`.

        Parameters
        ----------
        decay : float between 0 and 1
            The share of the average kept in each step: it covers about the last 1/(1 − decay) steps.
        """
        if not isinstance(self._stepper, NormalMapStepper):
            raise ValueError(
                f"Method {self.method!r} has no latents, and an average of weights has no exact zeros; use "
                "method='normal_map'"
            )
        self._check_attached()
        return Average(self._stepper, self.optimizer, self._need_model(), decay)

    def polish(self, loss_fn, loader=None, steps: int = 100) -> Polish:
        """After training, improve the stationarity by proximal gradient steps on all data (FISTA with restart).

        Parameters
        ----------
        loss_fn, loader : as for `certificate`
            All data, as in `certificate`.
        steps : int ≥ 1
            Each step takes one pass for the gradient and one or more for the loss.

        The result is the point with the smallest L + λf, which is never above the initial value. Dropout is off and
        normalisations use their running statistics, so L is that of the model in evaluation. All parameters of the
        optimizer are updated. For a network this may act as further training; compare F before and after. Returns a
        `Polish`.
        """
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ValueError(f"Expected steps to be an integer ≥ 1, got {steps!r}")
        self._check_attached()
        if self.method == "refit":
            raise ValueError("There are no penalised weights to polish, because refit() switched the penalty off")
        done = polish(self._need_model(), self.optimizer, self.terms, loss_fn, loader, steps)
        if isinstance(self._stepper, NormalMapStepper):
            self._stepper.reseed(self.optimizer)
        return done

    def refit(self) -> None:
        """Switch the penalty off; from now on the training loop trains only the support, and zeros stay exactly zero.

        A few such epochs undo the shrinkage by the penalty; they may be the last third of one training run. The
        optimizer's weight decay continues. Call it again before loading a checkpoint that was saved after it.
        """
        self._check_attached()
        terms, old = self.terms, self._stepper
        old.forget(self.optimizer)
        for term in terms:
            term.map.factor = 0.0
        disarm(self.optimizer)
        self._stepper = SupportStepper(terms, StepOptions(), old.left, old.waiting)
        self._stepper.notes = [*old.notes, "the penalty is off and only the support is trained"]
        arm(self.optimizer, self._stepper)

    def certificate(self, loss_fn, loader=None, *, draws: int | None = None) -> Certificate:
        """How closely 0 ∈ ∇L(w) + λ ∂f(w) holds, tensor by tensor, from gradients over all data.

        Parameters
        ----------
        loss_fn : callable
            With a loader ``loss_fn(model(x), y)``, the mean loss of a batch; without one ``loss_fn()``, the mean loss over
            all data as a tensor, not yet backpropagated.
        loader : iterable of (x, y), optional
            All the data, once.
        draws : int, optional
            Number of passes to average; by default 1, or 8 if the loss is random in training mode (dropout,
            stochastic depth, noise).

        Normalisations are frozen at their running statistics; scale invariance is tested with the statistics of the
        first batch. Gradients, weights, buffers and the random state are unchanged.
        """
        return certify(self._need_model(), self.optimizer, self.terms, loss_fn, loader, draws)

    def compact(self, example):
        """A smaller model without the zeros, and the comparison of its outputs with the original; see `compact`."""
        from shrinkwise.networks.compact import compact

        self.terms  # noqa: B018  the weights in place, even if a step was interrupted
        return compact(self._need_model(), example)

    def detach(self) -> None:
        """Remove the penalty. The weights do not change; zeros will move when training continues."""
        self._check_attached()
        self._stepper.forget(self.optimizer)
        self._stepper.notes.append("the penalty was detached")
        disarm(self.optimizer)

    def _check_attached(self) -> None:
        if stepper_of(self.optimizer) is not self._stepper:
            raise ValueError("This penalty is already detached")

    def _need_model(self) -> nn.Module:
        if self.model is None:
            raise ValueError("This needs the model; use sw.networks.attached(optimizer, model)")
        return self.model

    def __str__(self) -> str:
        return str(self.report())

    __repr__ = __str__
