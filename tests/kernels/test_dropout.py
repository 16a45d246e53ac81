"""The compiled dropout against the specification, on every instruction set this processor has, element for element."""

import math

import pytest

torch = pytest.importorskip("torch")

from shrinkwise import kernels  # noqa: E402
from shrinkwise.dropout import bits  # noqa: E402
from shrinkwise.kernels import pool  # noqa: E402
from shrinkwise.kernels.networks import dropout as kernel  # noqa: E402

pytestmark = pytest.mark.skipif(not kernels.status()["available"], reason=kernels.status()["reason"])

TYPES = {torch.float32: kernel.F32, torch.float64: kernel.F64, torch.bfloat16: kernel.BF16, torch.float16: kernel.F16}
NAMES = {kernel.PLAIN: "plain C", kernel.NEON: "NEON", kernel.AVX2: "AVX2", kernel.AVX512: "AVX-512"}
KEEPS = [0.5, 0.3, 0.9, 1 - (300 + 0.25) / 65536, 1e-20, 2**-47, 1 - 2**-40]
SEEDS = [(0, 0), (-5, 2**40 + 3), (2**62 + 123, -1)]
RANGES = [(0, 1), (0, 127), (0, 128), (0, 129), (0, 3000), (5, 3000), (63, 300), (64, 300), (1000, 77), (4097, 129)]


def call(operation, x, out, *, keep, seed=3, stream=0, first=0, other=None, level=0, threads=1):
    """The kernel on tensors; returns the instruction set that ran."""
    return kernel.compiled()(
        operation + TYPES.get(x.dtype, 0),
        *(x.numel(), first, x.data_ptr(), out.data_ptr(), 0 if other is None else other.data_ptr()),
        *(0 if other is None else other.numel(), seed, stream, keep, level, threads),
        kernel.openmp() if threads > 1 else 0,
    )


@pytest.fixture(params=[kernel.PLAIN, kernel.NEON, kernel.AVX2, kernel.AVX512], ids=NAMES.get)
def level(request):
    x = torch.zeros(1)
    ran = call(kernel.SCALE, x, x.clone(), keep=0.5, level=request.param)
    if ran != request.param:
        pytest.skip(f"this processor has no {NAMES[request.param]}")
    return request.param


def kept(n, first, keep, seed=3, stream=0):
    return bits.keep_mask(first + n, keep=keep, seed=seed, stream=stream)[first:]


@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize(("seed", "stream"), SEEDS)
def test_the_bits_are_those_of_the_specification(level, keep, seed, stream):
    for first, n in RANGES:
        out = torch.full((n + 9,), 7, dtype=torch.uint8)
        call(kernel.MASK, out[:n], out, keep=keep, seed=seed, stream=stream, first=first, level=level)
        assert torch.equal(out[:n].bool(), kept(n, first, keep, seed, stream))
        assert (out[n:] == 7).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("in_place", [False, True])
def test_every_operation_equals_torch_in_every_type(level, dtype, in_place):
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    generator = torch.Generator().manual_seed(0)
    for first, n in RANGES:
        x, residual, bias = (torch.randn(k, generator=generator).mul(3).to(dtype) for k in (n, n, 37))
        for keep in (0.3, 0.9):
            mask, scale = kept(n, first, keep), 1 / keep
            scaled = torch.where(mask, x.to(wide) * scale, 0.0)
            sums = torch.relu(x.to(wide) + bias.to(wide).repeat(n // 37 + 1)[:n])
            expected = {
                kernel.SCALE: (None, scaled),
                kernel.RESIDUAL: (residual, residual.to(wide) + scaled),
                kernel.BIAS_RELU: (bias, torch.where(mask, sums * scale, 0.0)),
                kernel.RELU_BACK: (residual, torch.where(residual > 0, x.to(wide) * scale, 0.0)),
            }
            for operation, (other, want) in expected.items():
                source = x.clone()
                out = source if in_place else torch.full((n + 5,), 9.0, dtype=dtype)
                call(operation, source, out, keep=keep, first=first, other=other, level=level)
                assert torch.equal(out[:n], want.to(dtype)), (operation, first, n, keep)
                assert (out[n:] == 9).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_every_half_precision_number_is_rounded_as_torch_does(level, dtype):
    x = torch.arange(2**16, dtype=torch.int32).to(torch.uint16).view(dtype)
    for keep in (0.3, 0.9, 1e-3):  # 1e-3: overflow to infinity, and subnormal numbers that become normal
        out, mask = torch.empty_like(x), kept(x.numel(), 0, keep)
        call(kernel.SCALE, x, out, keep=keep, level=level)
        torch.testing.assert_close(out, bits.apply_mask(x, mask, keep), rtol=0, atol=0, equal_nan=True)
        total = torch.empty_like(x)
        call(kernel.RESIDUAL, x.flip(0).contiguous(), total, keep=keep, other=x, level=level)
        want = (x.float() + torch.where(mask, x.flip(0).float() * (1 / keep), 0.0)).to(dtype)
        torch.testing.assert_close(total, want, rtol=0, atol=0, equal_nan=True)


def test_nan_passes_where_kept_and_is_zero_where_dropped(level):
    for dtype in TYPES:
        x, out = torch.full((500,), torch.nan, dtype=dtype), torch.empty(500, dtype=dtype)
        for operation, other in ((kernel.SCALE, None), (kernel.BIAS_RELU, torch.ones(500, dtype=dtype))):
            call(operation, x, out, keep=0.6, other=other, level=level)
            assert torch.equal(out.isnan(), kept(500, 0, 0.6))
            assert (out[~kept(500, 0, 0.6)] == 0).all()
        call(kernel.RELU_BACK, torch.ones_like(x), out, keep=0.5, other=x, level=level)
        assert (out == 2).all()  # torch's relu passes a gradient where its output is NaN


@pytest.mark.parametrize("first", [2**31 - 50, 2**32 - 7, 2**35 - 100, 2**40 + 3])
def test_elements_beyond_32_bits_use_their_own_bits(level, first):
    n, keep, seed, stream = 300, 1 - (300 + 0.5) / 65536, 11, 2**33 + 5
    numbers = torch.arange(first, first + n)
    words = torch.stack(bits.random_words(numbers // 8, seed, stream), -1)
    halves = words.gather(1, (numbers % 8 // 2)[:, None]).squeeze(1) >> 16 * (numbers % 2) & 0xFFFF
    further = torch.stack(bits.random_words(numbers // 4, seed, stream, tie=True), -1)
    further = further.gather(1, (numbers % 4)[:, None]).squeeze(1)
    threshold, rest = bits.drop_threshold(keep)
    out = torch.empty(n, dtype=torch.uint8)
    call(kernel.MASK, out, out, keep=keep, seed=seed, stream=stream, first=first, level=level)
    assert torch.equal(out.bool(), (halves > threshold) | ((halves == threshold) & (further >= rest)))


def test_ties_are_settled_on_every_instruction_set(level):
    n, keep = 2**20, 1 - (300 + 0.25) / 65536
    expected = kept(n, 0, keep)
    assert int((kept(n, 0, 1 - 301 / 65536) != kept(n, 0, 1 - 300 / 65536)).sum()) >= 8  # so many ties there are
    out = torch.empty(n, dtype=torch.uint8)
    call(kernel.MASK, out, out, keep=keep, level=level)
    assert torch.equal(out.bool(), expected)


@pytest.mark.parametrize("operation", [kernel.SCALE, kernel.BIAS_RELU, kernel.MASK])
def test_any_number_of_threads_and_any_cut_give_the_same_bits(operation):
    n = 70_001
    x, bias = torch.randn(n), torch.randn(331)
    results, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            assert pool.threads_for(n) == (threads if pool.openmp() else 1)
            out = torch.zeros(n)
            call(operation, x, out, keep=0.7, other=bias, threads=pool.threads_for(n))
            results.append(out)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
    if operation == kernel.SCALE:
        pieces = torch.zeros(n)
        for start in range(0, n, 997):
            call(operation, x[start : start + 997], pieces[start : start + 997], keep=0.7, first=start)
        assert torch.equal(results[0], pieces)


@pytest.mark.parametrize("dtype", TYPES)
def test_a_large_output_stored_past_the_caches_is_that_of_a_small_one(level, dtype):
    n = 2**23 // torch.empty(0, dtype=dtype).element_size() + 77  # 8 MB and a part of a block
    x = torch.linspace(-3, 3, n).to(dtype)
    out, mask = torch.full((n + 9,), 7, dtype=dtype), torch.empty(n, dtype=torch.uint8)
    call(kernel.SCALE, x, out, keep=0.7, level=level)
    call(kernel.MASK, mask, mask, keep=0.7, level=level)
    assert torch.equal(out[:n], bits.apply_mask(x, mask.bool(), 0.7))
    assert (out[n:] == 7).all()


def test_a_bias_of_any_length_is_repeated(level):
    for columns in (1, 2, 37, 128, 129, 1000):
        x, bias = torch.randn(13, columns), torch.randn(columns)
        out = torch.empty_like(x)
        call(kernel.BIAS_RELU, x, out, keep=0.6, first=columns, other=bias, level=level)
        mask = kept(x.numel(), columns, 0.6).view(x.shape)
        assert torch.equal(out, torch.where(mask, torch.relu(x + bias) * (1 / 0.6), 0.0))


def test_the_kept_fraction_is_exact_to_a_few_standard_errors():
    n = 2**22
    out = torch.empty(n, dtype=torch.uint8)
    for keep in (0.5, 0.9, 0.123456789):
        call(kernel.MASK, out, out, keep=keep, seed=77)
        assert abs(int(out.sum()) - n * keep) <= 5 * math.sqrt(n * keep * (1 - keep))


def thin_softmax(scores, *, keep, first=0, threads=1, step=None, visible=None):
    """The kernel's rows times their factors: what attention multiplies its values by."""
    rows, factors = scores.clone(), torch.empty(len(scores), 1)
    addresses = rows.data_ptr(), factors.data_ptr()
    pool_address = kernel.openmp() if threads > 1 else 0
    columns = scores.shape[1]
    shape = (*scores.shape, columns if step is None else step, columns if visible is None else visible)
    if not kernel.softmax()(*shape, first, *addresses, 3, 0, keep, threads, pool_address):
        pytest.skip("this processor has no AVX-512")
    return rows * factors


@pytest.mark.parametrize("columns", [1, 15, 16, 17, 127, 128, 129, 1000])
@pytest.mark.parametrize("spread", [0.0, 1.0, 60.0])
def test_rows_of_scores_become_thinned_softmax_weights(columns, spread):
    scores, first = torch.randn(7, columns, generator=torch.Generator().manual_seed(0)) * spread, 5
    mask = kept(scores.numel(), first, 0.7).view(scores.shape)
    expected = torch.where(mask, scores.double().softmax(-1) / 0.7, 0.0)
    got = thin_softmax(scores, keep=0.7, first=first)
    assert torch.equal(got == 0, ~mask | (got == 0) & (expected < 1e-37))
    rounding = 2**-23 * float(
        (scores.amax(1) - scores.amin(1)).max() + 4
    )  # of s − max, which exp turns into relative error
    torch.testing.assert_close(got.double(), expected, rtol=rounding, atol=1e-37)
    assert torch.equal(thin_softmax(scores, keep=0.7, first=first, threads=2), got)


def test_scores_that_are_no_numbers_do_what_softmax_does():
    for value in (torch.nan, torch.inf):
        scores = torch.zeros(3, 40)
        scores[1, 3] = value
        got = thin_softmax(scores, keep=0.7)
        assert got[1][kept(120, 0, 0.7).view(3, 40)[1]].isnan().all()
        assert got[[0, 2]].isfinite().all()
    scores = torch.zeros(2, 40)
    scores[0, 5:] = -torch.inf
    expected = torch.where(kept(80, 0, 0.7).view(2, 40), scores.softmax(-1) / 0.7, 0.0)
    torch.testing.assert_close(thin_softmax(scores, keep=0.7), expected)


@pytest.mark.parametrize(("columns", "step", "visible"), [(40, 40, 40), (300, 517, 20), (17, 300, 1), (600, 601, 595)])
@pytest.mark.parametrize("dtype", TYPES)
def test_rows_apart_in_the_draw_see_one_column_more_each(columns, step, visible, dtype):
    n_rows, first = 9, 5
    x = torch.randn(n_rows, columns, generator=torch.Generator().manual_seed(0)).to(dtype)
    mask = kept(n_rows * step, first, 0.7).view(n_rows, step)[:, :columns]
    mask = mask & (torch.arange(columns) < visible + torch.arange(n_rows)[:, None])
    shape = n_rows, columns, step, visible
    for threads in (1, 2):
        got = x.clone()
        pool_address = kernel.openmp() if threads > 1 else 0
        kernel.rows()(TYPES[dtype], *shape, first, got.data_ptr(), 3, 0, 0.7, threads, pool_address)
        assert torch.equal(got, bits.apply_mask(x, mask, 0.7))
    if dtype == torch.float32:
        seen = torch.where(torch.arange(columns) < visible + torch.arange(n_rows)[:, None], x, -torch.inf)
        expected = torch.where(mask, seen.softmax(-1) / 0.7, 0.0)
        got = thin_softmax(x, keep=0.7, first=first, step=step, visible=visible)
        assert torch.equal(got != 0, mask)
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-9)
