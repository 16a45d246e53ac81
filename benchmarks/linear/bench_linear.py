"""Linear solvers beside their peers at equal precision, one thread, medians of rounds in which the solvers take turns.

Every solver runs in a process of its own ($SHRINKWISE_PEERS names the interpreter that has the peers; Rscript runs glmnet)
and is timed there around the solve alone, after a small solve of the same kind. Each is driven to the same measured
precision (oracle: relative duality gap ≤ 1e-6 at every λ): of a peer's tolerances the loosest that reaches it is
taken. A peer that reaches it at none is compared at its own best gap, with this library driven to that same gap. The ratio
of a row is the smallest over the peers. The choice of tolerances is kept in results/linear_tolerances.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.common import RESULTS, save
from benchmarks.linear.bench_cold_start import cold_start_row
from benchmarks.linear.contenders import (
    CLOCKS,
    CROSS_VALIDATING,
    PEERS,
    Contender,
    SolverFailed,
    Task,
    choose_tolerance,
)
from benchmarks.linear.oracle import mcp_objective
from benchmarks.linear.rows import ROWS, Row
from benchmarks.linear.table import OURS, YARDSTICKS, markdown, sentence

TOLERANCES = RESULTS / "linear_tolerances.json"


@dataclass
class Entry:
    """One solver at one tolerance in one row."""

    contender: Contender
    tol: float
    label: str
    gap: float | None = None
    seconds: list[float] = field(default_factory=list)
    failed: str = ""
    curve: object = None
    objective: float | None = None

    def run(self, task: Task, limit: float) -> None:
        """Solve once more; the first solve is also measured."""
        if self.failed:
            return
        try:
            seconds, coefs = self.contender.solve(task, self.tol, limit)
        except SolverFailed as error:
            self.failed = str(error)
            return
        if not self.seconds and coefs is not None:
            if task.problem.kind == "cv":
                self.curve = coefs.toarray().ravel()
            else:
                self.gap = task.measure(coefs)
            if task.problem.kind == "mcp":
                self.objective = float(mcp_objective(task.problem, coefs).mean())
        self.seconds.append(seconds)

    def record(self) -> dict:
        """What is written down."""
        found = {"solver": self.label, "version": self.contender.version}
        if self.failed:
            return found | {"failed": self.failed}
        found |= {"seconds": statistics.median(self.seconds), "rounds": len(self.seconds), "tol": self.tol}
        return found | {k: v for k, v in (("gap", self.gap), ("objective", self.objective)) if v is not None}


def tolerance_for(peer: Contender, row: Row, scale: int, task: Task, limit: float) -> dict:
    """The cached choice for this peer, version, row and size, or a new one that starts from that of another size."""
    known = json.loads(TOLERANCES.read_text(encoding="utf-8")) if TOLERANCES.exists() else {}
    who = f"{row.name}: {peer.name} {peer.version}"
    sizes = known.setdefault(who, {})
    if str(scale) not in sizes:
        guess = next((choice["tol"] for choice in sizes.values() if "tol" in choice), None)
        found = choose_tolerance(peer, task, limit, guess)
        if "not done after" in found.get("failed", ""):
            return found  # on a quieter machine it may end in time
        sizes[str(scale)] = found
        RESULTS.mkdir(exist_ok=True)
        TOLERANCES.write_text(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return sizes[str(scale)]


def entries_for(row: Row, scale: int, task: Task, peers: list[Contender], ours: Contender, options) -> list[Entry]:
    """Ours at the target, each peer at its tolerance, and ours at the gap of each peer that misses the target."""
    entries = [Entry(ours, row.target, ours.name)]
    chosen_on = task
    if task.problem.kind == "cv":
        chosen_on = Task(task.problem.first_fold(), task.folder / "fold", row.target)
    for peer in peers:
        if task.problem.kind == "cv" and peer.name not in CROSS_VALIDATING:
            continue
        if task.problem.positive and peer.name != "scikit-learn":
            continue
        if not peer.ready():
            entries.append(Entry(peer, 0.0, peer.name, failed=peer.reason))
            continue
        choice = tolerance_for(peer, row, scale, chosen_on, options.limit)
        if "failed" in choice:
            entries.append(Entry(peer, 0.0, peer.name, failed=choice["failed"]))
            continue
        gap = choice["gap"]
        entries.append(Entry(peer, choice["tol"], peer.name, gap=gap if task.problem.kind == "cv" else None))
        if gap > row.target and task.problem.kind != "ridge":
            entries.append(Entry(ours, gap, f"{ours.name} at the gap of {peer.name}"))
    return entries


def measure(row: Row, scale: int, contenders: dict[str, Contender], options) -> dict:
    """All solvers of one row, in turns."""
    try:
        problem = row.make(scale)
    except FileNotFoundError as error:
        return {"row": row.name, "bar": row.bar, "absent": f"needs {Path(error.filename).name} in $SHRINKWISE_DATA"}
    with tempfile.TemporaryDirectory() as folder:
        task = Task(problem, Path(folder), row.target)
        peers = [] if options.ours_only else [contenders[name] for name in PEERS]
        task.learn(contenders[OURS], options.limit)
        entries = entries_for(row, scale, task, peers, contenders[OURS], options)
        if row.yardstick:
            entries.append(Entry(contenders[row.yardstick[0]], row.target, row.yardstick[0]))
        for _ in range(options.rounds):
            for entry in entries:
                # One that takes long is asked fewer times: its noise is small beside its time.
                if sum(entry.seconds) <= options.budget:
                    entry.run(task, options.limit)
    shape = "×".join(map(str, problem.X.shape))
    record = {
        "row": row.name,
        "shape": shape,
        "clock": options.clock,
        "n_lambdas": len(problem.lambdas),
        "bar": row.bar,
        "target": row.target,
        "within": row.yardstick[1] if row.yardstick else None,
    }
    record["solvers"] = [entry.record() for entry in entries]
    return record | agreement(entries)


def agreement(entries: list[Entry]) -> dict:
    """Cross-validation: largest relative difference of each curve of held-out errors to the first one's."""
    curves = {entry.label: entry.curve for entry in entries if entry.curve is not None}
    if len(curves) < 2:
        return {}
    (_, first), *others = curves.items()
    return {"curve differs by": {name: float(abs(curve / first - 1).max()) for name, curve in others}}


def arguments():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", help="rows whose name contains this; may be repeated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="n and p divided by 5")
    parser.add_argument("--ours-only", action="store_true", help="no peers")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds after which one solve is given up")
    parser.add_argument("--budget", type=float, default=30.0, help="a solver that has used this in a row rests")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    return parser.parse_args()


def kept(records: list[dict]) -> None:
    """Put these rows, with today's date, into results/linear.json and linear.md beside the rows of earlier runs."""
    file = RESULTS / "linear.json"
    earlier = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
    today = datetime.now(UTC).date().isoformat()
    rows = {record["row"]: record for record in [*earlier, *(record | {"date": today} for record in records)]}
    order = [*(row.name for row in ROWS), "cold start"]
    save("linear", [rows[name] for name in order if name in rows], ["shrinkwise", "numpy", "scipy", "scikit-learn"])
    (RESULTS / "linear.md").write_text(markdown(json.loads(file.read_text(encoding="utf-8"))), encoding="utf-8")


def main() -> None:
    """Measure and print; a run at full size with peers is written to results/linear.json and linear.md."""
    options = arguments()
    contenders = {name: Contender(name, options.clock) for name in (OURS, *PEERS, *YARDSTICKS)}
    wanted = [row for row in ROWS if options.only is None or any(part in row.name for part in options.only)]
    records = []
    try:
        for row in wanted:
            records.append(measure(row, 5 if options.quick else 1, contenders, options))
            print(sentence(records[-1]), flush=True)
        if options.only is None or any(part in "cold start" for part in options.only):
            records.append(cold_start_row(options.rounds, [] if options.ours_only else PEERS, options.clock))
            print(sentence(records[-1]), flush=True)
    finally:
        for contender in contenders.values():
            contender.stop()
        if records and not options.quick and not options.ours_only:
            kept(records)


if __name__ == "__main__":
    main()
