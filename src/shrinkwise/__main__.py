"""`python -m shrinkwise` is the command `shrinkwise`, which starts here: Ctrl-C is answered also while it is being loaded."""

from __future__ import annotations

import sys


def main() -> None:
    """Load the command line and run it; exit with its code."""
    try:
        from .cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; nothing was written.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
