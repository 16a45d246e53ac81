"""The linear benchmark's results as sentences and as a Markdown table."""

from __future__ import annotations

OURS = "shrinkwise"
YARDSTICKS = {"X'X": "X'X alone", "L1": "L1 on the same data", "lbfgs": "scikit-learn's lbfgs without penalty"}
NOT_OFFERED = "does not offer this"


def verdict(record: dict) -> dict:
    """Ratio to every peer at equal precision, the smallest of them, and whether the bar is met."""
    solvers = {s["solver"]: s for s in record.get("solvers", [])}
    ours = solvers.get(OURS, {"failed": "absent"})
    if "failed" in ours:
        return {"ratios": {}, "ratio": None, "passed": False, "ours": ours}
    ratios = {}
    for name, peer in solvers.items():
        if "seconds" in peer and not name.startswith((OURS, *YARDSTICKS)):
            equal = solvers.get(f"{OURS} at the gap of {name}", ours)
            if "seconds" in equal:
                ratios[name] = peer["seconds"] / equal["seconds"]
    ratio = min(ratios.values(), default=None)
    passed = ratio is not None and ratio >= record["bar"]
    beside = next((name for name in YARDSTICKS if "seconds" in solvers.get(name, {})), None)
    times = ours["seconds"] / solvers[beside]["seconds"] if beside else None
    if times is not None:
        within = times <= record.get("within", 1.25)
        passed = passed or within if beside == "X'X" else passed and within
    # A solution that misses the precision has won nothing.
    precise = ours.get("gap", 0.0) <= record["target"]
    # Where minima are many, the peer's must not be better by more than a thousandth.
    precise &= all(ours["objective"] <= 1.001 * s["objective"] for s in solvers.values() if "objective" in s)
    return {
        "ratios": ratios,
        "ratio": ratio,
        "passed": passed and precise,
        "ours": ours,
        "beside": beside,
        "times": times,
    }


def timed(solver: dict) -> str:
    """0.39 s @8e-7."""
    if "failed" in solver:
        return solver["failed"]
    gap = f" @{solver['gap']:.0e}".replace("e-0", "e-") if solver.get("gap") is not None else ""
    objective = f", objective {solver['objective']:.5f}" if "objective" in solver else ""
    return f"{solver['seconds']:.3g} s{gap}{objective}"


def cells(record: dict) -> list[str]:
    """Row, ours, best peer, the other peers, bar, measured, met, date."""
    name = f"{record['row']}" if record.get("shape", "") in record["row"] else f"{record['row']} ({record['shape']})"
    if "absent" in record:
        return [name, record["absent"], "", "", f"≥ {record['bar']:g}×", "", "no", ""]
    found = verdict(record)
    peers = [s for s in record["solvers"] if not s["solver"].startswith((OURS, *YARDSTICKS))]
    peers.sort(key=lambda s: (found["ratios"].get(s["solver"], float("inf")), s["solver"]))
    told = []
    for peer in peers:
        if peer.get("failed") == NOT_OFFERED:
            continue
        text = f"{peer['solver']} {timed(peer)}"
        equal = next((s for s in record["solvers"] if s["solver"] == f"{OURS} at the gap of {peer['solver']}"), None)
        if equal is not None:
            text += f" (ours there {timed(equal)})"
        if peer["solver"] in found["ratios"]:
            text += f": {found['ratios'][peer['solver']]:.2g}×"
        told.append(text)
    ours = timed(found["ours"])
    bar, beside = f"≥ {record['bar']:g}×", found.get("beside")
    if beside:
        ours += f" ({found['times']:.2g} times {YARDSTICKS[beside]})"
        joined = "or" if beside == "X'X" else "and"
        bar += f", {joined} ≤ {record.get('within', 1.25):g} times {YARDSTICKS[beside]}"
    measured = "" if found["ratio"] is None else f"{found['ratio']:.2g}×"
    best, others = (told[0], told[1:]) if told else ("", [])
    return [
        name,
        ours,
        best,
        "; ".join(others),
        bar,
        measured,
        "yes" if found["passed"] else "no",
        record.get("date", ""),
    ]


def sentence(record: dict) -> str:
    """One row for the terminal."""
    name, ours, best, others, bar, measured, met, _ = cells(record)
    text = f"{name}\n    ours {ours}   bar {bar}   measured {measured or '-'}   {'met' if met == 'yes' else 'NOT met'}"
    return text + "".join(f"\n    {peer}" for peer in [best, *others.split("; ")] if peer)


def markdown(results: dict) -> str:
    """The whole table with the machine and the versions."""
    versions = dict(results["versions"])
    for record in results["rows"]:
        versions |= {
            s["solver"]: s["version"] for s in record.get("solvers", []) if s["version"] and " at " not in s["solver"]
        }
    for name in YARDSTICKS:
        versions.pop(name, None)
    lines = [
        "# Linear solvers beside their peers at equal precision",
        "",
        f"{results['machine']}; Python {results['python']}; "
        + ", ".join(f"{k} {v}" for k, v in versions.items())
        + ".",
        "One thread, float64, medians of processor seconds; @ is the largest measured relative duality gap of the path (MCP:",
        "stationarity over λ; ridge: relative error of the leave-one-out curve). Ratio: seconds of the peer over ours at the",
        "same precision. Rows of other dates were measured with the library of that day.",
        "",
        "| work | ours | best peer | other peers | bar | measured | met | date |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(cells(record)) + " |" for record in results["rows"]]
    return "\n".join(lines) + "\n"
