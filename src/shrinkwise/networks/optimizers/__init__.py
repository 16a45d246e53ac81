"""Optimizers: their quirks and fused steps."""
