"""`shrinkwise doctor`: which kernels, threads and extras are active."""

from __future__ import annotations

import sys

import click

from .terminal import say, say_json


@click.command(short_help="Report which kernels and packages are available.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(as_json: bool) -> None:
    """Report which compiled kernels, processor cores and optional packages are available."""
    found = _examined()
    if as_json:
        say_json(found)
        return
    from shrinkwise import __version__

    kernels, extras = found["kernels"], found["extras"]
    say(f"shrinkwise {__version__}, Python {found['versions']['python']}, {sys.executable}")
    if kernels["available"]:
        say(f"kernels  {kernels['simd']}: {', '.join(kernels['kernels'])} ({kernels['path']})")
    else:
        say(f"kernels  none: {kernels['reason']}; the reference code gives the same results but is slower")
    say(f"threads  {found['cores']} cores: fit uses one process per core, each with one thread")
    for name, extra in extras.items():
        missing = f'not installed: pip install "shrinkwise[{extra["extra"]}]" adds {extra["adds"]}'
        say(f"{name:<12}{extra['version'] or missing}")
    say("packages " + ", ".join(f"{k} {v}" for k, v in found["versions"].items() if k not in extras))


def _examined() -> dict:
    from joblib import cpu_count

    from shrinkwise import kernels
    from shrinkwise.runs.record import versions

    extras = {
        "torch": ("torch", "networks and dropout"),
        "matplotlib": ("plot", "figures"),
        "onnxruntime": ("onnx", "model.onnx"),
    }
    found = versions(*extras)
    return {
        "versions": found,
        "kernels": kernels.status(),
        "cores": cpu_count(),
        "extras": {
            name: {"version": found.get(name), "extra": extra, "adds": adds} for name, (extra, adds) in extras.items()
        },
    }
