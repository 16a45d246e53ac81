"""How a network is regularized."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """How a network is regularized: L2 or L1 (norm) of strength lam on its weights, dropout with keep probability
    keep."""

    lam: float = 0.0
    keep: float = 1.0
    drops_inputs: bool = False
    norm: str = "L2"

    def named(self) -> dict:
        """The setting as shown to the user."""
        said: dict = {"λ": self.lam} if self.lam else {}
        if self.keep < 1:
            said |= {"keep": self.keep, "of": "inputs too" if self.drops_inputs else "hidden units"}
        return said
