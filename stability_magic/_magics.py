"""The commands as magics; the only user of IPython."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, cast
from weakref import WeakKeyDictionary

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser
from IPython.display import display
from IPython.utils.process import arg_split  # type: ignore[attr-defined]

from ._cells import Cells
from ._commands import COMMANDS, Command, add_arguments
from ._completions import completions
from ._errors import BadArgument, LowBalanceError, StabilityMagicError
from ._session import Session
from ._settings import StabilityMagic
from ._text import clean_text
from ._watch_display import WatchDisplay

if TYPE_CHECKING:
    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib.figure import Figure

    from ._cell_cost import CellCost
    from ._watch import Watch

__all__ = ["load", "unload"]

_PREFIX = "stability_"

# IPython takes a magic's name to end at a space.
_SEMICOLON = re.compile(r"(?P<to>[\w.,\s]+=)?(?P<call>\s*%stability_\w+(?:\s.*?)?)\s*;\s*")

_LOADED: WeakKeyDictionary[InteractiveShell, Magics] = WeakKeyDictionary()


def load(shell: InteractiveShell) -> None:
    """Gives a shell the magics and the settings; a second time begins anew."""
    unload(shell)
    _LOADED[shell] = Magics(shell)


def unload(shell: InteractiveShell) -> None:
    """Takes everything back that :func:`load` gave."""
    magics = _LOADED.pop(shell, None)
    if magics is not None:
        magics.close()


class Magics:
    """The magics of one shell, with the settings and the session they share."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._settings = StabilityMagic(parent=shell)
        self._session = Session(self._settings, source="magic")
        self._cells = Cells(shell)
        self._display: WatchDisplay | None = None
        self._parsers = {f"{_PREFIX}{each.name}": _parser(each) for each in COMMANDS}
        self._matcher = self._completion_matcher()
        # What %config lists; it is typed as if it held the shell alone.
        self._configurables = cast("list[Any]", shell.configurables)
        self._configurables.append(self._settings)
        for command, (name, parser) in zip(COMMANDS, self._parsers.items(), strict=True):
            shell.magics_manager.register_function(
                self._magic(command, parser), magic_kind="line", magic_name=name
            )
            if command.cell:
                shell.magics_manager.register_function(
                    self._cell_magic(name, parser), magic_kind="cell", magic_name=name
                )
        shell.input_transformers_cleanup.append(_with_semicolons_apart)
        if shell.Completer is not None:
            shell.Completer.custom_matchers.append(self._matcher)

    def close(self) -> None:
        """Takes the magics, the settings and the completions from the shell."""
        self._cells.close()
        for name in self._parsers:
            for kind in ("line", "cell"):
                self._shell.magics_manager.magics[kind].pop(name, None)
        if self._settings in self._configurables:
            self._configurables.remove(self._settings)
        if _with_semicolons_apart in self._shell.input_transformers_cleanup:
            self._shell.input_transformers_cleanup.remove(_with_semicolons_apart)
        matchers = self._shell.Completer.custom_matchers if self._shell.Completer else []
        if self._matcher in matchers:
            matchers.remove(self._matcher)
        self._session.close()
        self._end_display()
        _print_notes(self._session)

    def _magic(self, command: Command, parser: _Parser) -> Callable[[str], Any]:
        def magic(line: str) -> Any:
            if command.cell:
                self._check_place(parser)
            answer = self._run(command, parser, _without_semicolon(line))
            # IPython's own way of silencing takes the line for Python, and fails on half of it.
            return None if _without_semicolon(line) != line.rstrip() else answer

        magic.__name__ = f"{_PREFIX}{command.name}"
        magic.__doc__ = parser.format_help()
        return magic

    def _cell_magic(self, name: str, parser: _Parser) -> Callable[[str, str], None]:
        def magic(line: str, cell: str) -> None:
            # A cell that can be measured has become statements before a magic is looked for.
            if not cell.strip():
                parser.error("the cell is empty, so there is nothing to measure")
            if cell.lstrip().startswith(f"%%{name}"):
                parser.error("a cell has one cost; leave out the second one")
            self._shell.run_cell(f"%%{name} {line}\n{cell}", store_history=False).raise_error()

        magic.__name__ = name
        magic.__doc__ = parser.format_help()
        return magic

    def _check_place(self, parser: _Parser) -> None:
        if self._cells.busy:
            parser.error("a cell has one cost; leave out the second one")
        if not self._cells.running:
            parser.error("it measures a cell, and stands at its head")

    def _run(self, command: Command, parser: _Parser, line: str) -> Any:
        arguments = parser.parse_line(line)
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
        if outcome.cost is not None:
            self._cells.at_end(self._ending(outcome.cost))
            return None
        if outcome.watch is not None:
            return self._start(outcome.watch)
        if not (self._settings.quiet or getattr(arguments, "quiet", False)):
            for each in outcome.lines:
                print(each)
        if outcome.error is not None:
            if not isinstance(outcome.error, LowBalanceError):
                display(outcome.frame)
            _show_in_one_line(outcome.error)
            raise outcome.error
        return outcome.frame if outcome.figure is None else outcome.figure

    def _ending(self, cost: CellCost) -> Callable[[str | None], None]:
        def ending(cell_id: str | None) -> None:
            try:
                with self._session.command():
                    line = cost.end(cell_id)
            except StabilityMagicError as error:
                line = ""
                self._session.notes.append(f"The cost was not logged. {error}")
            _print_notes(self._session)
            if line and not self._settings.quiet:
                print(line)

        return ending

    def _start(self, watch: Watch) -> pd.DataFrame:
        """Starts a watch, shown below the cell, and returns its status frame."""
        self._display = WatchDisplay(self._shell, watch, self._picture)
        watch.start(self._display.update)
        self._display.begin()
        from ._watch import status_frame

        return status_frame(watch, self._settings.zone())

    def _picture(self, watch: Watch) -> Figure:
        from ._log_actions import watch_picture

        with self._session.command():
            return watch_picture(self._session, watch)

    def _end_display(self) -> None:
        if self._display is not None and not self._display.watch.running:
            self._display.end()
            self._display = None

    def _completion_matcher(self) -> Callable[[CompletionContext], SimpleMatcherResult]:
        commands = {f"{_PREFIX}{each.name}": each for each in COMMANDS}

        def matcher(context: CompletionContext) -> SimpleMatcherResult:
            line = context.text_until_cursor.rsplit("\n", 1)[-1]
            found = completions(line, context.token, commands, self._session.whose.known)
            return SimpleMatcherResult(
                completions=[SimpleCompletion(each, type="param") for each in found],
                suppress=bool(found),
            )

        marked: Callable[[CompletionContext], SimpleMatcherResult] = context_matcher(
            identifier="stability_magic.arguments", priority=100
        )(matcher)
        return marked


class _Parser(MagicArgumentParser):
    """Parses a magic's line; what is wrong with it becomes IPython's UsageError."""

    def error(self, message: str) -> NoReturn:
        message = clean_text(message.rstrip("."))
        raise UsageError(f"%{self.prog}: {message}. See %{self.prog}?")

    def parse_line(self, argstring: str) -> argparse.Namespace:
        """The arguments in what stands behind the magic's name."""
        try:
            words = arg_split(argstring)
        except ValueError as error:
            self.error(str(error))
        return self.parse_args([_unquoted(each) for each in words])


def _parser(command: Command) -> _Parser:
    name = f"{'%' if command.cell else ''}{_PREFIX}{command.name}"
    examples = "\n".join(f"  %{name} {each}".rstrip() for each in command.examples)
    parser = _Parser(  # type: ignore[no-untyped-call]
        prog=name, description=command.summary, epilog=f"\nexamples:\n{examples}\n"
    )
    # An abbreviation would change its meaning with the next option that begins alike.
    parser.allow_abbrev = False
    add_arguments(parser, command, "magic")
    return parser


def _unquoted(word: str) -> str:
    # IPython splits by the shell's rules without taking the quotes off.
    quoted = len(word) > 1 and word[0] == word[-1] and word[0] in "'\""
    return word[1:-1] if quoted else word


def _with_semicolons_apart(lines: list[str]) -> list[str]:
    """A cell's lines, with ``%stability_balance;`` as IPython understands it.

    An answer that is kept is not shown anyway: there the semicolon would only replace it by
    None.
    """
    changed = []
    for line in lines:
        found = _SEMICOLON.fullmatch(line)
        if found is None:
            changed.append(line)
        elif found["to"]:
            changed.append(f"{found['to']}{found['call']}\n")
        else:
            changed.append(f"{found['call']} ;\n")
    return changed


def _without_semicolon(line: str) -> str:
    return line.rstrip().removesuffix(";")


def _print_notes(session: Session) -> None:
    for each in session.take_notes():
        print(f"stability_magic: {each}", file=sys.stderr)


def _show_in_one_line(error: StabilityMagicError) -> None:
    # IPython asks an exception for this method before it formats a traceback. It is set on
    # the instance, so that who calls the library from Python sees the whole traceback.
    lines = [f"{type(error).__name__}: {error}"]
    error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
