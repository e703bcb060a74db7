"""The table of budgets in the log."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from ..analysis.budgets import BudgetChange
from .entries import KnownOrganizations
from .rows import check_types, has_table
from .validity import KEY_PREFIX, budget_fault

__all__ = [
    "BUDGET_COLUMNS",
    "BUDGET_TYPE_CODES",
    "insert_budgets",
    "mark_budgets_sent",
    "read_budgets",
    "read_unsent_budgets",
]

BUDGET_COLUMNS = [each.name for each in dataclasses.fields(BudgetChange)]

# Their types; see ``check_types``.
BUDGET_TYPE_CODES = "ttiFb"

# The primary key of a change, as notes of what is unsent name it.
_KEY = "organization = ? AND set_at = ? AND id = ?"


def insert_budgets(connection: sqlite3.Connection, rows: Iterable[Mapping[str, Any]]) -> int:
    """Inserts changes of budgets, and returns how many of them were new."""
    cursor = connection.executemany(
        f"INSERT INTO budgets ({', '.join(BUDGET_COLUMNS)})"  # noqa: S608 - names of our own
        f" VALUES ({', '.join(f':{each}' for each in BUDGET_COLUMNS)})"
        " ON CONFLICT (organization, set_at, id) DO NOTHING",
        rows,
    )
    # Without any rows, SQLite's count is -1.
    return max(0, cursor.rowcount)


def read_budgets(
    connection: sqlite3.Connection, known_organizations: KnownOrganizations
) -> list[BudgetChange]:
    """All changes of budgets; none in a log of an older version. A row that is not valid is none.

    Raises:
        sqlite3.Error: The file could not be read.
    """
    if not has_table(connection, "budgets"):
        return []
    return [
        _with_organization(BudgetChange(*row), known_organizations)
        for row in _rows(connection)
        if budget_fault(*row) is None
    ]


def read_unsent_budgets(
    connection: sqlite3.Connection, log_number: int, known_organizations: KnownOrganizations
) -> dict[tuple[Any, ...], BudgetChange | None]:
    """The changes that a shared log lacks, by the keys that note them; None for invalid ones.

    Those of a key are left out until its organization is known, so that no fingerprint leaves this
    machine.
    """
    if not has_table(connection, "budgets"):
        return {}
    unsent: dict[tuple[Any, ...], BudgetChange | None] = {}
    sql = "SELECT organization, set_at, id FROM unsent_budgets WHERE shared_log = ?"
    keys = set(check_types(connection.execute(sql, [log_number]), "tib"))
    for row in _rows(connection):
        change = BudgetChange(*row)
        key = (change.organization, change.set_at, change.id)
        if key not in keys:
            continue
        if budget_fault(*row) is not None:
            unsent[key] = None
            continue
        change = _with_organization(change, known_organizations)
        if not change.organization.startswith(KEY_PREFIX):
            unsent[key] = change
    return unsent


def mark_budgets_sent(
    connection: sqlite3.Connection, log_number: int, keys: Iterable[tuple[Any, ...]]
) -> None:
    """Notes that a shared log has these changes."""
    connection.executemany(
        f"DELETE FROM unsent_budgets WHERE shared_log = ? AND {_KEY}",  # noqa: S608 - our own words
        [(log_number, *each) for each in keys],
    )


def _rows(connection: sqlite3.Connection) -> Iterable[Any]:
    sql = f"SELECT {', '.join(BUDGET_COLUMNS)} FROM budgets"  # noqa: S608 - names of our own
    return check_types(connection.execute(sql), BUDGET_TYPE_CODES)


def _with_organization(
    change: BudgetChange, known_organizations: KnownOrganizations
) -> BudgetChange:
    organization = known_organizations.organization(change.organization)
    return dataclasses.replace(change, organization=organization)
