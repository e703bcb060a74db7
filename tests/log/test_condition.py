"""What there is in a log's file, and whether it could be written, without changing it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from stability_magic import Balance, BalanceLog, LogError
from stability_magic.log.condition import log_condition
from stability_magic.log.file import check_writable

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def log(tmp_path):
    """A log with readings of a day, of two organizations."""
    log = BalanceLog(tmp_path / "data" / "log.db", timezone=UTC)
    for hours in range(24):
        log.append(Balance(f"org-{hours % 2}", 5.0, NOON + timedelta(hours=hours)))
    return log


def test_a_log_has_a_size_readings_and_times(log):
    """Those of all organizations together."""
    condition = log_condition(log.path)
    assert condition.size == log.path.stat().st_size
    assert condition.readings == 24
    assert (condition.first, condition.last) == (NOON, NOON + timedelta(hours=23))


def test_a_log_without_readings_has_no_times(tmp_path):
    """Neither a missing file, nor an empty one, nor one of another program."""
    path = tmp_path / "log.db"
    assert log_condition(path) is None
    path.touch()
    assert log_condition(path) == (0, 0, None, None)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE birds (name)")
    assert log_condition(path)[1:] == (0, None, None)
    BalanceLog(path).write([])
    assert log_condition(path)[1:] == (0, None, None)


def test_damage_that_no_reading_is_on_is_found_too(log):
    """Every page is looked at, and nothing is changed."""
    with closing(sqlite3.connect(log.path)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'organizations'"
        ((page,),) = connection.execute(query)
        ((size,),) = connection.execute("PRAGMA page_size")
    content = bytearray(log.path.read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    log.path.write_bytes(content)
    with pytest.raises(LogError, match="is damaged; it was left as it is") as caught:
        log_condition(log.path)
    assert caught.value.path == log.path
    assert log.path.read_bytes() == content


def test_trying_to_write_changes_nothing(log):
    """Neither the file nor its folder, also where there is no file."""
    content = log.path.read_bytes()
    check_writable(log.path)
    assert log.path.read_bytes() == content
    check_writable(log.path.parent / "new" / "folder" / "other.db")
    assert [each.name for each in log.path.parent.iterdir()] == [log.path.name]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    """Where a file is in its place."""
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="cannot be used as a log: Not a directory"):
        check_writable(tmp_path / "file" / "folder" / "log.db")
    with pytest.raises(LogError, match="is a folder, not a file"):
        check_writable(tmp_path)


# Tries as an ordinary user, whom rights can keep out.
TRY_TO_WRITE = """
import os, sys
from pathlib import Path
from stability_magic import BalanceLog, LogError
from stability_magic.log.file import check_writable
path = Path(sys.argv[1])
# What is imported on first use may be where that user may not read.
BalanceLog(path.with_name("warm.db")).write([])
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
BalanceLog(path).write([])
for file_mode, folder_mode, name in (
    (0o400, 0o700, path.name), (0o600, 0o500, path.name), (0o600, 0o500, "new.db")
):
    path.chmod(file_mode)
    path.parent.chmod(folder_mode)
    try:
        check_writable(path.with_name(name))
    except LogError as error:
        print(error)
    path.parent.chmod(0o700)
    path.chmod(0o600)
check_writable(path)
"""


@pytest.mark.once
@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_rights_that_are_missing_are_told():
    """Those of the file, and those of its folder, where SQLite keeps its journal."""
    with tempfile.TemporaryDirectory() as name:
        if os.getuid() == 0:
            os.chown(name, 65534, 65534)
        done = subprocess.run(
            [sys.executable, "-c", TRY_TO_WRITE, f"{name}/log.db"],
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    file, folder, new = done.stdout.splitlines()
    assert "log.db cannot be written: it is read-only" in file
    assert "log.db cannot be" in folder
    assert "new.db cannot be used as a log: Permission denied" in new


def test_a_log_that_another_program_holds_is_told(log):
    """After the time that a command waits."""
    from stability_magic.log.waiting import waiting_budget

    with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with waiting_budget(0.2), pytest.raises(LogError, match="is held by another program"):
            check_writable(log.path)
