"""Database users with different rights, and their passwords."""

from __future__ import annotations

from datetime import UTC

import pytest

pytest.importorskip("psycopg")

from stability_magic import BalanceLog, LogError
from stability_magic.log.outbox import Outbox
from stability_magic.shared_log.connection import target_from_address
from stability_magic.shared_log.shared_log import SharedLog
from stability_magic.shared_log.sync import send
from stability_magic.text import DatabaseAddress

from ..helpers.errors import assert_is_clear_error
from .logs import local_rows, make_readings, open_shared_log, shared_rows


@pytest.mark.parametrize("temporary_tables", [True, False])
def test_a_writer_needs_insert_and_select_alone(
    server_with_roles, schema, log_path, temporary_tables
):
    """Without temporary tables, it sends row by row."""
    server_with_roles.sql(
        "GRANT TEMPORARY ON DATABASE postgres TO PUBLIC"
        if temporary_tables
        else "REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC"
    )
    log = BalanceLog(log_path)
    log.write(make_readings(1200))
    try:
        with open_shared_log(server_with_roles, schema, user="writer") as shared:
            assert send(Outbox(log_path), shared, lambda total: None).readings == 1200
            log.write(make_readings(3, start=5000))
            assert send(Outbox(log_path), shared, lambda total: None).readings == 3
            assert len(shared.readings_with_neighbours(None, None, None)) == 1203
    finally:
        server_with_roles.sql("GRANT TEMPORARY ON DATABASE postgres TO PUBLIC")
    assert shared_rows(server_with_roles, schema) == local_rows(log_path)


def test_a_reader_needs_select_alone(
    server_with_roles, schema, log_path, api, shell, capsys, monkeypatch
):
    """It reads the shared log, and readings that it cannot send wait."""
    log = BalanceLog(log_path)
    log.write(make_readings(5))
    with open_shared_log(server_with_roles, schema) as shared:
        send(Outbox(log_path), shared, lambda total: None)
    log.path.unlink()
    monkeypatch.setenv("STABILITY_MAGIC_SHARED_LOG", server_with_roles.address("reader"))
    assert len(shell.run_cell("%stability_history --since all").result) == 5
    assert capsys.readouterr().err == ""
    assert not log.path.exists()
    log.write(make_readings(2, start=50))
    assert len(shell.run_cell("%stability_history --since all").result) == 5
    (warning,) = capsys.readouterr().err.splitlines()
    assert "does not let this user do that" in warning
    assert warning.endswith("2 readings wait for it.")


def test_a_role_without_rights_is_told_so(server_with_roles, schema):
    """Also if it is the tables that it may not create."""
    for name in (schema, "not there"):
        with pytest.raises(LogError, match="does not let this user do that") as caught:
            SharedLog(
                target_from_address(DatabaseAddress(server_with_roles.address("nobody")), name), UTC
            )
        assert_is_clear_error(caught.value)


def test_a_wrong_password_is_told_without_it(stoppable_server, schema, log_path, monkeypatch):
    """No message and no traceback shows it; PGPASSFILE and PGPASSWORD work."""
    stoppable_server.sql("CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'right-one'")
    stoppable_server.allow("local all keeper scram-sha-256")
    for secret in ("wrong-one", ""):
        with pytest.raises(LogError, match="password") as caught:
            SharedLog(
                target_from_address(
                    DatabaseAddress(stoppable_server.address("keeper", secret)), schema
                ),
                UTC,
            )
        assert_is_clear_error(caught.value, secret or "right-one")
    address = DatabaseAddress(stoppable_server.address("keeper"))
    password_file = log_path.parent.parent / "pgpass"
    password_file.write_text("*:*:*:keeper:right-one\n")
    password_file.chmod(0o600)
    for name, value in (("PGPASSFILE", str(password_file)), ("PGPASSWORD", "right-one")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            SharedLog(target_from_address(address, schema), UTC).close()


def test_what_fails_only_while_it_is_read_is_read_here(
    server_with_roles, schema, log_path, api, shell, capsys, monkeypatch
):
    """If a role may insert but not read, the local log answers, and one warning says so."""
    server_with_roles.sql(f'REVOKE SELECT ON "{schema}".readings, "{schema}".costs FROM writer')
    monkeypatch.setenv("STABILITY_MAGIC_SHARED_LOG", server_with_roles.address("writer"))
    BalanceLog(log_path).write(make_readings(4))
    for line in ("history --since all", "usage --since all", "costs --since all"):
        shell.run_cell(f"%stability_{line}").raise_error()
        (warning,) = capsys.readouterr().err.splitlines()
        assert "does not let this user do that" in warning
        assert "0 readings wait for it; the local log is used meanwhile." in warning
    assert len(shell.run_cell("%stability_history --since all").result) == 4
    assert len(shared_rows(server_with_roles, schema)) == 4


def test_one_log_under_two_names_is_one_log(
    server_with_roles, schema, log_path, shell, monkeypatch
):
    """The shared log is recognized by the id that it gave itself, not by its address."""
    BalanceLog(log_path).write(make_readings(4))
    counts = []
    for user in ("owner", "writer", "owner"):
        monkeypatch.setenv("STABILITY_MAGIC_SHARED_LOG", server_with_roles.address(user))
        frame = shell.run_cell("%stability_sync").result
        counts.append((frame["readings"].iloc[0], frame["known"].iloc[0]))
    assert counts == [(4, 0), (0, 0), (0, 0)]
