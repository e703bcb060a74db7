"""A cap on a cell: in a real shell, on real HTTP and a real log."""

from __future__ import annotations

import math
import signal
import threading
import time

import pytest
from IPython.core.error import UsageError

from stability_magic import BalanceLog, BudgetError, StatusError
from stability_magic.analysis.costs import spent_so_far
from stability_magic.session import interrupts, spending_cap
from stability_magic.simulator.simulator import FAULTS

from ..helpers.errors import assert_is_clear_error
from .service import answer_with_balances

BALANCE_PATH = "/v1alpha/user/balance"


@pytest.fixture(autouse=True)
def quick_cap(monkeypatch, log_path):
    """Reads often, so that a test need not wait."""
    monkeypatch.setattr(spending_cap, "EVERY", 0.05)
    monkeypatch.setattr(spending_cap, "_TRY_AGAIN", 0.05)


@pytest.fixture(autouse=True)
def nothing_left_behind(shell):
    """Every test leaves handlers as they were, and no thread that reads on."""
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, interrupts._SIGNAL)]
    exceptions = shell.custom_exceptions
    yield
    assert handlers == [signal.getsignal(each) for each in (signal.SIGINT, interrupts._SIGNAL)]
    assert shell.custom_exceptions == exceptions
    for each in threading.enumerate():
        if each.name == "stability_cap":
            each.join(10)
            assert not each.is_alive()


def run_capped(shell, api, body: str, arguments: str = "job --max 10") -> BaseException | None:
    """The error of a capped cell; None if it has none. It can ``spend`` and ``sleep``."""
    shell.user_ns |= {"spend": api.spend, "sleep": time.sleep, "api": api}
    result = shell.run_cell(f"%%stability_cost {arguments} --settle 0\n{body}")
    return result.error_in_exec or result.error_before_exec


def count_readings(api) -> int:
    """How often the balance was asked for."""
    return [each.path for each in api.requests].count(BALANCE_PATH)


def test_a_cell_is_interrupted_at_its_cap(shell, api, log_path, capsys):
    """Its cost is told and logged, and the error is one line."""
    error = run_capped(shell, api, "reached = False\nspend(12)\nsleep(60)\nreached = True")
    assert isinstance(error, BudgetError)
    assert (error.spent, error.budget) == (pytest.approx(12.0), 10.0)
    assert_is_clear_error(error)
    assert shell.user_ns["reached"] is False
    captured = capsys.readouterr()
    cost_line, error_line = captured.out.splitlines()
    assert cost_line.startswith("job: 12.00 credits ($0.12) in ")
    assert error_line == (
        "BudgetError: job is capped at 10.00 credits ($0.10), and 12.00 ($0.12) were spent while it"
        " ran; it was interrupted. Set a higher cap, or use less."
    )
    assert not captured.err
    (cost,) = BalanceLog(log_path).costs()
    assert (cost.label, cost.spent) == ("job", pytest.approx(12.0))
    shell.run_cell("2 + 2").raise_error()


def test_a_cell_overshoots_by_what_is_under_way_and_one_reading(shell, api, log_path):
    """By the simulator's own truth; and each reading is logged."""
    spent = []

    def operate() -> None:
        """Spends 4 credits, and lasts until the balance is asked for."""
        api.spend(4)
        spent.append(4)
        readings = count_readings(api)
        while count_readings(api) == readings:
            time.sleep(0.001)

    shell.user_ns["operate"] = operate
    error = run_capped(shell, api, "while True:\n    operate()")
    assert isinstance(error, BudgetError)
    # 12 reach the cap; one operation was under way then, and one reading is allowed for.
    assert 12 <= sum(spent) <= 12 + 2 * 4
    assert error.spent == pytest.approx(sum(spent))
    readings = BalanceLog(log_path).readings()
    assert len(readings) == count_readings(api)
    assert set(readings["source"]) == {"cost"}
    assert set(readings["label"]) == {"job"}


@pytest.mark.parametrize(
    ("arguments", "credits"),
    [("--max 0.02usd", 2.0), ("--max $0.02", 2.0), ("--max '$0.02'", 2.0), ("--max 2credits", 2.0)],
)
def test_a_cap_may_be_in_dollars(shell, api, arguments, credits):
    """As the balance that is required."""
    error = run_capped(shell, api, "spend(3)\nsleep(60)", arguments)
    assert isinstance(error, BudgetError)
    assert error.budget == pytest.approx(credits)


@pytest.mark.parametrize(
    "arguments",
    [
        "--max 0",
        "--max -5",
        "--max nan",
        "--max inf",
        "--max lots",
        "--max ''",
        "--max $",
        "--max",
        "--fail-closed",
    ],
)
def test_a_cap_that_cannot_be_kept_is_refused_before_any_request(shell, api, capsys, arguments):
    """A mistyped cap must not let a cell run."""
    assert isinstance(run_capped(shell, api, "ran = True", arguments), UsageError)
    assert "ran" not in shell.user_ns
    assert not api.requests
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_cell_that_keeps_its_cap_is_left_alone(shell, api, capsys):
    """Also where it ends exactly at it."""
    assert run_capped(shell, api, "spend(10)\nx = 1") is None
    assert run_capped(shell, api, "for _ in range(20):\n    sleep(0.01)\nx = 2") is None
    assert shell.user_ns["x"] == 2
    assert "Budget" not in capsys.readouterr().out


def test_a_cell_that_ended_before_it_could_be_interrupted_stops_the_others(shell, api):
    """It has spent more than its cap all the same."""
    error = run_capped(shell, api, "spend(10.5)\nx = 1")
    assert isinstance(error, BudgetError)
    assert "; it had ended by itself. " in str(error)
    assert shell.user_ns["x"] == 1


@pytest.mark.parametrize(
    ("body", "ending"),
    [
        ("try:\n    sleep(60)\nexcept:\n    pass", "was interrupted, and ended without an error"),
        (
            "for _ in range(3):\n    try:\n        sleep(60)\n    except BaseException:\n"
            "        continue",
            "was interrupted 3 times, and ended without an error",
        ),
        (
            "try:\n    sleep(60)\nexcept KeyboardInterrupt:\n    raise ValueError('gave up.')",
            "was interrupted, and ended with ValueError",
        ),
        ("try:\n    sleep(60)\nexcept Exception:\n    sleep(60)", "was interrupted"),
    ],
)
def test_a_cell_that_catches_the_interruption_ends_with_the_error(shell, api, body, ending):
    """What ended it is told."""
    error = run_capped(shell, api, f"spend(11)\n{body}")
    assert isinstance(error, BudgetError)
    assert f"; it {ending}. " in str(error)


def test_ctrl_c_stays_ctrl_c(shell, api, capsys):
    """Before the cap and after it."""
    shell.user_ns["signal"] = signal
    error = run_capped(shell, api, "signal.raise_signal(signal.SIGINT)\nsleep(60)")
    assert type(error) is KeyboardInterrupt
    assert not capsys.readouterr().err
    body = (
        "spend(11)\ntry:\n    sleep(60)\nexcept KeyboardInterrupt:\n    pass\n"
        "signal.raise_signal(signal.SIGINT)\nsleep(60)"
    )
    error = run_capped(shell, api, body)
    assert type(error) is KeyboardInterrupt
    assert "job is capped at 10.00 credits" in capsys.readouterr().err


def test_an_error_of_the_cell_stays_its_own(shell, api, capsys):
    """Where nothing interrupted it; that it passed its cap is said."""
    error = run_capped(shell, api, "spend(12)\n1 / 0")
    assert isinstance(error, ZeroDivisionError)
    assert "and 12.00 were spent while it ran" in capsys.readouterr().err


def test_an_awaiting_cell_is_interrupted(shell, api, capsys):
    """And one that blocks the loop."""
    body = "import asyncio\nspend(11)\nawait asyncio.sleep({})\n{}"
    for each in (body.format(60, "pass"), body.format(0, "sleep(60)")):
        error = run_capped(shell, api, each)
        assert isinstance(error, BudgetError)
        assert "; it was interrupted. " in str(error)
        assert capsys.readouterr().out.count("Error") == 1


def test_a_cell_in_another_thread_cannot_be_capped(shell, api, capsys):
    """It says so before the cell runs."""
    errors = []
    thread = threading.Thread(target=lambda: errors.append(run_capped(shell, api, "ran = True")))
    thread.start()
    thread.join()
    assert isinstance(errors[0], UsageError)
    assert "main thread" in str(errors[0])
    assert not api.requests
    assert "ran" not in shell.user_ns


def test_caps_hold_within_each_other(shell, api, capsys):
    """The outer one stops the inner cell too, whose cost is logged."""
    shell.user_ns["shell"] = shell
    inner = "'%%stability_cost inner --max {} --settle 0\\nspend(11)\\nsleep(60)'"
    body = "shell.run_cell({}).raise_error()\nwent_on = True"
    error = run_capped(shell, api, body.format(inner.format(100)), "outer --max 10")
    assert (type(error), error.budget) == (BudgetError, 10.0)
    lines = capsys.readouterr().out.splitlines()
    assert [each.partition(":")[0] for each in lines] == ["inner", "outer", "BudgetError"]
    error = run_capped(shell, api, body.format(inner.format(5)), "outer --max 100")
    assert (type(error), error.budget) == (BudgetError, 5.0)
    assert "went_on" not in shell.user_ns


def test_what_follows_in_the_shell_is_never_interrupted(shell, api):
    """However the end of a cell and its cap coincide."""
    for pause in range(12):
        error = run_capped(shell, api, f"spend(11)\nsleep({pause / 100})")
        assert isinstance(error, BudgetError)
        shell.run_cell("sum(range(1000))").raise_error()


def test_a_top_up_does_not_hide_what_was_spent(shell, api):
    """What is spent after it counts; a wrong balance of 0 does not."""
    answer_with_balances(api, 500.0, 495.0, 1495.0, 0.0, 1495.0, 1489.0, 1489.0, 1489.0)
    error = run_capped(shell, api, "sleep(60)")
    assert isinstance(error, BudgetError)
    assert error.spent == pytest.approx(11.0)


def test_a_sudden_nothing_counts_when_it_is_told_twice():
    """Times in microseconds, two seconds apart."""
    second = 1_000_000
    assert spent_so_far([0, 2 * second], [5000.0, 0.0]) == 0.0
    assert spent_so_far([0, 2 * second, 4 * second], [5000.0, 0.0, 0.0]) == 5000.0
    assert spent_so_far([0, 2 * second, 4 * second], [5000.0, 0.0, 4990.0]) == 10.0
    assert spent_so_far([0, 2 * second], [50.0, 0.0]) == 50.0


def test_an_unreadable_balance_stops_nothing(shell, api, capsys):
    """What could not be seen is said."""
    body = (
        "from stability_magic.simulator.simulator import FAULTS\n"
        "api.fail(FAULTS['500'], path='/user/balance')\nn = len(api.requests)\n"
        "while len(api.requests) < n + 3:\n    sleep(0.01)\nended = True"
    )
    assert run_capped(shell, api, body) is None
    assert shell.user_ns["ended"] is True
    error_line, *rest = capsys.readouterr().err.splitlines()
    assert "The balance could not be read while the cell ran" in error_line
    assert "HTTP 500" in error_line
    assert not rest


def test_after_a_refusal_it_is_not_asked_again_at_once(shell, api):
    """The service says how long to wait."""
    body = (
        "from stability_magic.simulator.simulator import FAULTS\n"
        "api.fail(FAULTS['429'], path='/user/balance', times=9)\nn = len(api.requests)\n"
        "while len(api.requests) == n:\n    sleep(0.01)\nn = len(api.requests)\nsleep(0.3)\n"
        "more = len(api.requests) - n"
    )
    assert run_capped(shell, api, body) is None
    assert shell.user_ns["more"] == 0


def test_failing_closed_stops_a_cell_that_cannot_be_seen(shell, api, monkeypatch, capsys):
    """What it has spent is not known then."""
    monkeypatch.setattr(spending_cap, "LONGEST_UNSEEN", 1.0)
    error = run_capped(shell, api, "spend(1)\napi.stop()\nsleep(60)", "--max 10 --fail-closed")
    assert isinstance(error, BudgetError)
    assert math.isnan(error.spent)
    assert "the balance could not be read for" in str(error)
    assert_is_clear_error(error)
    assert "this cell: cost unknown" in capsys.readouterr().out
    api.start()
    api.fail(FAULTS["500"], path="/user/balance")
    assert isinstance(run_capped(shell, api, "ran = True", "--max 10 --fail-closed"), StatusError)
    assert "ran" not in shell.user_ns


def test_another_account_in_the_cell_is_not_measured(shell, api, capsys):
    """The cap is of one balance."""
    body = "%stability_demo\nsleep(0.3)\n%stability_demo --stop"
    assert run_capped(shell, api, body) is None
    assert "changed in the cell" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["unload_ext", "reload_ext"])
def test_unloading_within_the_cell_ends_the_cap(shell, api, log_path, word):
    """Its cost is logged, and it is not interrupted any more."""
    body = f"%{word} stability_magic\nspend(12)\nsleep(0.3)\nended = True"
    assert run_capped(shell, api, body) is None
    assert shell.user_ns["ended"] is True
    assert len(BalanceLog(log_path).costs()) == 1
    shell.run_cell("%load_ext stability_magic")
