"""Sound models, with the optimizer and loss that their recipes use: an audit has no error and no warning for them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

import shrinkwise as sw

CLEAN = []


def clean(function):
    """List a function that gives (model, batch, loss or None)."""
    CLEAN.append(function)
    return function


def images(n=4, size=16, classes=5):
    return torch.randn(n, 3, size, size), torch.randint(0, classes, (n,))


def tokens(n=3, length=8, vocabulary=30):
    return torch.randint(0, vocabulary, (n, length)), torch.randint(0, vocabulary, (n, length))


def next_token(logits, target):
    return F.cross_entropy(logits.flatten(0, 1), target.flatten())


class CausalAttention(nn.Module):
    """As nanoGPT: dropout layers that the fused kernel's path does not call, their probability passed on."""

    def __init__(self, width=16, heads=2, dropout=0.1):
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.attn_dropout, self.resid_dropout = nn.Dropout(dropout), nn.Dropout(dropout)
        self.heads, self.dropout = heads, dropout

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (part.view(b, t, self.heads, c // self.heads).transpose(1, 2) for part in self.c_attn(x).split(c, 2))
        p = self.dropout if self.training else 0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=True)
        return self.resid_dropout(self.c_proj(y.transpose(1, 2).reshape(b, t, c)))


class Block(nn.Module):
    def __init__(self, width=16, dropout=0.1):
        super().__init__()
        self.ln_1, self.attn, self.ln_2 = (
            nn.LayerNorm(width),
            CausalAttention(width, dropout=dropout),
            nn.LayerNorm(width),
        )
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout)
        )

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """Tied embeddings; with targets it gives (logits, loss)."""

    def __init__(self, dropout=0.1, checkpointed=False):
        super().__init__()
        self.wte, self.wpe, self.drop = nn.Embedding(30, 16), nn.Embedding(8, 16), nn.Dropout(dropout)
        self.h, self.ln_f = nn.ModuleList(Block(dropout=dropout) for _ in range(2)), nn.LayerNorm(16)
        self.lm_head, self.checkpointed = nn.Linear(16, 30, bias=False), checkpointed
        self.lm_head.weight = self.wte.weight

    def forward(self, idx, targets=None):
        x = self.drop(self.wte(idx) + self.wpe(torch.arange(idx.shape[1])))
        for block in self.h:
            x = checkpoint(block, x, use_reentrant=False) if self.checkpointed else block(x)
        logits = self.lm_head(self.ln_f(x))
        return logits if targets is None else (logits, next_token(logits, targets))


@clean
def nano_gpt():
    return GPT(), tokens(), next_token


@clean
def nano_gpt_with_its_own_loss():
    idx, targets = tokens()
    return GPT(dropout=0.0), {"idx": idx, "targets": targets}, None


@clean
def checkpointed_gpt():
    return GPT(checkpointed=True), tokens(), next_token


@clean
def mlp():
    layers = [nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 32), nn.BatchNorm1d(32)]
    return (
        nn.Sequential(*layers, nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 3)),
        (
            torch.randn(16, 8),
            torch.randint(0, 3, (16,)),
        ),
        F.cross_entropy,
    )


@clean
def regression_mlp():
    model = nn.Sequential(nn.Linear(8, 32), nn.SiLU(), nn.Dropout(0.1), nn.Linear(32, 1))
    return model, (torch.randn(16, 8), torch.randn(16, 1)), F.mse_loss


@clean
def autoencoder_with_dropped_inputs():
    model = nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 8))
    x = torch.randn(16, 8)
    return model, (x, x), F.mse_loss


class BasicBlock(nn.Module):
    def __init__(self, width, out, stride=1, dropout=0.0, drop_path=0.0):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(width), nn.Conv2d(width, out, 3, stride, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(out), nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.short = nn.Conv2d(width, out, 1, stride, bias=False) if stride > 1 or width != out else nn.Identity()
        self.dropout, self.drop_path = nn.Dropout(dropout), DropPath(drop_path)

    def forward(self, x):
        y = F.relu(self.bn1(x))
        y = self.dropout(F.relu(self.bn2(self.conv1(y))))
        return self.short(x) + self.drop_path(self.conv2(y))


class DropPath(nn.Module):
    """As timm's DropPath."""

    def __init__(self, drop_prob):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x):
        if self.drop_prob == 0.0 or not self.training:
            return x
        keep = 1 - self.drop_prob
        mask = x.new_empty((x.shape[0], *(1,) * (x.dim() - 1))).bernoulli_(keep)
        return x * mask.div_(keep)


def resnet(**options):
    blocks = [BasicBlock(8, 8, **options), BasicBlock(8, 16, 2, **options)]
    tail = [nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5)]
    return nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1, bias=False), *blocks, *tail)


@clean
def resnet_without_dropout():
    return resnet(), images(), F.cross_entropy


@clean
def wide_resnet():
    return resnet(dropout=0.3), images(), F.cross_entropy


@clean
def resnet_with_stochastic_depth():
    return resnet(drop_path=0.2), images(), F.cross_entropy


@clean
def resnet_with_a_frozen_stem():
    model = resnet()
    model[0].requires_grad_(False)
    return model, images(), F.cross_entropy


@clean
def vgg():
    layers = [nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(128, 32), nn.ReLU()]
    return (
        nn.Sequential(*layers, nn.Dropout(), nn.Linear(32, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 5)),
        images(),
        (F.cross_entropy),
    )


class ConvNeXtBlock(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.dw, self.norm = nn.Conv2d(width, width, 7, 1, 3, groups=width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma, self.drop_path = nn.Parameter(1e-6 * torch.ones(width)), DropPath(0.1)

    def forward(self, x):
        y = self.norm(self.dw(x).permute(0, 2, 3, 1))
        y = self.gamma * self.down(F.gelu(self.up(y)))
        return x + self.drop_path(y.permute(0, 3, 1, 2))


@clean
def convnext():
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(8), nn.Linear(8, 5)]
    return nn.Sequential(nn.Conv2d(3, 8, 4, 4), ConvNeXtBlock(), ConvNeXtBlock(), *head), images(), F.cross_entropy


class MixerBlock(nn.Module):
    def __init__(self, count=16, width=8):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.mixers = nn.ModuleList(
            nn.Sequential(nn.Linear(n, 2 * n), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * n, n), nn.Dropout(0.1))
            for n in (count, width)
        )

    def forward(self, x):
        x = x + self.mixers[0](self.norms[0](x).transpose(1, 2)).transpose(1, 2)
        return x + self.mixers[1](self.norms[1](x))


@clean
def mixer():
    class Mixer(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.blocks = nn.Conv2d(3, 8, 4, 4), nn.Sequential(MixerBlock(), MixerBlock())
            self.head = nn.Linear(8, 5)

        def forward(self, x):
            return self.head(self.blocks(self.patches(x).flatten(2).transpose(1, 2)).mean(1))

    return Mixer(), images(), F.cross_entropy


@clean
def vision_transformer():
    class ViT(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.cls = nn.Conv2d(3, 16, 4, 4), nn.Parameter(torch.zeros(1, 1, 16))
            self.pos_embed, self.pos_drop = nn.Parameter(0.02 * torch.randn(1, 17, 16)), nn.Dropout(0.1)
            layer = nn.TransformerEncoderLayer(16, 2, 32, 0.1, "gelu", batch_first=True, norm_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 5))

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.pos_embed
            return self.head(self.encoder(self.pos_drop(x))[:, 0])

    return ViT(), images(), F.cross_entropy


class Positions(nn.Module):
    """The sinusoids of PyTorch's tutorial, with its dropout."""

    def __init__(self, width, dropout=0.1):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        t, f = torch.arange(16)[:, None], torch.exp(torch.arange(0, width, 2) * (-math.log(1e4) / width))
        self.register_buffer("pe", torch.stack([torch.sin(t * f), torch.cos(t * f)], -1).flatten(1))

    def forward(self, x):
        return self.dropout(x + self.pe[: x.shape[1]])


@clean
def translation_transformer():
    class Translation(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.positions = nn.Embedding(30, 16), Positions(16)
            self.transformer = nn.Transformer(16, 2, 1, 1, 32, 0.1, batch_first=True)
            self.out = nn.Linear(16, 30)

        def forward(self, source, target):
            mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
            parts = (self.positions(self.embed(t) * 4.0) for t in (source, target))
            return self.out(self.transformer(*parts, tgt_mask=mask))

    source, target = tokens()
    return Translation(), ((source, target), target), next_token


@clean
def lstm_language_model():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop, self.encoder, self.decoder = nn.Dropout(0.2), nn.Embedding(30, 16), nn.Linear(16, 30)
            self.rnn = nn.LSTM(16, 16, 2, dropout=0.2, batch_first=True)

        def forward(self, x):
            return self.decoder(self.drop(self.rnn(self.drop(self.encoder(x)))[0]))

    return Model(), tokens(), next_token


@clean
def packed_gru():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = nn.GRU(8, 16, 2, dropout=0.2, bidirectional=True, batch_first=True), nn.Linear(32, 3)

        def forward(self, x):
            packed = nn.utils.rnn.pack_padded_sequence(x, [6, 4, 2], batch_first=True)
            return self.head(self.rnn(packed)[1][-2:].transpose(0, 1).flatten(1))

    return Model(), (torch.randn(3, 6, 8), torch.randint(0, 3, (3,))), F.cross_entropy


@clean
def u_net():
    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.inner, self.up = self.part(3, 8), self.part(8, 16), self.part(24, 8)
            self.out = nn.Conv2d(8, 1, 1)

        @staticmethod
        def part(width, out):
            layers = [nn.Conv2d(width, out, 3, 1, 1), nn.GroupNorm(4, out), nn.SiLU(), nn.Dropout2d(0.1)]
            return nn.Sequential(*layers, nn.Conv2d(out, out, 3, 1, 1), nn.GroupNorm(4, out), nn.SiLU())

        def forward(self, x):
            a = self.down(x)
            b = F.interpolate(self.inner(F.max_pool2d(a, 2)), scale_factor=2)
            return self.out(self.up(torch.cat([a, b], 1)))

    return UNet(), (torch.randn(2, 3, 16, 16), torch.rand(2, 1, 16, 16)), F.binary_cross_entropy_with_logits


@clean
def variational_autoencoder():
    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = nn.Linear(8, 8), nn.Linear(4, 8)

        def forward(self, x):
            mean, log_variance = self.encoder(x).chunk(2, -1)
            return self.decoder(mean + torch.randn_like(mean) * (log_variance / 2).exp()), mean, log_variance

    def elbo(output, x):
        y, mean, log_variance = output
        return F.mse_loss(y, x) - 0.5 * (1 + log_variance - mean.square() - log_variance.exp()).mean()

    x = torch.randn(16, 8)
    return VAE(), (x, x), elbo


@clean
def masked_autoencoder():
    class MAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.block, self.head = nn.Linear(8, 16), Block(dropout=0.1), nn.Linear(16, 8)

        def forward(self, x):
            x = self.embed(x)
            kept = torch.rand(x.shape[:2]).argsort(1)[:, :3]
            return self.head(self.block(x.gather(1, kept[..., None].expand(-1, -1, 16))))

    return MAE(), (torch.randn(4, 6, 8), torch.randn(4, 3, 8)), F.mse_loss


@clean
def temporal_convolutions_with_channel_dropout():
    layers = [nn.Conv1d(8, 16, 3, padding=1), nn.ReLU(), nn.Dropout1d(0.2), nn.Conv1d(16, 4, 3, padding=1)]
    return nn.Sequential(*layers), (torch.randn(4, 8, 10), torch.randn(4, 4, 10)), F.mse_loss


@clean
def self_normalizing_network():
    model = nn.Sequential(nn.Linear(8, 32), nn.SELU(), nn.AlphaDropout(0.1), nn.Linear(32, 3))
    return model, (torch.randn(16, 8), torch.randint(0, 3, (16,))), F.cross_entropy


@clean
def graph_attention():
    class GAT(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.a, self.dropout = nn.Linear(8, 8, bias=False), nn.Linear(16, 1, bias=False), 0.6

        def forward(self, x, adjacency):
            h = self.w(F.dropout(x, self.dropout, self.training))
            pairs = torch.cat([h[:, None].expand(-1, len(h), -1), h[None].expand(len(h), -1, -1)], -1)
            scores = F.leaky_relu(self.a(pairs).squeeze(-1), 0.2).masked_fill(~adjacency, -9e15)
            return F.dropout(scores.softmax(-1), self.dropout, self.training) @ h

    adjacency = torch.eye(6, dtype=torch.bool) | (torch.rand(6, 6) > 0.5)
    return GAT(), ((torch.randn(6, 8), adjacency), torch.randint(0, 8, (6,))), F.cross_entropy


@clean
def layers_of_shrinkwise():
    branch = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 16), nn.GELU(), sw.Dropout(keep=0.9), nn.Linear(16, 16))
    model = nn.Sequential(
        nn.Linear(8, 16), sw.DropPath(branch, keep=0.8), sw.GaussianDropout(keep=0.9), nn.Linear(16, 3)
    )
    return model, (torch.randn(16, 8), torch.randint(0, 3, (16,))), F.cross_entropy


@clean
def drop_path_only_where_there_is_a_residual():
    """As timm's EfficientNet: every block has a drop path, and one without a shortcut does not call it."""

    class Inverted(nn.Module):
        def __init__(self, width, out):
            super().__init__()
            self.conv, self.drop_path, self.has_skip = nn.Conv2d(width, out, 1), DropPath(0.1), width == out

        def forward(self, x):
            return x + self.drop_path(self.conv(x)) if self.has_skip else self.conv(x)

    model = nn.Sequential(
        Inverted(3, 8), nn.SiLU(), Inverted(8, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
    )
    return model, images(), F.cross_entropy


@clean
def speech_features_that_ask_for_a_gradient():
    """As transformers' wav2vec2: the inputs require gradients so that a checkpointed front end gets some."""

    class Speech(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv1d(1, 8, 4, 4), nn.Linear(8, 3)

        def forward(self, x):
            x = x[:, None]
            if self.training:
                x.requires_grad = True
            return self.head(F.gelu(self.conv(x)).mean(-1))

    return Speech(), (torch.randn(4, 32), torch.randint(0, 3, (4,))), F.cross_entropy
