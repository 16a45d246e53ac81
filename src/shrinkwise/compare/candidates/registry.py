"""The candidates that are compared, one entry each. Order, help, time estimate and checks are derived from the entries.

To add a candidate: a file beside this one with its `tune` and its `Candidate`, and its line in `CANDIDATES`.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

from shrinkwise.compare.options import Options
from shrinkwise.tables import InputError

from . import additive, linear, network, trees
from .base import Candidate

CANDIDATES: tuple[Candidate, ...] = (
    *(linear.NONE, linear.RIDGE, linear.LASSO, linear.ELASTIC_NET, linear.GROUP_LASSO, linear.CONCAVE),
    *(additive.PLAIN, additive.LASSO),
    *(network.PLAIN, network.L2, network.DROPOUT, network.L1_DROPOUT),
    trees.TREES,
)
_BY_SLUG = {candidate.slug: candidate for candidate in CANDIDATES}


def slugs() -> str:
    """The names of all candidates on the command line."""
    return ", ".join(_BY_SLUG)


def asked(options: Options) -> list[Candidate]:
    """The candidates named by `options.methods`; all of them if none is named."""
    for method in options.methods or ():
        if method not in _BY_SLUG:
            raise InputError(f"Unknown method {method!r}; the methods are {slugs()}.")
    return [each for each in CANDIDATES if options.wants(each.slug)]


def without_missing_extras(options: Options) -> Options:
    """The options, without networks if PyTorch is not installed or no network is requested."""
    wanted = any(each.family == "network" for each in asked(options))
    return options if wanted and find_spec("torch") else replace(options, network=None)


def candidates(
    options: Options, has_groups: bool = True, has_numbers: bool = True, log_link: bool = False
) -> list[Candidate]:
    """The candidates of a comparison; each family starts with its baseline.

    Candidates that need groups are excluded if every input is one column, those that need numbers if no input is one,
    those that do not support bounds if bounds are given, those whose scores cannot be logarithms if `log_link`, and networks
    if `options.network` is None.
    """
    lacking = ([] if has_groups else ["needs_groups"]) + ([] if has_numbers else ["needs_numbers"])
    wanted = asked(options)
    families = {each.family for each in wanted if each.regularizer}
    found = [
        each
        for each in CANDIDATES
        if (each in wanted or (not each.regularizer and each.family in families))
        and _able(each, options, lacking)
        and (each.log_link or not log_link or each.family == "reference")
    ]
    if not any(each.regularizer for each in found):
        raise InputError(f"No candidate is left to compare; choose at least one regularized method of {slugs()}.")
    return found


def _able(candidate: Candidate, options: Options, lacking: list[str]) -> bool:
    if any(getattr(candidate, need) for need in lacking):
        return False
    if candidate.family == "reference":
        return True
    if options.bounds and not candidate.takes_bounds:
        return False
    return candidate.family != "network" or options.network is not None


def selecting() -> str:
    """The command-line names of the candidates that can exclude inputs."""
    names = [each.slug for each in CANDIDATES if each.selects_inputs]
    return f"{', '.join(names[:-1])} or {names[-1]}"
