"""The watch: real threads, real HTTP, a real log."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from IPython.core.error import UsageError

from stability_magic import Balance, BalanceLog, SettingsError
from stability_magic.analysis.frames import COLUMNS
from stability_magic.display.watch_state import WatchState
from stability_magic.session.session import Session
from stability_magic.session.watch import Watch
from stability_magic.session.watch_schedule import next_due, seconds_until_next
from stability_magic.settings import StabilityMagic
from stability_magic.simulator.simulator import FAULTS

from .service import answer_with_balances

pytestmark = pytest.mark.usefixtures("log_path")

SHORT_INTERVAL = timedelta(seconds=0.02)


def wait_until(condition: Callable[[], object]) -> None:
    """Waits up to 30 seconds until a condition is true."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def watch_threads() -> list[str]:
    """The threads of running watches."""
    return [each.name for each in threading.enumerate() if each.name == "stability_watch"]


@pytest.fixture
def session(api) -> Iterator[Session]:
    """A session that is closed after the test."""
    session = Session(StabilityMagic(), source="magic")
    yield session
    session.close()
    assert not watch_threads()


def start_watch(session: Session) -> Watch:
    """A running watch of the default organization, which shows nothing."""
    session.watch = Watch(session, [None], SHORT_INTERVAL)
    session.watch.start(lambda _: None)
    return session.watch


def test_readings_are_taken_until_it_is_stopped(session, log_path):
    """They are logged as readings of the watch, and none follow after it is stopped."""
    (state,) = start_watch(session).states
    wait_until(lambda: len(BalanceLog(log_path).readings()) >= 4)
    session.watch = None
    count = len(BalanceLog(log_path).readings())
    time.sleep(0.1)
    frame = BalanceLog(log_path).readings()
    assert len(frame) == count
    assert set(frame["source"]) == {"watch"}
    assert state.organization == "org-sim-studio"
    assert state.name == "Fernhill Studio (simulated)"


def test_what_was_spent_since_the_start_is_counted(session, api):
    """From the first reading on; with a top-up it is a lower bound."""
    answer_with_balances(api, 100.0, 90.0, 1090.0, 1085.5)
    watch = start_watch(session)
    (state,) = watch.states
    wait_until(lambda: state.credits == 1085.5)
    assert state.spent == 14.5
    assert "at least 14.50 spent since" in watch.line(state)
    session.watch = None


def test_failures_slow_it_down_and_it_recovers(session, api):
    """Both for errors of the service and when it cannot be reached."""
    lines: list[str] = []
    session.watch = watch = Watch(session, [None], SHORT_INTERVAL)
    watch.start(lambda each: lines.append(watch.line(each)))
    api.fail(FAULTS["500"], path="/user/balance", times=2)
    (state,) = watch.states
    wait_until(lambda: state.failures == 2)
    wait_until(lambda: state.failures_in_a_row == 0)
    api.stop()
    wait_until(lambda: state.failures_in_a_row >= 2)
    assert watch.is_failing
    assert any("TransportError: " in each and "times)" in each for each in lines)
    api.start()
    wait_until(lambda: state.failures_in_a_row == 0)
    assert not watch.is_failing
    assert api.api_key not in "".join(lines)


def test_after_http_429_it_waits(session, api):
    """As long as the service asks for."""
    (state,) = start_watch(session).states
    api.fail(FAULTS["429"], path="/user/balance")
    wait_until(lambda: state.failures)
    count = len(api.requests)
    assert state.due - time.monotonic() > 30
    time.sleep(0.1)
    assert len(api.requests) == count


def test_nothing_that_goes_wrong_ends_it(session, api, log_path):
    """Neither a log that cannot be written nor a display that is gone."""
    log_path.mkdir(parents=True)

    def show(_: WatchState) -> None:
        raise RuntimeError("the page was closed")

    session.watch = watch = Watch(session, [None], SHORT_INTERVAL)
    watch.start(show)
    wait_until(lambda: len(api.requests) > 4)
    assert watch.is_running
    log_path.rmdir()
    count = len(api.requests)
    wait_until(lambda: len(api.requests) > count + 2)
    session.watch = None
    request_count = [each.path for each in api.requests].count("/v1alpha/user/balance")
    session.close()
    assert len(BalanceLog(log_path).readings()) == request_count


def test_a_long_pause_is_not_caught_up_with(session, api):
    """As when the machine has slept overnight."""
    start_watch(session)
    api.latency = 1.0
    count = len(api.requests)
    wait_until(lambda: len(api.requests) == count + 1)
    wait_until(lambda: session.watch.states[0].due > time.monotonic() - 0.5)
    api.latency = 0.3
    start, count = time.monotonic(), len(api.requests)
    wait_until(lambda: len(api.requests) >= count + 2)
    assert time.monotonic() - start > 0.25


def test_one_reading_is_taken_at_a_time(session, api):
    """A command waits for a reading of the watch, and the watch for one of the command."""
    api.latency = 0.05
    start_watch(session)
    for _ in range(5):
        session.take_readings([None])
    session.watch = None
    times = [each.at for each in api.requests if each.path.endswith("balance")]
    assert len(times) > 6
    frame = session.journal.readings(None, None)
    gaps = frame.index.to_series().diff().dropna()
    assert gaps.min() >= timedelta(seconds=0.05)


def test_another_watch_takes_the_place_of_the_first(session):
    """Only one runs at a time."""
    first = start_watch(session)
    second = start_watch(session)
    assert not first.is_running
    assert second.is_running
    assert watch_threads() == ["stability_watch"]


def test_a_hanging_reading_does_not_hold_up_the_end(session, api):
    """The watch does not wait for it."""
    start_watch(session)
    api.latency = 8.0
    count = len(api.requests)
    wait_until(lambda: len(api.requests) > count)
    start = time.monotonic()
    session.watch = None
    assert time.monotonic() - start < 5
    api.stop()
    wait_until(lambda: not watch_threads())


def test_low_credits_give_one_warning_each_time_they_fall_below_the_level(session, api):
    """The line says it after every reading."""
    session.settings.low_balance = 100.0
    answer_with_balances(api, 120.0, 90.0, 80.0, 110.0, 70.0, 60.0, 100.0)
    lines: list[str] = []
    session.watch = watch = Watch(session, [None], SHORT_INTERVAL)
    watch.start(lambda each: lines.append(watch.line(each)))
    (state,) = watch.states
    wait_until(lambda: len(lines) >= 7)
    session.watch = None
    low = ["LOW: under 100.00" in each for each in lines[:7]]
    assert low == [False, True, True, False, True, True, False]
    assert len(state.warnings) == 2
    assert all("90.00" in each or "70.00" in each for each in state.warnings)


def test_running_out_soon_gives_one_warning(session, api, log_path):
    """When the early date of the forecast is within so many days."""
    log, now = BalanceLog(log_path), datetime.now(UTC)
    start = api.ledgers["org-sim-studio"].balance(api.clock.now())
    for hour in range(24 * 14, 0, -1):
        log.append(Balance("org-sim-studio", start + 20.0 * hour, now - timedelta(hours=hour)))
    session.settings.warn_days = 365.0
    state = start_watch(session).states[0]
    wait_until(lambda: len(api.requests) > 4)
    session.watch = None
    (warning,) = state.warnings
    assert "may be empty" in warning


def test_no_process_is_kept_alive_by_it(api):
    """A program with a running watch can end."""
    code = (
        "from datetime import timedelta\n"
        "from stability_magic.session.session import Session\n"
        "from stability_magic.settings import StabilityMagic\n"
        "from stability_magic.session.watch import Watch\n"
        "watch = Watch(Session(StabilityMagic(), source='magic'), [None], timedelta(hours=1))\n"
        "watch.start(lambda _: None)\n"
        "print('done')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_the_magic_starts_stops_and_shows_the_status(shell, api, capsys):
    """The status is a frame, even without a watch."""
    for arguments in ("--status", "--stop"):
        shell.run_cell(f"frame = %stability_watch {arguments}").raise_error()
        assert capsys.readouterr().out == "no watch is running\n"
        frame = shell.user_ns["frame"]
        assert frame.empty
        assert list(frame.columns) == list(COLUMNS["watch"])
    shell.run_cell("nothing = %stability_watch --every 30s -a").raise_error()
    assert shell.user_ns["nothing"] is None
    assert capsys.readouterr().out.count(" · next ") == 3
    shell.run_cell("frame = %stability_watch --status").raise_error()
    frame = shell.user_ns["frame"]
    assert set(frame["organization"]) == {each.id for each in api.organizations}
    assert frame["every"].unique().tolist() == [timedelta(seconds=30)]
    assert frame["failures"].tolist() == [0, 0, 0]
    seconds_ahead = (frame["next_reading"] - frame["last_reading"]).dt.total_seconds()
    assert seconds_ahead.between(28, 31).all()
    assert watch_threads() == ["stability_watch"]
    capsys.readouterr()
    shell.run_cell("%stability_watch --status").raise_error()
    assert capsys.readouterr().out.count(" · next ") == 3
    shell.run_cell("%stability_watch --stop").raise_error()
    assert capsys.readouterr().out.count(" · stopped") == 3
    assert not watch_threads()


@pytest.mark.parametrize("word", ["unload_ext", "reload_ext"])
def test_unloading_ends_the_watch(shell, api, word):
    """No thread is left behind."""
    shell.run_cell("%stability_watch").raise_error()
    assert watch_threads()
    shell.run_cell(f"%{word} stability_magic").raise_error()
    assert not watch_threads()
    shell.run_cell("%load_ext stability_magic").raise_error()


def test_the_demo_and_the_real_service_are_not_mixed_in_a_watch(shell, api, capsys):
    """Switching from one to the other stops the watch, and says so."""
    shell.run_cell("%stability_watch").raise_error()
    shell.run_cell("%stability_demo").raise_error()
    assert not watch_threads()
    assert "The watch was stopped" in capsys.readouterr().err
    shell.run_cell("%stability_demo --stop").raise_error()


@pytest.mark.parametrize(
    "arguments",
    [
        "--every 0",
        "--every 1s",
        "--every 9s",
        "--every 8d",
        "--every soon",
        "--every=-10m",
        "--every ''",
        "--every 10",
        "--status --stop",
        "-a -o org-x",
    ],
)
def test_wrong_arguments_are_refused(shell, api, capsys, arguments):
    """With a message that says what to do, and before any request."""
    result = shell.run_cell(f"%stability_watch {arguments}")
    error = result.error_in_exec
    assert isinstance(error, UsageError)
    assert "use" in str(error) or "leave out" in str(error)
    assert not api.requests
    assert not watch_threads()


def test_unusable_settings_are_reported_at_once(shell, monkeypatch):
    """A watch without a key would never succeed."""
    monkeypatch.delenv("STABILITY_API_KEY", raising=False)
    result = shell.run_cell("%stability_watch")
    assert isinstance(result.error_in_exec, SettingsError)
    assert not watch_threads()


def test_pauses_grow_with_failures_up_to_a_limit():
    """From the second failure on, up to ten minutes or four intervals; 429 has its own pause."""
    assert [seconds_until_next(10, failures=each) for each in range(5)] == [10, 10, 20, 40, 80]
    assert seconds_until_next(10, failures=400) == 600
    assert seconds_until_next(3600, failures=9) == 4 * 3600
    assert seconds_until_next(10, retry_after=60.0) == 60
    times = [0.0]
    while times[-1] < 3600:
        times.append(times[-1] + seconds_until_next(10, failures=len(times)))
    assert len(times) < 15


def test_readings_keep_in_step_unless_they_are_late():
    """The durations of readings do not add up, and missed readings are skipped."""
    assert next_due(100.0, 100.4, 10.0) == 110.0
    assert next_due(100.0, 30_000.0, 10.0) == 30_010.0


def test_an_event_sets_in_once_and_again_after_it_was_over():
    """A balance that moves around a level warns each time it falls below it."""
    state = WatchState(None, datetime.now(UTC), 0.0)
    is_low = [False, True, True, False, True]
    assert [state.has_just_begun("low", each) for each in is_low] == [
        False,
        True,
        False,
        False,
        True,
    ]
