"""The command line `shrinkwise`: one file per command over `shrinkwise.service`.

Only click is imported at the top of this folder's files, so that `--help` responds quickly. Exit codes: 0 for success;
2 for a user error, with one sentence on stderr; 1 for a system error (such as a full disk); 130 for Ctrl-C. A command
may return other codes.
"""

from __future__ import annotations

import io
import os
import sys
import warnings

import click

from shrinkwise import __version__

from .audit import audit
from .compare import compare
from .doctor import doctor
from .explain import explain
from .fit import fit
from .onnx import onnx
from .playground import playground
from .predict import predict
from .replay import replay
from .terminal import say


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="shrinkwise", message="shrinkwise %(version)s")
def cli() -> None:
    """Find out whether regularization helps on your data, which kind helps, and how strong it should be."""


for command in (fit, predict, explain, compare, replay, onnx, audit, doctor, playground):
    cli.add_command(command)


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(args))


def run(args: list[str] | None = None) -> int:
    """Run the command line and return its exit code; errors are printed on stderr as one sentence."""
    _prepare_streams()
    try:
        code = cli.main(args=args, prog_name="shrinkwise", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.MissingParameter as error:
        usage = f"; usage: {' '.join(error.ctx.get_usage().split()[1:])}" if error.ctx else ""
        return _say(f"{error.format_message().removesuffix('.')}{usage}.", 2)
    except click.ClickException as error:
        return _say(error.format_message(), 2)
    except (click.Abort, KeyboardInterrupt):
        warnings.simplefilter("ignore")  # joblib's, once what was waited for is given up
        return _say("Interrupted; nothing was written. Add --resume to continue a fit.", 130)
    except BrokenPipeError:
        # The reader has gone, as in `| head`. Python would complain again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        said = error.strerror or str(error)  # of the system with the name of a file, of shrinkwise a whole sentence
        return _say(said if error.filename is None else f"{error.filename}: {said}.", 1)
    except MemoryError:
        return _say("There is not enough memory for this table.", 1)
    except ValueError as error:
        if not _is_mistake(error):
            raise
        return _say(str(error), 2)


def _prepare_streams() -> None:
    """Let output neither fail where the stream is closed, nor where its encoding lacks a character such as "−"."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _is_mistake(error: ValueError) -> bool:
    from shrinkwise.streaming import RowsError
    from shrinkwise.tables import InputError

    return isinstance(error, InputError | RowsError)


def _say(sentence: str, code: int) -> int:
    say(" ".join(sentence.split()), err=True)
    return code
