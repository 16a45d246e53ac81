"""What a law of the battery is: a test over every penalty that it applies to, with a reason for every one that it does not."""

import functools

import numpy as np
import pytest
from hypothesis import strategies as st

from laws.penalties_under_test import PENALTIES, REASONS, SHAPE

torch = pytest.importorskip("torch")

KINDS = {
    "numpy-float64": (np.float64, np.asarray),
    "numpy-float32": (np.float32, np.asarray),
    "torch-float64": (np.float64, torch.from_numpy),
    "torch-float32": (np.float32, torch.from_numpy),
}
# law: (number of kinds it runs on, {penalty: reason why not, or ""})
LAWS: dict[str, tuple[int, dict[str, str]]] = {}


def _point(raw: bytes, scale: float):
    signed = np.frombuffer(raw, np.int8).astype(float)
    return (np.sign(signed) * (abs(signed) % 17) / 8 * scale).reshape(SHAPE)


# Multiples of 1/32 meet zeros, ties and thresholds often, and are exact in float32.
points = st.builds(_point, st.binary(min_size=12, max_size=12), st.sampled_from([1.0, 0.25, 3.0]))
steps = st.sampled_from([0.25, 1.0, 3.0])
metrics = st.builds(lambda raw: np.array([0.0, 0.3, 1.0, 4.0])[np.frombuffer(raw, np.uint8) % 4].reshape(SHAPE),
                    st.binary(min_size=12, max_size=12))  # fmt: skip


def tolerance(dtype, scale=1.0):
    """A few hundred roundings at the size of the numbers involved."""
    return 300 * np.finfo(dtype).eps * max(float(scale), 1.0)


def as_numpy(x):
    return x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)


def in_kinds(*values):
    """The arrays in every kind: (kind, dtype, arrays)."""
    for kind, (dtype, build) in KINDS.items():
        yield kind, dtype, *(build(np.array(v, dtype=dtype)) for v in values)


def violation(penalty, w, g, step):
    """The penalty's violation; where that is a prox residual, at this step."""
    return penalty.prox_residual(w, g, step) if penalty.by_residual else penalty.violation(w, g)


# --- what a law may need of a penalty: "" or the reason why it is not there --------------------------------------------
@functools.cache
def _samples(name):
    rng = np.random.default_rng(0)
    free = [scale * rng.normal(size=SHAPE) for scale in (0.05, 0.5, 3.0)]
    return [*free, *(abs(w) for w in free), *(PENALTIES[name]().prox(w, 0.5) for w in free)]


def convex(name):
    """The penalty is convex."""
    return "" if PENALTIES[name]().convex else "not convex, or not known to be"


def nonconvex(name):
    """The penalty is not known to be convex."""
    return "convex" if PENALTIES[name]().convex else ""


def finite(name):
    """The penalty is nowhere infinite."""
    values = [PENALTIES[name]().value(w) for w in _samples(name)]
    return "" if np.isfinite(values).all() else "a constraint: the value is ∞ outside, the prox projects at any step"


def conjugate(name):
    """The penalty has a conjugate in closed form."""
    return convex(name) or _sentence(lambda: PENALTIES[name]().conjugate(np.ones(SHAPE)))


def array_step(name):
    """The penalty has a prox in a diagonal metric."""
    return _sentence(lambda: PENALTIES[name]().prox(np.ones(SHAPE), np.linspace(0.1, 2.0, 12).reshape(SHAPE)))


def even(name):
    """The penalty is an even function."""
    penalty = PENALTIES[name]()
    same = all(np.isclose(penalty.value(-w), penalty.value(w), rtol=1e-12) for w in _samples(name))
    return "" if same else "not an even function"


def least_at_zero(name):
    """Zero is a minimiser of the penalty."""
    penalty = PENALTIES[name]()
    lowest = penalty.value(np.zeros(SHAPE))
    return "" if all(lowest <= penalty.value(w) for w in _samples(name)) else "zero is not its minimiser"


def symmetric(name):
    """The penalty treats all entries alike."""
    penalty, order = PENALTIES[name](), np.random.default_rng(1).permutation(12)
    same = all(
        np.isclose(penalty.value(w.ravel()[order].reshape(SHAPE)), penalty.value(w), rtol=1e-12) for w in _samples(name)
    )
    return "" if same else "it does not treat all entries alike"


def distance(name):
    """The violation is a distance to the subdifferential."""
    penalty = PENALTIES[name]()
    fits = penalty.convex or not penalty.by_residual
    return "" if fits else "its violation is a prox residual of a nonconvex function: stationary points can have one"


def acts_by_lam(name):
    """λ = 0 switches the penalty off."""
    penalty = PENALTIES[name]().with_lam(0.0)
    off = all(penalty.value(w) == 0 for w in _samples(name))
    return "" if off else "λ = 0 does not switch it off: a constraint, or a fixed term"


def piecewise(name):
    """The penalty says what piecewise quadratic it is."""
    return "" if PENALTIES[name]().pieces(np.ones(SHAPE)) is not None else "not a piecewise quadratic of each entry"


def _sentence(call) -> str:
    """The penalty's own sentence where it has no such member."""
    try:
        call()
    except TypeError as error:
        return str(error)
    return ""


def law(*needs, kinds=1):
    """Run a test for every penalty with all that it needs, and remember why the others are left out."""

    def decorate(test):
        reasons = {
            name: REASONS.get((name, test.__name__)) or next(filter(None, (need(name) for need in needs)), "")
            for name in PENALTIES
        }
        LAWS[test.__name__] = (kinds, reasons)
        cases = pytest.mark.parametrize("name", [name for name, reason in reasons.items() if not reason])
        return pytest.mark.one_in(2)(cases(test))

    return decorate
