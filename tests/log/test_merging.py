"""Merging logs gives the same result in any order, and takes nothing from a bad file."""

from __future__ import annotations

import itertools
import secrets
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sqlite_utils import Database

from stability_magic import (
    Account,
    Balance,
    BalanceLog,
    LogError,
    Organization,
)
from stability_magic.analysis.costs import Cost
from stability_magic.analysis.frames import COLUMNS
from stability_magic.log import merging
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.merging import merge
from stability_magic.log.schema import MIGRATIONS
from stability_magic.models import to_microseconds
from stability_magic.session import progress

from ..helpers.errors import assert_is_clear_error

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def reading(number, organization="org-a", host=None, **more):
    """A reading some minutes after noon."""
    at = NOON + timedelta(minutes=number)
    balance = Balance(organization, 1000.0 - number, at, f"http://localhost/{number % 3}", "f1")
    return entry_from_balance(balance, source="test", label=f"n{number}", host=host, **more)


def cost(number):
    """The cost of a cell that started some minutes after noon."""
    at = to_microseconds(NOON + timedelta(minutes=number))
    return Cost("org-a", at, at + 5, 2.5, 1.5, True, "render", None, secrets.token_bytes(16))


def account(name):
    """An account with one organization of this name."""
    return Account("user-1", "", (Organization("org-a", name, "OWNER", is_default=True),))


def contents(path):
    """Everything that a log holds, except for its internal numbers."""
    with closing(sqlite3.connect(path)) as connection:
        return [
            set(connection.execute(sql))
            for sql in (
                "SELECT organization, read_at, readings.id, credits, url, source, label, name"
                " FROM readings JOIN apis ON apis.id = api LEFT JOIN hosts ON hosts.id = host",
                "SELECT * FROM costs",
                "SELECT * FROM organizations",
                "SELECT * FROM keys",
            )
        ]


def merge_all(path, *others):
    """Merges other logs into a log, and returns the counts for each."""
    return [merge(path, each, lambda count, total: None) for each in others]


@pytest.fixture
def logs(tmp_path):
    """Three logs that were copied from each other and then grew separately, and a fourth."""
    first = BalanceLog(tmp_path / "a.db")
    first.write([reading(n, host="laptop") for n in range(10)], costs=[cost(1)])
    shutil.copy(first.path, tmp_path / "b.db")
    second = BalanceLog(tmp_path / "b.db")
    second.write([reading(n, host="hub") for n in range(10, 14)], costs=[cost(11)])
    shutil.copy(second.path, tmp_path / "c.db")
    first.write([reading(20)], account=account("Alpha"), key_fingerprint="f1")
    third = BalanceLog(tmp_path / "c.db")
    third.write([reading(21, "org-z")], account=account("Älpha 2"), key_fingerprint="f1")
    fourth = BalanceLog(tmp_path / "d.db")
    fourth.write([reading(n, organization=None) for n in range(30, 33)], costs=[cost(31)])
    return [each.path for each in (first, second, third, fourth)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::3])
def test_the_result_is_the_same_set_in_any_order(logs, tmp_path, order):
    """Even when a log is merged twice, or when the result of a merge is merged."""
    reference = tmp_path / "reference.db"
    merge_all(reference, *logs)
    path = tmp_path / "merged.db"
    merge_all(path, *(logs[n] for n in order), logs[order[0]])
    assert contents(path) == contents(reference)
    assert [len(each) for each in contents(path)] == [19, 3, 1, 1]
    # Into a log that already holds readings, and back.
    merge_all(logs[order[0]], *logs)
    merge_all(path, logs[order[0]])
    assert contents(logs[order[0]]) == contents(path) == contents(reference)


def test_counts_tell_what_was_new(logs, tmp_path):
    """New readings, known readings, new costs, new organizations."""
    path = tmp_path / "merged.db"
    assert merge_all(path, logs[0], logs[1], logs[1], logs[2], path) == [
        (11, 0, 1, 1),
        (4, 10, 1, 0),
        (0, 14, 0, 0),
        (1, 14, 0, 0),
        (0, 16, 0, 0),
    ]


def test_readings_of_a_key_get_the_organization_that_the_other_log_knows(logs, tmp_path):
    """One log knows the key's default organization, the other does not."""
    path = tmp_path / "merged.db"
    merge_all(path, logs[3])
    assert set(BalanceLog(path).readings()["organization"]) == {"key:f1"}
    merge_all(path, logs[2])
    frame = BalanceLog(path).readings()
    assert set(frame["organization"]) == {"org-a", "org-z"}
    assert set(frame["name"]) == {"Älpha 2", "org-z"}


def test_the_other_file_is_not_changed(logs, tmp_path):
    """It keeps every byte and its time stamp, and no other file appears beside it."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    other = shutil.copy2(logs[2], folder / "other.db")
    before = (other.read_bytes(), other.stat().st_mtime_ns)
    merge_all(tmp_path / "merged.db", other)
    assert (other.read_bytes(), other.stat().st_mtime_ns) == before
    assert list(folder.iterdir()) == [other]


@pytest.mark.parametrize("version", ["m002_costs", "m003_hosts"])
def test_a_log_of_an_older_version_is_taken_as_it_is(tmp_path, version):
    """It is not migrated."""
    other = tmp_path / "old.db"
    with closing(sqlite3.connect(other)) as connection:
        MIGRATIONS.apply(Database(connection), stop_before=version)
    old = reading(1)
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("INSERT INTO apis VALUES (7, 'http://old')")
        values = (old.organization, old.read_at, old.id, old.credits, 7, "cli", None)
        connection.execute("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    before = other.read_bytes()
    log = BalanceLog(tmp_path / "log.db")
    log.write([reading(2)])
    assert merge_all(log.path, other) == [(1, 0, 0, 0)]
    assert other.read_bytes() == before
    assert log.readings(hosts=True)["credits"].tolist() == [999.0, 998.0]


def spoil(path, kind):
    """Turns a log into a file that must not be merged, and returns its path."""
    if kind == "missing":
        return path.with_name("missing.db")
    if kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "text":
        path.write_text("read_at,credits\n")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "other program":
        path.unlink()
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE readings (id)")
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "damaged":
        data = bytearray(path.read_bytes())
        data[-3000:] = b"\xff" * 3000
        path.write_bytes(data)
    else:
        changes = {
            "newer": "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('stability_magic', 'm999_later', '')",
            "orphan": "UPDATE readings SET api = 99 WHERE label = 'n1999'",
            "no text": "UPDATE readings SET source = CAST(x'ff' AS TEXT) WHERE label = 'n1999'",
        }
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(changes[kind])
    return path


@pytest.mark.parametrize(
    "kind",
    [
        *("missing", "folder", "text", "empty", "other program", "cut", "damaged", "newer"),
        *("orphan", "no text"),
    ],
)
def test_nothing_is_taken_of_a_file_that_cannot_be_trusted(tmp_path, kind):
    """The error names the file, and the log stays unchanged, even if the damage is near the end."""
    other = BalanceLog(tmp_path / "other.db")
    other.write([reading(n) for n in range(2000)])
    log = BalanceLog(tmp_path / "log.db")
    log.write([reading(5000)])
    path = spoil(other.path, kind)
    contents_before = contents(log.path)
    with pytest.raises(LogError) as caught:
        merge_all(log.path, path)
    assert_is_clear_error(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.path == path
    assert contents(log.path) == contents_before


def test_an_error_of_the_log_itself_names_the_log(tmp_path):
    """It does not name the file to be merged."""
    other = BalanceLog(tmp_path / "other.db")
    other.write([reading(1)])
    path = tmp_path / "log.db"
    path.write_text("something else")
    with pytest.raises(LogError) as caught:
        merge_all(path, other.path)
    assert caught.value.path == path
    assert path.read_text() == "something else"


def test_what_a_killed_writer_began_is_not_taken(tmp_path):
    """It is rolled back in a copy; the other file and its journal stay unchanged."""
    other = BalanceLog(tmp_path / "there" / "other.db")
    other.write([reading(n) for n in range(3)])
    killed_writer = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.executemany(
    "INSERT INTO readings (organization, read_at, id, credits, api, source)"
    " SELECT 'org-a', ?, randomblob(16), -1, 1, 'cut off'",
    [(n,) for n in range(20000)],
)
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", killed_writer, str(other.path)]).returncode == 9
    files = {each: each.read_bytes() for each in other.path.parent.iterdir()}
    assert len(files) == 2
    log = BalanceLog(tmp_path / "log.db")
    assert merge_all(log.path, other.path) == [(3, 0, 0, 0)]
    assert log.readings()["credits"].tolist() == [1000.0, 999.0, 998.0]
    assert {each: each.read_bytes() for each in other.path.parent.iterdir()} == files


MERGE = """
import sys
from pathlib import Path
from stability_magic.log.merging import merge
for each in sys.argv[2:]:
    merge(Path(sys.argv[1]), Path(each), lambda count, total: None)
"""


def test_processes_merge_into_one_log_at_once(logs, tmp_path):
    """While another process writes to one of the files that they read."""
    path = tmp_path / "merged.db"
    orders = [logs, logs[::-1], logs[2:] + logs[:2]]
    processes = [
        subprocess.Popen([sys.executable, "-c", MERGE, str(path), *map(str, each)])
        for each in orders
    ]
    for n in range(40, 60):
        BalanceLog(logs[0]).append(Balance("org-a", float(n), NOON + timedelta(minutes=n)))
    assert [each.wait(60) for each in processes] == [0, 0, 0]
    merge_all(path, *logs)
    assert len(BalanceLog(path).readings()) == 19 + 20


# The commands


def test_the_magic_takes_files_in_and_counts(shell, log_path, logs):
    """It takes several files at once; the frame has a row for each, and the line shows the sum."""
    run = shell.run_cell(f"%stability_merge {logs[0]} {logs[1]}")
    assert list(run.result["log"]) == [str(logs[0]), str(logs[1])]
    assert dict(run.result.dtypes) == dict(COLUMNS["counts"])
    assert run.result["readings"].tolist() == [11, 4]
    assert len(shell.run_cell("%stability_history --since all").result) == 15


def test_a_bad_file_keeps_no_other_from_being_taken(shell, log_path, logs, capsys, tmp_path):
    """The output shows what was merged, and then which files failed."""
    (tmp_path / "bad.db").write_text("no log")
    run = shell.run_cell(f"%stability_merge {tmp_path / 'bad.db'} {logs[0]} {tmp_path / 'no.db'}")
    assert isinstance(run.error_in_exec, LogError)
    output = capsys.readouterr().out
    assert "merged: 11 new readings, 0 already there, 1 new cost" in output
    assert "2 files could not be merged" in output
    assert "bad.db" in output
    assert "no.db" in output
    assert len(shell.run_cell("%stability_history --since all").result) == 11


def test_long_work_shows_a_bar(shell, log_path, logs, capsys, monkeypatch):
    """On standard error; it disappears when the work is done."""
    for each in ("_DELAY", "_INTERVAL"):
        monkeypatch.setattr(progress, each, 0)
    monkeypatch.setattr(merging, "_BATCH_SIZE", 5)
    shell.run_cell(f"%stability_merge {logs[0]}").raise_error()
    errors = capsys.readouterr().err
    assert "merging a.db:" in errors
    assert "5.00/11.0" in errors
    assert errors.split("\r")[-1].strip() == ""


def test_the_command_line_merges(log_path, logs):
    """The data goes to standard output; without a terminal there is no bar."""
    command = [sys.executable, "-m", "stability_magic", "merge", *map(str, logs)]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert result.stdout.splitlines()[0] == "log,readings,known,costs,organizations"
    assert len(result.stdout.splitlines()) == 5
    assert result.stderr == "merged: 19 new readings, 24 already there, 3 new costs\n"


def test_a_large_log_is_merged_whole(tmp_path):
    """More readings than fit into one batch."""
    other = BalanceLog(tmp_path / "other.db")
    other.write([reading(n) for n in range(25_000)])
    steps = []
    path = tmp_path / "log.db"
    merge(path, other.path, lambda count, total: steps.append((count, total)))
    assert steps == [(10_000, 25_000), (20_000, 25_000), (25_000, 25_000)]
    frame = BalanceLog(path).readings()
    pd.testing.assert_frame_equal(frame, other.readings())
    assert np.isclose(frame["credits"].sum(), sum(1000.0 - n for n in range(25_000)))
