"""Logs that cannot be used: one line that names the file, which stays as it is."""

from __future__ import annotations

import os
import random
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stability_magic import Account, Balance, BalanceLog, LogError, Organization, _log_rows
from stability_magic._log import entry

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PAGE = 4096


def balance(n=0):
    """A reading of one of two organizations, some minutes after noon."""
    return Balance(f"org-{n % 2}", 1000 - n / 7, NOON + timedelta(minutes=n))


def append(log):
    """Adds a reading."""
    log.append(balance())


def read(log):
    """Reads all of it."""
    log.readings()


OPERATIONS = pytest.mark.parametrize("operation", [append, read])


def assert_is_told_well(error, path):
    """One line that can be printed, begins with the file, and says what to do."""
    message = str(error)
    assert message.startswith(f"{path} ")
    assert message.isprintable()
    assert len(message.removeprefix(str(path))) < 300
    assert re.search(r"\. (Allow|Check|Choose|Close|Make|Restore|Upgrade) ", message)
    assert error.path == path


def refusal(operation, path):
    """The error of an operation; the file, and what lies beside it, are as before."""
    before = path.read_bytes() if os.path.isfile(path) else None  # noqa: PTH113
    beside = set(path.parent.iterdir()) if path.parent.is_dir() else None
    with pytest.raises(LogError) as caught:
        operation(BalanceLog(path, timezone=UTC))
    assert_is_told_well(caught.value, path)
    assert (path.read_bytes() if before is not None else None) == before
    assert (set(path.parent.iterdir()) if path.parent.is_dir() else None) == beside
    return str(caught.value)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The bytes of a log with some thousand readings, names and labels."""
    log = BalanceLog(tmp_path_factory.mktemp("good") / "log.db", timezone=UTC)
    label = {0: None, 1: "a label", 2: "naïve 🎨"}
    names = [Organization(f"org-{n}", f"Name {n}", "OWNER", is_default=not n) for n in range(2)]
    entries = [entry(balance(n), label=label[n % 3]) for n in range(3000)]
    log.write(entries, account=Account("user-1", "", tuple(names)), key_fingerprint="f")
    return log.path.read_bytes()


@OPERATIONS
@pytest.mark.parametrize(
    "content",
    [b"hello", b"not a database\n" * 100, bytes(range(256)) * 40, b"\x00" * 8192],
    ids=["short", "text", "binary", "zeros"],
)
def test_a_file_that_is_no_database_is_refused(tmp_path, operation, content):
    """Neither a short nor a long one is taken for a new log."""
    path = tmp_path / "log.db"
    path.write_bytes(content)
    assert "is not an SQLite file" in refusal(operation, path)


@OPERATIONS
def test_a_log_whose_pages_were_overwritten_is_damaged(tmp_path, good, operation):
    """The header is whole, what follows it is not."""
    path = tmp_path / "log.db"
    path.write_bytes(good[:PAGE] + b"\xff" * (len(good) - PAGE))
    assert "is damaged" in refusal(operation, path)


@OPERATIONS
def test_a_log_that_lost_its_end_is_damaged(tmp_path, good, operation):
    """A copy that was broken off, say."""
    path = tmp_path / "log.db"
    path.write_bytes(good[: 2 * PAGE])
    assert "is damaged" in refusal(operation, path)


@pytest.mark.parametrize("worth_arrow", [0, 2**40], ids=["arrow", "sqlite"])
def test_damage_in_the_middle_never_ends_in_another_error(tmp_path, good, monkeypatch, worth_arrow):
    """Whatever bytes are flipped: a frame, or one line that names the file."""
    monkeypatch.setattr(_log_rows, "_WORTH_ARROW", worth_arrow)
    path, refused = tmp_path / "log.db", 0
    for seed in range(40):
        chance = random.Random(seed)
        damaged = bytearray(good)
        for _ in range(chance.choice([1, 10, 100])):
            damaged[chance.randrange(100, len(good))] ^= chance.randrange(1, 256)
        path.write_bytes(damaged)
        try:
            assert BalanceLog(path, timezone=UTC).readings()["credits"].dtype == float
        except LogError as error:
            assert_is_told_well(error, path)
            refused += 1
        assert path.read_bytes() == damaged
    assert refused > 5


@pytest.mark.parametrize("worth_arrow", [0, 2**40], ids=["arrow", "sqlite"])
@pytest.mark.parametrize(
    "change",
    ["credits = NULL", "credits = 9e999", "credits = 'none'", "source = CAST(x'ff' AS TEXT)"],
)
def test_a_value_that_no_reading_has_is_damage(tmp_path, good, monkeypatch, change, worth_arrow):
    """SQLite checks values when it writes, not when it reads."""
    monkeypatch.setattr(_log_rows, "_WORTH_ARROW", worth_arrow)
    path = tmp_path / "log.db"
    path.write_bytes(good)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(replace(sql, 'STRICT, ', ''),"
            " 'credits REAL NOT NULL', 'credits') WHERE name = 'readings'"
        )
        connection.execute("PRAGMA writable_schema = RESET")
        connection.execute(f"UPDATE readings SET {change} WHERE credits = 1000.0")
        assert connection.execute("SELECT changes()").fetchone() == (1,)
    assert "is damaged" in refusal(read, path)


@OPERATIONS
def test_text_of_the_schema_that_is_no_text_is_damage(tmp_path, good, operation):
    """Python's sqlite3 answers such a file with an error of its own kind."""
    path = tmp_path / "log.db"
    assert good.count(b"CREATE TABLE apis") == 1
    path.write_bytes(good.replace(b"CREATE TABLE apis", b"CREATE TABLE \xff\xfe\xfd("))
    assert "is damaged" in refusal(operation, path)


@OPERATIONS
def test_a_log_of_a_newer_version_is_left_alone(tmp_path, good, operation):
    """It bears a migration that this version does not know."""
    path = tmp_path / "log.db"
    path.write_bytes(good)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('stability_magic', 'm999_future', '2099-01-01')"
        )
    message = refusal(operation, path)
    assert "newer version" in message
    assert "m999_future" in message


def another_programs_file(path, *statements):
    """A database that this project did not make."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for each in statements:
            connection.execute(each)


def test_a_log_can_live_beside_the_tables_of_another_program(tmp_path):
    """Reading changes nothing; what is there stays when the log is made."""
    path = tmp_path / "other.db"
    another_programs_file(path, "CREATE TABLE recipes (name)", "INSERT INTO recipes VALUES ('pie')")
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
    """A name that is taken refuses the whole log, of which nothing is made."""
    path = tmp_path / "other.db"
    another_programs_file(path, statement)
    assert "already exists" in refusal(append, path)
    assert BalanceLog(path).readings().empty


@OPERATIONS
def test_migrations_that_another_program_keeps_otherwise_are_not_touched(tmp_path, operation):
    """Their table has the name of ours, and none of its columns."""
    path = tmp_path / "other.db"
    another_programs_file(path, "CREATE TABLE _sqlite_migrations (version)")
    assert "no such column" in refusal(operation, path)


def test_a_missing_folder_is_made(tmp_path):
    """Also several, one within the other."""
    log = BalanceLog(tmp_path / "a" / "b" / "log.db")
    append(log)
    assert len(log.readings()) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows takes such a path for a missing one")
@OPERATIONS
@pytest.mark.parametrize("below", [Path("log.db"), Path("deeper/log.db")], ids=str)
def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, operation, below):
    """It is neither replaced nor taken for an empty log."""
    (tmp_path / "file").write_text("precious", encoding="utf-8")
    refusal(operation, tmp_path / "file" / below)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "precious"


@OPERATIONS
def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path, operation):
    """It stays, and empty."""
    path = tmp_path / "log.db"
    path.mkdir()
    refusal(operation, path)
    assert list(path.iterdir()) == []


@OPERATIONS
def test_a_name_that_no_file_can_have_is_refused(tmp_path, operation):
    """Too long for the file system."""
    refusal(operation, tmp_path / ("x" * 300 + ".db"))
