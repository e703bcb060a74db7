"""A balance is filed under the organization that it is of, whatever changes meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from matplotlib.text import Text

from stability_magic import BalanceLog
from stability_magic.session import key_account
from stability_magic.session.session import Session
from stability_magic.session.watch import Watch
from stability_magic.settings import StabilityMagic
from stability_magic.simulator.activity import SimulatedOrganization
from stability_magic.simulator.simulator import FAULTS, SimulatedClock, Simulator

from .test_watch import SHORT_INTERVAL, wait_until

pytestmark = pytest.mark.usefixtures("log_path")

STUDIO, PIPELINE = "org-sim-studio", "org-sim-pipeline"


@pytest.fixture
def session(api) -> Iterator[Session]:
    """A session that is closed after the test."""
    session = Session(StabilityMagic(), source="magic")
    yield session
    session.close()


def read(session: Session) -> str:
    """The organization that a reading of the default one is filed under."""
    entries, errors = session.take_readings([None])
    assert not errors
    return entries[0].organization


def assert_true_balances(api: Simulator, log_path) -> None:
    """Each logged balance is the one that the simulator says the organization had."""
    for at, row in BalanceLog(log_path).readings().iterrows():
        assert row["credits"] == api.ledgers[row["organization"]].balance(api.clock.now()), at


# -- the default organization changes on the service's side --


def test_once_known_the_default_is_asked_for_by_its_id(session, api, log_path):
    """So a change of the default between two readings files nothing wrongly."""
    assert read(session) == STUDIO
    api.make_default(PIPELINE)
    assert read(session) == STUDIO
    assert_true_balances(api, log_path)
    assert api.requests[-1].header("Organization") == STUDIO


def test_a_change_of_the_default_is_noticed_and_told(session, api, log_path, monkeypatch):
    """The account is looked up anew now and then."""
    assert read(session) == STUDIO
    api.make_default(PIPELINE)
    monkeypatch.setattr(key_account, "_MAX_ACCOUNT_AGE", 0.0)
    assert read(session) == PIPELINE
    assert session.take_notes() == [
        "The key's default organization is now Lantern Pipeline (simulated); it was Fernhill Studio"
        " (simulated)."
    ]
    assert_true_balances(api, log_path)
    # Neither is it a top-up of the one, nor spending of the other.
    frame = BalanceLog(log_path).readings()
    assert frame["topped_up"].fillna(0).sum() == frame["spent"].fillna(0).sum() == 0
    assert read(session) == PIPELINE
    assert not session.take_notes()


def test_a_change_between_two_sessions_is_told(session, api):
    """The log knows what the default was."""
    assert read(session) == STUDIO
    api.make_default(PIPELINE)
    other = Session(StabilityMagic(), source="cli")
    assert read(other) == PIPELINE
    assert "is now Lantern Pipeline" in " ".join(other.take_notes())
    other.close()


def test_a_key_that_has_lost_its_default_reads_the_new_one(session, api):
    """The refusal is not the user's to mend."""
    assert read(session) == STUDIO
    api.make_default(PIPELINE)
    api.fail(FAULTS["403"], path="/user/balance")
    assert read(session) == PIPELINE


def test_a_watch_tells_of_the_change_and_does_not_fail(session, api, log_path, monkeypatch):
    """It is news, not a problem."""
    monkeypatch.setattr(key_account, "_MAX_ACCOUNT_AGE", 0.0)
    watch = session.watch = Watch(session, [None], SHORT_INTERVAL)
    watch.start(lambda _: None)
    (state,) = watch.states
    wait_until(lambda: state.organization == STUDIO)
    api.make_default(PIPELINE)
    wait_until(lambda: state.organization == PIPELINE)
    session.watch = None
    assert any("is now Lantern Pipeline" in each for each in state.warnings)
    assert not watch.is_failing
    assert_true_balances(api, log_path)


def test_what_the_log_knows_of_a_default_is_not_believed_of_a_new_one(session, api, log_path):
    """Where the account cannot be looked up, the logged default is asked for by its id."""
    assert read(session) == STUDIO
    api.make_default(PIPELINE)
    other = Session(StabilityMagic(), source="cli")
    api.fail(FAULTS["500"], path="/user/account")
    assert read(other) == STUDIO
    assert_true_balances(api, log_path)
    other.close()


# -- the key changes while a reading is under way --


def test_a_key_that_changes_during_a_reading_is_no_part_of_it(session, api, log_path, monkeypatch):
    """A's reading hangs, the key becomes B's, and B is read: each has its own credits."""
    others = [SimulatedOrganization("org-b", "Other Works", is_default=True, opening=77.0)]
    with Simulator(organizations=others, clock=SimulatedClock(speed=0), seed=5) as other_api:
        api.latency = 0.6
        old = threading.Thread(target=session.take_readings, args=([None],))
        old.start()
        time.sleep(0.2)
        monkeypatch.setenv("STABILITY_API_KEY", other_api.api_key)
        monkeypatch.setenv("STABILITY_API_HOST", other_api.url)
        # As a new watch does before its first reading.
        session.client()
        entries, _ = session.take_readings([None])
        old.join()
        assert (entries[0].organization, entries[0].credits) == ("org-b", 77.0)
        frame = BalanceLog(log_path).readings()
        assert set(frame["organization"]) == {STUDIO, "org-b"}
        studio = frame.loc[frame["organization"] == STUDIO, "credits"].item()
        assert studio == api.ledgers[STUDIO].balance(api.clock.now())


def test_a_log_that_is_chosen_during_a_reading_is_for_the_next_one(session, api, log_path):
    """The reading that began before goes where it was to go."""
    api.latency = 0.4
    thread = threading.Thread(target=session.take_readings, args=([None],))
    thread.start()
    time.sleep(0.2)
    session.settings.log = str(log_path.with_name("other.db"))
    thread.join()
    api.latency = 0.0
    assert len(BalanceLog(log_path).readings()) == 1
    assert not log_path.with_name("other.db").exists()


# -- other processes --


# Python warns of a fork beside threads, which is what this is about.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_session_that_was_forked_reads_and_logs_for_itself(session, api, log_path):
    """Also while another thread of the parent holds the session's lock."""
    read(session)
    context = multiprocessing.get_context("fork")
    has_lock, may_release = threading.Event(), threading.Event()

    def hold_lock() -> None:
        with session._lock:
            has_lock.set()
            may_release.wait(60)

    def read_in_child(organization: str) -> None:
        session.take_readings([organization])
        session.close()

    holder = threading.Thread(target=hold_lock)
    holder.start()
    has_lock.wait(60)
    children = [context.Process(target=read_in_child, args=(each,)) for each in api.ledgers]
    for each in children:
        each.start()
    for each in children:
        each.join(60)
    may_release.set()
    holder.join()
    assert [each.exitcode for each in children] == [0] * len(children)
    assert len(BalanceLog(log_path).readings()) == 1 + len(children)
    assert_true_balances(api, log_path)


# -- organizations of one name --


@pytest.fixture
def namesakes(monkeypatch) -> Iterator[Simulator]:
    """Two organizations that nobody has named, which both have the service's own name."""
    first = SimulatedOrganization("org-aaaa1111", "My Organization", is_default=True, opening=10)
    second = replace(first, id="org-bbbb2222", is_default=False, opening=2000)
    with Simulator(organizations=[first, second], clock=SimulatedClock(speed=0)) as simulator:
        monkeypatch.setenv("STABILITY_API_HOST", simulator.url)
        monkeypatch.setenv("STABILITY_API_KEY", simulator.api_key)
        yield simulator


@pytest.mark.usefixtures("namesakes")
def test_organizations_of_one_name_are_told_apart(shell, capsys):
    """In lines, errors, frames and legends."""
    result = shell.run_cell("%stability_balance -a --require 500")
    captured = capsys.readouterr()
    assert "My Organization (…1111) has 10.00 credits" in captured.out
    shell.run_cell("frame = %stability_balance -a").raise_error()
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "My Organization (…1111)",
        "My Organization (…2222)",
    ]
    assert shell.user_ns["frame"]["name"].nunique() == 2
    shell.run_cell("%stability_account").raise_error()
    assert "the default is My Organization (…1111)" in capsys.readouterr().out
    figure = shell.run_cell("%stability_plot").result
    words = " ".join(text.get_text() for text in figure.findobj(Text))
    assert "…1111)" in words
    assert "…2222)" in words
    assert not result.success
