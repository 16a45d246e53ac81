"""Worker processes that end when the process that started them is gone."""

from __future__ import annotations

import os
import threading
import time

_EVERY = 0.5  # seconds between two looks


def end_with(parent: int) -> None:
    """Have this process end within half a second of the end of its parent, the process numbered `parent`.

    A parent that is killed cannot tell its workers, and each would keep its memory, and the pipes it inherited, for minutes.
    A thread looks, because the signal that Linux can send instead follows the thread that started the worker. Windows does
    not give a process another parent, so there a worker waits until its executor notices.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_EVERY)
        os._exit(1)

    threading.Thread(target=watch, name="end with the parent", daemon=True).start()
