"""A cell with a spending cap in IPython: which code is interrupted, and what is shown then."""

from __future__ import annotations

import asyncio
import inspect
import sys
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from ..session.interrupts import Interrupted, InterruptibleCode

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

    from ..errors import BudgetError
    from ..session.cell_cost import MeasuredCost
    from ..session.spending_cap import SpendingCap

__all__ = ["CappedCell", "show_as_error"]


class CappedCell:
    """The running cell, from now until it ends.

    IPython does not show the interruption: the error that says why follows when the cost is known.

    Args:
        shell: The shell that runs it.
        cap: Its cap.
    """

    def __init__(self, shell: InteractiveShell, cap: SpendingCap) -> None:
        self._shell = shell
        self._cap = cap
        cell = _frame_of_cell(shell)
        filename = cell.f_code.co_filename

        def is_its_frame(frame: FrameType) -> bool:
            # IPython runs each statement of a cell as a module of the same name.
            return frame.f_code.co_filename == filename and _is_module(frame)

        # What awaits is what runs the cell's statements.
        self._code = InterruptibleCode(cell.f_back or cell, is_its_frame, reason=cap.reason)
        self._hide_interruption()
        cap.start(self._code)

    def end(self) -> None:
        """Says that it has ended; whatever runs from now on is not interrupted any more."""
        self._cap.stop()
        if getattr(self._shell, "CustomTB", None) is self._handler:
            self._shell.custom_exceptions, self._shell.CustomTB = self._handler_before

    def error(
        self, cost: MeasuredCost | None, result: ExecutionResult | None
    ) -> BudgetError | None:
        """The error to raise after it; None where it kept its cap, or something else ended it."""
        ended_by = None
        if result is not None:
            ended_by = result.error_before_exec or result.error_in_exec
        return self._cap.error(cost, ended_by)

    def _hide_interruption(self) -> None:
        shell: Any = self._shell
        exceptions_before, handler_before = shell.custom_exceptions, shell.CustomTB
        self._handler_before = exceptions_before, handler_before

        def show(
            shell: Any,
            kind: type[BaseException],
            error: BaseException,
            traceback: TracebackType | None,
            tb_offset: int | None = None,
        ) -> None:
            if isinstance(error, exceptions_before):
                handler_before(kind, error, traceback, tb_offset)
            elif not self._code.has_raised(error):
                shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)

        shell.set_custom_exc((*exceptions_before, Interrupted, asyncio.CancelledError), show)
        self._handler = shell.CustomTB


def show_as_error(
    shell: InteractiveShell, result: ExecutionResult | None, error: BudgetError
) -> None:
    """Shows an error as the one that a cell ended with, which stops Run All."""
    if result is not None:
        error.__cause__ = result.error_in_exec
        result.error_in_exec = error
    shell.showtraceback((type(error), error, error.__traceback__))


def _frame_of_cell(shell: InteractiveShell) -> FrameType:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals is shell.user_global_ns and _is_module(frame):
            return frame
        frame = frame.f_back
    raise RuntimeError("no cell is running that could be interrupted")


def _is_module(frame: FrameType) -> bool:
    return not frame.f_code.co_flags & inspect.CO_OPTIMIZED
