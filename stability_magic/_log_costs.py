"""The log's table of costs."""

from __future__ import annotations

import dataclasses
import math
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from ._costs import Cost
from ._log_entries import Known
from ._log_rows import checked, knows

__all__ = ["COST_KINDS", "insert_costs", "read_costs", "write_costs"]

# What the columns hold, in the order of the fields of a cost.
COST_KINDS = "tiifFiTTb"

_COLUMNS = [each.name for each in dataclasses.fields(Cost)]


def write_costs(connection: sqlite3.Connection, costs: Iterable[Cost]) -> None:
    """Writes costs, those that are there already once only."""
    insert_costs(connection, (dataclasses.asdict(each) for each in costs))


def insert_costs(connection: sqlite3.Connection, rows: Iterable[Mapping[str, Any]]) -> int:
    """Writes rows of the table, and returns how many of them were new."""
    cursor = connection.executemany(
        f"INSERT INTO costs ({', '.join(_COLUMNS)})"  # noqa: S608 - names of our own
        f" VALUES ({', '.join(f':{each}' for each in _COLUMNS)})"
        " ON CONFLICT (organization, started_at, id) DO NOTHING",
        rows,
    )
    # Of no rows at all SQLite's count is -1.
    return max(0, cursor.rowcount)


def read_costs(connection: sqlite3.Connection, known: Known, first: int, last: int) -> list[Cost]:
    """The costs of cells that had not ended at ``first`` and began by ``last``, by their start.

    Empty where the log is of a version that knew no costs yet.

    Raises:
        sqlite3.Error: The file could not be read.
    """
    if not knows(connection, "costs"):
        return []
    cursor = connection.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM costs"  # noqa: S608 - names of our own
        " WHERE ended_at >= ? AND started_at <= ? ORDER BY started_at, id",
        (first, last),
    )
    rows = [dict(zip(_COLUMNS, row, strict=True)) for row in checked(cursor, COST_KINDS)]
    return [_cost(each, known) for each in rows]


def _cost(row: Mapping[str, Any], known: Known) -> Cost:
    amounts = [row["seconds"], 0.0 if row["spent"] is None else row["spent"]]
    if not all(math.isfinite(each) for each in amounts):
        raise sqlite3.DataError("an amount is no number")
    organization = known.organization(row["organization"])
    return Cost(**{**row, "organization": organization, "exact": bool(row["exact"])})
