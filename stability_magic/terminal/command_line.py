"""The commands as a command line: ``stability-magic``, or ``python -m stability_magic``."""

from __future__ import annotations

import argparse
import queue
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..commands.declarations import COMMANDS, Command, add_arguments
from ..commands.outcome import Outcome
from ..commands.parser import CommandParser
from ..errors import BadArgument, BudgetError, LowBalanceError, StabilityMagicError
from ..session.session import Session
from ..settings import StabilityMagic
from ..text import clean_text
from ..version import __version__
from .output import Output
from .pasting import command_with, environment_lines, user_shell
from .phrasing import command_line_words

if TYPE_CHECKING:
    from ..analysis.summary import Summary
    from ..display.watch_state import WatchState
    from ..session.demo import Demo
    from ..session.watch import Watch

__all__ = ["main"]

_PROGRAM = "stability-magic"

_DONE, _FAILED, _WRONG_ARGUMENTS, _LOW_BALANCE, _INTERRUPTED = 0, 1, 2, 3, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: The arguments; None means those of the process.

    Returns:
        The exit code: 0 for success, 1 if the service, the log or the settings failed, 2 for
        wrong arguments (argparse exits by itself), 3 if fewer credits are left than required.
    """
    with Output() as output:
        parser = _make_parser(output)
        arguments = parser.parse_args(_with_command(sys.argv[1:] if argv is None else argv))
        session = Session(StabilityMagic(), source="cli")
        goes_on = arguments.command == "watch" or getattr(arguments, "serve", False)
        old_handler = signal.getsignal(signal.SIGTERM)
        if goes_on:
            # Ends it as Ctrl-C does, also while it still asks which organizations there are.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            code = _run(output, parser, session, arguments)
        except KeyboardInterrupt:
            code = _DONE if goes_on else _INTERRUPTED
        finally:
            if goes_on:
                signal.signal(signal.SIGTERM, old_handler)
            session.close()
            _print_notes(output, session)
        return _FAILED if code == _DONE and session.has_lost_readings else code


def _with_command(words: Sequence[str]) -> list[str]:
    """The words of a command line; alone, or with options of its own, it is the summary."""
    (status,) = (each for each in COMMANDS if each.name == "status")
    flags = {flag for each in status.arguments for flag in each.flags} | {"--format", "--json"}
    first = words[0].partition("=")[0] if words else None
    return list(words) if first is not None and first not in flags else ["status", *words]


class _Parser(CommandParser):
    """Writes its help and its errors as everything else is written."""

    def __init__(self, output: Output, command: Command | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._output = output
        self._command = command
        # Python 3.14 colours help texts; the escapes would be cleaned away in part.
        self.color = False

    def refusal(self, unknown_words: Sequence[str]) -> str:
        options = {each.partition("=")[0] for each in unknown_words}
        if self._command and not self._command.formats and options & {"--format", "--json"}:
            return f"{self._command.name} writes no table, so that a format means nothing here"
        return super().refusal(unknown_words)

    def error(self, message: str) -> NoReturn:
        # A line break in an argument is none of ours.
        super().error(clean_text(message))

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            self._output.text(message, is_error=file is not sys.stdout)


def _make_parser(output: Output) -> _Parser:
    parser = _Parser(
        output,
        prog=_PROGRAM,
        description="Stability AI's credit balance: read, logged, and plotted over time.",
        epilog=f"Without a key: {_PROGRAM} demo. Exit codes: 0 done, 1 failed, 2 wrong arguments,"
        " 3 less is left than --require says.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"stability-magic {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for each in COMMANDS:
        if not each.is_offered_in("command line"):
            continue
        lines = each.examples_in("command line")
        examples = "\n".join(f"  {_PROGRAM} {each.name} {line}".rstrip() for line in lines)
        subparser = subparsers.add_parser(
            each.name,
            output=output,
            command=each,
            help=each.summary,
            description=each.summary,
            epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        add_arguments(subparser, each, "command line")
        if each.formats:
            _add_format_arguments(subparser, each.formats)
        subparser.set_defaults(declaration=each, parser=subparser)
    return parser


def _add_format_arguments(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    default = "table on a terminal, csv in a pipe" if "csv" in formats else "table"
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--format", choices=formats, help=f"how to write what there is to know ({default})"
    )
    group.add_argument(
        "--json",
        action="store_const",
        const="json",
        dest="format",
        help="the same as --format json",
    )


def _run(output: Output, parser: _Parser, session: Session, arguments: argparse.Namespace) -> int:
    """Runs one command and shows its outcome; only the data go to standard output."""
    try:
        with session.command():
            outcome = arguments.declaration.run(session, arguments)
    except BadArgument as error:
        _print_notes(output, session)
        message = command_line_words(str(error), _PROGRAM)
        output.line(f"{_PROGRAM} {arguments.command}: error: {message}")
        return _WRONG_ARGUMENTS
    except StabilityMagicError as error:
        return _report_error(output, session, error)
    _print_notes(output, session)
    if outcome.watch is not None:
        return _run_watch(output, outcome.watch)
    is_quiet = session.settings.quiet or getattr(arguments, "quiet", False)
    _print_answer(output, session.settings, outcome, arguments, is_quiet=is_quiet)
    if outcome.error is not None:
        return _report_error(output, session, outcome.error)
    if session.demo is not None and arguments.command == "demo":
        if arguments.serve:
            return _serve_demo(output, session.demo)
        return _run_tour(output, parser, session, Path(arguments.folder))
    return _DONE


def _print_answer(
    output: Output,
    settings: StabilityMagic,
    outcome: Outcome,
    arguments: argparse.Namespace,
    *,
    is_quiet: bool,
) -> None:
    for each in () if is_quiet else outcome.lines:
        output.line(each)
    style = getattr(arguments, "format", None)
    if outcome.summaries:
        _print_summary(output, settings, outcome.summaries, style)
    style = style or ("table" if output.is_terminal else "csv")
    if not (style == "table" and isinstance(outcome.error, LowBalanceError)):
        # A table would only tell people once more what the error tells; programs get their data.
        _print_frame(output, settings, outcome, style)


def _print_frame(output: Output, settings: StabilityMagic, outcome: Outcome, style: str) -> None:
    if outcome.frame is not None:
        from ..display.tables import frame_text

        width = shutil.get_terminal_size().columns
        text = frame_text(
            outcome.frame,
            style,
            width,
            now=settings.now(),
            usd_per_credit=settings.usd_per_credit,
            has_unicode=output.has_blocks,
        )
        output.data(text, style)


def _print_summary(
    output: Output, settings: StabilityMagic, summaries: Sequence[Summary], style: str | None
) -> None:
    from ..display.summary_json import summary_json
    from ..display.summary_text import summary_text

    now, price, low = settings.now(), settings.usd_per_credit, settings.low_balance
    if style == "json":
        text = summary_json(summaries, now, usd_per_credit=price, low_balance=low)
        output.data(text, "json")
        return
    text = summary_text(
        summaries,
        now,
        usd_per_credit=price,
        low_balance=low,
        has_unicode=output.has_blocks,
    )
    output.summary(text, has_colour=settings.has_colour())


def _run_watch(output: Output, watch: Watch) -> int:
    """Takes readings until a signal ends the process.

    Returns:
        The exit code: 1 if the latest reading of an organization could not be taken or logged,
        else 0.
    """
    warning_counts: dict[int, int] = {}

    def show(state: WatchState) -> None:
        old_count = warning_counts.get(id(state), 0)
        warning_counts[id(state)] = len(state.warnings)
        for line in (watch.line(state), *state.warnings[old_count:]):
            output.line(command_line_words(line, _PROGRAM))

    # All readings are taken in the watch's thread, so that a signal ends one that hangs. Closing
    # the session stops the watch.
    _run_until_signal(lambda: watch.start(show, waits_for_first=False))
    return _FAILED if watch.is_failing else _DONE


def _run_until_signal(start: Callable[[], object]) -> None:
    """Starts what goes on in other threads, and waits for Ctrl-C or SIGTERM."""
    # A SimpleQueue, because a signal handler may safely put into it at any moment.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    old_handlers = {
        each: signal.signal(each, lambda number, _: signals.put(number))
        for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        start()
        signals.get()
    finally:
        for number, handler in old_handlers.items():
            signal.signal(number, handler)


def _print_notes(output: Output, session: Session) -> None:
    for each in session.take_notes():
        output.line(f"{_PROGRAM}: {command_line_words(each, _PROGRAM)}")


def _report_error(output: Output, session: Session, error: StabilityMagicError) -> int:
    """Prints an error, and returns the exit code for it."""
    _print_notes(output, session)
    output.line(f"{type(error).__name__}: {command_line_words(str(error), _PROGRAM)}")
    return _LOW_BALANCE if isinstance(error, LowBalanceError | BudgetError) else _FAILED


def _serve_demo(output: Output, demo: Demo) -> int:
    """Lets other commands use the demo's simulator and log, until a signal ends this one."""

    def tell() -> None:
        output.line(
            f"Paste these two lines into another terminal, and try {_PROGRAM} balance, watch or"
            " balance --require 500usd there. Ctrl-C here ends the simulator."
        )
        for each in environment_lines(demo.api_url, demo.api_key, demo.log_path):
            output.text(f"{each}\n")

    _run_until_signal(tell)
    return _DONE


def _run_tour(output: Output, parser: _Parser, session: Session, folder: Path) -> int:
    """Shows the demo by running the main commands on it."""
    picture = folder / "usage.png"
    for words in (
        ["account"],
        ["balance", "--since", "2d"],
        ["status"],
        ["usage", "--by", "week", "--since", "4w"],
        ["forecast"],
        ["plot", "--forecast", "--output", str(picture)],
    ):
        output.text(f"\n$ {_PROGRAM} {clean_text(' '.join(words))}\n")
        arguments = parser.parse_args(words)
        if arguments.declaration.formats:
            arguments.format = "table"
        code = _run(output, parser, session, arguments)
        if code:
            return code
    program = _PROGRAM if shutil.which(_PROGRAM) else f"{sys.executable} -m stability_magic"
    log = {"STABILITY_MAGIC_LOG": str((folder / "demo.db").absolute())}
    parts = {
        "picture": str(picture.absolute()),
        "usage": command_with(log, f"{program} usage --by day", user_shell()),
        "program": program,
    }
    output.text(_NEXT_STEPS.format(**{name: clean_text(each) for name, each in parts.items()}))
    return _DONE


_NEXT_STEPS = """
All of this is SIMULATED. The picture is {picture}

Go on in a notebook, with your key in STABILITY_API_KEY or with %stability_demo:

    %load_ext stability_magic
    %stability_balance
    %stability_plot

or here, on the demo's log:

    {usage}

or with the simulator, which goes on for other commands in

    {program} demo --serve
"""
