"""Logs that cannot be used: the error is one line that names the file, which stays unchanged."""

from __future__ import annotations

import os
import random
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stability_magic import Account, Balance, BalanceLog, LogError, Organization
from stability_magic.log import rows
from stability_magic.log.balance_log import entry_from_balance

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PAGE = 4096


def balance(n=0):
    """A reading of one of two organizations, some minutes after noon."""
    return Balance(f"org-{n % 2}", 1000 - n / 7, NOON + timedelta(minutes=n))


def append(log):
    """Adds a reading."""
    log.append(balance())


def read(log):
    """Reads all readings."""
    log.readings()


OPERATIONS = pytest.mark.parametrize("operation", [append, read])


def assert_is_helpful(error, path):
    """The error is one printable line that begins with the file and says what to do."""
    message = str(error)
    assert message.startswith(f"{path} ")
    assert message.isprintable()
    assert len(message.removeprefix(str(path))) < 300
    assert re.search(r"\. (Allow|Check|Choose|Close|Make|Restore|Upgrade) ", message)
    assert error.path == path


def assert_refused(operation, path):
    """The operation fails and changes neither the file nor its folder; returns the message."""
    content_before = path.read_bytes() if os.path.isfile(path) else None  # noqa: PTH113
    siblings_before = set(path.parent.iterdir()) if path.parent.is_dir() else None
    with pytest.raises(LogError) as caught:
        operation(BalanceLog(path, timezone=UTC))
    assert_is_helpful(caught.value, path)
    assert (path.read_bytes() if content_before is not None else None) == content_before
    siblings_after = set(path.parent.iterdir()) if path.parent.is_dir() else None
    assert siblings_after == siblings_before
    return str(caught.value)


@pytest.fixture(scope="module")
def intact_log(tmp_path_factory):
    """The bytes of a log with thousands of readings, names and labels."""
    log = BalanceLog(tmp_path_factory.mktemp("intact") / "log.db", timezone=UTC)
    labels = {0: None, 1: "a label", 2: "naïve 🎨"}
    organizations = [
        Organization(f"org-{n}", f"Name {n}", "OWNER", is_default=not n) for n in range(2)
    ]
    entries = [entry_from_balance(balance(n), label=labels[n % 3]) for n in range(3000)]
    account = Account("user-1", "", tuple(organizations))
    log.write(entries, account=account, key_fingerprint="f")
    return log.path.read_bytes()


@OPERATIONS
@pytest.mark.parametrize(
    "content",
    [b"hello", b"not a database\n" * 100, bytes(range(256)) * 40, b"\x00" * 8192],
    ids=["short", "text", "binary", "zeros"],
)
def test_a_file_that_is_no_database_is_refused(tmp_path, operation, content):
    """Neither a short nor a long file is mistaken for a new log."""
    path = tmp_path / "log.db"
    path.write_bytes(content)
    assert "is not an SQLite file" in assert_refused(operation, path)


@OPERATIONS
def test_a_log_whose_pages_were_overwritten_is_damaged(tmp_path, intact_log, operation):
    """The header is intact, but the rest is not."""
    path = tmp_path / "log.db"
    path.write_bytes(intact_log[:PAGE] + b"\xff" * (len(intact_log) - PAGE))
    assert "is damaged" in assert_refused(operation, path)


@OPERATIONS
def test_a_log_that_lost_its_end_is_damaged(tmp_path, intact_log, operation):
    """For example, an interrupted copy."""
    path = tmp_path / "log.db"
    path.write_bytes(intact_log[: 2 * PAGE])
    assert "is damaged" in assert_refused(operation, path)


@pytest.mark.parametrize("worth_arrow", [0, 2**40], ids=["arrow", "sqlite"])
def test_damage_in_the_middle_never_ends_in_another_error(
    tmp_path, intact_log, monkeypatch, worth_arrow
):
    """Whatever bytes change, the result is a frame or one line that names the file."""
    monkeypatch.setattr(rows, "_ARROW_MIN_BYTES", worth_arrow)
    path, refusals = tmp_path / "log.db", 0
    for seed in range(40):
        generator = random.Random(seed)
        content = bytearray(intact_log)
        for _ in range(generator.choice([1, 10, 100])):
            content[generator.randrange(100, len(content))] ^= generator.randrange(1, 256)
        path.write_bytes(content)
        try:
            assert BalanceLog(path, timezone=UTC).readings()["credits"].dtype == float
        except LogError as error:
            assert_is_helpful(error, path)
            refusals += 1
        assert path.read_bytes() == content
    assert refusals > 5


@pytest.mark.parametrize("worth_arrow", [0, 2**40], ids=["arrow", "sqlite"])
@pytest.mark.parametrize(
    "change",
    ["credits = NULL", "credits = 'none'", "source = CAST(x'ff' AS TEXT)"],
)
def test_a_value_that_no_reading_has_is_damage(
    tmp_path, intact_log, monkeypatch, change, worth_arrow
):
    """SQLite checks values when it writes, not when it reads."""
    monkeypatch.setattr(rows, "_ARROW_MIN_BYTES", worth_arrow)
    path = tmp_path / "log.db"
    path.write_bytes(intact_log)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(replace(sql, 'STRICT, ', ''),"
            " 'credits REAL NOT NULL', 'credits') WHERE name = 'readings'"
        )
        connection.execute("PRAGMA writable_schema = RESET")
        connection.execute(f"UPDATE readings SET {change} WHERE credits = 1000.0")
        assert connection.execute("SELECT changes()").fetchone() == (1,)
    assert "is damaged" in assert_refused(read, path)


@OPERATIONS
def test_text_of_the_schema_that_is_no_text_is_damage(tmp_path, intact_log, operation):
    """Python's sqlite3 raises another kind of error for such a file."""
    path = tmp_path / "log.db"
    assert intact_log.count(b"CREATE TABLE apis") == 1
    path.write_bytes(intact_log.replace(b"CREATE TABLE apis", b"CREATE TABLE \xff\xfe\xfd("))
    assert "is damaged" in assert_refused(operation, path)


@OPERATIONS
def test_a_log_of_a_newer_version_is_left_alone(tmp_path, intact_log, operation):
    """It has a migration that this version does not know."""
    path = tmp_path / "log.db"
    path.write_bytes(intact_log)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('stability_magic', 'm999_future', '2099-01-01')"
        )
    message = assert_refused(operation, path)
    assert "newer version" in message
    assert "m999_future" in message


def create_other_database(path, *statements):
    """Creates a database that does not come from this project."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for each in statements:
            connection.execute(each)


def test_a_log_can_live_beside_the_tables_of_another_program(tmp_path):
    """Reading changes nothing, and creating the log leaves the other tables as they are."""
    path = tmp_path / "other.db"
    create_other_database(path, "CREATE TABLE recipes (name)", "INSERT INTO recipes VALUES ('pie')")
    before = path.read_bytes()
    log = BalanceLog(path)
    assert log.readings().empty
    assert path.read_bytes() == before
    log.append(balance())
    assert len(log.readings()) == 1
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM recipes").fetchall() == [("pie",)]


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE readings (thermometer)", "CREATE VIEW balance_history AS SELECT 1"],
)
def test_a_table_of_another_program_is_never_taken_for_the_logs(tmp_path, statement):
    """If a name is already in use, no part of the log is created."""
    path = tmp_path / "other.db"
    create_other_database(path, statement)
    assert "already exists" in assert_refused(append, path)
    assert BalanceLog(path).readings().empty


@OPERATIONS
def test_migrations_that_another_program_keeps_otherwise_are_not_touched(tmp_path, operation):
    """Their table has the same name as ours, but other columns."""
    path = tmp_path / "other.db"
    create_other_database(path, "CREATE TABLE _sqlite_migrations (version)")
    assert "no such column" in assert_refused(operation, path)


def test_a_missing_folder_is_made(tmp_path):
    """Even several nested folders."""
    log = BalanceLog(tmp_path / "a" / "b" / "log.db")
    append(log)
    assert len(log.readings()) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows takes such a path for a missing one")
@OPERATIONS
@pytest.mark.parametrize("below", [Path("log.db"), Path("deeper/log.db")], ids=str)
def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, operation, below):
    """The file is neither replaced nor mistaken for an empty log."""
    (tmp_path / "file").write_text("precious", encoding="utf-8")
    assert_refused(operation, tmp_path / "file" / below)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "precious"


@OPERATIONS
def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path, operation):
    """The folder stays, and stays empty."""
    path = tmp_path / "log.db"
    path.mkdir()
    assert_refused(operation, path)
    assert list(path.iterdir()) == []


@OPERATIONS
def test_a_name_that_no_file_can_have_is_refused(tmp_path, operation):
    """The name is too long for the file system."""
    assert_refused(operation, tmp_path / ("x" * 300 + ".db"))
