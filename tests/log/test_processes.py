"""Many processes use one log at once, and some of them are killed."""

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
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.file import open_for_writing
from stability_magic.log.waiting import BUSY_SECONDS

pytestmark = pytest.mark.once

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PROCESSES, ROUNDS, READINGS = 8, 10, 4

# Eight processes append to the same new file, as simultaneously as a barrier allows.
APPEND_TOGETHER = """
import multiprocessing, sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from stability_magic import Balance, BalanceLog

folder, processes, rounds, readings = Path(sys.argv[1]), *map(int, sys.argv[2:])
noon = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)

def append(path, label):
    for n in range(readings):
        BalanceLog(path).append(Balance("org-a", n, noon + timedelta(hours=n)), label=label)

def work(barrier, label):
    for number in range(rounds):
        barrier.wait(20)
        append(folder / f"new folder {number}" / "log.db", label)

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

# Appends one reading after the other, and acknowledges each one once it is on the disk.
APPEND_FOREVER = """
import sys
from datetime import datetime, timedelta, timezone
from stability_magic import Balance, BalanceLog
log, noon, n = BalanceLog(sys.argv[1]), datetime(2026, 1, 5, 12, tzinfo=timezone.utc), 0
while True:
    log.append(Balance("org-a", n, noon + timedelta(seconds=n)))
    print(n, flush=True)
    n += 1
"""

# Holds a transaction too large for its memory, so that a part of the file has changed.
STOP_HALFWAY = """
import sys, time
from pathlib import Path
from stability_magic.log.file import open_for_writing
with open_for_writing(Path(sys.argv[1])) as connection:
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("UPDATE readings SET credits = -1, label = 'cut off'")
    connection.executemany(
        "INSERT INTO readings (organization, read_at, id, credits, api, source)"
        " SELECT 'org-a', ?, randomblob(16), -1, 1, 'cut off'",
        ((n,) for n in range(20_000)),
    )
    print("halfway", flush=True)
    time.sleep(600)
"""


@contextmanager
def run_python(code: str, *arguments: str | Path):
    """A process that runs the code, and is killed at the end if it still runs."""
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
def interrupted_log(log):
    """A log whose last writer was killed in the middle of its transaction, and its bytes before."""
    balances = [Balance("org-a", n, NOON + timedelta(hours=n)) for n in range(200)]
    log.write([entry_from_balance(each, label="committed") for each in balances])
    content_before = log.path.read_bytes()
    with run_python(STOP_HALFWAY, log.path) as process:
        assert process.stdout.readline() == "halfway\n"
        process.kill()
    journal = log.path.with_name("log.db-journal")
    assert journal.stat().st_size > 0
    assert log.path.read_bytes() != content_before
    return log, content_before


def test_eight_processes_that_make_one_file_at_once_lose_nothing(tmp_path):
    """None of them ever fails, and every reading is in the log after each round."""
    script = tmp_path / "script.py"
    script.write_text(APPEND_TOGETHER, encoding="utf-8")
    command = [sys.executable, str(script), str(tmp_path), *map(str, (PROCESSES, ROUNDS, READINGS))]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
    assert result.returncode == 0, result.stderr
    for number in range(ROUNDS):
        frame = BalanceLog(tmp_path / f"new folder {number}" / "log.db").readings()
        counts = frame["label"].value_counts()
        assert counts.to_dict() == {f"process-{n}": READINGS for n in range(PROCESSES)}


def test_what_was_acknowledged_survives_a_kill(log):
    """A process that is killed while it appends loses nothing that it acknowledged."""
    last_acknowledged = -1
    for target in (3, 40):
        with run_python(APPEND_FOREVER, log.path) as process:
            while last_acknowledged < target:
                last_acknowledged = int(process.stdout.readline())
            process.kill()
            remaining = process.stdout.read().split()
            last_acknowledged = int(remaining[-1]) if remaining else last_acknowledged
        credits = set(log.readings()["credits"])
        assert credits >= set(range(last_acknowledged + 1))
        last_acknowledged = -1


def test_a_writer_killed_halfway_leaves_nothing_behind_for_readers(interrupted_log):
    """Reading rolls the transaction back, and shows the readings from before."""
    log, content_before = interrupted_log
    frame = log.readings()
    assert frame["credits"].tolist() == list(range(200))
    assert set(frame["label"]) == {"committed"}
    assert log.path.read_bytes() == content_before
    assert [each.name for each in log.path.parent.iterdir() if each.is_file()] == ["log.db"]


def test_a_writer_killed_halfway_leaves_nothing_behind_for_writers(interrupted_log):
    """The next append goes to the log as it was before."""
    log, _ = interrupted_log
    log.append(Balance("org-a", 999, NOON + timedelta(hours=999)))
    assert log.readings()["credits"].tolist() == [*range(200), 999]


def test_reading_does_not_wait_for_a_transaction_that_is_open(log):
    """It shows the readings from before, and does not disturb the writer."""
    log.append(Balance("org-a", 1, NOON))
    with open_for_writing(log.path) as connection:
        connection.execute("UPDATE readings SET credits = 2")
        assert log.path.with_name("log.db-journal").exists()
        begin = time.monotonic()
        assert log.readings()["credits"].tolist() == [1]
        assert time.monotonic() - begin < BUSY_SECONDS / 3
    assert log.readings()["credits"].tolist() == [2]


def test_a_log_that_another_program_holds_is_an_error_in_the_end(log, monkeypatch):
    """Nobody has to wait forever; reading still works, and nothing changes."""
    assert BUSY_SECONDS >= 10
    log.append(Balance("org-a", 1, NOON))
    monkeypatch.setattr("stability_magic.log.file.BUSY_SECONDS", 0.05)
    content_before = log.path.read_bytes()
    with open_for_writing(log.path):
        with pytest.raises(LogError, match="is held by another program") as caught:
            log.append(Balance("org-a", 2, NOON))
        assert caught.value.path == log.path
        assert len(log.readings()) == 1
    assert log.path.read_bytes() == content_before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_log_can_be_used_on_both_sides_of_a_fork(log):
    """No connection is carried over: parent and child append through the same object."""
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
