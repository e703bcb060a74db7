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
from ..errors import (
    BadArgument,
    BudgetError,
    LowBalanceError,
    SettingsError,
    StabilityMagicError,
)
from ..session.session import Session
from ..settings import StabilityMagic, expand_path
from ..text import clean_text
from ..version import __version__
from .file_output import write_whole
from .output import Output
from .pasting import command_with, environment_lines, user_shell
from .phrasing import command_line_words

if TYPE_CHECKING:
    from ..analysis.summary import Summary
    from ..display.check_text import Check
    from ..display.watch_state import WatchState
    from ..session.demo import Demo
    from ..session.watch import Watch

__all__ = ["SHELLS", "main", "make_parser"]

_PROGRAM = "stability-magic"

# Of each command that has a table.
_FORMAT_FLAGS = {"--format", "--json", "--output"}
# What the end of a file's name says of its format.
_STYLES = {".csv": "csv", ".json": "json", ".prom": "openmetrics"}

# Those that the package has completions for, which tests/helpers/shell_completions.py makes.
SHELLS = ("bash", "fish", "tcsh", "zsh")

_DONE, _FAILED, _WRONG_ARGUMENTS, _NOT_MET, _INTERRUPTED = 0, 1, 2, 3, 130
# Everything went well, and what was read does not meet a condition of the user's.
_NOT_MET_ERRORS = (LowBalanceError, BudgetError)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv: The arguments; None means those of the process.

    Returns:
        The exit code: 0 for success, 1 if the service, the log or the settings failed, 2 for
        wrong arguments (argparse exits by itself), 3 if fewer credits are left than
        required, or more are spent than a budget allows.
    """
    with Output() as output:
        parser = make_parser(output)
        arguments = parser.parse_args(_with_command(sys.argv[1:] if argv is None else argv))
        if arguments.print_completion:
            output.data(_completion(arguments.print_completion), "csv")
            return _DONE
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
    flags = {flag for each in status.arguments for flag in each.flags} | _FORMAT_FLAGS
    first = words[0].partition("=")[0] if words else None
    return list(words) if first is not None and first not in flags else ["status", *words]


def _completion(shell: str) -> str:
    """What a shell needs to complete the words of this command line."""
    from importlib import resources

    file = resources.files(__package__) / "completions" / f"stability-magic.{shell}"
    return file.read_text(encoding="utf-8")


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
        if self._command and not self._command.formats and options & _FORMAT_FLAGS:
            return f"{self._command.name} writes no table, so that a format means nothing here"
        return super().refusal(unknown_words)

    def error(self, message: str) -> NoReturn:
        # A line break in an argument is none of ours.
        super().error(clean_text(message))

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            self._output.text(message, is_error=file is not sys.stdout)


def make_parser(output: Output) -> _Parser:
    """The parser of the whole command line."""
    parser = _Parser(
        output,
        prog=_PROGRAM,
        description="Stability AI's credit balance: read, logged, and plotted over time.",
        epilog=f"Without a key: {_PROGRAM} demo. Exit codes: 0 done, 1 failed, 2 wrong arguments,"
        " 3 less is left than --require says, or a budget is passed.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--print-completion",
        choices=SHELLS,
        metavar="SHELL",
        help=f"print what a shell ({', '.join(SHELLS)}) needs to complete commands and options",
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
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="write it to a file, as a whole or not at all, in the format that its name's end"
        " (.csv, .json, .prom) or --format says",
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
    if outcome.checks is not None:
        return _print_checks(output, outcome.checks)
    try:
        _print_answer(output, session.settings, outcome, arguments, is_quiet=is_quiet)
    except SettingsError as error:
        return _report_error(output, session, error)
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
    file = getattr(arguments, "output", None) if arguments.declaration.formats else None
    if outcome.summaries is not None:
        _print_summary(output, settings, outcome.summaries, _style(arguments, file, "table"), file)
        return
    style = _style(arguments, file, "table" if output.is_terminal and not file else "csv")
    if file or not (style == "table" and isinstance(outcome.error, _NOT_MET_ERRORS)):
        # A table would only tell people once more what the error tells; programs get their data.
        _print_frame(output, settings, outcome, style, file)


def _style(arguments: argparse.Namespace, file: str | None, default: str) -> str:
    """The format to write: that which was asked for, or the one that a file's name tells."""
    asked: str | None = getattr(arguments, "format", None)
    told = _STYLES.get(Path(file).suffix.lower()) if file else None
    return asked or (told if told in arguments.declaration.formats else None) or default


def _put(output: Output, text: str, style: str, file: str | None) -> None:
    """Writes data to standard output, or to a file.

    Raises:
        SettingsError: The file cannot be written.
    """
    if file is None:
        output.data(text, style)
    else:
        write_whole(expand_path(file), text.encode(errors="replace"))


def _print_frame(
    output: Output, settings: StabilityMagic, outcome: Outcome, style: str, file: str | None
) -> None:
    if outcome.frame is not None:
        from ..display.tables import frame_text

        width = shutil.get_terminal_size().columns
        text = frame_text(
            outcome.frame,
            style,
            width,
            now=settings.now(),
            usd_per_credit=settings.usd_per_credit,
            has_unicode=file is not None or output.has_blocks,
        )
        _put(output, text, style, file)


def _print_summary(
    output: Output,
    settings: StabilityMagic,
    summaries: Sequence[Summary],
    style: str,
    file: str | None,
) -> None:
    from ..display.openmetrics import summary_openmetrics
    from ..display.summary_json import summary_json
    from ..display.summary_text import summary_text

    now, price, low = settings.now(), settings.usd_per_credit, settings.low_level()
    if style == "openmetrics":
        # Without organizations too: else a file would go on telling figures of a log that is gone.
        _put(output, summary_openmetrics(summaries, low_balance=low), style, file)
        return
    if style == "json":
        text = summary_json(summaries, now, usd_per_credit=price, low_balance=low)
        _put(output, text, style, file)
        return
    text = ""
    if summaries:
        text = summary_text(
            summaries,
            now,
            usd_per_credit=price,
            low_balance=low,
            has_unicode=file is not None or output.has_blocks,
        )
    if file is None:
        output.summary(text, has_colour=settings.has_colour())
    else:
        _put(output, text, style, file)


def _print_checks(output: Output, checks: Sequence[Check]) -> int:
    """Prints what was checked, and returns the exit code: 1 where there is a fault."""
    from ..display.check_text import FAULT, check_text
    from ..display.wording import ascii_text

    width = shutil.get_terminal_size().columns if output.is_terminal else None
    text = check_text(
        [each._replace(text=command_line_words(each.text, _PROGRAM)) for each in checks], width
    )
    output.text(text if output.has_blocks else ascii_text(text))
    return _FAILED if any(each.state == FAULT for each in checks) else _DONE


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
    return _NOT_MET if isinstance(error, _NOT_MET_ERRORS) else _FAILED


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
