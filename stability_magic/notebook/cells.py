"""The running cells of a shell, and ``%%stability_cost`` above one of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from IPython.core.inputtransformer2 import leading_indent

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell

__all__ = ["CellTracker", "EndCallback"]

# Takes the result of a cell that has ended; None where it was cancelled or will not be noticed.
EndCallback = Callable[["str | None", "ExecutionResult | None"], None]

_COST_LINE = re.compile(r"%%(?P<magic>stability_cost)(?P<line>(?:[ \t].*)?)\n?")


class CellTracker:
    """Follows a shell's cells, so that a callback can run at the end of the current one.

    The magic does not run a cell under ``%%stability_cost``: that line becomes an ordinary
    statement, and IPython runs the cell as it runs any other. So assignments, ``await``, the
    display of the last expression, tracebacks and interrupts work as always.

    Args:
        shell: The shell.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._running_cells: list[ExecutionInfo] = []
        self._pending_callbacks: list[tuple[ExecutionInfo, EndCallback]] = []
        shell.input_transformers_cleanup.append(self.transform_cost_line)
        shell.events.register("pre_run_cell", self._on_cell_start)
        shell.events.register("post_run_cell", self._on_cell_end)

    def close(self) -> None:
        """Runs the pending callbacks, and stops following the shell."""
        self._running_cells.clear()
        self._run_callbacks(None)
        self._shell.events.unregister("pre_run_cell", self._on_cell_start)
        self._shell.events.unregister("post_run_cell", self._on_cell_end)
        if self.transform_cost_line in self._shell.input_transformers_cleanup:
            self._shell.input_transformers_cleanup.remove(self.transform_cost_line)

    @property
    def has_callback(self) -> bool:
        """Whether a callback is pending for the innermost running cell."""
        return any(self._is_innermost(info) for info, _ in self._pending_callbacks)

    def call_at_end(self, callback: EndCallback) -> None:
        """Calls ``callback`` with its id and its result when the innermost running cell has ended.

        Does nothing where no cell is running.
        """
        if self._running_cells:
            self._pending_callbacks.append((self._running_cells[-1], callback))

    @property
    def is_cell_running(self) -> bool:
        """Whether a cell is running whose end will be noticed."""
        return bool(self._running_cells)

    def transform_cost_line(self, lines: list[str]) -> list[str]:
        """A cell's lines, with ``%%stability_cost`` turned into a statement.

        A cell without a body, or with a second ``%%stability_cost``, is left for the magic to
        refuse.
        """
        match = _COST_LINE.fullmatch(lines[0]) if lines else None
        body = lines[1:]
        first_line = next((each for each in body if each.strip()), "")
        if match is None or _COST_LINE.fullmatch(first_line):
            return lines
        if not first_line:
            # IPython's own message about an empty cell would recommend the line magic.
            return [f"{lines[0].rstrip()}\n", " \n"]
        if first_line.startswith("%%"):
            # Another cell magic takes the rest of the cell.
            body = self._shell.transform_cell("".join(body)).splitlines(keepends=True)
        magic, arguments = match["magic"], match["line"].strip()
        statement = f"get_ipython().run_line_magic({magic!r}, {arguments!r})\n"
        return [statement, *leading_indent(body)]

    # So IPython's terminal skips this when it checks whether a cell is complete: there a cell under
    # a magic ends with an empty line.
    transform_cost_line.has_side_effects = True  # type: ignore[attr-defined]

    def _on_cell_start(self, info: ExecutionInfo) -> None:
        self._running_cells.append(info)

    def _on_cell_end(self, result: ExecutionResult | None) -> None:
        # A cancelled cell has no result.
        info = result.info if result is not None else None
        index = next((at for at, each in enumerate(self._running_cells) if each is info), -1)
        del self._running_cells[index:]
        self._run_callbacks(result)

    def _is_innermost(self, info: ExecutionInfo) -> bool:
        return bool(self._running_cells) and self._running_cells[-1] is info

    def _run_callbacks(self, result: ExecutionResult | None) -> None:
        """Runs the callbacks of the cells that run no longer, of which one may have this result."""
        while self._pending_callbacks:
            info, callback = self._pending_callbacks[-1]
            if any(each is info for each in self._running_cells):
                return
            self._pending_callbacks.pop()
            is_own = result is not None and result.info is info
            callback(getattr(info, "cell_id", None), result if is_own else None)
