"""The self-contained page and the terminal summary. Plain data in, text out: this folder knows no models."""

from __future__ import annotations

from .page import render_page
from .terminal import print_columns, print_comparison, print_summary, print_verdict

__all__ = ["print_columns", "print_comparison", "print_summary", "print_verdict", "render_page"]
