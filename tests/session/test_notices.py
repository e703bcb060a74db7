"""Messages after readings: real sessions, a real log, and a real command that is told."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stability_magic import Balance, BalanceLog, SettingsError
from stability_magic.session.budgets import change_budget
from stability_magic.session.cell_cost import CellCostMeter
from stability_magic.session.session import Session
from stability_magic.session.watch import Watch
from stability_magic.settings import StabilityMagic
from stability_magic.simulator.simulator import FAULTS, Simulator

from .recorders import Recorder
from .service import answer_with_balances

pytestmark = [
    pytest.mark.usefixtures("log_path"),
    pytest.mark.skipif(os.name == "nt", reason="tee records what is told"),
]

ORG = "org-sim-studio"


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    """A command that is told."""
    return Recorder(tmp_path / "told.jsonl")


@pytest.fixture
def open_session(api, recorder) -> Iterator[Callable[..., Session]]:
    """Makes sessions that tell the recorder; they are closed after the test."""
    sessions = []

    def open_session(**values: object) -> Session:
        settings = StabilityMagic(**values)
        settings.notify = recorder.command
        session = Session(settings, source="cli")
        sessions.append(session)
        return session

    yield open_session
    for each in sessions:
        each.close()
        assert each.take_notes() == []


def read(api: Simulator, session: Session, *credits: float, source: str = "") -> None:
    """Takes a reading of each of these balances."""
    answer_with_balances(api, *credits)
    for _ in credits:
        _, errors = session.take_readings([None], source=source)
        assert not errors


def test_what_a_reading_shows_is_told_once(open_session, recorder, api):
    """With the figures, and without the key."""
    session = open_session(low_balance=500.0)
    read(api, session, 600.0, 480.0, 470.0, 501.0, 1470.0, 460.0)
    session.close()
    assert recorder.events() == ["low_balance", "topped_up", "low_balance"]
    first, topped_up, _ = recorder.messages()
    assert (first["credits"], first["level"], first["organization"]) == (480.0, 500.0, ORG)
    assert first["title"] == "Fernhill Studio (simulated): low balance"
    assert first["text"].startswith("480.00 credits ($4.80) left at ")
    assert datetime.fromisoformat(first["at"]).tzinfo is not None
    assert topped_up["more"] == 969.0
    assert api.api_key not in str(recorder.messages())


def test_fifty_crossings_are_fifty_messages_across_a_restart_and_two_watches(
    open_session, recorder, api
):
    """Noise around the level is none of them, and no two watches tell the same."""
    noise, expected = random.Random(17), 0
    watches = [open_session(low_balance=500.0) for _ in range(2)]
    for crossing in range(50):
        if crossing == 25:
            watches[0].close()
            watches[0] = open_session(low_balance=500.0)
        balances = [
            *(500.0 + noise.uniform(6, 20) for _ in range(noise.randint(1, 2))),
            500.0 - noise.uniform(0.1, 4),
            *(500.0 + noise.uniform(-4, 4) for _ in range(noise.randint(0, 1))),
        ]
        expected += 1
        for each in balances:
            read(api, noise.choice(watches), each, source="watch")
    for each in watches:
        each.close()
    assert recorder.events() == ["low_balance"] * expected


def test_what_others_read_is_told_too(open_session, recorder, log_path, api):
    """A watch that is told nothing by anybody has looked at the log since its last reading."""
    watch = open_session(low_balance=500.0)
    read(api, watch, 600.0)
    log = BalanceLog(log_path)
    log.append(Balance(ORG, 450.0, datetime.now(UTC)))
    log.append(Balance(ORG, 1450.0, datetime.now(UTC)))
    read(api, watch, 1450.0)
    watch.close()
    assert sorted(recorder.events()) == ["low_balance", "topped_up"]


def test_what_was_over_before_it_began_is_not_told(open_session, recorder, log_path, api):
    """Nobody wants to hear at the first reading what the log holds of last week."""
    log = BalanceLog(log_path)
    for credits in (600.0, 400.0, 2400.0):
        log.append(Balance(ORG, credits, datetime.now(UTC)))
    session = open_session(low_balance=500.0)
    read(api, session, 2400.0)
    session.close()
    assert recorder.events() == []


def test_a_doubtful_balance_is_told_as_such(open_session, recorder, api):
    """And again when the next one is."""
    session = open_session()
    read(api, session, 5000.0, 0.0, 5000.0, 5377.7)
    session.close()
    assert recorder.events() == ["doubtful_balance", "doubtful_balance"]
    assert [each["doubt"][:12] for each in recorder.messages()] == ["a sudden 0, ", "a rise by 37"]


def test_empty_soon_is_told_with_the_date(open_session, recorder, api, log_path):
    """By the setting of the watch, but after any reading."""
    log, now = BalanceLog(log_path), datetime.now(UTC)
    start = api.ledgers[ORG].balance(api.clock.now())
    for hour in range(24 * 14, 0, -4):
        log.append(Balance(ORG, start + 20.0 * hour, now - timedelta(hours=hour)))
    session = open_session(warn_days=365.0)
    session.take_readings([None])
    session.take_readings([None])
    session.close()
    (message,) = recorder.messages()
    assert message["event"] == "empty_soon"
    assert datetime.fromisoformat(message["empty_early"]) > now


def watch_once(watch: Watch) -> None:
    """What the thread of a watch does when a reading is due."""
    (state,) = watch.states
    state.due = 0.0
    watch._take_due_readings()


def test_a_budget_that_is_passed_is_told_once(open_session, recorder, api):
    """With what was spent of it; a budget that was raised is another one."""
    session = open_session()
    read(api, session, 900.0)
    change_budget(session.journal, ORG, "month", 100.0, session.settings.now())
    read(api, session, 850.0, 780.0, 770.0)
    change_budget(session.journal, ORG, "month", 125.0, session.settings.now())
    read(api, session, 760.0)
    session.close()
    assert recorder.events() == ["budget_passed", "budget_passed"]
    first, second = recorder.messages()
    assert (first["spent"], first["budget"], first["every"]) == (120.0, 100.0, "month")
    assert (second["spent"], second["budget"]) == (140.0, 125.0)
    assert "the budget for each month is 100.00." in first["text"]


def test_next_operation_is_a_level_of_low_balances(open_session, recorder, api):
    """Where it no longer pays for what is done next."""
    session = open_session(next_operation="3 ultra")
    read(api, session, 25.0, 23.0)
    session.close()
    assert recorder.events() == ["low_balance"]
    assert recorder.messages()[0]["level"] == 24.0


def test_a_watch_that_fails_and_is_well_again(open_session, recorder, api):
    """From the second failure on; another watch does not repeat it."""
    watches = [Watch(open_session(), [None], timedelta(hours=1)) for _ in range(2)]
    api.fail(FAULTS["500"], path="/user/balance", times=5)
    for each in (watches[0], watches[0], watches[1], watches[1], watches[0]):
        watch_once(each)
    assert recorder.wait_for(1) == ["watch_failing"]
    for each in (*watches, *watches):
        watch_once(each)
    assert recorder.wait_for(2) == ["watch_failing", "watch_well"]
    failing, well = recorder.messages()
    assert "StatusError: " in failing["problem"]
    assert well["problem"] == ""


def test_a_key_that_is_refused_is_told_at_once(open_session, recorder, api):
    """Trying again does not help; a watch with another key is another matter."""
    session = open_session()
    watch = Watch(session, [None], timedelta(hours=1))
    api.fail(FAULTS["401"], path="/user/balance", times=9)
    watch_once(watch)
    watch_once(watch)
    session.close()
    assert recorder.events() == ["watch_failing"]
    assert "AuthenticationError" in recorder.messages()[0]["text"]


def test_a_leak_is_what_is_spent_elsewhere_while_a_watch_runs(open_session, recorder, api):
    """And not what a cell spends, nor what was spent before."""
    session = open_session()
    answer_with_balances(api, 5000.0)
    session.take_readings([None])
    watch = Watch(session, [None], timedelta(hours=1))
    answer_with_balances(api, 4000.0)
    watch_once(watch)  # nobody watched
    answer_with_balances(api, 4000.0)
    cell = CellCostMeter(session, None, label="render", settle=0.0)
    answer_with_balances(api, 3700.0)
    watch_once(watch)  # the cell still runs
    answer_with_balances(api, 3700.0, 3700.0)
    cell.finish(None)
    answer_with_balances(api, 3700.0)
    watch_once(watch)  # and explains it
    answer_with_balances(api, 3450.0, 3450.0)
    watch_once(watch)
    watch_once(watch)
    session.close()
    (message,) = recorder.messages()
    assert message["event"] == "leak"
    assert message["spent"] == pytest.approx(250.0)
    assert "spent elsewhere, by no measured cell" in message["text"]


def test_a_log_that_cannot_be_written_keeps_nobody_from_being_told(
    open_session, recorder, log_path, api
):
    """Once by this session, and not again once the log can be written."""
    log_path.mkdir(parents=True)
    session = open_session(low_balance=500.0)
    read(api, session, 480.0, 470.0)
    assert recorder.wait_for(1) == ["low_balance"]
    log_path.rmdir()
    read(api, session, 460.0, 450.0)
    other = open_session(low_balance=500.0)
    read(api, other, 440.0)
    for each in (session, other):
        each.close()
        each.take_notes()
    assert recorder.events() == ["low_balance"]


def test_without_the_setting_nothing_is_told_or_remembered(open_session, recorder, log_path, api):
    """Nor with --no-log, nor in the demo."""
    silent = Session(StabilityMagic(low_balance=500.0), source="cli")
    read(api, silent, 400.0)
    silent.close()
    session = open_session(low_balance=500.0)
    answer_with_balances(api, 400.0)
    session.take_readings([None], should_log=False)
    session.close()
    assert recorder.events() == []
    with closing(sqlite3.connect(log_path)) as connection:
        assert connection.execute("SELECT count(*) FROM notices").fetchone() == (0,)


def test_a_setting_that_cannot_be_used_costs_no_request(api):
    """As with every setting."""
    session = Session(StabilityMagic(), source="cli")
    session.settings.notify = "tell me"
    with pytest.raises(SettingsError, match="notify cannot be used"):
        session.take_readings([None])
    assert not api.requests
    session.close()


@pytest.mark.once
def test_it_is_the_same_with_a_shared_log(open_session, recorder, api, shared):
    """Readings of others in it count; what was told is remembered in the local one."""
    session = open_session(low_balance=500.0, warn_days=1.0)
    watch = Watch(session, [None], timedelta(hours=1))
    for credits in (900.0, 480.0, 470.0, 1470.0, 1450.0):
        with session.command():
            answer_with_balances(api, credits)
            watch_once(watch)
    session.close()
    assert recorder.events() == ["low_balance", "leak", "topped_up"]
    assert session.take_notes() == []
