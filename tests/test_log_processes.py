"""The log among processes: many at once, some of them killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stability_magic import Balance, BalanceLog, LogError
from stability_magic._log import entry
from stability_magic._log_file import writing
from stability_magic._log_rows import BUSY_SECONDS

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PROCESSES, ROUNDS, EACH = 8, 10, 4

# Eight processes append to the same new file, as closely together as a barrier makes them.
APPEND_TOGETHER = """
import multiprocessing, sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from stability_magic import Balance, BalanceLog

folder, processes, rounds, each = Path(sys.argv[1]), *map(int, sys.argv[2:])
noon = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)

def append(path, who):
    for n in range(each):
        BalanceLog(path).append(Balance("org-a", n, noon + timedelta(hours=n)), label=who)

def work(barrier, who):
    for number in range(rounds):
        barrier.wait(20)
        append(folder / f"new folder {number}" / "log.db", who)

if __name__ == "__main__":
    append(folder / "first.db", "first")
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    barrier = context.Barrier(processes)
    workers = [
        context.Process(target=work, args=(barrier, f"process-{n}")) for n in range(processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.exit(any(worker.exitcode for worker in workers))
"""

# Appends one reading after the other, and says so when each is on the disk.
APPENDS_FOR_EVER = """
import sys
from datetime import datetime, timedelta, timezone
from stability_magic import Balance, BalanceLog
log, noon, n = BalanceLog(sys.argv[1]), datetime(2026, 1, 5, 12, tzinfo=timezone.utc), 0
while True:
    log.append(Balance("org-a", n, noon + timedelta(seconds=n)))
    print(n, flush=True)
    n += 1
"""

# Holds a transaction that has outgrown its memory, so that the file is changed in part.
STOPS_HALFWAY = """
import sys, time
from pathlib import Path
from stability_magic._log_file import writing
with writing(Path(sys.argv[1])) as connection:
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("UPDATE readings SET credits = -1, label = 'cut off'")
    connection.executemany(
        "INSERT INTO readings SELECT 'org-a', ?, randomblob(16), -1, 1, 'cut off', NULL, NULL",
        ((n,) for n in range(20_000)),
    )
    print("halfway", flush=True)
    time.sleep(600)
"""


@contextmanager
def python(code: str, *arguments: str | Path):
    """A process that runs the code, and is killed at the end at the latest."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, encoding="utf-8") as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def log(tmp_path):
    return BalanceLog(tmp_path / "log.db", timezone=UTC)


@pytest.fixture
def cut_off(log):
    """A log whose last writer was killed in the middle of its transaction."""
    kept = [Balance("org-a", n, NOON + timedelta(hours=n)) for n in range(200)]
    log.write([entry(each, label="kept") for each in kept])
    before = log.path.read_bytes()
    with python(STOPS_HALFWAY, log.path) as process:
        assert process.stdout.readline() == "halfway\n"
        process.kill()
    journal = log.path.with_name("log.db-journal")
    assert journal.stat().st_size > 0
    assert log.path.read_bytes() != before
    return log, before


def test_eight_processes_that_make_one_file_at_once_lose_nothing(tmp_path):
    """None of them ever fails, and every reading is there, round after round."""
    script = tmp_path / "script.py"
    script.write_text(APPEND_TOGETHER, encoding="utf-8")
    command = [sys.executable, str(script), str(tmp_path), *map(str, (PROCESSES, ROUNDS, EACH))]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
    for number in range(ROUNDS):
        found = BalanceLog(tmp_path / f"new folder {number}" / "log.db").readings()
        counts = found["label"].value_counts()
        assert counts.to_dict() == {f"process-{n}": EACH for n in range(PROCESSES)}


def test_what_was_acknowledged_survives_a_kill(log):
    """A process that is killed while it appends has lost nothing that it told of."""
    acknowledged = -1
    for wanted in (3, 40):
        with python(APPENDS_FOR_EVER, log.path) as process:
            while acknowledged < wanted:
                acknowledged = int(process.stdout.readline())
            process.kill()
            rest = process.stdout.read().split()
            acknowledged = int(rest[-1]) if rest else acknowledged
        credits = set(log.readings()["credits"])
        assert credits >= set(range(acknowledged + 1))
        acknowledged = -1


def test_a_writer_killed_halfway_leaves_nothing_behind_for_readers(cut_off):
    """Reading undoes what was cut off, and shows what was there before."""
    log, before = cut_off
    frame = log.readings()
    assert frame["credits"].tolist() == list(range(200))
    assert set(frame["label"]) == {"kept"}
    assert log.path.read_bytes() == before
    assert [each.name for each in log.path.parent.iterdir() if each.is_file()] == ["log.db"]


def test_a_writer_killed_halfway_leaves_nothing_behind_for_writers(cut_off):
    """The next append goes to the log as it was before."""
    log, _ = cut_off
    log.append(Balance("org-a", 999, NOON + timedelta(hours=999)))
    assert log.readings()["credits"].tolist() == [*range(200), 999]


def test_reading_does_not_wait_for_a_transaction_that_is_open(log):
    """It shows what was there before; the writer goes on undisturbed."""
    log.append(Balance("org-a", 1, NOON))
    with writing(log.path) as connection:
        connection.execute("UPDATE readings SET credits = 2")
        assert log.path.with_name("log.db-journal").exists()
        begin = time.monotonic()
        assert log.readings()["credits"].tolist() == [1]
        assert time.monotonic() - begin < BUSY_SECONDS / 3
    assert log.readings()["credits"].tolist() == [2]


def test_a_log_that_another_program_holds_is_an_error_in_the_end(log, monkeypatch):
    """Nobody has to wait for ever; reading goes on, and nothing is changed."""
    assert BUSY_SECONDS >= 10
    log.append(Balance("org-a", 1, NOON))
    monkeypatch.setattr("stability_magic._log_file.BUSY_SECONDS", 0.05)
    before = log.path.read_bytes()
    with writing(log.path):
        with pytest.raises(LogError, match="is held by another program") as caught:
            log.append(Balance("org-a", 2, NOON))
        assert caught.value.path == log.path
        assert len(log.readings()) == 1
    assert log.path.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_log_can_be_used_on_both_sides_of_a_fork(log):
    """No connection is carried over: parent and child append to the same object."""
    code = """
import os, sys
from datetime import datetime, timezone
from stability_magic import Balance, BalanceLog
log, noon = BalanceLog(sys.argv[1]), datetime(2026, 1, 5, tzinfo=timezone.utc)
log.append(Balance("org-a", 1, noon))
child = os.fork()
log.append(Balance("org-a", 2, noon))
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(log.path)], check=True)
    assert len(log.readings()) == 3
