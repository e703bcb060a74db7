"""Code in the main thread that another thread can interrupt, and only as long as it runs.

A signal makes the main thread look at once, also where it waits for a socket or sleeps. It raises
:class:`Interrupted` only in the code that is meant: not in what runs after it, and not in the
middle of what must not be cut off. A task that is suspended in such code is cancelled.

The signal is SIGURG, which Python and shells use for nothing, and which does nothing where nobody
waits for it. So Ctrl-C stays what it is, and it does not matter who handles or ignores SIGINT.
Windows knows only SIGINT, and acts on it when the main thread takes its next step in Python.
"""

from __future__ import annotations

import _thread
import asyncio
import inspect
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeVar

__all__ = ["Interrupted", "InterruptibleCode", "can_interrupt", "not_interrupted"]

_SIGNAL: signal.Signals = getattr(signal, "SIGURG", signal.SIGINT)

# Seconds. Code that handles an interruption, such as by saving what it has, is given so long.
GRACE = 5.0

_AWAITING = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE | inspect.CO_ASYNC_GENERATOR

_Function = TypeVar("_Function", bound=Callable[..., Any])

# Functions that no interruption cuts off.
_PROTECTED: set[CodeType] = set()


class Interrupted(KeyboardInterrupt):
    """Raised in interrupted code; no ``Exception``, so that nobody takes it for a failure to retry.

    Attributes:
        code: What is interrupted.
    """

    def __init__(self, code: InterruptibleCode) -> None:
        super().__init__(code.reason)
        self.code = code


def can_interrupt() -> bool:
    """Whether code of this thread can be interrupted."""
    return threading.current_thread() is threading.main_thread()


def not_interrupted(function: _Function) -> _Function:
    """A decorator for a function that no interruption of the code around it cuts off."""
    _PROTECTED.add(inspect.unwrap(function).__code__)
    return function


class InterruptibleCode:
    """Code that runs in the main thread, from now until :meth:`end` is called there.

    Args:
        frame: The frame in which it begins.
        is_its_frame: Whether a frame is one of those in which it runs; None for that frame alone.
        reason: Why it will have been interrupted.

    Attributes:
        times: How often it was interrupted.
        reason: As above.
    """

    def __init__(
        self,
        frame: FrameType,
        is_its_frame: Callable[[FrameType], bool] | None = None,
        *,
        reason: str,
    ) -> None:
        self.times = 0
        self.reason = reason
        self._is_its_frame = is_its_frame or (lambda each: each is frame)
        self._task = _task_that_suspends(frame)
        self._cancelling_before = self._task.cancelling() if self._task else 0
        self._cancellations = 0
        self._last_time = 0.0
        self._thread_id = threading.get_ident()
        self._lock = threading.Lock()
        self._is_due = False
        self._is_over = False
        _HANDLER.add(self)

    def interrupt(self) -> None:
        """Interrupts it as soon as that is possible; in any thread.

        It may be in a function that must not be cut off, or handle the last interruption: then
        nothing happens, and the caller tries again.
        """
        with self._lock:
            if not self._is_over:
                self._is_due = True
                _send_signal(self._thread_id)

    def end(self) -> None:
        """Says that it has ended; whatever runs from now on is not interrupted any more."""
        with self._lock:
            self._is_over = True
        self._is_its_frame = lambda _: False
        _HANDLER.remove(self)
        if self._task is not None:
            for _ in range(self._cancellations):
                self._task.uncancel()

    def has_raised(self, error: BaseException | None) -> bool:
        """Whether an error is an interruption of this code, or came of one."""
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            if isinstance(error, Interrupted) and error.code is self:
                return True
            if isinstance(error, asyncio.CancelledError) and self._has_cancelled_alone():
                return True
            error = error.__cause__ or error.__context__
        return False

    def _has_cancelled_alone(self) -> bool:
        if self._task is None or not self._cancellations:
            return False
        pending = 0 if self._is_over else self._cancellations
        return self._task.cancelling() <= self._cancelling_before + pending

    def take_request(self) -> bool:
        """Whether an interruption was requested since the last time; in the main thread."""
        is_due, self._is_due = self._is_due, False
        return is_due

    def interrupt_here(self, frame: FrameType | None) -> None:
        """Interrupts it where the main thread is, if that is in it.

        Args:
            frame: What the main thread runs.

        Raises:
            Interrupted: The main thread is in it.
        """
        if self._is_over:
            return
        if self._runs_in(frame):
            if not (self._is_handling_interruption() and self._has_grace()):
                self._count()
                raise Interrupted(self)
        elif self._task is not None:
            # Where the task is suspended, the main thread is in the loop.
            self._task.get_loop().call_soon_threadsafe(self._cancel_task)

    def _runs_in(self, frame: FrameType | None) -> bool:
        while frame is not None and frame.f_code not in _PROTECTED:
            if self._is_its_frame(frame):
                return True
            frame = frame.f_back
        return False

    def _is_handling_interruption(self) -> bool:
        """Whether the main thread is in an ``except`` or ``finally`` that it led to."""
        return self.times > 0 and self.has_raised(sys.exception())

    def _has_grace(self) -> bool:
        return self.times > 0 and time.monotonic() < self._last_time + GRACE

    def _count(self) -> None:
        self.times += 1
        self._last_time = time.monotonic()

    def _cancel_task(self) -> None:
        if self._task is None or self._is_over or self._task.done() or self._has_grace():
            return
        self._count()
        if self._task.cancel(self.reason):
            self._cancellations += 1


def _task_that_suspends(frame: FrameType) -> asyncio.Task[Any] | None:
    """The task that suspends the code of a frame where that awaits; None where it cannot."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return None
    first_frame = getattr(task and task.get_coro(), "cr_frame", None)
    at: FrameType | None = frame
    # A plain function in between would have to return first.
    while at is not None and at.f_code.co_flags & _AWAITING:
        if at is first_frame:
            return task
        at = at.f_back
    return None


def _send_signal(thread_id: int) -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(thread_id, _SIGNAL)
    else:
        _thread.interrupt_main(_SIGNAL)


class _SignalHandler:
    """Handles the signal as long as there is code that can be interrupted; in the main thread."""

    def __init__(self) -> None:
        self._running: list[InterruptibleCode] = []
        self._handler_before: Any = signal.SIG_DFL

    def add(self, code: InterruptibleCode) -> None:
        if not self._running:
            self._handler_before = signal.getsignal(_SIGNAL)
            signal.signal(_SIGNAL, self)
        self._running.append(code)

    def remove(self, code: InterruptibleCode) -> None:
        if code in self._running:
            self._running.remove(code)
        # This first handles signals that were sent already. A handler that was set meanwhile stays,
        # and so does this one where Python does not know the one before.
        is_last = not self._running and signal.getsignal(_SIGNAL) is self
        if is_last and self._handler_before is not None:
            signal.signal(_SIGNAL, self._handler_before)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        due = [each for each in self._running if each.take_request()]
        for each in due:
            each.interrupt_here(frame)
        if not due and callable(self._handler_before):
            self._handler_before(number, frame)


_HANDLER = _SignalHandler()
