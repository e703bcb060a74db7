"""The commands as magics."""

from __future__ import annotations

import atexit
import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, cast
from weakref import WeakKeyDictionary

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.error import UsageError
from IPython.core.magic import no_var_expand
from IPython.core.magic_arguments import MagicArgumentParser
from IPython.display import display

from ..commands.declarations import COMMANDS, Command, add_arguments
from ..commands.parser import CommandParser
from ..errors import BadArgument, BudgetError, LowBalanceError, StabilityMagicError
from ..session.current import forget_current, make_current
from ..session.interrupts import not_interrupted
from ..session.session import Session
from ..settings import StabilityMagic
from ..text import clean_line, clean_text
from .capped_cells import CappedCell, show_as_error
from .cells import CellTracker
from .completions import completions
from .frame_printer import FramePrinters
from .watch_display import WatchDisplay
from .words import MagicLine, split_line

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
    from matplotlib.figure import Figure

    from ..commands.outcome import Outcome
    from ..session.cell_cost import CellCostMeter, MeasuredCost
    from ..session.spending_cap import SpendingCap
    from ..session.watch import Watch

__all__ = ["load", "unload"]

_CALL = re.compile(r"(?P<target>[\w.,\s]+=)?(?P<name>\s*%stability(?:_\w+)?)(?P<rest>(?:[\s;].*)?)")

_DOLLAR = re.compile(r"\$(?=\.?\d)")
# A character for private use, which nobody types.
_HIDDEN_DOLLAR = "\ue000"

_MAGICS_BY_SHELL: WeakKeyDictionary[InteractiveShell, Magics] = WeakKeyDictionary()


def load(shell: InteractiveShell) -> None:
    """Adds the magics and the settings to a shell, replacing those loaded before."""
    unload(shell)
    _MAGICS_BY_SHELL[shell] = Magics(shell)


def unload(shell: InteractiveShell) -> None:
    """Removes everything that :func:`load` added."""
    magics = _MAGICS_BY_SHELL.pop(shell, None)
    if magics is not None:
        magics.close()


class Magics:
    """The magics of one shell, with the settings and the session they share."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._settings = StabilityMagic(parent=shell)
        self._session = Session(self._settings, source="magic", namespace=lambda: shell.user_ns)
        make_current(self._session)
        atexit.register(self._close_session)
        self._cells = CellTracker(shell)
        self._frame_printers = FramePrinters(shell, self._settings)
        self._display: WatchDisplay | None = None
        self._parsers = {each.magic_name: _make_parser(each) for each in COMMANDS}
        self._matcher = self._make_completion_matcher()
        # What %config lists; IPython declares it as if it held the shell alone.
        self._configurables = cast("list[Any]", shell.configurables)
        self._configurables.append(self._settings)
        for command, (name, parser) in zip(COMMANDS, self._parsers.items(), strict=True):
            shell.magics_manager.register_function(
                self._make_line_magic(command, parser), magic_kind="line", magic_name=name
            )
            if command.is_cell_magic:
                shell.magics_manager.register_function(
                    self._make_cell_magic(name, parser), magic_kind="cell", magic_name=name
                )
        shell.input_transformers_cleanup.append(_separate_semicolons)
        if shell.Completer is not None:
            shell.Completer.custom_matchers.append(self._matcher)

    def close(self) -> None:
        """Removes the magics, the settings and the completions from the shell."""
        self._cells.close()
        self._frame_printers.close()
        for name in self._parsers:
            for kind in ("line", "cell"):
                self._shell.magics_manager.magics[kind].pop(name, None)
        if self._settings in self._configurables:
            self._configurables.remove(self._settings)
        if _separate_semicolons in self._shell.input_transformers_cleanup:
            self._shell.input_transformers_cleanup.remove(_separate_semicolons)
        matchers = self._shell.Completer.custom_matchers if self._shell.Completer else []
        if self._matcher in matchers:
            matchers.remove(self._matcher)
        self._close_session()
        forget_current(self._session)
        self._end_display()

    def _close_session(self) -> None:
        """Also at the end of the process: what could not be logged is tried once more."""
        atexit.unregister(self._close_session)
        self._session.close()
        _print_notes(self._session)

    def _make_line_magic(self, command: Command, parser: _Parser) -> Callable[[str], Any]:
        @no_var_expand
        def magic(line: str) -> Any:
            if command.is_cell_magic:
                self._check_is_above_cell(parser)
            # Two frames above this one is who called IPython for it, and may have variables.
            expanded = self._shell.var_expand(_hide_dollars(line), 2)
            magic_line = parser.split(expanded.replace(_HIDDEN_DOLLAR, "$"))
            if magic_line.words in (["--help"], ["-h"]):
                print(parser.format_help())
                return None
            answer = self._run(command, parser, magic_line.words)
            # IPython's own check for a semicolon parses the line as Python, which may fail.
            return None if magic_line.is_silent else answer

        magic.__name__ = command.magic_name
        magic.__doc__ = parser.format_help()
        # A line about the key gets the name of a variable as it is written, and never its value.
        return no_var_expand(magic) if command.name == "login" else magic

    def _make_cell_magic(self, name: str, parser: _Parser) -> Callable[[str, str], None]:
        def magic(line: str, cell: str) -> None:
            # Called for the cells that transform_cost_line leaves alone, and by programs.
            if not cell.strip():
                parser.error("the cell is empty, so there is nothing to measure")
            if cell.lstrip().startswith(f"%%{name}"):
                parser.error("a cell has one cost; leave out the second one")
            self._shell.run_cell(f"%%{name} {line}\n{cell}", store_history=False).raise_error()

        magic.__name__ = name
        magic.__doc__ = parser.format_help()
        return magic

    def _check_is_above_cell(self, parser: _Parser) -> None:
        if self._cells.has_callback:
            parser.error("a cell has one cost; leave out the second one")
        if not self._cells.is_cell_running:
            parser.error("it measures a cell, and stands at its head")

    def _run(self, command: Command, parser: _Parser, words: list[str]) -> Any:
        arguments = parser.parse_args(words)
        try:
            with self._session.command():
                outcome = command.run(self._session, arguments)
        except BadArgument as error:
            parser.error(str(error))
        except StabilityMagicError as error:
            _show_in_one_line(error)
            raise
        finally:
            self._end_display()
            _print_notes(self._session)
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
            with self._session.command():
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
            _print_notes(self._session)
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
            with self._session.command():
                return cost_meter.finish(cell_id)
        except StabilityMagicError as error:
            self._session.notes.append(f"The cost was not logged. {error}")
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

        with self._session.command():
            return watch_picture(self._session, watch)

    def _end_display(self) -> None:
        if self._display is not None and not self._display.watch.is_running:
            self._display.show_end()
            self._display = None

    def _make_completion_matcher(self) -> Callable[[CompletionContext], SimpleMatcherResult]:
        commands = {each.magic_name: each for each in COMMANDS}

        def matcher(context: CompletionContext) -> SimpleMatcherResult:
            line = context.text_until_cursor.rsplit("\n", 1)[-1]
            organization_ids = self._session.known_organization_ids
            texts = completions(line, context.token, commands, organization_ids)
            return SimpleMatcherResult(
                completions=[SimpleCompletion(each, type="param") for each in texts],
                suppress=bool(texts),
            )

        registered: Callable[[CompletionContext], SimpleMatcherResult] = context_matcher(
            identifier="stability_magic.arguments", priority=100
        )(matcher)
        return registered


class _Parser(CommandParser, MagicArgumentParser):
    """Parses a magic's line; a mistake in it becomes IPython's UsageError."""

    def error(self, message: str) -> NoReturn:
        message = clean_text(message.rstrip("."))
        stop = "" if message.endswith("?") else "."
        raise UsageError(f"%{self.prog}: {message}{stop} See %{self.prog}?")

    def split(self, line: str) -> MagicLine:
        """The words in the text after the magic's name."""
        try:
            return _split(line)
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


def _split(line: str) -> MagicLine:
    return split_line(line, has_escapes=os.name != "nt")


def _hide_dollars(line: str) -> str:
    """The line with its amounts of dollars out of IPython's sight, which would make 20 of $20."""
    return _DOLLAR.sub(_HIDDEN_DOLLAR, line)


def _separate_semicolons(lines: list[str]) -> list[str]:
    """A cell's lines, with a space in ``%stability_balance;`` so that IPython finds the magic.

    It takes everything up to a space for a magic's name, a semicolon too.

    After an assignment the semicolon is removed: nothing is shown there anyway, and it would only
    assign None.
    """
    return [_separate_semicolon(each) for each in lines]


def _separate_semicolon(line: str) -> str:
    match = _CALL.fullmatch(line.rstrip())
    rest = match["rest"] if match else ""
    try:
        semicolon = _split(rest).semicolon
    except ValueError:
        # The magic tells.
        return line
    if match is None or semicolon < 0:
        return line
    arguments, comment = rest[:semicolon].rstrip(), rest[semicolon + 1 :]
    if match["target"]:
        return f"{match['target']}{match['name']}{arguments}{comment}\n"
    return f"{match['name']}{arguments} ;{comment}\n"


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
