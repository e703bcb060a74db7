"""How notebooks show the frames: registered on loading, removed on unloading."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from IPython.utils.dir2 import get_real_method

if TYPE_CHECKING:
    import pandas as pd
    from IPython.core.formatters import BaseFormatter
    from IPython.core.interactiveshell import InteractiveShell

    from ..settings import StabilityMagic

__all__ = ["FramePrinters"]

Printer = Callable[["pd.DataFrame"], Any]

# What pandas calls the type: since version 3, and before. By these names IPython knows it when it
# meets one, so that loading need not wait for pandas.
_NAMES = ("pandas.DataFrame", "pandas.core.frame.DataFrame")


class FramePrinters:
    """What a shell's ``text/html`` formatter asks about frames, in front of what it asked before.

    Args:
        shell: The shell.
        settings: Its settings.
    """

    def __init__(self, shell: InteractiveShell, settings: StabilityMagic) -> None:
        formatters = shell.display_formatter.formatters if shell.display_formatter else {}
        self._formatter: BaseFormatter | None = formatters.get("text/html")
        self._printers: list[_FramePrinter] = []
        if self._formatter is None:
            return
        frame_type = getattr(sys.modules.get("pandas"), "DataFrame", None)
        # Under a name it would come after a printer that was registered for the type itself.
        for each in (frame_type,) if isinstance(frame_type, type) else _NAMES:
            printer = _FramePrinter(settings, self._formatter.for_type(each))
            self._formatter.for_type(each, printer)
            self._printers.append(printer)

    def close(self) -> None:
        """Puts the printers that were there before in their places again.

        Who has registered one since, and passes frames on to ours, reaches the one before.
        """
        if self._formatter is None:
            return
        ours = {id(each): each for each in self._printers}
        for each in self._printers:
            each.is_active = False
        for printers in (self._formatter.type_printers, self._formatter.deferred_printers):
            for key, printer in list(printers.items()):
                if id(printer) in ours:
                    del printers[key]
                    self._restore(printers, key, ours[id(printer)].otherwise)
        self._printers.clear()

    def _restore(self, printers: dict[Any, Any], key: Any, otherwise: Printer | None) -> None:
        if self._formatter is None or otherwise is None:
            return
        name = ".".join(key) if isinstance(key, tuple) else key
        # It may have been the one of a more general type, which is found as before.
        if self._formatter.for_type(name) is not otherwise:
            printers[key] = otherwise


class _FramePrinter:
    """A frame of ours as its table, and any other as if nobody had asked.

    Attributes:
        otherwise: The printer that was there before, if any.
        is_active: Whether the extension is loaded.
    """

    def __init__(self, settings: StabilityMagic, otherwise: Printer | None) -> None:
        self._settings = settings
        self.otherwise = otherwise
        self.is_active = True

    def __call__(self, frame: pd.DataFrame) -> Any:
        html = self._table(frame) if self.is_active and self._settings.tables else None
        if html is not None:
            return html
        if self.otherwise is not None:
            return self.otherwise(frame)
        method = get_real_method(frame, "_repr_html_")
        return None if method is None else method()

    def _table(self, frame: pd.DataFrame) -> str | None:
        from pandas import get_option

        from ..display.frame_html import frame_html

        if not get_option("display.notebook_repr_html"):
            return None
        return frame_html(frame, datetime.now(UTC), self._settings.usd_per_credit)
