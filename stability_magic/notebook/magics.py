"""The commands as magics: what runs when one is used."""

from __future__ import annotations

import atexit
import os
import re
import sys
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser
from IPython.display import display

from ..commands.declarations import COMMANDS, Command, add_arguments
from ..commands.parser import CommandParser
from ..errors import BadArgument, BudgetError, LowBalanceError, StabilityMagicError
from ..session.interrupts import not_interrupted
from ..session.session import Session
from ..text import clean_line, clean_text
from .capped_cells import CappedCell, show_as_error
from .completions import completions
from .watch_display import WatchDisplay
from .words import MagicLine, split_line

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
    from matplotlib.figure import Figure

    from ..commands.outcome import Outcome
    from ..session.cell_cost import CellCostMeter, MeasuredCost
    from ..session.spending_cap import SpendingCap
    from ..session.watch import Watch
    from ..settings import StabilityMagic
    from .cells import CellTracker

__all__ = ["Magics"]

_DOLLAR = re.compile(r"\$(?=\.?\d)")
# A character for private use, which nobody types.
_HIDDEN_DOLLAR = "\ue000"


class Magics:
    """The magics of one shell, with the settings and the session they share."""

    def __init__(
        self, shell: InteractiveShell, settings: StabilityMagic, cells: CellTracker
    ) -> None:
        self._shell = shell
        self._settings = settings
        self._cells = cells
        self.session = Session(settings, source="magic", namespace=lambda: shell.user_ns)
        atexit.register(self._close_session)
        self._display: WatchDisplay | None = None
        self._commands = {each.magic_name: each for each in COMMANDS}
        self._parsers = {each.magic_name: _make_parser(each) for each in COMMANDS}

    def close(self) -> None:
        """Ends the session, and with it the watch and the demo."""
        if self.session.demo is not None:
            self.session.notes.append("The demo has ended; %stability_demo begins another one.")
        self._close_session()
        self._end_display()

    def help_text(self, name: str) -> str:
        """How a magic is used."""
        return self._parsers[name].format_help()

    def completions(self, line: str, token: str) -> list[str]:
        """What the word at the cursor can be completed to.

        Args:
            line: The line up to the cursor.
            token: The word before the cursor.
        """
        return completions(line, token, self._commands, self.session.known_organization_ids)

    def _close_session(self) -> None:
        """Also at the end of the process: what could not be logged is tried once more."""
        atexit.unregister(self._close_session)
        self.session.close()
        _print_notes(self.session)

    def run_line(self, name: str, line: str, *, stack_depth: int) -> Any:
        """Runs ``%NAME LINE``.

        Args:
            name: The magic's name.
            line: The text after it.
            stack_depth: How many frames above this one is who called IPython for it; variables
                in the line are looked up there.
        """
        command, parser = self._commands[name], self._parsers[name]
        if command.is_cell_magic:
            self._check_is_above_cell(parser)
        # A line about the key gets the name of a variable as it is written, and never its value.
        if command.name != "login":
            line = self._shell.var_expand(_hide_dollars(line), stack_depth)
        magic_line = parser.split(line.replace(_HIDDEN_DOLLAR, "$"))
        if magic_line.words in (["--help"], ["-h"]):
            print(parser.format_help())
            return None
        answer = self._run(command, parser, magic_line.words)
        # IPython's own check for a semicolon parses the line as Python, which may fail.
        return None if magic_line.is_silent else answer

    def run_cell(self, name: str, line: str, cell: str) -> None:
        """Runs a cell under ``%%NAME LINE`` that the cell tracker left alone, or a program's."""
        parser = self._parsers[name]
        if not cell.strip():
            parser.error("the cell is empty, so there is nothing to measure")
        if cell.lstrip().startswith(f"%%{name}"):
            parser.error("a cell has one cost; leave out the second one")
        self._shell.run_cell(f"%%{name} {line}\n{cell}", store_history=False).raise_error()

    def _check_is_above_cell(self, parser: _Parser) -> None:
        if self._cells.has_callback:
            parser.error("a cell has one cost; leave out the second one")
        if not self._cells.is_cell_running:
            parser.error("it measures a cell, and stands at its head")

    def _run(self, command: Command, parser: _Parser, words: list[str]) -> Any:
        arguments = parser.parse_args(words)
        try:
            with self.session.command():
                outcome = command.run(self.session, arguments)
        except BadArgument as error:
            parser.error(str(error))
        except StabilityMagicError as error:
            _show_in_one_line(error)
            raise
        finally:
            self._end_display()
            _print_notes(self.session)
        if outcome.cost_meter is not None:
            self._begin_cost(outcome.cost_meter, outcome.spending_cap)
            return None
        if outcome.watch is not None:
            self._start_watch(outcome.watch)
            return None
        if outcome.checks is not None:
            from ..display.check_text import check_text

            print(_clean_lines(check_text(outcome.checks)))
            return None
        if not (self._settings.quiet or getattr(arguments, "quiet", False)):
            self._show_answer(outcome)
        if outcome.error is not None:
            if outcome.frame is not None and not isinstance(
                outcome.error, (LowBalanceError, BudgetError)
            ):
                display(outcome.frame)
            _show_in_one_line(outcome.error)
            raise outcome.error
        return outcome.frame if outcome.figure is None else outcome.figure

    def _show_answer(self, outcome: Outcome) -> None:
        """The card where it can be shown, with the answer in words as its plain twin."""
        text = "\n".join(map(clean_line, outcome.lines))
        if outcome.summaries:
            from ..display.summary_text import summary_text

            settings = self._settings
            text = _clean_lines(
                summary_text(
                    outcome.summaries,
                    settings.now(),
                    usd_per_credit=settings.usd_per_credit,
                    low_balance=settings.low_level(),
                )
            )
        html = ""
        if outcome.card is not None and getattr(self._shell, "kernel", None) is not None:
            with self.session.command():
                html = outcome.card()
        if html:
            display({"text/html": html, "text/plain": text}, raw=True)
        elif text:
            print(text.rstrip("\n"))

    # What interrupts the cell around this one interrupts neither its beginning nor its end.
    @not_interrupted
    def _begin_cost(self, cost_meter: CellCostMeter, cap: SpendingCap | None) -> None:
        capped_cell: CappedCell | None = None

        @not_interrupted
        def finish(cell_id: str | None, result: ExecutionResult | None) -> None:
            if capped_cell is not None:
                capped_cell.end()
            cost = self._finish_cost(cost_meter, cell_id)
            error = None if capped_cell is None else capped_cell.error(cost, result)
            _print_notes(self.session)
            if cost is not None and not self._settings.quiet:
                _print_line(cost.line)
            if error is not None:
                _show_in_one_line(error)
                show_as_error(self._shell, result, error)

        # Before anything can interrupt the cell.
        self._cells.call_at_end(finish)
        if cap is not None:
            capped_cell = CappedCell(self._shell, cap)

    def _finish_cost(self, cost_meter: CellCostMeter, cell_id: str | None) -> MeasuredCost | None:
        try:
            with self.session.command():
                return cost_meter.finish(cell_id)
        except StabilityMagicError as error:
            self.session.notes.append(f"The cost was not logged. {error}")
            return None

    def _start_watch(self, watch: Watch) -> None:
        """Starts a watch, shown below the cell.

        A frame there would stay as it was at the start, and contradict the line above it.
        """
        self._display = WatchDisplay(self._shell, watch, self._draw_watch)
        watch.start(self._display.update)
        self._display.show()

    def _draw_watch(self, watch: Watch) -> Figure:
        from ..commands.log_commands import watch_picture

        with self.session.command():
            return watch_picture(self.session, watch)

    def _end_display(self) -> None:
        if self._display is not None and not self._display.watch.is_running:
            self._display.show_end()
            self._display = None


class _Parser(CommandParser, MagicArgumentParser):
    """Parses a magic's line; a mistake in it becomes IPython's UsageError."""

    def error(self, message: str) -> NoReturn:
        message = clean_text(message.rstrip("."))
        stop = "" if message.endswith("?") else "."
        raise UsageError(f"%{self.prog}: {message}{stop} See %{self.prog}?")

    def split(self, line: str) -> MagicLine:
        """The words in the text after the magic's name."""
        try:
            return split_line(line, has_escapes=os.name != "nt")
        except ValueError as error:
            self.error(str(error))


def _make_parser(command: Command) -> _Parser:
    name = f"{'%' if command.is_cell_magic else ''}{command.magic_name}"
    examples = "\n".join(f"  %{name} {each}".rstrip() for each in command.examples_in("magic"))
    parser = _Parser(  # type: ignore[no-untyped-call]
        prog=name, description=command.summary, epilog=f"\nexamples:\n{examples}\n"
    )
    # An abbreviation could mean something else once there is another option like it.
    parser.allow_abbrev = False
    add_arguments(parser, command, "magic")
    return parser


def _hide_dollars(line: str) -> str:
    """The line with its amounts of dollars out of IPython's sight, which would make 20 of $20."""
    return _DOLLAR.sub(_HIDDEN_DOLLAR, line)


def _print_notes(session: Session) -> None:
    for each in session.take_notes():
        _print_line(f"stability_magic: {each}", file=sys.stderr)


def _clean_lines(text: str) -> str:
    return "\n".join(clean_line(each) for each in text.splitlines())


def _print_line(text: str, file: TextIO | None = None) -> None:
    # What goes out is cleaned here; terminals obey what a name or an argument may hold.
    print(clean_line(text), file=file)


def _show_in_one_line(error: StabilityMagicError) -> None:
    # IPython calls this method of an exception instead of formatting a traceback. It is set on
    # the instance, so that calling the library from Python still shows the whole traceback.
    lines = [clean_line(f"{type(error).__name__}: {error}")]
    error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
