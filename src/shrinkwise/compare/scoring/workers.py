"""Worker processes: they end when their parent process ends, and each works on one thread."""

from __future__ import annotations

import os
import threading
import time
from contextlib import AbstractContextManager

_EVERY = 0.5  # seconds between two looks


def end_with(parent: int) -> None:
    """End this process within half a second of the end of its parent, the process with the id `parent`.

    A killed parent cannot notify its workers, and each would keep its memory and the inherited pipes for minutes. A
    thread polls, because the signal that Linux can send instead depends on the thread that started the worker. Windows
    does not reassign parents, so there a worker waits until its executor notices.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_EVERY)
        os._exit(1)

    threading.Thread(target=watch, name="end with the parent", daemon=True).start()


def in_processes(n: int) -> AbstractContextManager:
    """joblib's calls inside run in n processes, those that `end_with` this one."""
    from joblib import parallel_config

    return parallel_config("loky", n_jobs=n, initializer=end_with, initargs=(os.getpid(),))


def on_one_thread() -> AbstractContextManager:
    """For the libraries that are loaded: threads of two processes that wait for each other cost many times their work."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)
