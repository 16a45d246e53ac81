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
from .cocktail.candidate import COCKTAIL

CANDIDATES: tuple[Candidate, ...] = (
    *(linear.NONE, linear.RIDGE, linear.LASSO, linear.ELASTIC_NET, linear.GROUP_LASSO, linear.CONCAVE),
    *(additive.PLAIN, additive.LASSO),
    *(network.PLAIN, network.L2, network.DROPOUT, network.L1_DROPOUT, COCKTAIL),
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
    wanted, limits = asked(options), (options, has_groups, has_numbers, log_link)
    families = {each.family for each in wanted if each.regularizer}
    found = [
        each
        for each in CANDIDATES
        if (each in wanted or (not each.regularizer and each.family in families)) and not _unable(each, *limits)
    ]
    if not any(each.regularizer for each in found):
        why = "; ".join(f"{name} is skipped: {reason}" for name, reason in skipped(*limits).items())
        raise InputError(
            f"No candidate is left to compare{f' ({why})' if why else ''}; choose at least one regularized method of "
            f"{slugs()}."
        )
    return found


def skipped(
    options: Options, has_groups: bool = True, has_numbers: bool = True, log_link: bool = False
) -> dict[str, str]:
    """The candidates named by `options.methods` that cannot be compared, each with the reason; see `candidates`."""
    found = {each.name: _unable(each, options, has_groups, has_numbers, log_link) for each in asked(options)}
    return {name: why for name, why in found.items() if why and options.methods}


def _unable(candidate: Candidate, options: Options, has_groups: bool, has_numbers: bool, log_link: bool) -> str:
    """Why a candidate cannot be compared; "" if it can."""
    if candidate.needs_groups and not has_groups:
        return "every input is a single column"
    if candidate.needs_numbers and not has_numbers:
        return "no input is a number"
    if candidate.family == "reference":
        return ""
    if options.bounds and not candidate.takes_bounds:
        return "it does not support bounds"
    if log_link and not candidate.log_link:
        return "it does not predict on a log scale"
    if candidate.family == "network" and options.network is None:
        return (
            "networks are excluded (effort quick or --no-networks)"
            if find_spec("torch")
            else "PyTorch is not installed"
        )
    return ""


def selecting() -> str:
    """The command-line names of the candidates that can exclude inputs."""
    names = [each.slug for each in CANDIDATES if each.selects_inputs]
    return f"{', '.join(names[:-1])} or {names[-1]}"
