"""What a block of code or a function costs, in plain Python."""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import stability_magic
from stability_magic import BalanceLog, BudgetError, StatusError
from stability_magic.session import interrupts, spending_cap
from stability_magic.session.cost_blocks import BlockCost
from stability_magic.simulator.simulator import FAULTS

from .service import answer_with_balances


@pytest.fixture(autouse=True)
def quick_cap(monkeypatch, log_path):
    """Reads often, so that a test need not wait."""
    monkeypatch.setattr(spending_cap, "EVERY", 0.05)
    monkeypatch.setattr(spending_cap, "_TRY_AGAIN", 0.05)


@pytest.fixture(autouse=True)
def unchanged_handlers():
    """Every test leaves the handlers of signals as they were."""
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, interrupts._SIGNAL)]
    yield
    assert handlers == [signal.getsignal(each) for each in (signal.SIGINT, interrupts._SIGNAL)]


def logged_costs(log_path) -> list[tuple[str | None, float | None]]:
    """The labels and credits of the logged costs."""
    return [(each.label, each.spent) for each in BalanceLog(log_path).costs()]


def test_a_block_is_measured_and_logged(api, log_path):
    """What it cost is known when it has ended, and not before."""
    answer_with_balances(api, 100.0, 76.0, 76.0)
    with stability_magic.cost("render", settle=0) as render:
        assert math.isnan(render.spent)
        assert math.isnan(render.seconds)
        assert not render.exact
        assert "not known" in str(render)
    assert (render.spent, render.usd, render.exact) == (24.0, pytest.approx(0.24), True)
    assert render.seconds >= 0
    assert str(render).startswith("render: 24.00 credits ($0.24) in ")
    assert logged_costs(log_path) == [("render", 24.0)]
    assert set(BalanceLog(log_path).readings()["source"]) == {"cost"}


def test_a_block_that_moved_nothing_is_not_exact(api):
    """A later reading may show what it spent."""
    with stability_magic.cost(settle=0) as block:
        pass
    assert (block.spent, block.exact) == (0.0, False)


def test_what_is_not_known_is_not_a_number(api, recwarn):
    """With a warning that says why."""
    with stability_magic.cost("lost", settle=0) as block:
        api.fail(FAULTS["500"], path="/user/balance")
    assert math.isnan(block.spent)
    assert math.isnan(block.usd)
    assert not block.exact
    (warning,) = recwarn.list
    assert "what the cell cost is unknown" in str(warning.message)
    assert warning.filename == __file__


def test_a_block_without_a_first_reading_does_not_run(api):
    """Nothing would be known of it."""
    api.fail(FAULTS["500"], path="/user/balance")
    with pytest.raises(StatusError), stability_magic.cost("never"):
        pytest.fail("it ran")


def spend_and_wait(api, credits: float, block: BlockCost) -> None:
    """Spends in a block, which is then interrupted."""
    with block:
        api.spend(credits)
        time.sleep(60)
        pytest.fail("it went on")


def test_a_block_is_interrupted_at_its_cap(api, log_path):
    """The error shows where it was interrupted."""
    block = stability_magic.cost("job", max=10)
    with pytest.raises(BudgetError) as error_info:
        spend_and_wait(api, 12, block)
    assert (error_info.value.spent, error_info.value.budget) == (pytest.approx(12.0), 10.0)
    assert isinstance(error_info.value.__cause__, KeyboardInterrupt)
    assert block.spent == pytest.approx(12.0)
    assert logged_costs(log_path) == [("job", pytest.approx(12.0))]


@pytest.mark.parametrize("cap", [2, 2.0, "2", "$0.02", "0.02usd"])
def test_a_cap_is_a_number_of_credits_or_a_text(api, cap):
    """Dollars too."""
    with pytest.raises(BudgetError) as error_info:
        spend_and_wait(api, 3, stability_magic.cost(max=cap, settle=0))
    assert error_info.value.budget == pytest.approx(2.0)


@pytest.mark.parametrize("cap", [0, -1, math.nan, math.inf, "0", "lots", "", True, "-5", [5]])
def test_a_cap_that_cannot_be_kept_is_a_value_error(api, cap):
    """Before anything is asked or run."""
    with pytest.raises(ValueError, match="credits"):
        stability_magic.cost("job", max=cap)
    with pytest.raises(ValueError, match="credits"):
        stability_magic.costed(max=cap)(len)
    assert not api.requests


def test_other_arguments_that_cannot_be_used_are_refused(api):
    """In the line that has them."""
    with pytest.raises(ValueError, match="fail_closed"):
        stability_magic.cost(fail_closed=True)
    with pytest.raises(ValueError, match="settle"):
        stability_magic.cost(settle=-1)
    with pytest.raises(TypeError, match="label"):
        stability_magic.cost(5)
    with stability_magic.cost("once", settle=0) as block:
        pass
    with pytest.raises(RuntimeError, match="used before"), block:
        pytest.fail("it ran")


def test_errors_and_ctrl_c_of_the_block_stay_what_they_are(api, log_path):
    """And its cost is logged."""

    def fail() -> None:
        with stability_magic.cost("error", max=10, settle=0):
            api.spend(11)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine") as value_error_info:
        fail()
    (note,) = value_error_info.value.__notes__
    assert "error is capped at 10.00 credits ($0.10), and 11.00 were spent" in note
    with (
        pytest.raises(KeyboardInterrupt) as error_info,
        stability_magic.cost("stopped", max=10, settle=0),
    ):
        signal.raise_signal(signal.SIGINT)
    assert type(error_info.value) is KeyboardInterrupt
    assert [label for label, _ in logged_costs(log_path)] == ["error", "stopped"]


@pytest.mark.filterwarnings("ignore:stability_magic. Interrupted before")
def test_ctrl_c_during_the_readings_after_a_block_ends_the_program(api, log_path):
    """The block's cost is logged as far as it was read."""

    def press_ctrl_c(requests: int) -> None:
        # After the first of them the balance is waited for to settle.
        while len(api.requests) == requests:
            time.sleep(0.01)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    def run_block() -> None:
        with stability_magic.cost("short", settle=60):
            threading.Thread(target=press_ctrl_c, args=[len(api.requests)]).start()

    with pytest.raises(KeyboardInterrupt):
        run_block()
    assert [label for label, _ in logged_costs(log_path)] == ["short"]


@pytest.mark.parametrize(("outer_cap", "inner_cap", "budget"), [(10, 99, 10), (99, 10, 10)])
def test_caps_hold_within_each_other(api, log_path, outer_cap, inner_cap, budget):
    """Whichever is reached; and both costs are logged."""
    outer = stability_magic.cost("outer", max=outer_cap, settle=0)
    inner = stability_magic.cost("inner", max=inner_cap, settle=0)

    def run_both() -> None:
        with outer:
            spend_and_wait(api, 12, inner)

    with pytest.raises(BudgetError) as error_info:
        run_both()
    assert error_info.value.budget == budget
    assert [label for label, _ in logged_costs(log_path)] == ["outer", "inner"]


def test_a_block_in_another_thread_can_be_measured_but_not_capped(api, log_path):
    """It says so before the block runs."""
    results = []

    def work() -> None:
        with stability_magic.cost("thread", settle=0):
            results.append("ran")
        try:
            with stability_magic.cost("capped", max=10):
                results.append("ran")
        except ValueError as error:
            results.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results[0] == "ran"
    assert "main thread" in results[1]
    assert [label for label, _ in logged_costs(log_path)] == ["thread"]


def test_a_function_is_measured_under_its_name(api, log_path):
    """It stays what it is to others."""

    @stability_magic.costed
    def render(count: int, *, size: int = 1) -> int:
        """Renders."""
        return count * size

    @stability_magic.costed(label="upscale", max=99, settle=0)
    def other() -> str:
        return "done"

    assert render(2, size=3) == 6
    assert other() == "done"
    assert render.__doc__ == "Renders."
    assert list(inspect.signature(render).parameters) == ["count", "size"]
    assert [label for label, _ in logged_costs(log_path)] == ["render", "upscale"]


def test_a_capped_function_is_interrupted(api):
    """Also one that calls itself, and one that catches what ``except Exception`` does."""

    @stability_magic.costed(max=10, settle=0)
    def render(depth: int) -> None:
        if depth:
            return render(depth - 1)
        api.spend(11)
        while True:
            try:
                time.sleep(60)
            except Exception:
                continue

    with pytest.raises(BudgetError):
        render(2)


def test_an_async_function_is_measured_while_others_run(api, log_path):
    """And interrupted where it waits; other tasks are not."""
    steps = []

    @stability_magic.costed("render", max=10, settle=0)
    async def render() -> None:
        api.spend(11)
        await asyncio.sleep(60)

    async def wait_in_block() -> None:
        with stability_magic.cost("block", max=1, settle=0):
            api.spend(2)
            await asyncio.sleep(60)

    async def work() -> None:
        task = asyncio.create_task(render())
        while not task.done():
            steps.append("step")
            await asyncio.sleep(0.01)
        with pytest.raises(BudgetError):
            await task
        assert task.cancelling() == 0
        with pytest.raises(BudgetError):
            await wait_in_block()
        await asyncio.sleep(0)

    asyncio.run(work())
    assert len(steps) > 1
    assert inspect.iscoroutinefunction(render)
    assert [label for label, _ in logged_costs(log_path)] == ["render", "block"]


def test_a_cancelled_task_stays_cancelled(api, log_path):
    """Its cost is logged all the same."""

    async def work() -> None:
        with stability_magic.cost("cancelled", max=10, settle=0):
            await asyncio.sleep(60)

    async def cancel() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert [label for label, _ in logged_costs(log_path)] == ["cancelled"]


def test_a_generator_cannot_be_measured(api):
    """Its work is done after the call."""
    with pytest.raises(TypeError, match="generator"):

        @stability_magic.costed
        def images():
            yield 1


def test_a_notebook_uses_its_own_session(shell, api, log_path):
    """Its demo too; elsewhere the environment is used, also when it changes."""
    shell.run_cell("%stability_demo").raise_error()
    shell.run_cell(
        "import stability_magic\n"
        "with stability_magic.cost('block', max=5, settle=0) as block:\n"
        "    get_ipython().run_line_magic('stability_demo', '--spend 2')"
    ).raise_error()
    assert shell.user_ns["block"].spent == pytest.approx(2.0)
    assert not log_path.exists()
    assert not api.requests
    shell.run_cell("%stability_demo --stop").raise_error()


SCRIPT = """
import time, stability_magic
with stability_magic.cost("script", max=1e-3, settle=0):
    time.sleep(60)
"""


@pytest.mark.once
@pytest.mark.parametrize("is_ignored", [False, True])
def test_a_program_ends_with_the_error(api, is_ignored):
    """Also where its parent has it ignore Ctrl-C; without the key in what it shows."""
    trap = "trap '' INT; " if is_ignored else ""
    process = subprocess.Popen(
        ["sh", "-c", f'{trap}exec "$0" "$@"', sys.executable, "-c", SCRIPT],
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=os.environ,
    )
    while process.poll() is None and len(api.requests) < 3:
        # The first reading and the account come first.
        time.sleep(0.05)
    api.spend(2)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith(
        "stability_magic.errors.BudgetError: script is capped"
    )
