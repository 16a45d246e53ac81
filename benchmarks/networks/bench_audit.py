"""What an audit of a language model of 100 M parameters costs beyond one forward and backward pass, one thread.

Bar: ≤ 5 s beyond the pass. The audit runs its detectors on a batch with a loss, and an optimizer with two groups.
"""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F
from benchmarks.common import medians, save
from torch import nn

import shrinkwise as sw

WIDTH, HEADS, LAYERS, VOCABULARY, LENGTH = 768, 12, 12, 20_000, 256


class Model(nn.Module):
    """Blocks of torch's encoder between tied embeddings."""

    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.1, "gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, x):
        """Logits of the next token."""
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.head(self.norm(self.blocks(self.tokens(x) + self.positions.weight, mask, is_causal=True)))


def loss(logits, target):
    """Cross-entropy."""
    return F.cross_entropy(logits.flatten(0, 1), target.flatten())


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    model = Model()
    optimizer = torch.optim.AdamW(sw.audit.groups(model, 0.1), lr=3e-4)
    size = sum(p.numel() for p in model.parameters())
    rows = []

    def with_l1(logits, target):
        return loss(logits, target) + 1e-6 * sum(p.abs().sum() for p in model.parameters())

    for samples, objective in ((1, loss), (2, loss), (1, with_l1)):
        x, y = (torch.randint(0, VOCABULARY, (samples, LENGTH)) for _ in range(2))

        def one_pass(x=x, y=y, objective=objective):
            torch.autograd.grad(objective(model(x), y), list(model.parameters()))

        seconds = {"forward + backward": [], "audit": []}
        contenders = {
            "forward + backward": one_pass,
            "audit": lambda x=x, y=y, f=objective: sw.audit(model, optimizer, (x, y), steps=100_000, loss=f),
        }
        one_pass()
        for _ in range(3):
            for name, run in contenders.items():
                start = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - start)
        found = medians(seconds)
        extra = found["audit"] - found["forward + backward"]
        case = f"{size / 1e6:.0f} M parameters, {samples * LENGTH} tokens, {objective.__name__}"
        print(f"{case}: {found}, beyond the pass {extra:.2f} s")
        rows.append(
            {"parameters": size, "tokens": samples * LENGTH, "loss": objective.__name__, **found, "beyond": extra}
        )
    save("audit", rows, ["torch"])


if __name__ == "__main__":
    main()
