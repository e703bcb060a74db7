"""The view through which people and other programs read the log."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import sqlite_utils

from stability_magic import Account, Balance, BalanceLog, Organization
from stability_magic.log.balance_log import entry_from_balance

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
COLUMNS = ["read_at", "organization", "name", "credits", "source", "label", "api_url", "host"]
ROWS = [
    ("2026-01-05T12:00:00.000000Z", "org-a", "Alpha 🎨", 12.5, "test", None, "http://localhost"),
    ("2026-01-05T12:00:00.000001Z", "org-a", "Alpha 🎨", 12.25, "test", "x", "http://localhost"),
    ("2026-01-05T13:00:00.000000Z", "org-z", "org-z", 1.0, "test", None, "http://localhost"),
    ("2026-01-05T14:00:00.000000Z", "key:f2", "key:f2", 2.0, "test", None, "http://localhost"),
]
ROWS = [(*each, "bench") for each in ROWS]
QUERY = "SELECT * FROM balance_history ORDER BY read_at"


@pytest.fixture
def path(tmp_path):
    """A log with a named organization, an unnamed one, and readings under two keys."""

    def entry(organization, credits, delay, label=None):
        balance = Balance(organization, credits, NOON + delay, "http://localhost", "f1")
        return entry_from_balance(balance, source="test", label=label, host="bench")

    unknown_balance = Balance(None, 2.0, NOON + timedelta(hours=2), "http://localhost", "f2")
    entries = [
        entry("org-a", 12.5, timedelta(0)),
        entry(None, 12.25, timedelta(microseconds=1), "x"),
        entry("org-z", 1.0, timedelta(hours=1)),
        entry_from_balance(unknown_balance, source="test", host="bench"),
    ]
    account = Account("user-1", "", (Organization("org-a", "Alpha 🎨", "OWNER", is_default=True),))
    log = BalanceLog(tmp_path / "log.db")
    log.write(entries, account=account, key_fingerprint="f1")
    return log.path


def test_plain_sqlite_shows_names_and_iso_times(path):
    """Any program that reads SQLite gets the same rows without this package."""
    with closing(sqlite3.connect(path)) as connection:
        cursor = connection.execute(QUERY)
        assert [each[0] for each in cursor.description] == COLUMNS
        assert cursor.fetchall() == ROWS


def test_sqlite_utils_shows_them(path):
    """Through its Python API."""
    database = sqlite_utils.Database(path)
    with closing(database.conn):
        assert [tuple(row.values()) for row in database.query(QUERY)] == ROWS
        assert database.view_names() == ["balance_history"]


def test_the_sqlite_utils_command_shows_them(path):
    """Through its command line."""
    command = [sys.executable, "-m", "sqlite_utils", "query", str(path), QUERY, "--csv"]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert result.stdout.splitlines()[0] == ",".join(COLUMNS)
    assert result.stdout.splitlines()[1].startswith("2026-01-05T12:00:00.000000Z,org-a,Alpha")


@pytest.mark.skipif(
    sys.version_info < (3, 12) and shutil.which("sqlite3") is None, reason="no such command here"
)
def test_the_sqlite3_command_shows_them(path):
    """Python's own command from 3.12 on, otherwise the one that is installed."""
    if sys.version_info >= (3, 12):
        command = [sys.executable, "-X", "utf8", "-m", "sqlite3"]
    else:
        command = ["sqlite3"]
    command += [str(path), "SELECT read_at, name, credits FROM balance_history ORDER BY read_at"]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert len(result.stdout.splitlines()) == 4
    assert "2026-01-05T12:00:00.000001Z" in result.stdout.splitlines()[1]
    assert "Alpha 🎨" in result.stdout.splitlines()[1]


def test_times_in_the_view_sort_and_parse(path):
    """As text, they sort like the instants, and Python can parse them."""
    with closing(sqlite3.connect(path)) as connection:
        times = [at for (at,) in connection.execute("SELECT read_at FROM balance_history")]
    instants = sorted(datetime.fromisoformat(each) for each in times)
    assert instants == [datetime.fromisoformat(each) for each in sorted(times)]
    assert instants[0] == NOON
