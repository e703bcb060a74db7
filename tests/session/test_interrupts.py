"""Code that is interrupted from another thread: where, where not, and what stays as it was."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
import time
from types import FrameType

import pytest

from stability_magic.session import interrupts
from stability_magic.session.interrupts import Interrupted, InterruptibleCode, not_interrupted

# Seconds. Whoever waits so long was not interrupted.
LONG = 60.0


class Block:
    """A block that can be interrupted; it swallows the interruption and counts it."""

    def __init__(self) -> None:
        self.hits = 0
        self.code: InterruptibleCode | None = None

    @not_interrupted
    def __enter__(self) -> Block:
        self.code = InterruptibleCode(sys._getframe(1), reason="enough")
        return self

    @not_interrupted
    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> bool:
        self.code.end()
        was_interrupted = isinstance(error, Interrupted) and error.code is self.code
        self.hits += was_interrupted
        return was_interrupted

    def interrupt_soon(self, times: int = 1) -> None:
        """Has another thread interrupt it so often, until it has ended."""

        def interrupt() -> None:
            # Attempts may fall into what must not be cut off.
            while self.code.times < times and not self.code._is_over:
                time.sleep(0.02)
                self.code.interrupt()

        threading.Thread(target=interrupt, daemon=True).start()


@pytest.fixture(autouse=True)
def unchanged_handlers():
    """Every test leaves the handlers of signals as they were."""
    names = (signal.SIGINT, interrupts._SIGNAL)
    before = [signal.getsignal(each) for each in names]
    yield
    assert [signal.getsignal(each) for each in names] == before


def wait_for_socket() -> None:
    """Waits for bytes that never come."""
    near, far = socket.socketpair()
    with near, far:
        near.settimeout(LONG)
        near.recv(1)


def wait_for_lock() -> None:
    """Waits for a lock that nobody releases."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire(timeout=LONG)


def work_without_end() -> None:
    """Takes step after step."""
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        pass


@pytest.mark.parametrize(
    "wait", [lambda: time.sleep(LONG), wait_for_socket, wait_for_lock, work_without_end]
)
def test_whatever_code_waits_for_it_is_interrupted(wait):
    """A sleep, a socket, a lock, and work without end."""
    block = Block()
    with block:
        block.interrupt_soon()
        wait()
        pytest.fail("it went on")
    assert block.hits == 1


def ignore(number: int, frame: FrameType | None) -> None:
    """A handler that does nothing."""


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL, ignore])
def test_it_does_not_matter_who_handles_ctrl_c(handler):
    """Nor that the code itself sets another handler, which stays."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        for _ in range(2):
            block = Block()
            with block:
                block.interrupt_soon()
                signal.signal(signal.SIGINT, handler)
                time.sleep(LONG)
            assert block.hits == 1
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(interrupts._SIGNAL is signal.SIGINT, reason="there is no other signal")
def test_a_handler_of_the_signal_gets_what_is_meant_for_it():
    """While code runs that can be interrupted, and when it has ended."""
    numbers = []
    before = signal.signal(interrupts._SIGNAL, lambda number, _: numbers.append(number))
    try:
        block = Block()
        with block:
            signal.raise_signal(interrupts._SIGNAL)
            block.interrupt_soon()
            time.sleep(LONG)
        signal.raise_signal(interrupts._SIGNAL)
        assert (block.hits, numbers) == (1, [interrupts._SIGNAL] * 2)
    finally:
        signal.signal(interrupts._SIGNAL, before)


def test_ctrl_c_stays_what_it_is():
    """No interruption, and the code's own end."""
    block = Block()
    with pytest.raises(KeyboardInterrupt) as error_info, block:
        signal.raise_signal(signal.SIGINT)
    assert not isinstance(error_info.value, Interrupted)
    assert not block.code.has_raised(error_info.value)


def test_no_interruption_is_late():
    """However hard another thread tries: each is raised in the block, or not at all."""
    block, is_over = Block(), threading.Event()

    def hammer() -> None:
        while not is_over.is_set():
            if block.code is not None:
                block.code.interrupt()
            time.sleep(0)

    thread = threading.Thread(target=hammer)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread.start()
    ended, rounds = 0, 0
    try:
        while block.hits < 200 or ended < 200:
            hits = block.hits
            rounds += 1
            with block:
                for _ in range(rounds % 4 * 200):
                    pass
            ended += block.hits == hits
    finally:
        is_over.set()
        thread.join()
        sys.setswitchinterval(interval)


def test_what_must_not_be_cut_off_is_finished_first():
    """The interruption follows it."""
    steps = []

    @not_interrupted
    def keep() -> None:
        time.sleep(0.2)
        steps.append("kept")

    block = Block()
    with block:
        block.interrupt_soon()
        keep()
        time.sleep(LONG)
        steps.append("went on")
    assert (block.hits, steps) == (1, ["kept"])


def test_code_that_swallows_interruptions_is_interrupted_again():
    """At once, as often as it goes on."""
    block, swallowed = Block(), 0
    with block:
        block.interrupt_soon(times=4)
        for _ in range(3):
            try:
                time.sleep(LONG)
            except BaseException:
                swallowed += 1
        time.sleep(LONG)
    assert (swallowed, block.hits, block.code.times) == (3, 1, 4)


@pytest.mark.parametrize("grace", [LONG, 0.0])
def test_code_that_cleans_up_is_given_time(monkeypatch, grace):
    """But not forever."""
    monkeypatch.setattr(interrupts, "GRACE", grace)
    block, has_cleaned_up = Block(), False
    with block:
        block.interrupt_soon(times=2)
        try:
            time.sleep(LONG)
        finally:
            time.sleep(0.3 if grace else LONG)
            has_cleaned_up = True
    assert has_cleaned_up is bool(grace)
    assert block.code.times == (1 if grace else 2)


def test_the_outer_one_and_the_inner_one_can_be_interrupted():
    """Each for itself."""
    outer, inner = Block(), Block()
    with outer:
        with inner:
            inner.interrupt_soon()
            time.sleep(LONG)
        with Block() as other:
            outer.interrupt_soon()
            time.sleep(LONG)
        pytest.fail("it went on")
    assert (outer.hits, inner.hits, other.hits) == (1, 1, 0)


def test_other_code_in_the_main_thread_is_not_meant():
    """Such as another task, while the code waits: then its own task is cancelled."""
    seen = []

    async def wait_in_block(block: Block) -> None:
        with block:
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError as error:
                seen.append(block.code.has_raised(error))
                raise Interrupted(block.code) from error

    async def work() -> None:
        block = Block()
        task = asyncio.create_task(wait_in_block(block))
        await asyncio.sleep(0)
        block.interrupt_soon()
        while not task.done():
            # Python steps of a task that is not meant.
            sum(range(1000))
            await asyncio.sleep(0)
        await task
        assert task.cancelling() == 0
        seen.append(block.hits)

    asyncio.run(work())
    assert seen == [True, 1]
