"""What every benchmark shares: interleaved rounds, medians, and a results file that names machine and versions."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from importlib import metadata
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def interleave(contenders: dict, rounds: int = 9, clock=time.perf_counter) -> dict[str, list[float]]:
    """Seconds of every contender in every round, the contenders taking turns so that a noisy spell hits all of them.

    ``clock=time.process_time`` counts the processor's time alone: for one thread on a machine that others use too.
    """
    for run in contenders.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return seconds


def clock_asked():
    """The clock the command line asks for: --clock cpu on a machine that others use too."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: seconds of the processor alone")
    return {"wall": time.perf_counter, "cpu": time.process_time}[parser.parse_args().clock]


def medians(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Median seconds of each contender."""
    return {name: statistics.median(values) for name, values in seconds.items()}


def save(name: str, rows: list[dict], packages: list[str]) -> None:
    """Write rows with the machine and the versions beside them."""
    RESULTS.mkdir(exist_ok=True)
    processor = next(
        (
            line.split(":")[1].strip()
            for line in open("/proc/cpuinfo", encoding="utf-8")
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    record = {
        "machine": f"{processor}, {platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: metadata.version(package) for package in packages},
        "rows": rows,
    }
    # Written beside and put in place whole: a run that is stopped leaves no half of a file.
    unfinished = RESULTS / f"{name}.json.tmp"
    unfinished.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(RESULTS / f"{name}.json")
