"""What stands at the head of a cell and ends with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from IPython.core.inputtransformer2 import leading_indent

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell

__all__ = ["Cells"]

_HEAD = re.compile(r"%%(?P<magic>stability_cost)(?P<line>(?:[ \t].*)?)\n?")


class Cells:
    """Follows a shell's cells, so that something begun in one is ended when it has run.

    A cell under ``%%stability_cost`` is not run by the magic: the head becomes an ordinary
    statement, and IPython runs the cell as it runs any other. So assignments, ``await``,
    the display of the last expression, tracebacks and interrupts are what they always are.

    Args:
        shell: The shell.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._running: list[ExecutionInfo] = []
        self._ending: tuple[ExecutionInfo, Callable[[str | None], None]] | None = None
        shell.input_transformers_cleanup.append(self.without_head)
        shell.events.register("pre_run_cell", self._begin)
        shell.events.register("post_run_cell", self._end)

    def close(self) -> None:
        """Ends what is under way, and follows no longer."""
        self._finish()
        self._shell.events.unregister("pre_run_cell", self._begin)
        self._shell.events.unregister("post_run_cell", self._end)
        if self.without_head in self._shell.input_transformers_cleanup:
            self._shell.input_transformers_cleanup.remove(self.without_head)

    @property
    def busy(self) -> bool:
        """Whether something is to be ended with a cell that is running now."""
        return self._ending is not None

    def at_end(self, ending: Callable[[str | None], None]) -> None:
        """Calls ``ending`` with the cell's id when the innermost running cell has run."""
        self._ending = (self._running[-1], ending) if self._running else None

    @property
    def running(self) -> bool:
        """Whether a cell is running whose end will be noticed."""
        return bool(self._running)

    def without_head(self, lines: list[str]) -> list[str]:
        """A cell's lines, with ``%%stability_cost`` as a statement before the others.

        A cell without a body, or with the same head below, is left for the magic to refuse.
        """
        head = _HEAD.fullmatch(lines[0]) if lines else None
        body = lines[1:]
        first = next((each for each in body if each.strip()), "")
        if head is None or _HEAD.fullmatch(first):
            return lines
        if not first:
            # IPython's own word on an empty cell would advise the line magic.
            return [f"{lines[0].rstrip()}\n", " \n"]
        if first.startswith("%%"):
            # Another magic takes the rest of the cell.
            body = self._shell.transform_cell("".join(body)).splitlines(keepends=True)
        begin = f"get_ipython().run_line_magic({head['magic']!r}, {head['line'].strip()!r})\n"
        return [begin, *leading_indent(body)]

    # A terminal asks whether a cell is complete without this: one under a magic ends with an
    # empty line.
    without_head.has_side_effects = True  # type: ignore[attr-defined]

    def _begin(self, info: ExecutionInfo) -> None:
        self._running.append(info)

    def _end(self, result: ExecutionResult | None) -> None:
        # A cell that was cancelled has no result.
        info = result.info if result is not None else None
        at = next((at for at, each in enumerate(self._running) if each is info), -1)
        del self._running[at:]
        begun_in = self._ending and self._ending[0]
        if begun_in is not None and not any(each is begun_in for each in self._running):
            self._finish()

    def _finish(self) -> None:
        if self._ending is not None:
            (info, ending), self._ending = self._ending, None
            ending(getattr(info, "cell_id", None))
