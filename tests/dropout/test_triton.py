"""The Triton kernel has the bits of the specification, by Triton's interpreter; bfloat16 values are left out, for the
interpreter cuts them off where a GPU rounds."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from shrinkwise.dropout import triton_kernel

CHECK = """
import torch
from shrinkwise.dropout import bits, triton_kernel

for keep in (0.5, 0.3, 1 - (300 + 0.25) / 65536, 1e-20, 1 - 2**-20):
    for seed, stream in ((1, 0), (-5, 2**40 + 3), (7, -1)):
        for n, dtype in ((1, torch.float32), (1000, torch.float64), (3000, torch.float16), (1025, torch.bfloat16)):
            x = torch.randn(n).to(dtype)
            y = triton_kernel.scaled(x, keep, torch.tensor(seed), torch.tensor(stream))
            kept = bits.keep_mask(n, keep=keep, seed=seed, stream=stream)
            assert torch.equal(y != 0, kept & (x != 0)), (keep, seed, n)
            assert dtype == torch.bfloat16 or torch.equal(y, bits.apply_mask(x, kept, keep)), (keep, seed, n, dtype)
"""


@pytest.mark.skipif(triton_kernel.triton is None, reason="Triton is not installed")
def test_the_bits_are_those_of_the_specification():
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", CHECK], env=environment, check=True, timeout=300)


@pytest.mark.skipif(not (torch.cuda.is_available() and triton_kernel.triton), reason="no GPU with Triton")
def test_on_a_gpu_the_mask_is_that_of_the_cpu():
    from shrinkwise.dropout.functional import dropout

    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        x = torch.randn(300, 70).to(dtype)
        for view in (x, x.T):
            on_gpu = view.cuda().requires_grad_()
            y = dropout(on_gpu, keep=0.3, seed=4, stream=2)
            assert torch.equal(y.cpu(), dropout(view, keep=0.3, seed=4, stream=2))
            (gradient,) = torch.autograd.grad(y.sum(), on_gpu)
            assert torch.equal(gradient != 0, y != 0)


@pytest.mark.skipif(triton_kernel.triton is not None, reason="Triton is installed")
def test_without_triton_it_says_so():
    assert not triton_kernel.runs_on(torch.ones(3))
    with pytest.raises(RuntimeError, match="pip install triton"):
        triton_kernel.scaled(torch.ones(3), 0.5, torch.tensor(0), torch.tensor(0))
