"""One rule per operator: how atoms and constants pass through it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..flow import unfollowed

_RULES: dict[str, Callable] = {}


def rule(*names: str):
    """Register the rule of these ATen operators; it is called with the flow and the node, and returns shadows."""

    def register(function: Callable) -> Callable:
        _RULES.update(dict.fromkeys(names, function))
        return function

    return register


def operator_name(node) -> str:
    """`linear` for aten.linear.default; the name as it is for anything else."""
    if isinstance(node.target, torch._ops.OpOverload):
        return node.target._schema.name.removeprefix("aten::")
    return getattr(node.target, "__name__", str(node.target))


def bound(node) -> dict:
    """Arguments of a node by name, defaults included."""
    found = {}
    for position, argument in enumerate(node.target._schema.arguments):
        if position < len(node.args):
            found[argument.name] = node.args[position]
        elif argument.name in node.kwargs:
            found[argument.name] = node.kwargs[argument.name]
        else:
            found[argument.name] = argument.default_value if argument.has_default_value() else None
    return found


def rule_of(node) -> Callable:
    """The rule of this node; element by element where the operator declares that, else the one that pins."""
    name = operator_name(node)
    if name in _RULES:
        return _RULES[name]
    if isinstance(node.target, torch._ops.OpOverload) and torch.Tag.pointwise in node.target.tags:
        return _RULES["pointwise"]
    return _pinned


def has_rule(node) -> bool:
    """Whether what passes through this node is followed."""
    return rule_of(node) is not _pinned


def _pinned(flow, node):
    return unfollowed(flow, node, f"no rule for the operator {operator_name(node)}")
