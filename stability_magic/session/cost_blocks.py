"""What a block of code or a function costs, in plain Python."""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import sys
import warnings
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from ..errors import BadArgument, BudgetError, StabilityMagicError
from .current import current_session
from .guard import parse_cap
from .interrupts import InterruptibleCode, not_interrupted
from .spending_cap import SpendingCap, check_can_be_capped

if TYPE_CHECKING:
    from .cell_cost import CellCostMeter, MeasuredCost
    from .session import Session

__all__ = ["BlockCost", "cost", "costed"]

_LONGEST_SETTLE = 600.0  # seconds

_P = ParamSpec("_P")
_R = TypeVar("_R")


class BlockCost:
    """What a block of code costs: ``with stability_magic.cost("render", max=200) as render:``.

    The balance is read and logged before and after the block, and every few seconds in it where it
    has a cap. ``async with`` does the same and lets other tasks run meanwhile. :func:`cost` makes
    one.
    """

    def __init__(
        self,
        label: str | None,
        *,
        cap: float | str | None,
        organization: str | None,
        fail_closed: bool,
        settle: float,
    ) -> None:
        if label is not None and not isinstance(label, str):
            raise TypeError(f"the label is {label!r}; use a text")
        if cap is not None:
            # Now, and not when a function runs that is decorated with it.
            parse_cap(cap, 1.0)
        elif fail_closed:
            raise BadArgument("fail_closed says what max does when it cannot tell; add it.")
        if not 0 <= settle <= _LONGEST_SETTLE:
            raise BadArgument(
                f"settle is {settle!r}; use a number of seconds from 0 to {_LONGEST_SETTLE:.0f}."
            )
        self.label = label
        self._max = cap
        self._organization = organization
        self._fail_closed = fail_closed
        self._settle = settle
        self._session: Session | None = None
        self._meter: CellCostMeter | None = None
        self._cap: SpendingCap | None = None
        self._cost: MeasuredCost | None = None

    @property
    def spent(self) -> float:
        """Credits, when the block has ended; NaN before, and where they are not known."""
        return math.nan if self._cost is None else self._cost.spent

    @property
    def usd(self) -> float:
        """The same in US dollars."""
        price = math.nan if self._session is None else self._session.settings.usd_per_credit
        return self.spent * price

    @property
    def exact(self) -> bool:
        """Whether the balance moved and settled, and nobody else is seen to have spent."""
        return self._cost is not None and self._cost.exact

    @property
    def seconds(self) -> float:
        """How long the block ran, without the readings; NaN before it has ended."""
        return math.nan if self._cost is None else self._cost.seconds

    def __str__(self) -> str:
        """The line that the magic would show."""
        return "not known before the block has ended" if self._cost is None else self._cost.line

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    # What interrupts the code around the block interrupts neither its beginning nor its end.
    @not_interrupted
    def __enter__(self) -> Self:
        self._check_unused()
        _warn(self._begin())
        self._keep_cap(sys._getframe(1))
        return self

    @not_interrupted
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()
        _tell(*self._finish(error), error)
        if error is None and self._cost is not None and self._cost.is_cut_short:
            # Ctrl-C was meant for the program, and not for the readings alone.
            raise KeyboardInterrupt

    @not_interrupted
    async def __aenter__(self) -> Self:
        frame = sys._getframe(1)
        self._check_unused()
        _warn(await asyncio.to_thread(self._begin))
        self._keep_cap(frame)
        return self

    @not_interrupted
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()
        _tell(*await asyncio.to_thread(self._finish, error), error)

    def _check_unused(self) -> None:
        if self._session is not None:
            raise RuntimeError("this was used before; call cost() again for another block")
        if self._max is not None:
            check_can_be_capped()
        self._session = current_session()

    def _begin(self) -> list[str]:
        """Reads the balance before the block; what there is to warn of."""
        from .cell_cost import CellCostMeter

        session = self._used_session()
        cap = None
        if self._max is not None:
            cap = parse_cap(self._max, session.settings.usd_per_credit)
        organization = self._organization or session.organization
        with session.command():
            self._meter = CellCostMeter(
                session, organization, label=self.label or None, settle=self._settle
            )
        if cap is not None:
            self._cap = SpendingCap(session, self._meter, cap, fail_closed=self._fail_closed)
        return session.take_notes()

    def _keep_cap(self, frame: FrameType) -> None:
        """Keeps the cap while the block runs, which is in this frame."""
        if self._cap is None:
            return
        code = InterruptibleCode(frame, reason=self._cap.reason)
        try:
            self._cap.start(code)
        except BaseException:
            self._cap.stop()
            raise

    def _stop(self) -> None:
        """Says that the block has ended; whatever runs from now on is not interrupted any more."""
        if self._cap is not None:
            self._cap.stop()

    def _finish(self, ended_by: BaseException | None) -> tuple[BudgetError | None, list[str]]:
        """Reads the balance after the block; the error to raise, and what there is to warn of."""
        session, error = self._used_session(), None
        try:
            if self._meter is not None:
                with session.command():
                    self._cost = self._meter.finish(None)
        except StabilityMagicError as problem:
            session.notes.append(f"The cost was not logged. {problem}")
        if self._cap is not None:
            error = self._cap.error(self._cost, ended_by)
        return error, session.take_notes()

    def _used_session(self) -> Session:
        if self._session is None:
            raise RuntimeError("the block has not begun")
        return self._session


def cost(
    label: str | None = None,
    *,
    max: float | str | None = None,  # noqa: A002 - the magic's option
    organization: str | None = None,
    fail_closed: bool = False,
    settle: float = 1.0,
) -> BlockCost:
    """Measures and logs what a block of code costs, as ``%%stability_cost`` does for a cell.

    ::

        with stability_magic.cost("render", max=200) as render:
            ...
        print(render.spent, render.usd, render.exact, render.seconds)

    In a notebook it uses the key, the settings and the log of the magics, elsewhere those of the
    environment.

    Args:
        label: What to call it.
        max: A cap: credits (200), or US dollars as a text ("2usd", "$2"). When so much is spent the
            block is interrupted. Only code of the main thread can be.
        organization: Whose balance; None is the default one.
        fail_closed: Whether to interrupt it also when the balance could not be read for 30 seconds.
        settle: Seconds between the readings after the block, until two agree.

    Raises:
        ValueError: An argument cannot be used.
        StabilityMagicError: The block does not run, as the balance before it could not be read.
        BudgetError: After the block, when it was interrupted or has spent more than the cap.
    """
    return BlockCost(
        label, cap=max, organization=organization, fail_closed=fail_closed, settle=settle
    )


@overload
def costed(label: Callable[_P, _R], /) -> Callable[_P, _R]: ...


@overload
def costed(
    label: str | None = None,
    *,
    max: float | str | None = None,
    organization: str | None = None,
    fail_closed: bool = False,
    settle: float = 1.0,
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]: ...


def costed(
    label: Callable[..., Any] | str | None = None,
    *,
    max: float | str | None = None,  # noqa: A002 - the magic's option
    organization: str | None = None,
    fail_closed: bool = False,
    settle: float = 1.0,
) -> Any:
    """A decorator that measures and logs what each call of a function costs, also of an async one.

    ``@costed`` and ``@costed(label="render", max=200)`` are both right. The arguments are those of
    :func:`cost`; the label is the function's name where none is given.

    Raises:
        TypeError: It is a generator function, whose work is done after the call.
        ValueError: An argument cannot be used.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                "a generator does its work after the call; use cost() around the loop over it"
            )
        name = label if isinstance(label, str) else getattr(function, "__name__", None)

        def new_block() -> BlockCost:
            return cost(
                name, max=max, organization=organization, fail_closed=fail_closed, settle=settle
            )

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def measured(*arguments: Any, **options: Any) -> Any:
                async with new_block():
                    return await function(*arguments, **options)

        else:

            @functools.wraps(function)
            def measured(*arguments: Any, **options: Any) -> Any:
                with new_block():
                    return function(*arguments, **options)

        # A mistake in the arguments is told now, and not by the first call.
        new_block()
        return measured

    return decorate(label) if callable(label) else decorate


def _tell(error: BudgetError | None, notes: list[str], ended_by: BaseException | None) -> None:
    """Raises the error of a cap; tells the notes with whatever error there is, or warns."""
    shown_error = error or ended_by
    if shown_error is None:
        _warn(notes)
        return
    for each in notes:
        shown_error.add_note(f"stability_magic: {each}")
    if error is not None:
        raise error from ended_by


def _warn(notes: list[str]) -> None:
    """Warns of the line that uses the block or the function."""
    level = 1
    while sys._getframe(level).f_code.co_filename == __file__:
        level += 1
    for each in notes:
        warnings.warn(f"stability_magic: {each}", stacklevel=level + 1)
