"""The detectors. To add one: a file with ``detect(subject) -> findings`` and a line here."""

from __future__ import annotations

from .decay import conventions, in_the_gradient, scale_invariant, timescale
from .dropout import (
    in_evaluation,
    keep_for_drop,
    monte_carlo,
    never_called,
    off_after_eval,
    recomputed,
    recurrent,
    rescaling,
    zero,
)
from .modes import asleep, training, validation
from .parameters import frozen, tied, twice, unoptimized, unregistered, zeroed
from .penalties import average, clipping, l1_in_loss, on_scale_invariant, without_gradient
from .penalties import twice as regularized_twice
from .placement import axis, before_norm, in_a_row, on_output, one_hot

DETECTORS = (
    *(conventions, in_the_gradient, timescale, scale_invariant),
    *(unoptimized, unregistered, twice, zeroed, frozen, tied),
    *(l1_in_loss, without_gradient, regularized_twice, on_scale_invariant, clipping, average),
    *(in_evaluation, off_after_eval, never_called, zero, recurrent, keep_for_drop, monte_carlo, recomputed, rescaling),
    *(before_norm, on_output, in_a_row, one_hot, axis),
    *(validation, training, asleep),
)
