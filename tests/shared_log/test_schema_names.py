"""Schemas of any name: what has a meaning in SQL or in psycopg has none in a name."""

from __future__ import annotations

import secrets

import pytest

pytest.importorskip("psycopg")

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stability_magic import BalanceLog, SettingsError
from stability_magic.log.outbox import Outbox
from stability_magic.shared_log.connection import target_from_address
from stability_magic.shared_log.sync import send
from stability_magic.text import DatabaseAddress

from ..helpers.errors import assert_is_clear_error
from .logs import make_readings, open_shared_log, run_command

NAMES = [
    "100%",
    "%s",
    "%(organization)s",
    "%%",
    "%b%t",
    'a"b',
    "a'b",
    "a b",
    "{s}",
    "ü",
    "日本",
    ";--",
]

COST = ("org-a", 1, "ab" * 16, 2, 1.0, None, True, None, None, "hub", "ann")


@pytest.mark.once
@pytest.mark.parametrize("name", NAMES)
def test_every_command_works_in_a_schema_of_any_name(
    shared, api, log_path, shell, capsys, monkeypatch, name
):
    """Nothing fails, so that the local log need not stand in."""
    monkeypatch.setenv("STABILITY_MAGIC_SHARED_SCHEMA", f"{name} {secrets.token_hex(4)}")
    BalanceLog(log_path).write(make_readings(1200))
    for line in (
        "sync",
        "balance",
        "history --since all",
        "usage --since all",
        "costs",
        "forecast",
    ):
        shell.run_cell(f"%stability_{line}").raise_error()
    assert capsys.readouterr().err == ""
    assert len(shell.run_cell("%stability_history --since all").result) == 1201


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.text(
        st.sampled_from("%s()\"'{};\\ aÄ日") | st.characters(exclude_categories=["Cs"]),
        min_size=1,
        max_size=30,
    ).filter(lambda name: "\0" not in name)
)
@example("%" * 63)
@example("%s" * 31)
def test_what_is_written_in_a_schema_is_read_from_it(shared, log_path, tmp_path, name):
    """Readings, names and costs, in few rows and in many."""
    # One of the examples before may have had a name with the same beginning.
    name = f"{secrets.token_hex(4)}{name}"
    for count in (3, 600):
        log = BalanceLog(tmp_path / f"{secrets.token_hex(8)}.db")
        log.write(make_readings(count))
        with open_shared_log(shared, name) as opened:
            assert send(Outbox(log.path), opened, lambda total: None).readings == count
            opened.add_costs([COST])
            assert len(opened.costs(None, None)) == 1
    with open_shared_log(shared, name) as opened:
        assert len(opened.readings_with_neighbours(None, None, None)) == 603
        assert len(opened.histories(None, None, None, lambda first, last: []).series) == 1
        assert opened.count_left_out() == {}


@pytest.mark.parametrize("name", ["x" * 63, "x" * 64, "ü" * 40, "日" * 30])
def test_a_long_name_is_cut_as_postgresql_does(server_with_roles, name):
    """Also for a user who may create no schema, and so has to find it."""
    name = f"{secrets.token_hex(4)}{name}"
    with open_shared_log(server_with_roles, name) as opened:
        assert opened.count_left_out() == {}
    server_with_roles.sql(f'GRANT USAGE ON SCHEMA "{name}" TO reader')
    server_with_roles.sql(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{name}" TO reader')
    with open_shared_log(server_with_roles, name, user="reader") as opened:
        assert opened.organizations() == {}


@pytest.mark.parametrize("name", ["", "a\0b", "\udcff"])
def test_what_is_no_name_is_told(name):
    """Before anything is sent, and without the password that the address holds."""
    address = DatabaseAddress("postgresql://me:hunter2-hunter2@db.example.org/credits")
    with pytest.raises(SettingsError, match="cannot be a name") as caught:
        target_from_address(address, name)
    assert_is_clear_error(caught.value, "hunter2-hunter2")


def test_a_name_from_the_environment_that_is_no_text_is_told(shared, api, log_path):
    """The environment may hold any bytes."""
    result = run_command("sync", STABILITY_MAGIC_SHARED_SCHEMA="a\udcffb")
    assert result.returncode == 1
    assert "cannot be a name" in result.stderr
    assert result.stderr.count("\n") == 1
