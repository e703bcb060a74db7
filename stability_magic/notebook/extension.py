"""What loading the extension adds to a shell: names that do little until one of them is used."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.magic import no_var_expand

from ..session.current import forget_current, make_current
from ..settings import StabilityMagic
from .cells import CellTracker
from .frame_printer import FramePrinters
from .semicolons import separate_semicolons

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from ..session.session import Session
    from .magics import Magics

__all__ = ["load", "unload"]

# What ``commands.declarations`` declares; to import it would take most of the time of loading.
_LINE_MAGICS = (
    "stability",
    *(
        f"stability_{each}"
        for each in (
            "account",
            "balance",
            "budget",
            "check",
            "cost",
            "costs",
            "demo",
            "estimate",
            "forecast",
            "history",
            "login",
            "merge",
            "notify",
            "plot",
            "prices",
            "sync",
            "team",
            "usage",
            "watch",
        )
    ),
)
_NAMES_BY_KIND = {"line": _LINE_MAGICS, "cell": ("stability_cost",)}

_EXTENSIONS_BY_SHELL: WeakKeyDictionary[InteractiveShell, _Extension] = WeakKeyDictionary()


def load(shell: InteractiveShell) -> None:
    """Adds the magics and the settings to a shell, replacing those loaded before."""
    unload(shell)
    _EXTENSIONS_BY_SHELL[shell] = _Extension(shell)


def unload(shell: InteractiveShell) -> None:
    """Removes everything that :func:`load` added."""
    extension = _EXTENSIONS_BY_SHELL.pop(shell, None)
    if extension is not None:
        extension.close()


class _Extension:
    """The names of the magics in one shell, with the settings and what follows its cells."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._settings = StabilityMagic(parent=shell)
        self._cells = CellTracker(shell)
        self._frame_printers = FramePrinters(shell, self._settings)
        self._magics: Magics | None = None
        self._lock = threading.Lock()
        self._matcher = self._make_completion_matcher()
        # What %config lists; IPython declares it as if it held the shell alone.
        self._configurables = cast("list[Any]", shell.configurables)
        self._configurables.append(self._settings)
        for kind, names in _NAMES_BY_KIND.items():
            for name in names:
                # Variables in the line are put in by the magics, which know amounts of dollars.
                magic = no_var_expand(_Magic(name, self.magics))
                shell.magics_manager.register_function(magic, magic_kind=kind, magic_name=name)
        shell.input_transformers_cleanup.append(separate_semicolons)
        if shell.Completer is not None:
            shell.Completer.custom_matchers.append(self._matcher)
        make_current(self.session)

    def close(self) -> None:
        """Removes the magics, the settings and the completions from the shell."""
        self._cells.close()
        self._frame_printers.close()
        for kind, names in _NAMES_BY_KIND.items():
            for name in names:
                self._shell.magics_manager.magics[kind].pop(name, None)
        if self._settings in self._configurables:
            self._configurables.remove(self._settings)
        if separate_semicolons in self._shell.input_transformers_cleanup:
            self._shell.input_transformers_cleanup.remove(separate_semicolons)
        matchers = self._shell.Completer.custom_matchers if self._shell.Completer else []
        if self._matcher in matchers:
            matchers.remove(self._matcher)
        forget_current(self.session)
        if self._magics is not None:
            self._magics.close()

    def magics(self) -> Magics:
        """What runs the magics; imported when it is asked for."""
        with self._lock:
            if self._magics is None:
                from .magics import Magics

                self._magics = Magics(self._shell, self._settings, self._cells)
            return self._magics

    def session(self) -> Session:
        """The session of the magics."""
        return self.magics().session

    def _make_completion_matcher(self) -> Callable[[CompletionContext], SimpleMatcherResult]:
        def matcher(context: CompletionContext) -> SimpleMatcherResult:
            line = context.text_until_cursor.rsplit("\n", 1)[-1]
            texts = self.magics().completions(line, context.token) if "stability" in line else []
            return SimpleMatcherResult(
                completions=[SimpleCompletion(each, type="param") for each in texts],
                suppress=bool(texts),
            )

        registered: Callable[[CompletionContext], SimpleMatcherResult] = context_matcher(
            identifier="stability_magic.arguments", priority=100
        )(matcher)
        return registered


class _Magic:
    # Without a docstring: that of a magic is how it is used, which only the magics know.
    def __init__(self, name: str, magics: Callable[[], Magics]) -> None:
        self.__name__ = name
        self._magics = magics

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self._magics().help_text(self.__name__)

    def __call__(self, line: str, cell: str | None = None) -> Any:
        """Runs it, as a line magic or above a cell."""
        if cell is not None:
            return self._magics().run_cell(self.__name__, line, cell)
        # Above run_line and this frame is IPython's, and above that the one that called it.
        return self._magics().run_line(self.__name__, line, stack_depth=3)
