"""The watch: real threads, real HTTP, a real log."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from IPython.core.error import UsageError

from stability_magic import Balance, BalanceLog, SettingsError
from stability_magic._frames import COLUMNS
from stability_magic._session import Session
from stability_magic._settings import StabilityMagic
from stability_magic._simulator import FAULTS, Fault
from stability_magic._watch import Watch, Watched
from stability_magic._watch_rules import Alarm, next_due, pause

pytestmark = pytest.mark.usefixtures("log_path")

FAST = timedelta(seconds=0.02)


def balances(api, *credits: float) -> None:
    """Hands these balances out to the next that ask."""
    for each in credits:
        body = json.dumps({"credits": each}).encode()
        api.fail(Fault(200, body), path="/user/balance")


def until(true: Callable[[], object]) -> None:
    """Waits for something, for a while."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def threads() -> list[str]:
    """The watches that are running."""
    return [each.name for each in threading.enumerate() if each.name == "stability_watch"]


@pytest.fixture
def session(api) -> Iterator[Session]:
    """A session of its own, ended at the end."""
    session = Session(StabilityMagic(), source="magic")
    yield session
    session.close()
    assert not threads()


def watching(session: Session, every: timedelta = FAST, **options: object) -> Watch:
    """A watch of the default organization that nobody is shown."""
    session.watch = Watch(session, [None], every)
    session.watch.start(lambda _: None)
    return session.watch


def test_readings_are_taken_until_it_is_stopped(session, log_path):
    """They are in the log as the watch's, and after the stop there are no more."""
    (watched,) = watching(session).watched
    until(lambda: len(BalanceLog(log_path).readings()) >= 4)
    session.watch = None
    count = len(BalanceLog(log_path).readings())
    time.sleep(0.1)
    frame = BalanceLog(log_path).readings()
    assert len(frame) == count
    assert set(frame["source"]) == {"watch"}
    assert watched.organization == "org-sim-studio"
    assert watched.name == "Fernhill Studio (simulated)"


def test_what_was_spent_since_the_start_is_counted(session, api):
    """From the first reading on; a top-up makes it a lower bound."""
    balances(api, 100.0, 90.0, 1090.0, 1085.5)
    watch = watching(session)
    (watched,) = watch.watched
    until(lambda: watched.credits == 1085.5)
    assert watched.spent == 14.5
    assert "at least 14.50 spent since" in watch.line(watched)
    session.watch = None


def test_failures_slow_it_down_and_it_recovers(session, api):
    """Whatever goes wrong, the service being away among it."""
    shown: list[str] = []
    session.watch = watch = Watch(session, [None], FAST)
    watch.start(lambda each: shown.append(watch.line(each)))
    api.fail(FAULTS["500"], path="/user/balance", times=2)
    (watched,) = watch.watched
    until(lambda: watched.failures == 2)
    until(lambda: watched.in_a_row == 0)
    api.stop()
    until(lambda: watched.in_a_row >= 2)
    assert watch.failing
    assert any("TransportError: " in each and "times)" in each for each in shown)
    api.start()
    until(lambda: watched.in_a_row == 0)
    assert not watch.failing
    assert api.api_key not in "".join(shown)


def test_http_429_is_waited_out(session, api):
    """For as long as the service asks."""
    (watched,) = watching(session).watched
    api.fail(FAULTS["429"], path="/user/balance")
    until(lambda: watched.failures)
    count = len(api.requests)
    assert watched.due - time.monotonic() > 30
    time.sleep(0.1)
    assert len(api.requests) == count


def test_nothing_that_goes_wrong_ends_it(session, api, log_path):
    """A log that cannot be written, and a place to show it that is gone."""
    log_path.mkdir(parents=True)

    def show(_: Watched) -> None:
        raise RuntimeError("the page was closed")

    session.watch = watch = Watch(session, [None], FAST)
    watch.start(show)
    until(lambda: len(api.requests) > 4)
    assert watch.running
    log_path.rmdir()
    count = len(api.requests)
    until(lambda: len(api.requests) > count + 2)
    session.watch = None
    asked = [each.path for each in api.requests].count("/v1alpha/user/balance")
    session.close()
    assert len(BalanceLog(log_path).readings()) == asked


def test_a_long_pause_is_not_caught_up_with(session, api):
    """As after a night in which the machine slept."""
    watching(session)
    api.latency = 1.0
    count = len(api.requests)
    until(lambda: len(api.requests) == count + 1)
    until(lambda: session.watch.watched[0].due > time.monotonic() - 0.5)
    api.latency = 0.3
    begin, count = time.monotonic(), len(api.requests)
    until(lambda: len(api.requests) >= count + 2)
    assert time.monotonic() - begin > 0.25


def test_one_reading_is_taken_at_a_time(session, api):
    """A command waits for the watch's reading, and the watch for the command's."""
    api.latency = 0.05
    watching(session)
    for _ in range(5):
        session.take([None])
    session.watch = None
    at = [each.at for each in api.requests if each.path.endswith("balance")]
    assert len(at) > 6
    frame = session.journal.readings(None, None)
    gaps = frame.index.to_series().diff().dropna()
    assert gaps.min() >= timedelta(seconds=0.05)


def test_another_watch_takes_the_place_of_the_first(session):
    """There is one at a time."""
    first = watching(session)
    second = watching(session)
    assert not first.running
    assert second.running
    assert threads() == ["stability_watch"]


def test_a_hanging_reading_does_not_hold_up_the_end(session, api):
    """It is left to itself."""
    watching(session)
    api.latency = 8.0
    count = len(api.requests)
    until(lambda: len(api.requests) > count)
    begin = time.monotonic()
    session.watch = None
    assert time.monotonic() - begin < 5
    api.stop()
    until(lambda: not threads())


def test_low_credits_are_warned_of_once_until_they_were_above(session, api):
    """Every line says it, the warning comes when the level is crossed."""
    session.settings.low_balance = 100.0
    balances(api, 120.0, 90.0, 80.0, 110.0, 70.0, 60.0, 100.0)
    lines: list[str] = []
    session.watch = watch = Watch(session, [None], FAST)
    watch.start(lambda each: lines.append(watch.line(each)))
    (watched,) = watch.watched
    until(lambda: len(lines) >= 7)
    session.watch = None
    low = ["LOW: under 100.00" in each for each in lines[:7]]
    assert low == [False, True, True, False, True, True, False]
    assert len(watched.warnings) == 2
    assert all("90.00" in each or "70.00" in each for each in watched.warnings)


def test_running_out_soon_is_warned_of_once(session, api, log_path):
    """When the early date of the forecast comes within so many days."""
    log, now = BalanceLog(log_path), datetime.now(UTC)
    start = api.ledgers["org-sim-studio"].balance(api.clock.now())
    for hour in range(24 * 14, 0, -1):
        log.append(Balance("org-sim-studio", start + 20.0 * hour, now - timedelta(hours=hour)))
    session.settings.warn_days = 365.0
    watched = watching(session).watched[0]
    until(lambda: len(api.requests) > 4)
    session.watch = None
    (warning,) = watched.warnings
    assert "may run out" in warning


def test_no_process_is_kept_alive_by_it(api):
    """A program that ends, ends."""
    code = (
        "from datetime import timedelta\n"
        "from stability_magic._session import Session\n"
        "from stability_magic._settings import StabilityMagic\n"
        "from stability_magic._watch import Watch\n"
        "watch = Watch(Session(StabilityMagic(), source='magic'), [None], timedelta(hours=1))\n"
        "watch.start(lambda _: None)\n"
        "print('done')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_the_magic_tells_starts_and_stops(shell, api, capsys):
    """The status is a frame, also where nothing is watched."""
    for arguments in ("--status", "--stop"):
        shell.run_cell(f"frame = %stability_watch {arguments}").raise_error()
        assert capsys.readouterr().out == "no watch is running\n"
        frame = shell.user_ns["frame"]
        assert frame.empty
        assert list(frame.columns) == list(COLUMNS["watch"])
    shell.run_cell("frame = %stability_watch --every 30s -a").raise_error()
    frame = shell.user_ns["frame"]
    assert set(frame["organization"]) == {each.id for each in api.organizations}
    assert frame["every"].unique().tolist() == [timedelta(seconds=30)]
    assert frame["failures"].tolist() == [0, 0, 0]
    ahead = (frame["next_reading"] - frame["last_reading"]).dt.total_seconds()
    assert ahead.between(28, 31).all()
    assert threads() == ["stability_watch"]
    capsys.readouterr()
    shell.run_cell("%stability_watch --status").raise_error()
    assert capsys.readouterr().out.count(" · next ") == 3
    shell.run_cell("%stability_watch --stop").raise_error()
    assert capsys.readouterr().out.count(" · stopped") == 3
    assert not threads()


@pytest.mark.parametrize("word", ["unload_ext", "reload_ext"])
def test_unloading_ends_the_watch(shell, api, word):
    """No thread is left behind."""
    shell.run_cell("%stability_watch").raise_error()
    assert threads()
    shell.run_cell(f"%{word} stability_magic").raise_error()
    assert not threads()
    shell.run_cell("%load_ext stability_magic").raise_error()


def test_the_demo_and_the_real_service_are_not_mixed_in_a_watch(shell, api, capsys):
    """Changing from one to the other stops it, and says so."""
    shell.run_cell("%stability_watch").raise_error()
    shell.run_cell("%stability_demo").raise_error()
    assert not threads()
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
def test_what_cannot_be_watched_is_refused(shell, api, capsys, arguments):
    """In a line that says what to do; nothing is asked."""
    result = shell.run_cell(f"%stability_watch {arguments}")
    error = result.error_in_exec
    assert isinstance(error, UsageError)
    assert "use" in str(error) or "leave out" in str(error)
    assert not api.requests
    assert not threads()


def test_what_is_set_up_wrongly_is_told_at_once(shell, monkeypatch):
    """A watch without a key would never succeed."""
    monkeypatch.delenv("STABILITY_API_KEY", raising=False)
    result = shell.run_cell("%stability_watch")
    assert isinstance(result.error_in_exec, SettingsError)
    assert not threads()


def test_pauses_grow_with_failures_and_end():
    """From the second failure on, to ten minutes or four times the usual; 429 has its own."""
    assert [pause(10, failures=each) for each in range(5)] == [10, 10, 20, 40, 80]
    assert pause(10, failures=400) == 600
    assert pause(3600, failures=9) == 4 * 3600
    assert pause(10, retry_after=60.0) == 60
    hour = [0.0]
    while hour[-1] < 3600:
        hour.append(hour[-1] + pause(10, failures=len(hour)))
    assert len(hour) < 15


def test_readings_keep_step_unless_they_are_late():
    """The time that a reading takes does not add up, and what was missed is not made up for."""
    assert next_due(100.0, 100.4, 10.0) == 110.0
    assert next_due(100.0, 30_000.0, 10.0) == 30_010.0


def test_an_alarm_rings_when_something_sets_in():
    """And not again before it was over."""
    alarm = Alarm()
    states = (False, True, True, False, True)
    assert [alarm.rings(each) for each in states] == [False, True, False, False, True]
