"""The table of budgets: kept, merged once, and missing in logs of older versions."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing

import pytest
from sqlite_utils import Database

from stability_magic import Account, BalanceLog, Organization
from stability_magic.analysis.budgets import BudgetChange, budgets_in_force
from stability_magic.log.merging import merge
from stability_magic.log.schema import MIGRATIONS

NAMES = "organization, every, set_at, credits, id"


def change(n, credits=500.0, organization="org-a", every="week"):
    """The n-th change of a budget."""
    return BudgetChange(organization, every, 1_700_000_000_000_000 + n, credits, bytes([n]) * 16)


def write_old_log(path):
    """A log of the version before there were budgets, with a reading."""
    with closing(sqlite3.connect(path)) as connection:
        MIGRATIONS.apply(Database(connection), stop_before="m007_budgets")
        with connection:
            connection.execute("INSERT INTO apis (url) VALUES ('https://api.stability.ai')")
            connection.execute(
                "INSERT INTO readings (organization, read_at, id, credits, api, source)"
                " VALUES ('org-a', 1700000000000000, randomblob(16), 5.0, 1, 'cli')"
            )


def test_changes_are_kept_as_they_are(tmp_path):
    """Each of them, however often it is written."""
    log = BalanceLog(tmp_path / "log.db")
    assert log.budgets() == []
    assert not log.path.exists()
    changes = [change(1), change(2, None), change(3, 0.5, every="day")]
    for _ in range(2):
        log.write([], budgets=changes)
    assert sorted(log.budgets(), key=lambda each: each.set_at) == changes


def test_a_log_of_an_older_version_has_no_budgets(tmp_path):
    """It is read as it is, merged, and gets the table with the next thing written."""
    old = tmp_path / "old.db"
    write_old_log(old)
    log = BalanceLog(old)
    before = old.read_bytes()
    assert log.budgets() == []
    assert old.read_bytes() == before
    new = BalanceLog(tmp_path / "new.db")
    new.write([], budgets=[change(1)])
    assert merge(new.path, old, lambda *_: None).readings == 1
    log.write([], budgets=[change(2)])
    assert log.budgets() == [change(2)]
    assert len(log.readings()) == 1


def test_merging_takes_each_change_once(tmp_path):
    """In any order and any number of times; what was set last holds."""
    logs = [BalanceLog(tmp_path / f"{n}.db") for n in range(3)]
    for n, log in enumerate(logs):
        log.write([], budgets=[change(1), change(2 + n, 100.0 * (n + 1))])
    for number, order in enumerate(itertools.permutations(logs)):
        target = BalanceLog(tmp_path / f"target{number}.db")
        for log in (*order, *order):
            merge(target.path, log.path, lambda *_: None)
        assert len(target.budgets()) == 4
        assert [each.credits for each in budgets_in_force(target.budgets())] == [300.0]


@pytest.mark.parametrize(
    "values",
    [
        "'org-a', 'week', 1, 0.0, zeroblob(16)",
        "'org-a', 'week', 1, -5.0, zeroblob(16)",
        "'org-a', 'week', 1, 9e999, zeroblob(16)",
        "'org-a', 'hour', 1, 5.0, zeroblob(16)",
        "'org-a', 'week', -1, 5.0, zeroblob(16)",
        "'org-a', 'week', 1, 5.0, x'00'",
        "' ', 'week', 1, 5.0, zeroblob(16)",
    ],
)
def test_a_row_that_is_no_budget_is_left_out(tmp_path, values):
    """Whoever wrote it; others are merged, and a note counts it."""
    log = BalanceLog(tmp_path / "log.db")
    log.write([], budgets=[change(1)])
    with closing(sqlite3.connect(log.path)) as connection, connection:
        connection.execute(f"INSERT INTO budgets ({NAMES}) VALUES ({values})")
    assert log.budgets() == [change(1)]
    target, faults = BalanceLog(tmp_path / "target.db"), {}
    merge(target.path, log.path, lambda *_: None, faults.update)
    assert target.budgets() == [change(1)]
    assert [(noun, number) for (noun, _), number in faults.items()] == [("budget", 1)]


def test_the_budget_of_a_key_is_that_of_its_organization(tmp_path):
    """Once that is known."""
    log = BalanceLog(tmp_path / "log.db")
    log.write([], budgets=[change(1, organization="key:f1")])
    assert log.budgets()[0].organization == "key:f1"
    account = Account("user-1", "", (Organization("org-a", "Alpha", "OWNER", is_default=True),))
    log.write([], account=account, key_fingerprint="f1")
    assert log.budgets() == [change(1)]
