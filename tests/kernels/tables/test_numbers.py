"""Text of numbers: the compiled parser against `float`, also where two float64 are about equally near."""

import random
from fractions import Fraction

import numpy as np
import pytest

from shrinkwise import kernels

reference, compiled = kernels.DISPATCH["numbers_of_text"]
needs_library = pytest.mark.skipif(not kernels.status()["available"], reason=str(kernels.status()["reason"]))
ODD = ["", "0", "-0.0", "00012.50", "1.", ".5", "+1", "nan", "inf", " 1", "1 ", "1e", "--1", "0e9999", "1e-81", "1e101"]
ODD += [
    "9007199254740992.9999",
    "18446744073709551615e-100",
    "123456789012345678",
    "1234567890123456789012",
    "0." + "0" * 30 + "7",
]


def cell(rng: random.Random) -> str:
    """A number as programs write it, an integer of up to 64 bits, or text that may be no number."""
    kind, x = rng.randrange(5), rng.choice([-1, 1]) * rng.random() * 10.0 ** rng.randint(-70, 70)
    if kind == 0:
        return repr(x) if rng.random() < 0.5 else f"{x:.{rng.randint(0, 18)}e}"
    if kind == 1:
        return str(rng.getrandbits(rng.randint(1, 64)))
    if kind == 2:
        return f"{rng.uniform(-1000, 1000):.{rng.randint(0, 17)}f}"
    return f"{rng.getrandbits(rng.randint(40, 63))}e{rng.randint(-30, 30)}" if kind == 3 else rng.choice(ODD)


@needs_library
def test_the_compiled_parser_gives_the_nearest_float64():
    rng, undecided = random.Random(0), 0
    for case in range(4000):
        rows = [[cell(rng) for _ in range(3)] for _ in range(1 + case % 2)]
        wanted = [rng.random() < 0.7 for _ in range(3)]
        end = rng.choice(["\n", "\r\n"])
        text = (end.join(map(";".join, rows)) + rng.choice([end, ""])).encode()
        expected, found = reference(text, ";", wanted), compiled(text, ";", wanted)
        if found is None and expected is not None:
            undecided += 1
            assert any(is_almost_a_half(c) for row in rows for c, w in zip(row, wanted, strict=True) if w)
        elif found is None or expected is None:
            assert found is expected
        else:
            assert (
                found[0].view(np.uint64).tolist() == expected[0].view(np.uint64).tolist()
            )  # NaN and the sign of 0 too
            assert found[1].tolist() == expected[1].tolist()
    assert 0 < undecided < 200


def is_almost_a_half(cell: str) -> bool:
    """Whether a number is within 2^-60 of the middle of two float64, relative to it."""
    exact, near = (Fraction(cell), float(cell)) if cell else (Fraction(0), 0.0)
    middles = [(Fraction(near) + Fraction(np.nextafter(near, to))) / 2 for to in (-np.inf, np.inf)]
    return bool(exact) and min(abs(exact - middle) for middle in middles) <= abs(exact) / 2**60


@needs_library
def test_numbers_halfway_between_two_float64_are_not_decided():
    for half in (2**53 + 1, 2**60 + 2**7, 3 * 2**55 + 2**3):
        assert is_almost_a_half(str(half))
        assert compiled(f"1,{half}\n".encode(), ",", (True, True)) is None
        assert compiled(f"1,{half + 1}\n".encode(), ",", (True, True))[0][1, 0] == float(half + 1)


@pytest.mark.parametrize("which", [0, pytest.param(1, marks=needs_library)])
@pytest.mark.parametrize(
    "text",
    [
        b"1,2\n3\n",
        b"1,2\n\n3,4\n",
        b"1,2,3\n",
        b"1,2\n3,4,\n",
        b"1;2\n",
        b"1,0x2\n",
        b"1,1e99999\n",
        b"1,2\r3,4\n",
        b"",
    ],
)
def test_what_is_no_table_of_numbers_is_refused(which, text):
    assert kernels.DISPATCH["numbers_of_text"][which](text, ",", (True, True)) is None
    assert kernels.DISPATCH["numbers_of_text"][which](b"1,2\n,4", ",", (True, True))[1].tolist() == [1, 0]
    assert kernels.DISPATCH["numbers_of_text"][which](b"1\n\n2\n", ",", (True,)) is None
