"""Which parameters are penalised with which penalty: rules, roles, and their selection in a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from torch import nn

from shrinkwise.penalties import Penalty, SpanningGroups

from .printing import table

#: Roles a parameter can have. All but "weight" are left out unless they are named.
ROLES = ("weight", "bias", "norm", "embedding", "slope", "scale", "factor")

_NORM = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)
_EMBEDDING = (nn.Embedding, nn.EmbeddingBag)
# Names by which models call parameters that are no weights of a layer: positions and tokens, factors of channels or logits.
_EMBEDDING_NAME = re.compile(
    r"(pos|position|positional|cls|class|patch|dist|mask|reg|register|time|type|query)?_?(embed|embeds|embedding|embeddings"
    r"|token|tokens)(_\w)?",
    re.IGNORECASE,
)
_SCALE_NAME = re.compile(r"(\w*_)?(scale|gamma|gain|temperature|lambda)(_?\d+)?", re.IGNORECASE)
_PARAMETRISED = re.compile(r"(?:(.*)\.)?parametrizations\.([^.]+)\.original(\d*)")


@dataclass(frozen=True)
class Rule:
    """A penalty (None = not penalised) and the parameters it applies to. Made by :func:`rule`."""

    penalty: Penalty | None
    names: tuple[str, ...] = ()
    types: tuple[type, ...] = ()
    roles: tuple[str, ...] = ()
    where: Callable[[str, nn.Parameter, nn.Module], bool] | None = None

    @property
    def spans(self) -> SpanningGroups | None:
        """The groups of the penalty where they span tensors, which they name."""
        groups = None if self.penalty is None else self.penalty.groups
        return None if groups is None or groups.tensors is None else groups

    def matches(self, candidate: NamedParameter) -> bool:
        """Whether all given conditions hold; a parameter that is not a weight must be selected explicitly."""
        named = [pattern for pattern in self.names if candidate.called(pattern)]
        typed = [kind for kind in self.types if any(isinstance(module, kind) for module in candidate.modules)]
        if (self.names and not named) or (self.types and not typed):
            return False
        if self.roles and candidate.role not in self.roles:
            return False
        if self.where is not None and not self.where(candidate.name, candidate.param, candidate.modules[0]):
            return False
        if self.spans is not None:
            return candidate.tensor_of(self.spans) is not None
        return self.penalty is None or candidate.role == "weight" or self._means(candidate, named)

    def _means(self, candidate: NamedParameter, named: list[str]) -> bool:
        by_name = any(pattern in candidate.names for pattern in named)
        by_ending = candidate.role == "bias" and any("bias" in pattern.rsplit(".", 1)[-1] for pattern in named)
        by_type = candidate.role in ("norm", "embedding", "slope", "scale") and bool(self.types)
        return by_name or by_ending or by_type or bool(self.roles) or self.where is not None

    def __str__(self) -> str:
        given = {
            "names": ", ".join(self.names),
            "types": ", ".join(kind.__name__ for kind in self.types),
            "roles": ", ".join(self.roles),
            "where": getattr(self.where, "__name__", "") if self.where else "",
        }
        conditions = "; ".join(f"{key} {text}" for key, text in given.items() if text)
        return f"{self.penalty!r} for {conditions or 'all weights'}"


def rule(penalty: Penalty | None, *, names=None, types=None, roles=None, where=None) -> Rule:
    """A penalty for the parameters that meet all given conditions; of several rules the first match applies.

    Parameters
    ----------
    penalty : Penalty or None
        None excludes the parameters, regardless of later rules.
    names : str or list of str, optional
        Patterns (``*``, ``?``, ``[...]``) for the names of ``model.named_parameters()``. A parametrised weight also
        matches by its plain name ("fc.weight"), tied weights by each of their names.
    types : type or list of type, optional
        Classes of the module that owns the parameter.
    roles : str or list of str, optional
        "weight", "bias", "norm" (gain and shift of a normalisation), "embedding" (also position embeddings and class
        tokens, recognised by names such as pos_embed and cls_token), "slope" (PReLU), "scale" (a learned factor of
        channels or logits: LayerScale, logit_scale) or "factor" (one of several tensors of a parametrised weight).
    where : callable, optional
        ``where(name, param, module) -> bool``.

    Without a condition the rule applies to all weights; a penalty on `Groups.removable` applies to the tensors of the
    groups, including their biases and normalizations. Other parameters are excluded unless selected explicitly: by their
    full name, a pattern that ends in "bias", their module type (except biases), `roles` or `where`.

    >>> from shrinkwise import L1
    >>> print(rule(L1(0.1), names="encoder.*"))
    L1(0.1) for names encoder.*
    """
    if penalty is not None and not isinstance(penalty, Penalty):
        raise TypeError(f"Expected a penalty such as sw.L1(1e-4), or None to exclude parameters, got {_kind(penalty)}")
    roles = _listed(roles, str, "roles", "a role or a list of them")
    for role in roles:
        if role not in ROLES:
            raise ValueError(f"Expected roles to be among {', '.join(ROLES)}, got {role!r}")
    if where is not None and not callable(where):
        raise TypeError(f"Expected where to be a function of (name, param, module), got {_kind(where)}")
    names = _listed(names, str, "names", "a name pattern or a list of them")
    return Rule(penalty, names, _listed(types, type, "types", "a module class or a list of them"), roles, where)


@dataclass
class NamedParameter:
    """A parameter of the model under all its names."""

    param: nn.Parameter
    names: list[str]
    modules: list[nn.Module]
    role: str
    behind_parametrisation: bool = False

    @property
    def name(self) -> str:
        """The first name, which reports use."""
        return self.names[0]

    def tensor_of(self, groups: SpanningGroups) -> str | None:
        """The name under which groups that span tensors have it."""
        return next((name for name in self.names if name in groups.tensors), None)

    def called(self, pattern: str) -> bool:
        """Whether one of its names matches."""
        return any(fnmatchcase(name, pattern) for name in self.names)


@dataclass(frozen=True)
class Chosen:
    """A penalised parameter: its penalty, its rule, and a note."""

    name: str
    param: nn.Parameter
    penalty: Penalty
    rule: int
    note: str = ""
    tensor: str = ""  # its name in groups that span tensors
    names: tuple[str, ...] = ()

    def tensor_in(self, groups: SpanningGroups) -> bool:
        """Whether groups that span tensors have entries in it."""
        return any(name in groups.tensors for name in self.names)


@dataclass
class Selection:
    """The parameters that the rules select, the others with the reason, and the rules without a match."""

    chosen: list[Chosen]
    left: list[tuple[str, str]]
    rules: list[Rule]
    unused: list[Rule] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [(c.name, "×".join(map(str, c.param.shape)) or "1", repr(c.penalty), c.note) for c in self.chosen]
        text = table(("penalised", "shape", "penalty", "note"), rows)
        if self.left:
            text += "\n\n" + table(("not penalised", "why"), self.left)
        return text + "".join(f"\nThis rule matches no parameter: {unused}." for unused in self.unused)

    __repr__ = __str__


def select(model: nn.Module, penalty_or_rules) -> Selection:
    """Apply a penalty, a rule or a list of them to a model's parameters; the first match applies."""
    rules = as_rules(penalty_or_rules)
    chosen, left, used = [], [], set()
    found = candidates(model)
    for r in rules:
        _check_span(r, found)
    for candidate in found:
        index = next((i for i, r in enumerate(rules) if r.matches(candidate)), None)
        if index is None:
            left.append((candidate.name, _why_left(candidate, rules)))
            continue
        used.add(index)
        penalty = rules[index].penalty
        if penalty is None:
            left.append((candidate.name, f"rule {index + 1} says None"))
        elif candidate.param.is_complex():
            raise TypeError(
                f"{candidate.name} is complex, but penalties need real weights; exclude it with sw.rule(None, "
                "names=...)"
            )
        else:
            groups = rules[index].spans
            tensor = "" if groups is None else candidate.tensor_of(groups) or ""
            note, names = _note(candidate), tuple(candidate.names)
            chosen.append(Chosen(candidate.name, candidate.param, penalty, index, note, tensor, names))
    unused = [r for i, r in enumerate(rules) if i not in used]
    return Selection(chosen, left, rules, unused)


def _check_span(rule: Rule, found: list[NamedParameter]) -> None:
    """One sentence where groups that span tensors are those of another model."""
    groups = rule.spans
    shapes = {name: tuple(c.param.shape) for c in found for name in c.names}
    for name, shape in () if groups is None else groups.tensors.items():
        if shapes.get(name) != shape:
            here = f"has shape {shapes[name]}" if name in shapes else "does not exist"
            raise ValueError(
                f"The groups span {name} of shape {shape}, which {here} in this model; make them with "
                "sw.Groups.removable(model, example) of the model that is given to attach"
            )


def as_rules(penalty_or_rules) -> list[Rule]:
    """A list of rules from a penalty, a rule, or a list of either; a bare penalty applies to all weights."""
    listed = penalty_or_rules
    if isinstance(listed, Mapping):
        raise TypeError(
            "Expected a penalty or a list of rules, got a dict; assign penalties to parameters with "
            "[sw.rule(penalty, names='pattern'), ...]"
        )
    if isinstance(listed, (Penalty, Rule)) or not isinstance(listed, Iterable):
        listed = [listed]
    rules = [item if isinstance(item, Rule) else rule(item) for item in listed if item is not None]
    if not any(r.penalty is not None for r in rules):
        raise ValueError("Expected a penalty such as sw.L1(1e-4), or a list of sw.rule(...) with one; got none")
    return rules


def candidates(model: nn.Module) -> list[NamedParameter]:
    """Every parameter once, with all its names (without compiled wrappers and parametrisations) and its role."""
    if isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
        model = model.module
    modules = dict(model.named_modules(remove_duplicate=False))
    found: dict[int, NamedParameter] = {}
    for full_name, param in model.named_parameters(remove_duplicate=False):
        parametrised = _PARAMETRISED.fullmatch(full_name)
        path, _, leaf = full_name.rpartition(".")
        if nn.parameter.is_lazy(param):
            layer = type(modules[path]).__name__
            raise ValueError(f"{full_name} of {layer} has no shape before a first batch; call model(batch) once")
        if parametrised and not parametrised[3]:
            path, leaf = parametrised[1] or "", parametrised[2]
        role = "factor" if parametrised and parametrised[3] else role_of(leaf, modules[path])
        name = ".".join(part for part in (*path.split("."), leaf) if part and part != "_orig_mod")
        seen = found.get(id(param))
        if seen is None:
            found[id(param)] = NamedParameter(param, [name], [modules[path]], role, bool(parametrised))
        elif name not in seen.names:
            seen.names.append(name)
            seen.modules.append(modules[path])
            # A weight tied to an embedding stays an embedding: the special role decides.
            seen.role = role if seen.role == "weight" else seen.role
    return list(found.values())


def role_of(leaf: str, module: nn.Module) -> str:
    """The role of the parameter `leaf` of a module, by the module's type, the parameter's shape and its own name."""
    if isinstance(module, _NORM) or _looks_like_norm(module):
        return "norm"
    if isinstance(module, _EMBEDDING) or _EMBEDDING_NAME.fullmatch(leaf):
        return "embedding"
    if isinstance(module, nn.PReLU):
        return "slope"
    if "bias" in leaf:
        return "bias"
    param = getattr(module, leaf, None)
    named = _SCALE_NAME.fullmatch(leaf) or "layerscale" in type(module).__name__.lower()
    return "scale" if isinstance(param, nn.Parameter) and is_vector(param) and (named or not param.dim()) else "weight"


def is_vector(param: nn.Parameter) -> bool:
    """Whether at most one axis is longer than 1."""
    return sum(n > 1 for n in param.shape) <= 1


def _looks_like_norm(module: nn.Module) -> bool:
    """A user-defined normalisation: its name says so, and it has no matrix (NormLinear has one)."""
    own = list(module.parameters(recurse=False))
    return "norm" in type(module).__name__.lower() and all(map(is_vector, own))


def _why_left(candidate: NamedParameter, rules: list[Rule]) -> str:
    if all(r.spans is not None for r in rules):
        return "in no group"
    if candidate.role != "weight":
        article = "an" if candidate.role[0] in "aeiou" else "a"
        return f"{article} {candidate.role}, excluded unless named"
    return "no rule matches" if len(rules) > 1 else "the rule does not match"


def _note(candidate: NamedParameter) -> str:
    tied = f"tied with {', '.join(candidate.names[1:])}" if len(candidate.names) > 1 else ""
    behind = "the tensor behind a parametrisation" if candidate.behind_parametrisation else ""
    return "; ".join(filter(None, (tied, behind)))


def _listed(value, kind: type, what: str, expected: str) -> tuple:
    items = () if value is None else (value,) if isinstance(value, kind) else value
    if not isinstance(items, Iterable) or not all(isinstance(item, kind) for item in items):
        raise TypeError(f"Expected {what} to be {expected}, got {value!r}")
    return tuple(items)


def _kind(value) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__
