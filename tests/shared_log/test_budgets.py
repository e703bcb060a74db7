"""Budgets in the shared log: what one sets, all see."""

from __future__ import annotations

import pytest

pytest.importorskip("psycopg")

from stability_magic import BalanceLog, LogError
from stability_magic.analysis.budgets import BudgetChange
from stability_magic.log.outbox import Outbox
from stability_magic.shared_log.sync import send

from ..notebook.magic_calls import run_magic
from .logs import make_readings, open_shared_log


def change(n, credits=500.0, organization="org-a"):
    """The n-th change of a budget."""
    return BudgetChange(organization, "week", 1_700_000_000_000_000 + n, credits, bytes([n]) * 16)


def send_all(path, shared, **options):
    """Sends what the shared log lacks."""
    return send(Outbox(path), shared, lambda _: None, **options)


def without_budgets(server, schema):
    """Makes the shared log one of the version before there were budgets."""
    server.sql(f'DROP TABLE "{schema}".budgets')
    server.sql(f"DELETE FROM \"{schema}\".migrations WHERE name = 'm002_budgets'")


def test_each_change_is_sent_once(shared, schema, log_path, tmp_path):
    """From several machines, and again on request; what is removed is sent too."""
    log, other = BalanceLog(log_path), BalanceLog(tmp_path / "other.db")
    log.write(make_readings(2), budgets=[change(1), change(2, None)])
    other.write(make_readings(2), budgets=[change(2, None), change(3, 700.0)])
    with open_shared_log(shared, schema) as opened:
        for each in (log, other, log):
            send_all(each.path, opened)
        log.write([], budgets=[change(4, 900.0)])
        send_all(log_path, opened)
        send_all(log_path, opened, again=True)
        assert sorted(opened.budgets(), key=lambda each: each.set_at) == [
            change(1),
            change(2, None),
            change(3, 700.0),
            change(4, 900.0),
        ]
    assert Outbox(log_path).unsent_budgets(1) == {}


def test_the_budget_of_an_unknown_organization_waits(shared, schema, log_path):
    """So that no fingerprint leaves this machine."""
    log = BalanceLog(log_path)
    log.write(make_readings(2), budgets=[change(1, organization="key:f1"), change(2)])
    with open_shared_log(shared, schema) as opened:
        send_all(log_path, opened)
        assert opened.budgets() == [change(2)]


def test_what_one_sets_another_sees(shared, schema, tmp_path, shell, api, monkeypatch, capsys):
    """And changes; --local shows the own ones alone."""
    for name in ("mine", "yours"):
        monkeypatch.setenv("STABILITY_MAGIC_LOG", str(tmp_path / f"{name}.db"))
        run_magic(shell, "%stability_balance")
        if name == "mine":
            run_magic(shell, "%stability_budget 500 --every week")
        else:
            assert " · budget: 0 of 500 this week" in capsys.readouterr().out
            assert run_magic(shell, "%stability_budget")["budget"].tolist() == [500.0]
            assert run_magic(shell, "%stability_budget --local").empty
            run_magic(shell, "%stability_budget 700 --every week")
            assert "before it was 500.00" in capsys.readouterr().out
    monkeypatch.setenv("STABILITY_MAGIC_LOG", str(tmp_path / "mine.db"))
    assert run_magic(shell, "%stability_budget")["budget"].tolist() == [700.0]
    assert run_magic(shell, "%stability_budget --local")["budget"].tolist() == [500.0]
    assert capsys.readouterr().err == ""


def test_budgets_wait_for_the_owner_and_for_grants(server_with_roles, schema, log_path):
    """Who may not add the table to an older log is told; who was not granted it sends the rest."""
    without_budgets(server_with_roles, schema)
    log = BalanceLog(log_path)
    log.write(make_readings(3), budgets=[change(1)])
    with (
        pytest.raises(LogError, match="Have the owner of its tables run"),
        open_shared_log(server_with_roles, schema, user="writer"),
    ):
        pass
    with open_shared_log(server_with_roles, schema):
        pass
    with open_shared_log(server_with_roles, schema, user="writer") as opened:
        assert send_all(log_path, opened).readings == 3
        assert opened.budgets() == []
        assert len(opened.readings_with_neighbours(None, None, None)) == 3
    with open_shared_log(server_with_roles, schema) as opened:
        send_all(log_path, opened)
        assert opened.budgets() == [change(1)]
    # A role that was not granted the new table yet sees no budgets, and everything else.
    with open_shared_log(server_with_roles, schema, user="reader") as opened:
        assert opened.budgets() == []
        assert len(opened.readings_with_neighbours(None, None, None)) == 3


def test_a_reader_sees_them_and_a_writer_sets_them(server_with_roles, schema, log_path):
    """With the rights that the page lists."""
    BalanceLog(log_path).write(make_readings(2), budgets=[change(1)])
    with open_shared_log(server_with_roles, schema, user="writer") as opened:
        send_all(log_path, opened)
    with open_shared_log(server_with_roles, schema, user="reader") as opened:
        assert opened.budgets() == [change(1)]


@pytest.mark.parametrize(
    "values",
    [
        "'org-a', 1, gen_random_uuid(), 'hour', 5",
        "'org-a', 1, gen_random_uuid(), 'week', 0",
        "'org-a', 1, gen_random_uuid(), 'week', 'NaN'",
        "'org-a', 1, gen_random_uuid(), 'week', 'Infinity'",
        "'org-a', -1, gen_random_uuid(), 'week', 5",
        "E'org\\x1b', 1, gen_random_uuid(), 'week', 5",
    ],
)
def test_a_row_that_is_no_budget_is_left_out(shared, schema, values):
    """Whoever may insert can insert anything."""
    with open_shared_log(shared, schema) as opened:
        opened.add_budgets([change(1), change(2, -5.0)])
        shared.sql(f'INSERT INTO "{schema}".budgets VALUES ({values})')
        assert opened.budgets() == [change(1)]
