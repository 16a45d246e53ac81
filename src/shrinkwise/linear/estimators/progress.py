"""Many fits, side by side if asked, with a progress bar if asked."""

from __future__ import annotations


def run_all(jobs, n_jobs, what: str, verbose: bool) -> list:
    """Results of joblib's delayed calls, in order; `verbose` draws a bar through rich."""
    from joblib import Parallel

    jobs = list(jobs)
    if not verbose:
        return Parallel(n_jobs=n_jobs)(jobs)
    from rich.progress import track

    results = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    return list(track(results, description=what, total=len(jobs)))
