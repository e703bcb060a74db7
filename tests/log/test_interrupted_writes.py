"""File and memory are joined by ids: no reading is shown twice, however writing ended."""

from __future__ import annotations

import gc
import random
import signal
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability_magic import Account, Balance, BalanceLog, Organization
from stability_magic.analysis.costs import Cost
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.session.journal import Journal
from stability_magic.session.pending import Notes

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
INTERRUPTS = 300


def entry(n, organization="org-a"):
    """A reading some seconds after noon, whose balance tells it from all others."""
    balance = Balance(organization, 5000.0 - n, NOON + timedelta(seconds=n), "https://x", "f1")
    return entry_from_balance(balance, label=f"n{n}", host="hub")


def cost(n):
    """A cost whose amount tells it from all others."""
    at = 1_700_000_000_000_000 + n
    return Cost("org-a", at, at + 5, 1.0, float(n), True, "l", None, n.to_bytes(16, "big"))


def repeated(values):
    """The values that occur more than once."""
    return [each for each, count in Counter(values).items() if count > 1]


@given(
    logged=st.sets(st.integers(0, 20)),
    unlogged=st.sets(st.integers(0, 20)),
    organization=st.sampled_from(["org-a", None]),
)
def test_what_the_file_holds_is_not_taken_from_memory_too(
    tmp_path_factory, logged, unlogged, organization
):
    """Whatever part of it was written; also under the fingerprint of a key."""
    log = BalanceLog(tmp_path_factory.mktemp("joined") / "log.db", timezone=UTC)
    entries = [entry(n, organization) for n in range(21)]
    account = Account("user-1", "", (Organization("org-a", "A", "OWNER", is_default=True),))
    log.write([entries[n] for n in logged], account=account, key_fingerprint="f1")
    waiting = [entries[n] for n in unlogged]
    frame = log.readings_with_neighbours(unlogged=waiting, hosts=True)
    expected = [5000.0 - n for n in sorted(logged | unlogged)]
    assert frame["credits"].tolist() == expected
    histories = log.histories(unlogged=waiting)
    assert [each for series in histories.series for each in series.credits] == expected


def test_equal_readings_with_other_ids_are_not_the_same(tmp_path):
    """The id decides, not time and balance."""
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    log.write([entry(1)])
    assert len(log.readings_with_neighbours(unlogged=[entry(1)])) == 2


# The timer of the test is that of the other method.
@pytest.mark.timeout(300, method="thread")
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no such timer")
# What is interrupted between opening and "with" is closed without one.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_an_interruption_at_any_moment_shows_nothing_twice(tmp_path):
    """Several hundred real ones, while readings and costs are written."""
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    log.write([entry(0)])
    journal = Journal(lambda: log, Notes())
    generator = random.Random(20261125)
    interruptions = 0
    for number in range(1, INTERRUPTS + 1):
        try:
            signal.signal(signal.SIGALRM, signal.default_int_handler)
            signal.setitimer(signal.ITIMER_REAL, generator.uniform(1e-5, 0.012))
            try:
                journal.write(log, [entry(number)], [cost(number)])
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            interruptions += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        if number % 10 == 0:
            shown = journal.readings(None, None)["credits"].tolist()
            assert not repeated(shown)
            assert not repeated(each.spent for each in journal.costs())
    assert interruptions > INTERRUPTS / 20
    log.write(journal.backlog.entries)
    assert not repeated(log.readings()["credits"].tolist())
    # Now, and not in the middle of another test.
    gc.collect()


def test_a_watch_that_logs_shows_nothing_twice(tmp_path):
    """Another thread writes while this one looks."""
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    journal = Journal(lambda: log, Notes())
    written = 60

    def write():
        for number in range(written):
            journal.write(log, [entry(number)])

    thread = threading.Thread(target=write)
    thread.start()
    looks = 0
    while thread.is_alive() or not looks:
        shown = journal.readings(None, None)["credits"].tolist()
        assert not repeated(shown)
        assert shown == [5000.0 - n for n in range(len(shown))]
        looks += 1
    thread.join()
    assert len(journal.readings(None, None)) == written


def test_a_large_log_is_joined_too(tmp_path, monkeypatch):
    """Also where it would be read through Arrow, which sees a later moment."""
    monkeypatch.setattr("stability_magic.log.rows._ARROW_MIN_BYTES", 0)
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    entries = [entry(n) for n in range(10)]
    log.write(entries[:6])
    assert len(log.readings_with_neighbours(unlogged=entries[3:])) == 10
