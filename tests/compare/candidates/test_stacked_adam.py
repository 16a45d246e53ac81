"""Adam on a stack is torch's, also for the settings that are left, and needs none of its compiler."""

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from shrinkwise.compare.candidates.stacked_adam import StackedAdam  # noqa: E402


class _Stack(torch.nn.Module):
    def __init__(self, values):
        super().__init__()
        self.weights, self.bias = (torch.nn.Parameter(each.clone()) for each in values)

    def keep(self, settings):
        for name, values in list(self.named_parameters()):
            setattr(self, name, torch.nn.Parameter(values.detach()[settings].clone()))

    def learn(self, target):
        self.zero_grad()
        ((self.weights.sum(-1) + self.bias - target) ** 2).sum().backward()


def test_steps_are_those_of_torch_alone_with_what_is_left():
    torch.manual_seed(0)
    values, kept, rates = (torch.randn(3, 4, 5), torch.randn(3, 4)), [0, 2], (0.1, 0.05, 0.2, 0.01)
    stack, alone = _Stack(values), _Stack([each[kept] for each in values])
    adam, torchs = StackedAdam(stack, (0.8, 0.95)), torch.optim.Adam(alone.parameters(), betas=(0.8, 0.95), fused=True)
    for k, rate in enumerate(rates):
        stack.learn(1.0)
        adam.step(rate)
        alone.learn(1.0)
        torchs.param_groups[0]["lr"] = rate
        torchs.step()
        if k == 1:
            stack.keep(kept)
            adam.keep(kept)
    for mine, theirs in zip(stack.parameters(), alone.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_training_networks_does_not_import_the_compiler():
    program = (
        "import sys, numpy as np\n"
        "from shrinkwise.compare.candidates.base import TrainingRows\n"
        "from shrinkwise.compare.candidates.cocktail.candidate import tune_cocktail\n"
        "from shrinkwise.compare.candidates.network import tune_l2\n"
        "from shrinkwise.compare.options import CocktailOptions, NetworkOptions, Options\n"
        "x = np.random.default_rng(0).normal(size=(60, 2))\n"
        "options = Options(network=NetworkOptions(hidden=4, steps=20, cocktail=CocktailOptions().shortened(5)))\n"
        "for tune in (tune_l2, tune_cocktail):\n"
        "    tune(TrainingRows(x, x[:, 0], 'regression', 0, seed=1), options)\n"
        "assert 'torch' in sys.modules\n"
        "print('torch._dynamo' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.strip() == "False", found.stderr
