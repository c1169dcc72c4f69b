"""The command `fusetrack`: its subcommands, and its errors as one line on stderr."""

import errno
import logging
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated

import typer

from pipeline import check_trackers
from pipeline.cli.calibrate import calibrate
from pipeline.cli.correct import correct
from pipeline.cli.maintenance import compact, doctor, forget
from pipeline.cli.output import fail
from pipeline.cli.parts import associate, node, record, serve
from pipeline.cli.reid import reid
from pipeline.cli.results import evaluate, export, report, summary
from pipeline.cli.run import run
from pipeline.cli.search import search
from pipeline.cli.stats import stats
from pipeline.cli.weights import weights
from pipeline.errors import UserError

# An exit code above is 128 + the number of a signal.
_SIGNALLED = 128
_SHOWN = 80

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        typer.echo(f"fusetrack {importlib.metadata.version('fusetrack')}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Follow people across cameras: video in, trajectories with one global id per person out."""


app.command()(run)
app.command()(export)
app.command()(evaluate)
app.command()(report)
app.command()(summary)
app.command()(search)
app.command()(stats)
app.command()(correct)
app.command()(node)
app.command()(associate)
app.command()(record)
app.command()(serve)
app.command()(forget)
app.command()(compact)
app.command()(calibrate)
app.command()(doctor)
app.add_typer(weights, name="weights")
app.add_typer(reid, name="reid")


def main() -> None:
    """The program: `run_command`, and after a signal its end without delay.

    The libraries of the networks may take many seconds to tidy up on a busy computer.
    """
    try:
        run_command()
    except SystemExit as ended:
        if isinstance(ended.code, int) and ended.code > _SIGNALLED:
            logging.shutdown()
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(ended.code)
        raise


def run_command() -> None:
    """Run the command line. A UserError is printed as one line; any other error is a bug."""
    from pipeline.monitoring import logs

    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # The caller closed it.
        if stream is None:
            _discard(name)
        # The name of a file need not be text in the encoding of the terminal.
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        check_trackers()
    except ImportError as error:
        # Not through the log, which needs our own package.
        typer.echo(f"fusetrack: {error}", err=True)
        sys.exit(2)
    logs.set_up()
    if _has_empty_argument(sys.argv[1:]):
        fail("an argument is empty: expected a value. Check that all shell variables are set")
        sys.exit(2)
    try:
        app()
    except UserError as error:
        fail(str(error))
        sys.exit(2)
    # The outermost handler: an unexpected error must also reach the log.
    except Exception as error:  # noqa: BLE001
        if _is_full_output(error):
            fail(f"cannot write the output: {os.strerror(errno.ENOSPC)}")
            # Otherwise the interpreter flushes it again at exit.
            _discard("stdout")
        elif isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            # Whatever asks about a path may find that there can be no such file.
            fail(f"{str(error.filename)[:_SHOWN]}... is too long for the name of a file or folder")
        else:
            logs.write_traceback(error)
            sys.exit(1)
        sys.exit(2)


def _has_empty_argument(arguments: list[str]) -> bool:
    """Whether an argument or the value of an option is empty, as of a shell variable not set.

    As a path it would be the current folder.
    """
    options = (one for one in arguments if one.startswith("--"))
    return not all(one.strip() for one in arguments) or any(one.endswith("=") for one in options)


def _is_full_output(error: Exception) -> bool:
    """Whether a standard stream could not be written: an error about a file has its name."""
    return isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None


def _discard(name: str) -> None:
    """Put the null device in the place of a standard stream."""
    setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
