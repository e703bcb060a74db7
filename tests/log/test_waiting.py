"""A log that another program holds: one time of waiting for a command, which Ctrl-C ends."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from stability_magic import Balance, BalanceLog, LogError
from stability_magic.log import merging
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.merging import merge
from stability_magic.log.waiting import BUSY_SECONDS, try_until_free, waiting_budget, waiting_left
from stability_magic.session.session import Session
from stability_magic.settings import StabilityMagic

pytestmark = pytest.mark.once

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

# Holds the log so that nobody else can even read it, until its input ends.
HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path):
    """Another process holds the log, and ends when told to."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def balance(n=0):
    """A reading some minutes after noon."""
    return Balance("org-a", 100.0 - n, NOON + timedelta(minutes=n))


@pytest.fixture
def log(tmp_path):
    """A log with one reading."""
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    log.append(balance())
    return log


def test_the_time_is_as_long_as_promised():
    """A command waits at least ten seconds for other programs."""
    assert BUSY_SECONDS >= 10
    assert waiting_left() == BUSY_SECONDS


def test_all_openings_of_a_command_share_one_time(log):
    """Writing, reading and writing again wait no longer than one of them alone."""
    with held(log.path), waiting_budget(1.0):
        begin = time.monotonic()
        for operation in (lambda: log.append(balance(1)), log.readings, log.costs) * 3:
            with pytest.raises(LogError, match="is held by another program"):
                operation()
        assert time.monotonic() - begin < 6
        assert waiting_left() <= 0
    assert waiting_left() == BUSY_SECONDS
    assert len(log.readings()) == 1


def test_what_becomes_free_in_time_is_used(log):
    """Waiting ends as soon as the other program is done."""
    for operation in (lambda: log.append(balance(1)), log.readings):
        with held(log.path) as process:
            timer = threading.Timer(0.7, process.stdin.close)
            timer.start()
            operation()
            timer.join()
    assert len(log.readings()) == 2


def test_a_commit_waits_for_readers(log):
    """A reader may hold the file when a transaction ends; it can be tried again."""
    with closing(
        sqlite3.connect(log.path, isolation_level=None, check_same_thread=False)
    ) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM readings").fetchone()
        timer = threading.Timer(0.7, lambda: reader.execute("COMMIT"))
        timer.start()
        log.append(balance(1))
        timer.join()
    assert len(log.readings()) == 2


def test_a_budget_within_another_is_a_part_of_it():
    """It can be shorter, not longer; only the time spent waiting counts."""

    class BusyError(Exception):
        pass

    def fail():
        raise BusyError

    with waiting_budget(1.0):
        with waiting_budget(50.0):
            assert waiting_left() == 1.0
        with waiting_budget(0.2):
            with pytest.raises(BusyError):
                try_until_free(fail, lambda error: isinstance(error, BusyError), 30.0)
            assert waiting_left() <= 0
        assert 0 < waiting_left() <= 0.81
        with pytest.raises(ZeroDivisionError):
            try_until_free(lambda: 1 / 0, lambda error: isinstance(error, BusyError), 30.0)
        assert waiting_left() > 0
    assert waiting_left() == BUSY_SECONDS


def test_each_thread_has_its_own_budget():
    """A watch in the background does not use up the time of a command."""
    others = []
    with waiting_budget(1.0):
        thread = threading.Thread(target=lambda: others.append(waiting_left()))
        thread.start()
        thread.join()
    assert others == [BUSY_SECONDS]


def test_a_command_of_a_session_has_one_budget(log):
    """Also where it consists of several parts."""
    session = Session(StabilityMagic(log=str(log.path)), source="magic")
    with session.command():
        first = waiting_left()
        with session.command():
            pass
    assert first == BUSY_SECONDS
    session.close()


@pytest.mark.parametrize("line", ["%stability_balance", "%%stability_cost --settle 0.01\n1"])
def test_a_whole_command_waits_once(shell, api, log, monkeypatch, line):
    """Not at each reading and look-up; head and end of a cell are one command."""
    monkeypatch.setenv("STABILITY_MAGIC_LOG", str(log.path))
    monkeypatch.setattr("stability_magic.log.waiting.BUSY_SECONDS", 3.0)
    shell.run_cell("%stability_account")
    with held(log.path):
        begin = time.monotonic()
        shell.run_cell(line)
        elapsed = time.monotonic() - begin
    assert elapsed < 9


WAIT = """
import sys
from datetime import datetime, timezone
from stability_magic import Balance, BalanceLog
log = BalanceLog(sys.argv[1])
print("waiting", flush=True)
try:
    if sys.argv[2] == "read":
        log.readings()
    else:
        log.append(Balance("org-a", 1.0, datetime(2026, 1, 6, tzinfo=timezone.utc)))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize("operation", ["read", "append"])
def test_ctrl_c_ends_the_waiting_at_once(log, operation):
    """SQLite's own waiting would go on to its end."""
    command = [sys.executable, "-c", WAIT, str(log.path), operation]
    with held(log.path), subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"waiting\n"
        time.sleep(1.0)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b"interrupted\n"
        assert time.monotonic() - begin < 5
    assert len(log.readings()) == 1


# Merging


def entries(count):
    """Readings a second apart."""
    return [
        entry_from_balance(Balance("org-a", float(n), NOON + timedelta(seconds=n)))
        for n in range(count)
    ]


def test_others_log_their_readings_while_a_large_log_is_merged(tmp_path, log, monkeypatch):
    """The log is locked for one portion at a time, and never while the other one is read."""
    other = BalanceLog(tmp_path / "other.db")
    other.write(entries(1000))
    monkeypatch.setattr(merging, "_TRANSACTION_SIZE", 100)
    monkeypatch.setattr(merging, "_BATCH_SIZE", 100)
    counts, others = [], iter(range(1, 100))
    valid_rows = merging._Source.valid_rows

    def rows_and_readings_of_others(source):
        for number, row in enumerate(valid_rows(source)):
            if number % 100 == 50:
                # Another process, in the middle of a portion.
                with waiting_budget(0.0):
                    log.append(balance(next(others)))
                counts.append(len(log.readings()))
            yield row

    monkeypatch.setattr(merging._Source, "valid_rows", rows_and_readings_of_others)
    assert merge(log.path, other.path, lambda done, total: None)[:2] == (1000, 0)
    assert len(log.readings()) == 1000 + 1 + len(counts)
    assert counts == [2 + 101 * n for n in range(10)]


def test_the_other_log_is_free_while_its_readings_are_taken_in(tmp_path, log):
    """Those who write to it need not wait for the end of merging."""
    other = BalanceLog(tmp_path / "other.db")
    other.write(entries(100))

    def append_to_other(done, total):
        with waiting_budget(0.0):
            other.append(balance(500))

    assert merge(log.path, other.path, append_to_other)[:2] == (100, 0)
    assert len(other.readings()) == 101


def test_what_was_cut_off_goes_on(tmp_path, log, monkeypatch):
    """What was taken in stays; merging again brings the rest, and nothing twice."""
    other = BalanceLog(tmp_path / "other.db")
    other.write(entries(1000))
    monkeypatch.setattr(merging, "_TRANSACTION_SIZE", 300)
    monkeypatch.setattr(merging, "_BATCH_SIZE", 100)

    def interrupt(done, total):
        if done == 700:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge(log.path, other.path, interrupt)
    assert len(log.readings()) == 601
    assert merge(log.path, other.path, lambda done, total: None)[:2] == (400, 600)
    assert merge(log.path, other.path, lambda done, total: None)[:2] == (0, 1000)
    assert len(log.readings()) == 1001


def test_up_to_a_hundred_thousand_rows_are_one_transaction(tmp_path, log):
    """Cut off, none of them is there."""
    assert merging._TRANSACTION_SIZE == 100_000
    other = BalanceLog(tmp_path / "other.db")
    other.write(entries(20_000))

    def interrupt(done, total):
        if done == 20_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge(log.path, other.path, interrupt)
    assert len(log.readings()) == 1


def test_a_log_that_is_written_ahead_is_merged(tmp_path, log):
    """A user may have switched the other file to SQLite's other kind of journal."""
    other = BalanceLog(tmp_path / "other.db")
    other.write(entries(10))
    with closing(sqlite3.connect(other.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
    assert merge(log.path, other.path, lambda done, total: None)[:2] == (10, 0)


# Links


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
class TestLinks:
    """A log that is reached through symbolic links."""

    def test_a_link_to_what_is_not_there_yet_says_where_to_make_it(self, tmp_path):
        """Through several links, with its folder, for its owner alone; the links stay."""
        target = tmp_path / "data" / "credits" / "log.db"
        (tmp_path / "second").symlink_to(target)
        (tmp_path / "log.db").symlink_to("second")
        log = BalanceLog(tmp_path / "log.db", timezone=UTC)
        assert log.readings().empty
        assert not target.parent.exists()
        log.append(balance())
        assert len(log.readings()) == 1
        assert (tmp_path / "log.db").is_symlink()
        assert target.stat().st_mode & 0o777 == 0o600
        assert target.parent.stat().st_mode & 0o777 == 0o700
        assert [each.name for each in target.parent.iterdir()] == ["log.db"]

    def test_a_circle_of_links_is_an_error_in_one_line(self, tmp_path):
        """It says what is wrong."""
        (tmp_path / "log.db").symlink_to("b")
        (tmp_path / "b").symlink_to("log.db")
        log = BalanceLog(tmp_path / "log.db")
        for operation in (log.readings, lambda: log.append(balance())):
            with pytest.raises(
                LogError, match="cannot be used as a log: Too many levels"
            ) as caught:
                operation()
            assert caught.value.path == log.path

    def test_what_a_killed_writer_left_is_undone_behind_a_link(self, tmp_path):
        """SQLite's journal lies beside the file, not beside the link; for merging too."""
        real = BalanceLog(tmp_path / "there" / "real.db", timezone=UTC)
        real.write(entries(200))
        code = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE readings SET credits = -1")
connection.executemany(
    "INSERT INTO readings (organization, read_at, id, credits, api, source)"
    " SELECT 'org-a', ?, randomblob(16), -1, 1, 'cut off'",
    [(n,) for n in range(20000)],
)
os._exit(9)
"""
        link = tmp_path / "log.db"
        link.symlink_to(real.path)
        assert subprocess.run([sys.executable, "-c", code, str(real.path)]).returncode == 9
        files = {each: each.read_bytes() for each in real.path.parent.iterdir()}
        assert len(files) == 2
        target = BalanceLog(tmp_path / "target.db", timezone=UTC)
        assert merge(target.path, link, lambda done, total: None)[:2] == (200, 0)
        assert {each: each.read_bytes() for each in real.path.parent.iterdir()} == files
        assert BalanceLog(link).readings()["credits"].tolist() == list(range(200))
        assert [each.name for each in real.path.parent.iterdir()] == ["real.db"]
