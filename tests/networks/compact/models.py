"""Small networks, one for each thing that compact has to get right; each with an example and the share that must go."""

import torch
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(8) for _ in range(2))
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = self.norms[0](self.stem(x)).relu()
        x = x + self.b(self.norms[1](self.a(x)).relu())
        return self.head(x.mean((2, 3)))


class Branches(nn.Module):
    """cat, equal chunks, a gate, squeeze-and-excitation."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 6, 1), nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(10, 12, 1)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 3, 1), nn.SiLU(), nn.Conv2d(3, 6, 1), nn.Sigmoid()
        )
        self.out = nn.Linear(6, 2)

    def forward(self, x):
        y = self.c(torch.cat([self.a(x).relu(), F.gelu(self.b(x))], 1))
        u, v = y.chunk(2, 1)
        y = u * v.sigmoid()
        return self.out((y * self.gate(y)).amax((2, 3)))


class Heads(nn.Module):
    """Attention in a user's own code, with its sizes in attributes."""

    def __init__(self, fused=True):
        super().__init__()
        self.num_heads, self.head_dim, self.inner, self.fused = 4, 3, 12, fused
        self.norm, self.qkv, self.proj = nn.LayerNorm(10), nn.Linear(10, 36), nn.Linear(12, 10)

    def forward(self, x):
        b, n, _ = x.shape
        q, k, v = (
            self.qkv(self.norm(x)).reshape(b, n, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        )
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            y = (q * self.head_dim**-0.5 @ k.transpose(-2, -1)).softmax(-1) @ v
        return x + self.proj(y.transpose(1, 2).reshape(b, n, self.inner))


class Literal(nn.Module):
    """A size written into the code."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc, self.out = nn.Conv2d(1, 6, 3), nn.Linear(6 * 36, 20), nn.Linear(20, 3)

    def forward(self, x):
        return self.out(self.fc(self.conv(x).relu().view(-1, 216)).relu())


class Twice(nn.Module):
    """One layer used twice, and weights tied between an embedding and the output layer."""

    def __init__(self):
        super().__init__()
        self.table, self.layer, self.inner = nn.Embedding(11, 8), nn.Linear(8, 8), nn.Linear(8, 16)
        self.back, self.out = nn.Linear(16, 8), nn.Linear(8, 11, bias=False)
        self.out.weight = self.table.weight

    def forward(self, i):
        x = self.table(i)
        x = self.layer(self.layer(x).sigmoid()).sigmoid()
        return self.out(x + self.back(self.inner(x).tanh()))


class Returns(nn.Module):
    """nn.MultiheadAttention that also gives its weights away."""

    def __init__(self, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 4, batch_first=True, **options)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


def _chain(*layers):
    return nn.Sequential(*layers)


def _image(channels=3, size=8):
    return torch.randn(3, channels, size, size)


MODELS = {
    "linear": lambda: (
        _chain(nn.Linear(5, 9), nn.Sigmoid(), nn.Linear(9, 7), nn.ReLU(), nn.Linear(7, 2)),
        torch.randn(3, 5),
    ),
    "linear without biases": lambda: (
        _chain(nn.Linear(5, 9, bias=False), nn.Sigmoid(), nn.Linear(9, 2, bias=False)),
        torch.randn(3, 5),
    ),
    "conv1d": lambda: (
        _chain(nn.Conv1d(3, 8, 3, padding=1), nn.GELU(), nn.MaxPool1d(2), nn.Conv1d(8, 4, 3)),
        torch.randn(3, 3, 12),
    ),
    "conv3d": lambda: (
        _chain(nn.Conv3d(2, 6, 3, padding=1), nn.BatchNorm3d(6), nn.ReLU(), nn.Conv3d(6, 3, 2)),
        torch.randn(3, 2, 4, 4, 4),
    ),
    "depthwise": lambda: (
        _chain(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU6(), nn.Conv2d(8, 4, 1)),
        _image(),
    ),
    "multiplier": lambda: (
        _chain(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 8, 3, groups=4), nn.Hardswish(), nn.Conv2d(8, 4, 1)),
        _image(),
    ),
    "groups": lambda: (
        _chain(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, groups=4), nn.ReLU(), nn.Conv2d(12, 4, 1)),
        _image(),
    ),
    "transposed": lambda: (
        _chain(nn.ConvTranspose2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ELU(), nn.ConvTranspose2d(8, 2, 3)),
        _image(),
    ),
    "transposed groups": lambda: (
        _chain(nn.Conv2d(3, 8, 1), nn.ConvTranspose2d(8, 12, 2, groups=4), nn.ReLU(), nn.Conv2d(12, 2, 1)),
        _image(),
    ),
    "padded sigmoid": lambda: (
        _chain(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.Sigmoid(),
            nn.Conv2d(8, 6, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(96, 3),
        ),
        _image(),
    ),
    "group norm": lambda: (_chain(nn.Conv2d(3, 12, 3), nn.GroupNorm(4, 12), nn.ReLU(), nn.Conv2d(12, 2, 3)), _image()),
    "instance norm": lambda: (
        _chain(nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8, affine=True), nn.ReLU(), nn.Conv2d(8, 2, 3)),
        _image(),
    ),
    "prelu": lambda: (
        _chain(nn.Conv2d(3, 8, 3), nn.PReLU(8), nn.Upsample(scale_factor=2), nn.Conv2d(8, 2, 3)),
        _image(),
    ),
    "glu": lambda: (_chain(nn.Linear(5, 16), nn.GLU(), nn.Linear(8, 3)), torch.randn(3, 5)),
    "shuffle": lambda: (_chain(nn.Conv2d(3, 16, 1), nn.ReLU(), nn.PixelShuffle(2), nn.Conv2d(4, 2, 3)), _image()),
    "residual": lambda: (Residual(), _image()),
    "branches": lambda: (Branches(), _image()),
    "own attention": lambda: (Heads(), torch.randn(3, 5, 10)),
    "own attention by hand": lambda: (Heads(fused=False), torch.randn(3, 5, 10)),
    "torch attention": lambda: (Returns(), torch.randn(3, 5, 12)),
    "attention of other widths": lambda: (
        nn.TransformerDecoderLayer(12, 4, 20, batch_first=True),
        (torch.randn(3, 5, 12), torch.randn(3, 4, 12)),
    ),
    "encoder": lambda: (
        nn.TransformerEncoder(nn.TransformerEncoderLayer(12, 4, 20, batch_first=True), 2),
        torch.randn(3, 5, 12),
    ),
    "tied": lambda: (Twice(), torch.randint(0, 11, (3, 6))),
    "literal": lambda: (Literal(), _image(1)),
}


def made(name, seed=0):
    """The model and its example, with random statistics in its normalizations."""
    torch.manual_seed(seed)
    model, example = MODELS[name]()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    return model.eval(), example
