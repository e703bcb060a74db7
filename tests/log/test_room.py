"""Logs in places that must not be written to, or that have no room left."""

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
from stability_magic.analysis.budgets import BudgetChange
from stability_magic.log.balance_log import entry_from_balance

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions"),
]

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

# Runs operations as an ordinary user, who is subject to permissions, and prints the outcome of each
# in a line. Modules are imported before, while they can still be read.
AS_ORDINARY_USER = """
import os, sys
from datetime import datetime, timezone
from stability_magic import Balance, BalanceLog, LogError
from stability_magic.analysis.budgets import BudgetChange

warm_up_path, path, *operations = sys.argv[1:]
balance = Balance("org-a", 1.0, datetime(2026, 1, 6, tzinfo=timezone.utc))

def append(log):
    log.append(balance)

def read(log):
    return len(log.readings())

def set_budget(log):
    log.write([], budgets=[BudgetChange("org-a", "week", 2, 700.0, bytes([2]) * 16)])

def budgets(log):
    return [each.credits for each in log.budgets()]

append(BalanceLog(warm_up_path))
read(BalanceLog(warm_up_path))
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

# Fills a file system or sets a limit, appends until that fails, and makes room again.
APPEND_UNTIL_FULL = """
import os, resource, sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from stability_magic import Balance, BalanceLog, LogError
from stability_magic.log.balance_log import entry_from_balance

path, kind = Path(sys.argv[1]), sys.argv[2]
noon, log = datetime(2026, 1, 5, 12, tzinfo=timezone.utc), BalanceLog(path, timezone=timezone.utc)
count = 0

def append(number=1):
    global count
    times = (noon + timedelta(seconds=count + n) for n in range(number))
    log.write([entry_from_balance(Balance("org-a", 1.0, each)) for each in times])
    count += number

append(300)
log.readings()
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
filler = path.with_name("filler")
if kind == "limit":
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
        content_before = path.read_bytes()
        append(50)
except LogError as error:
    print(error)
print(len(log.readings()) == count, path.read_bytes() == content_before)
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
filler.unlink(missing_ok=True)
append()
print(len(log.readings()) == count)
"""


def run_python(code, *arguments, prefix=()):
    """Runs the code in a process, and returns the lines that it prints."""
    command = [*prefix, sys.executable, "-c", code, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


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
    log.write(
        [entry_from_balance(Balance("org-a", n, NOON + timedelta(hours=n))) for n in range(3)]
    )
    log.path.chmod(0o444)
    return log


@pytest.fixture
def run_as_user(tmp_path):
    """Runs operations on a log as an ordinary user, and returns the outcome of each."""
    warm_up_path = tmp_path / "w.db"
    return lambda path, *operations: run_python(AS_ORDINARY_USER, warm_up_path, path, *operations)


def test_a_read_only_log_can_be_read_but_not_written(folder, log, run_as_user):
    """Also in a read-only folder; the file keeps every byte."""
    content_before = log.path.read_bytes()
    for mode in (0o755, 0o555):
        folder.chmod(mode)
        append_outcome, read_outcome = run_as_user(log.path, "append", "read")
        assert append_outcome.startswith(
            f"{log.path} cannot be written: it is read-only. Allow writing"
        )
        assert read_outcome == "read 3"
    assert log.path.read_bytes() == content_before
    assert list(folder.iterdir()) == [log.path]


def test_a_read_only_log_tells_its_budgets_and_takes_none(folder, log, run_as_user):
    """What it tells is what was kept."""
    log.path.chmod(0o644)
    log.write([], budgets=[BudgetChange("org-a", "week", 1, 500.0, bytes(16))])
    log.path.chmod(0o444)
    folder.chmod(0o555)
    set_outcome, budgets_outcome = run_as_user(log.path, "set_budget", "budgets")
    assert set_outcome.startswith(f"{log.path} cannot be written: it is read-only. Allow writing")
    assert budgets_outcome == "budgets [500.0]"


def test_a_log_that_may_not_be_read_is_an_error(log, run_as_user):
    """It is not mistaken for an empty log."""
    log.path.chmod(0)
    for outcome in run_as_user(log.path, "read", "append"):
        assert outcome.startswith(f"{log.path} cannot be opened. Check")


def test_a_folder_that_may_not_be_entered_is_an_error(folder, log, run_as_user):
    """Its content is unknown, so it is not mistaken for an empty folder either."""
    folder.chmod(0o700 if os.getuid() == 0 else 0)
    for outcome in run_as_user(log.path, "read", "append"):
        assert outcome.startswith(f"{log.path} cannot be used as a log: Permission denied. Choose")


def test_a_log_cannot_be_made_in_a_read_only_folder(folder, run_as_user):
    """Reading finds no log there, and gives an empty frame."""
    folder.chmod(0o555)
    for path in (folder / "log.db", folder / "new" / "log.db"):
        append_outcome, read_outcome = run_as_user(path, "append", "read")
        assert append_outcome.startswith(
            f"{path} cannot be used as a log: Permission denied. Choose"
        )
        assert read_outcome == "read 0"
    assert list(folder.iterdir()) == []


def test_a_transaction_that_was_cut_off_in_a_read_only_place_is_an_error(folder, log, run_as_user):
    """The file holds half of a change, which cannot be undone there."""
    log.path.chmod(0o644)
    code = """
import os, sys
from pathlib import Path
from stability_magic.log.file import open_for_writing
with open_for_writing(Path(sys.argv[1])) as connection:
    connection.execute("PRAGMA cache_size = 1")
    connection.executemany(
        "INSERT INTO readings (organization, read_at, id, credits, api, source)"
        " SELECT 'org-a', ?, randomblob(16), -1, 1, 'cut off'",
        ((n,) for n in range(5_000)),
    )
    os._exit(0)
"""
    run_python(code, log.path)
    journal = folder / "log.db-journal"
    assert journal.stat().st_size > 0
    journal.chmod(0o444)
    log.path.chmod(0o444)
    folder.chmod(0o555)
    content_before = log.path.read_bytes()
    (outcome,) = run_as_user(log.path, "read")
    assert outcome.startswith(f"{log.path} cannot be written: it is read-only. Allow writing")
    assert log.path.read_bytes() == content_before
    for each in (folder, log.path, journal):
        each.chmod(0o755)
    assert len(log.readings()) == 3


def test_a_limit_of_the_files_size_loses_nothing_that_was_there(tmp_path):
    """An append that fails leaves the file unchanged; once there is room, appending works again."""
    pytest.importorskip("resource")
    path = tmp_path / "log.db"
    lines = run_python(APPEND_UNTIL_FULL, path, "limit")
    assert lines[0].startswith(f"{path} could not be ")
    assert lines[1:] == ["True True", "True"]


@pytest.mark.parametrize("kilobytes", [108, 116])
def test_a_full_disk_loses_nothing_that_was_there(tmp_path, kilobytes):
    """Uses a small file system of its own, which not every system lets a test create."""
    mount = f"mount -t tmpfs -o size={kilobytes}k tmpfs {tmp_path}"
    with_small_disk = ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*with_small_disk, "true"]).returncode != 0
    ):
        pytest.skip("no file system can be made here")
    path = tmp_path / "log.db"
    lines = run_python(APPEND_UNTIL_FULL, path, "disk", prefix=with_small_disk)
    assert lines[0] == f"{path} could not be written: the disk is full. Make room and try again."
    assert lines[1:] == ["True True", "True"]
