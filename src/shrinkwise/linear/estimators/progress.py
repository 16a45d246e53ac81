"""Many fits, side by side if asked, with a progress bar if asked."""

from __future__ import annotations

from time import perf_counter


def run_all(jobs, n_jobs, what: str, verbose: bool, threads: bool = False) -> list:
    """Results of joblib's delayed calls, in order; `verbose` draws a bar through rich.

    threads: whether they spend their time in compiled code, so that threads do not wait for each other, and n_jobs of them
    are quicker than processes, which have to be started and given the data.
    """
    from joblib import Parallel

    jobs, prefer = list(jobs), "threads" if threads else None
    if not verbose:
        return Parallel(n_jobs=n_jobs, prefer=prefer)(jobs)
    from rich.progress import track

    results = Parallel(n_jobs=n_jobs, prefer=prefer, return_as="generator")(jobs)
    return list(track(results, description=what, total=len(jobs)))


def rows_read(n: int | None):
    """A function that is called with the number of rows of each block and writes how many were read, and how many a second."""
    from rich.console import Console

    console, start, read = Console(stderr=True), perf_counter(), 0

    def report(count: int) -> None:
        nonlocal read
        read += count
        rate = read / max(perf_counter() - start, 1e-9)
        done = f"{read:,} rows" if n is None else f"{read / n:.2f} passes over {n:,} rows"
        console.print(f"{done}, {rate:,.0f} rows per second", end="\r", highlight=False)

    return report
