"""Readings that cannot go to one of the two logs: they wait, and none is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

pytest.importorskip("psycopg")

from stability_magic import BalanceLog

from ..helpers.errors import assert_is_clear_error
from .logs import local_rows, make_readings, open_shared_log, raise_on_insert, shared_rows


@pytest.mark.parametrize(
    ("code", "explanation"),
    [
        ("53100", "could not be written: the disk of its server is full"),
        ("53300", "has no room left for this (made up)"),
        ("25006", "can only be read: its server is a copy"),
        ("XX000", "cannot be used (made up)"),
    ],
)
@pytest.mark.parametrize("count", [3, 900])
def test_what_the_server_refuses_waits(
    shared, schema, api, log_path, shell, capsys, code, explanation, count
):
    """One warning gives the reason; the shared log can still be read."""
    log = BalanceLog(log_path)
    log.write(make_readings(1, start=5000))
    shell.run_cell("%stability_sync").raise_error()
    raise_on_insert(shared, schema, code)
    log.write(make_readings(count))
    capsys.readouterr()
    assert len(shell.run_cell("%stability_history --since all").result) == 1
    (warning,) = capsys.readouterr().err.splitlines()
    assert explanation in warning
    assert warning.endswith(f"{count} readings wait for it.")
    shared.sql(f'DROP TRIGGER refuse ON "{schema}".readings')
    shell.run_cell("%stability_sync").raise_error()
    assert shared_rows(shared, schema) == local_rows(log_path)


def test_a_newer_shared_log_is_left_as_it_is(shared, schema, api, log_path, shell, capsys):
    """One line says so, and the local log is used."""
    with open_shared_log(shared, schema):
        shared.sql(
            f"INSERT INTO \"{schema}\".migrations VALUES ('m999_later', gen_random_uuid(), 0)"
        )
    shell.run_cell("%stability_balance").raise_error()
    (warning,) = capsys.readouterr().err.splitlines()
    assert "is of a newer version of stability_magic (it has m999_later)" in warning
    assert "1 reading waits for it" in warning
    assert shared_rows(shared, schema) == set()
    result = shell.run_cell("%stability_sync")
    assert_is_clear_error(result.error_in_exec)


def test_a_local_log_that_cannot_be_written_keeps_nothing_from_the_shared_one(
    shared, schema, api, log_path, shell, capsys
):
    """The reading is shown and in the shared log, and later in both logs."""
    shell.run_cell("%stability_balance").raise_error()
    capsys.readouterr()
    log_path.rename(log_path.with_suffix(".away"))
    log_path.mkdir()
    frame = shell.run_cell("%stability_balance").result
    assert len(frame) == 2
    assert "not in the log yet but in the frame" in capsys.readouterr().err
    assert len(shared_rows(shared, schema)) == 2
    log_path.rmdir()
    log_path.with_suffix(".away").rename(log_path)
    shell.run_cell("%stability_balance").raise_error()
    assert shared_rows(shared, schema) == local_rows(log_path)
    assert len(local_rows(log_path)) == 3


def test_a_shared_log_that_is_never_met_again_is_forgotten(shared, schema, log_path, shell):
    """What it lacks is no longer noted."""
    log = BalanceLog(log_path)
    log.write(make_readings(2))
    shell.run_cell("%stability_sync").raise_error()
    with closing(sqlite3.connect(log_path)) as connection, connection:
        connection.execute("UPDATE shared_logs SET reached_at = 0")
    shared.sql(f'DROP SCHEMA "{schema}" CASCADE')
    log.write(make_readings(3, start=10))
    shell.run_cell("%stability_sync").raise_error()
    with closing(sqlite3.connect(log_path)) as connection:
        assert connection.execute("SELECT count(*) FROM shared_logs").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM unsent_readings").fetchone() == (0,)
    assert shared_rows(shared, schema) == local_rows(log_path)


def test_the_demo_is_shared_with_nobody(shared, schema, api, log_path, shell):
    """The readings of the demo are made up."""
    shell.run_cell("%stability_demo").raise_error()
    shell.run_cell("%stability_balance").raise_error()
    result = shell.run_cell("%stability_sync")
    assert_is_clear_error(result.error_in_exec)
    shell.run_cell("%stability_demo --stop").raise_error()
    assert shared.sql("SELECT 1 FROM pg_namespace WHERE nspname = %s", schema) == []
