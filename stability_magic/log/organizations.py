"""What a log knows about organizations and keys."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from ..models import Account, to_microseconds
from ..text import clean_text, distinct_names
from .entries import KnownOrganizations
from .rows import check_types
from .validity import VALID_READING_SQL, key_fault, organization_fault

__all__ = [
    "read_first_times",
    "read_known_organizations",
    "read_logged_ids",
    "write_account",
]

# Skips from one organization to the next along the primary key instead of scanning all readings.
_LOGGED_IDS = """
    WITH RECURSIVE logged (organization) AS (
        SELECT min(organization) FROM readings
        UNION ALL
        SELECT (SELECT min(organization) FROM readings
                WHERE organization > logged.organization)
        FROM logged WHERE logged.organization IS NOT NULL
    )
    SELECT organization FROM logged WHERE organization IS NOT NULL
"""


def read_known_organizations(connection: sqlite3.Connection) -> KnownOrganizations:
    """The names of organizations, and the default organizations of keys."""
    names = connection.execute("SELECT organization, name FROM organizations")
    keys = connection.execute("SELECT fingerprint, organization, seen_at FROM keys")
    # What an earlier version merged from another file may not be clean.
    names_by_id = {
        clean_text(each): clean_text(name)
        for each, name in check_types(names, "tt")
        if not organization_fault(each)
    }
    defaults = {
        fingerprint: clean_text(organization)
        for fingerprint, organization, seen_at in check_types(keys, "tti")
        if not key_fault(fingerprint, organization, seen_at)
    }
    return KnownOrganizations(distinct_names(names_by_id), defaults)


def read_logged_ids(connection: sqlite3.Connection) -> list[str]:
    """The ids that readings are logged under: those of organizations, and ``key:`` fingerprints."""
    return [
        logged_id
        for (logged_id,) in check_types(connection.execute(_LOGGED_IDS), "t")
        if not organization_fault(logged_id)
    ]


def read_first_times(connection: sqlite3.Connection) -> dict[str, int]:
    """When the first valid reading of each id was, in microseconds since 1970 UTC."""
    first_times = {}
    for logged_id in read_logged_ids(connection):
        (first_time,) = connection.execute(
            "SELECT min(readings.read_at) FROM readings"  # noqa: S608 - words of our own
            f" WHERE readings.organization = ? AND {VALID_READING_SQL}",
            (logged_id,),
        ).fetchone()
        if isinstance(first_time, int):
            first_times[logged_id] = first_time
    return first_times


def write_account(connection: sqlite3.Connection, account: Account, key_fingerprint: str) -> None:
    """Stores the names of an account's organizations, and the key's default organization."""
    seen_at = to_microseconds(datetime.now(UTC))
    connection.executemany(
        "INSERT INTO organizations (organization, name, role, seen_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (organization) DO UPDATE"
        " SET name = excluded.name, role = excluded.role, seen_at = excluded.seen_at",
        [(each.id, each.name, each.role, seen_at) for each in account.organizations],
    )
    default = account.default_organization
    if default is not None and key_fingerprint:
        connection.execute(
            "INSERT INTO keys (fingerprint, organization, seen_at) VALUES (?, ?, ?)"
            " ON CONFLICT (fingerprint) DO UPDATE"
            " SET organization = excluded.organization, seen_at = excluded.seen_at",
            (key_fingerprint, default.id, seen_at),
        )
