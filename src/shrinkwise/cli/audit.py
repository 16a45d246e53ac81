"""`shrinkwise audit module:factory`: the audit of a model that a user's function returns."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path

import click

from .terminal import say

_FAILS = {"error": ("error",), "warning": ("error", "warning"), "never": ()}


@click.command(short_help="Check the weight decay, penalties and dropout of a model.")
@click.argument("factory", metavar="MODULE:FACTORY")
@click.option("--steps", type=click.IntRange(min=1), metavar="N", help="Number of optimizer steps planned.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--fail-on",
    type=click.Choice(sorted(_FAILS)),
    default="error",
    show_default=True,
    help="Lowest severity for which the exit code is 1.",
)
def audit(factory: str, steps: int | None, as_json: bool, fail_on: str) -> int:
    """Check the actual effect of the weight decay, penalties and dropout of a PyTorch model.

    MODULE:FACTORY names a function without arguments in a module that can be imported from the current folder, such as
    train:audited. It returns a model, a tuple (model, optimizer, batch), or a dict of the arguments of shrinkwise.audit.
    """
    try:
        from shrinkwise.networks.audit import audit as run
    except ImportError as error:
        raise click.ClickException(str(error)) from None
    arguments = _arguments(_made(factory))
    if steps is not None:
        arguments["steps"] = steps
    try:
        result = run(**arguments)
    except (TypeError, ValueError) as error:
        raise click.ClickException(f"{factory}: {error}") from error
    say(result.to_json() if as_json else str(result))
    return int(any(finding.severity in _FAILS[fail_on] for finding in result.findings))


def _made(factory: str):
    """The return value of the function; modules in the current folder can be imported, as with `python -m`."""
    name, _, attribute = factory.partition(":")
    if not name or not attribute:
        raise click.ClickException(f"Expected MODULE:FACTORY such as train:audited, got {factory!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise  # a module that theirs needs
        raise click.ClickException(f"No module {name!r} can be imported from {here}") from None
    function = getattr(module, attribute, None)
    if not callable(function):
        raise click.ClickException(f"{name} has no function {attribute!r}")
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise click.ClickException(f"{factory} must be callable without arguments: {error}") from None
    except ValueError:
        pass  # a function of C that does not tell its parameters
    return function()


def _arguments(made) -> dict:
    if isinstance(made, dict):
        return dict(made)
    if isinstance(made, tuple):
        if len(made) > 3:
            raise click.ClickException(
                f"Expected the factory to return (model, optimizer, batch), got {len(made)} values"
            )
        return dict(zip(("model", "optimizer", "batch"), made, strict=False))
    return {"model": made}
