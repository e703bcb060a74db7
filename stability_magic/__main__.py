"""The commands as a command line: ``stability-magic``, or ``python -m stability_magic``."""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ._commands import COMMANDS, add_arguments
from ._errors import BadArgument, LowBalanceError, StabilityMagicError
from ._outcome import Outcome
from ._session import Session
from ._settings import StabilityMagic
from ._tables import FORMATS, as_text
from ._text import folded
from ._version import __version__

if TYPE_CHECKING:
    from ._watch import Watch, Watched

__all__ = ["main"]

_DONE, _FAILED, _WRONG_ARGUMENTS, _LOW = 0, 1, 2, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: The arguments; None takes those of the process.

    Returns:
        0 when it is done, 1 when the service, the log or the settings failed, 3 when less
        is left than was required. Wrong arguments end the process with 2, as argparse does.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows few characters must not turn an answer into an error.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    parser = _parser()
    arguments = parser.parse_args(argv)
    session = Session(StabilityMagic(), source="cli")
    try:
        return _run(parser, session, arguments)
    except BrokenPipeError:
        # Whoever read the output has seen enough. What is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _DONE
    except KeyboardInterrupt:
        return 130
    finally:
        session.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stability-magic",
        description="Stability AI's credit balance: read, logged, and plotted over time.",
        epilog=f"Without a key: {_PROGRAM} demo. Exit codes: 0 done, 1 failed, 2 wrong arguments,"
        " 3 less is left than --require says.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"stability-magic {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for each in COMMANDS:
        if each.place not in ("", "command line"):
            continue
        examples = "\n".join(f"  {_PROGRAM} {each.name} {line}" for line in each.examples)
        one = commands.add_parser(
            each.name,
            help=each.summary,
            description=each.summary,
            epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        add_arguments(one, each, "command line")
        one.add_argument(
            "--format",
            choices=FORMATS,
            help="how to write the table (table on a terminal, csv in a pipe)",
        )
        one.set_defaults(of=each)
    return parser


_PROGRAM = "stability-magic"


def _run(parser: argparse.ArgumentParser, session: Session, arguments: argparse.Namespace) -> int:
    """Runs one command and shows its outcome; its data alone go to standard output."""
    try:
        with session.command():
            outcome = arguments.of.run(session, arguments)
    except BadArgument as error:
        _tell(session)
        _say(f"{_PROGRAM} {arguments.command}: error: {error}")
        return _WRONG_ARGUMENTS
    except StabilityMagicError as error:
        return _fail(session, error)
    _tell(session)
    if outcome.watch is not None:
        return _watch(session, outcome.watch)
    if not (session.settings.quiet or getattr(arguments, "quiet", False)):
        for each in outcome.lines:
            _say(each)
    _show(outcome, arguments.format)
    if outcome.error is not None:
        return _fail(session, outcome.error)
    if arguments.command == "demo":
        return _tour(parser, session, Path(arguments.folder))
    return _DONE


def _show(outcome: Outcome, style: str | None) -> None:
    if outcome.frame is not None:
        style = style or ("table" if sys.stdout.isatty() else "csv")
        sys.stdout.write(as_text(outcome.frame, style, shutil.get_terminal_size().columns))
        sys.stdout.flush()


def _watch(session: Session, watch: Watch) -> int:
    """Takes readings until the process is told to end.

    Returns:
        1 when the latest reading of an organization could not be taken or logged, else 0.
    """
    # A signal's handler may put into this queue, whatever the main thread is doing.
    told: queue.SimpleQueue[int] = queue.SimpleQueue()
    before = {
        each: signal.signal(each, lambda number, _: told.put(number))
        for each in (signal.SIGINT, signal.SIGTERM)
    }
    warned: dict[int, int] = {}

    def show(watched: Watched) -> None:
        known = warned.get(id(watched), 0)
        warned[id(watched)] = len(watched.warnings)
        for line in (watch.line(watched), *watched.warnings[known:]):
            _say(line)

    try:
        watch.start(show)
        told.get()
    finally:
        session.watch = None
        for number, handler in before.items():
            signal.signal(number, handler)
    return _FAILED if watch.failing else _DONE


def _tell(session: Session) -> None:
    for each in session.take_notes():
        _say(f"{_PROGRAM}: {each}")


def _fail(session: Session, error: StabilityMagicError) -> int:
    _tell(session)
    _say(f"{type(error).__name__}: {error}")
    return _LOW if isinstance(error, LowBalanceError) else _FAILED


def _say(line: str) -> None:
    """Tells a person something; a terminal would break a long line amid its words."""
    if sys.stderr.isatty():
        line = folded(line, shutil.get_terminal_size().columns)
    print(line, file=sys.stderr, flush=True)


def _tour(parser: argparse.ArgumentParser, session: Session, folder: Path) -> int:
    """What there is to see in the demo, by the commands that show it."""
    picture = folder / "usage.png"
    for line in (
        ["account"],
        ["balance", "--since", "2d"],
        ["usage", "--by", "week", "--since", "4w"],
        ["forecast"],
        ["plot", "--forecast", "--output", str(picture)],
    ):
        print(f"\n$ {_PROGRAM} {' '.join(line)}", flush=True)
        code = _run(parser, session, parser.parse_args([*line, "--format", "table"]))
        if code:
            return code
    program = _PROGRAM if shutil.which(_PROGRAM) else f"{sys.executable} -m stability_magic"
    print(_NEXT.format(picture=picture.absolute(), log=folder / "demo.db", program=program))
    return _DONE


_NEXT = """
All of this is SIMULATED. The picture is {picture}

Go on in a notebook, with your key in STABILITY_API_KEY or with %stability_demo:

    %load_ext stability_magic
    %stability_balance
    %stability_plot

or here, on the demo's log:

    STABILITY_MAGIC_LOG={log} {program} usage --by day"""


if __name__ == "__main__":
    sys.exit(main())
