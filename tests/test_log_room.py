"""Logs in places that may not be written, or that have no room left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stability_magic import Balance, BalanceLog
from stability_magic._log import entry

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

# Does what it is told as an ordinary user, to whom permissions mean something, and tells the
# outcome of each in a line. What it imports is loaded while it may still read all of it.
AS_ORDINARY_USER = """
import os, sys
from datetime import datetime, timezone
from stability_magic import Balance, BalanceLog, LogError

warm, path, *operations = sys.argv[1:]
balance = Balance("org-a", 1.0, datetime(2026, 1, 6, tzinfo=timezone.utc))

def append(log):
    log.append(balance)

def read(log):
    return len(log.readings())

append(BalanceLog(warm))
read(BalanceLog(warm))
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for name in operations:
    try:
        print(name, globals()[name](BalanceLog(path)))
    except LogError as error:
        print(error)
"""

# Fills a file system, or a limit, then appends until that fails, and makes room again.
UNTIL_FULL = """
import os, resource, sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from stability_magic import Balance, BalanceLog, LogError
from stability_magic._log import entry

path, how = Path(sys.argv[1]), sys.argv[2]
noon, log = datetime(2026, 1, 5, 12, tzinfo=timezone.utc), BalanceLog(path, timezone=timezone.utc)
count = 0

def append(many=1):
    global count
    at = (noon + timedelta(seconds=count + n) for n in range(many))
    log.write([entry(Balance("org-a", 1.0, each)) for each in at])
    count += many

append(300)
log.readings()
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
filler = path.with_name("filler")
if how == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, limit[1]))
else:
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(512)):
                pass
        except OSError:
            pass
try:
    while count < 100_000:
        before = path.read_bytes()
        append(50)
except LogError as error:
    print(error)
print(len(log.readings()) == count, path.read_bytes() == before)
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
filler.unlink(missing_ok=True)
append()
print(len(log.readings()) == count)
"""


def run(code, *arguments, before=()):
    """The lines that a process prints."""
    command = [*before, sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def folder():
    """A folder that every user of the machine can enter."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)
        Path(path).chmod(0o755)


@pytest.fixture
def log(folder):
    """A log that every user of the machine can read."""
    log = BalanceLog(folder / "log.db", timezone=UTC)
    log.write([entry(Balance("org-a", n, NOON + timedelta(hours=n))) for n in range(3)])
    log.path.chmod(0o444)
    return log


@pytest.fixture
def ordinary(tmp_path):
    """What an ordinary user is told who works on a log."""
    return lambda path, *operations: run(AS_ORDINARY_USER, tmp_path / "w.db", path, *operations)


def test_a_read_only_log_can_be_read_but_not_written(folder, log, ordinary):
    """Also in a folder where nothing can be made; the file keeps its bytes."""
    before = log.path.read_bytes()
    for mode in (0o755, 0o555):
        folder.chmod(mode)
        failed, done = ordinary(log.path, "append", "read")
        assert failed.startswith(f"{log.path} cannot be written: it is read-only. Allow writing")
        assert done == "read 3"
    assert log.path.read_bytes() == before
    assert list(folder.iterdir()) == [log.path]


def test_a_log_that_may_not_be_read_is_an_error(log, ordinary):
    """It is not taken for one that is empty."""
    log.path.chmod(0)
    for told in ordinary(log.path, "read", "append"):
        assert told.startswith(f"{log.path} cannot be opened. Check")


def test_a_folder_that_may_not_be_entered_is_an_error(folder, log, ordinary):
    """What is in it cannot be known, so it is not taken for empty either."""
    folder.chmod(0o700 if os.getuid() == 0 else 0)
    for told in ordinary(log.path, "read", "append"):
        assert told.startswith(f"{log.path} cannot be used as a log: Permission denied. Choose")


def test_a_log_cannot_be_made_in_a_read_only_folder(folder, ordinary):
    """Reading finds nothing there, and says so with an empty frame."""
    folder.chmod(0o555)
    for path in (folder / "log.db", folder / "new" / "log.db"):
        failed, done = ordinary(path, "append", "read")
        assert failed.startswith(f"{path} cannot be used as a log: Permission denied. Choose")
        assert done == "read 0"
    assert list(folder.iterdir()) == []


def test_a_transaction_that_was_cut_off_in_a_read_only_place_is_an_error(folder, log, ordinary):
    """What is in the file is half of a change, and cannot be undone there."""
    log.path.chmod(0o644)
    code = """
import os, sys
from pathlib import Path
from stability_magic._log_file import writing
with writing(Path(sys.argv[1])) as connection:
    connection.execute("PRAGMA cache_size = 1")
    connection.executemany(
        "INSERT INTO readings SELECT 'org-a', ?, randomblob(16), -1, 1, 'cut off', NULL, NULL",
        ((n,) for n in range(5_000)),
    )
    os._exit(0)
"""
    run(code, log.path)
    journal = folder / "log.db-journal"
    assert journal.stat().st_size > 0
    journal.chmod(0o444)
    log.path.chmod(0o444)
    folder.chmod(0o555)
    before = log.path.read_bytes()
    (told,) = ordinary(log.path, "read")
    assert told.startswith(f"{log.path} cannot be written: it is read-only. Allow writing")
    assert log.path.read_bytes() == before
    for each in (folder, log.path, journal):
        each.chmod(0o755)
    assert len(log.readings()) == 3


def test_a_limit_of_the_files_size_loses_nothing_that_was_there(tmp_path):
    """The append that fails leaves the file as it was; with room, it goes on."""
    pytest.importorskip("resource")
    path = tmp_path / "log.db"
    told = run(UNTIL_FULL, path, "limit")
    assert told[0].startswith(f"{path} could not be ")
    assert told[1:] == ["True True", "True"]


@pytest.mark.parametrize("kilobytes", [96, 104])
def test_a_full_disk_loses_nothing_that_was_there(tmp_path, kilobytes):
    """On a small file system of its own, which only some systems let a test make."""
    mount = f"mount -t tmpfs -o size={kilobytes}k tmpfs {tmp_path}"
    alone = ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"]).returncode != 0:
        pytest.skip("no file system can be made here")
    path = tmp_path / "log.db"
    told = run(UNTIL_FULL, path, "disk", before=alone)
    assert told[0] == f"{path} could not be written: the disk is full. Make room and try again."
    assert told[1:] == ["True True", "True"]
