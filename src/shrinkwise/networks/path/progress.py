"""A progress bar for trainings of which one does not know at first how many there will be."""

from __future__ import annotations


class Bar:
    """A bar through rich while the context lasts, or nothing at all.

    Parameters
    ----------
    what : text beside it
    total : int, steps that are expected
    shown : bool
    """

    def __init__(self, what: str, total: int, shown: bool):
        self._progress, self._what = None, what
        if shown:
            from rich.progress import Progress

            self._progress = Progress()
            self._task = self._progress.add_task(what, total=total)

    def __enter__(self) -> Bar:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *error) -> None:
        if self._progress is not None:
            self._progress.stop()

    def expect(self, total: int) -> None:
        """Another number of steps than was thought."""
        if self._progress is not None:
            self._progress.update(self._task, total=total)

    def advance(self, last: str = "") -> None:
        """One more step is done; `last` says what came of it."""
        if self._progress is not None:
            self._progress.update(self._task, advance=1, description=f"{self._what}: {last}" if last else self._what)
