"""The table of costs in the log."""

from __future__ import annotations

import dataclasses
import math
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from ..analysis.costs import Cost
from ..text import clean_text
from .entries import KnownOrganizations
from .rows import check_types, has_table, selectable
from .validity import VALID_COST_SQL, organization_fault

__all__ = ["COST_COLUMNS", "COST_TYPE_CODES", "insert_costs", "read_costs", "write_costs"]

# The types of the columns, in the order of the fields of ``Cost``; see ``check_types``.
COST_TYPE_CODES = "tiifFiTTbTT"

COST_COLUMNS = [each.name for each in dataclasses.fields(Cost)]

_TEXTS = ("label", "cell", "host", "member")


def write_costs(connection: sqlite3.Connection, costs: Iterable[Cost]) -> None:
    """Writes costs, skipping those that the log already holds."""
    insert_costs(connection, (_row_from_cost(each) for each in costs))


def _row_from_cost(cost: Cost) -> dict[str, Any]:
    row = dataclasses.asdict(cost)
    for each in _TEXTS:
        row[each] = _clean_or_none(row[each])
    if row["spent"] is not None and not math.isfinite(row["spent"]):
        # The difference of two immense balances: what was spent is not known.
        row["spent"] = None
    return row


def _clean_or_none(text: str | None) -> str | None:
    return None if text is None else clean_text(text)


def insert_costs(connection: sqlite3.Connection, rows: Iterable[Mapping[str, Any]]) -> int:
    """Inserts rows into the table and returns how many of them were new."""
    cursor = connection.executemany(
        f"INSERT INTO costs ({', '.join(COST_COLUMNS)})"  # noqa: S608 - names of our own
        f" VALUES ({', '.join(f':{each}' for each in COST_COLUMNS)})"
        " ON CONFLICT (organization, started_at, id) DO NOTHING",
        rows,
    )
    # Without any rows, SQLite's count is -1.
    return max(0, cursor.rowcount)


def read_costs(
    connection: sqlite3.Connection,
    known_organizations: KnownOrganizations,
    first: int,
    last: int,
) -> list[Cost]:
    """The costs of the cells that ended at ``first`` or later and started at ``last`` or earlier.

    They are sorted by start, in microseconds since 1970 UTC. A row that is not valid is no cost.
    Empty for a log of an older version, which has no costs; a column that it lacks is missing.

    Raises:
        sqlite3.Error: The file could not be read.
    """
    if not has_table(connection, "costs"):
        return []
    columns = selectable(connection, "costs", COST_COLUMNS)
    cursor = connection.execute(
        f"SELECT {', '.join(columns)} FROM costs"  # noqa: S608 - names of our own
        f" WHERE ended_at >= ? AND started_at <= ? AND {VALID_COST_SQL} ORDER BY started_at, id",
        (first, last),
    )
    rows = [
        dict(zip(COST_COLUMNS, row, strict=True)) for row in check_types(cursor, COST_TYPE_CODES)
    ]
    return [
        _cost_from_row(each, known_organizations)
        for each in rows
        if not organization_fault(each["organization"])
    ]


def _cost_from_row(row: Mapping[str, Any], known_organizations: KnownOrganizations) -> Cost:
    # What an earlier version merged from another file may not be clean.
    changes = {
        "organization": known_organizations.organization(row["organization"]),
        "exact": bool(row["exact"]),
        **{each: _clean_or_none(row[each]) for each in _TEXTS},
    }
    return Cost(**{**row, **changes})
