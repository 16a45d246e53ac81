"""nn.MultiheadAttention with fewer heads than fill its embedding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class CompactAttention(nn.MultiheadAttention):
    """`nn.MultiheadAttention` after heads were removed: with the same parameter names, arguments and results.

    torch's class requires the heads to fill `embed_dim`; here q, k and v have `num_heads · head_dim` ≤ `embed_dim`
    rows.

    Parameters
    ----------
    cut : nn.MultiheadAttention
        With its parameters already reduced. Its `embed_dim`, `head_dim`, `dropout`, `batch_first` and mode are kept.
    """

    def __init__(self, cut: nn.MultiheadAttention):
        nn.Module.__init__(self)
        self.embed_dim, self.kdim, self.vdim = cut.embed_dim, cut.kdim, cut.vdim
        self.head_dim, self.dropout, self.batch_first = cut.head_dim, cut.dropout, cut.batch_first
        self.num_heads = cut.out_proj.weight.shape[1] // cut.head_dim
        self.bias_k = self.bias_v = None
        self.add_zero_attn = False
        self._qkv_same_embed_dim = False  # keeps torch's fused encoder layer, which wants all heads, from being taken
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias"):
            self.register_parameter(name, getattr(cut, name))
        self.out_proj = cut.out_proj
        self.out_proj.in_features = cut.out_proj.weight.shape[1]
        self.training = cut.training

    def _project(self, query, key, value, same: bool):
        """q, k and v as (batch, heads, length, head_dim); one product where they are made of the `same` tensor."""
        if same and self.in_proj_weight is not None:
            parts = F.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        else:
            biases = (None, None, None) if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
            if self.in_proj_weight is not None:
                weights = self.in_proj_weight.chunk(3)
            else:
                weights = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
            parts = tuple(map(F.linear, (query, key, value), weights, biases))
        return (part.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2) for part in parts)

    def forward(
        self,
        query,
        key,
        value,
        key_padding_mask=None,
        need_weights=True,
        attn_mask=None,
        average_attn_weights=True,
        is_causal=False,
    ):
        """As `nn.MultiheadAttention.forward`: (output, attention weights or None)."""
        batched, same = query.dim() == 3, query is key and key is value
        if not batched:
            query, key, value = (x.unsqueeze(0) for x in (query, key, value))
            key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
        elif not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        if is_causal and attn_mask is None:
            raise ValueError("Expected attn_mask if is_causal is True, as in nn.MultiheadAttention")
        q, k, v = self._project(query, key, value, same)
        mask = self._mask(key_padding_mask, attn_mask, q)
        rate = self.dropout if self.training else 0.0
        if need_weights:
            scores = q @ k.transpose(-2, -1) * self.head_dim**-0.5
            weights = F.dropout((scores if mask is None else scores + mask).softmax(-1), rate, self.training)
            out = weights @ v
        else:
            weights = None
            out = F.scaled_dot_product_attention(q, k, v, mask, rate)
        out = self.out_proj(out.transpose(1, 2).flatten(2))
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        if not batched:
            return out.squeeze(0), None if weights is None else weights.squeeze(0)
        return (out if self.batch_first else out.transpose(0, 1)), weights

    @staticmethod
    def _mask(key_padding_mask, attn_mask, q):
        """Both masks as one that is added to the scores; (batch, 1, target, source) at most."""
        total = None
        for mask, shape in ((key_padding_mask, lambda m: m[:, None, None, :]), (attn_mask, lambda m: m)):
            if mask is None:
                continue
            if mask.dim() == 3:
                raise ValueError(
                    "A mask for each head is not supported after heads have been removed; pass one mask for all heads"
                )
            if mask.dtype == torch.bool:
                mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill(mask, float("-inf"))
            total = shape(mask) if total is None else total + shape(mask)
        return total
