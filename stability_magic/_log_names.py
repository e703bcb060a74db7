"""What a log knows of organizations and of keys."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from ._log_entries import Known
from ._log_rows import checked
from ._readings import Account, microseconds

__all__ = ["known_of", "logged_organizations", "remember"]

# From one organization to the next by the primary key, without looking at every reading.
_LOGGED = """
    WITH RECURSIVE logged (organization) AS (
        SELECT min(organization) FROM readings
        UNION ALL
        SELECT (SELECT min(organization) FROM readings
                WHERE organization > logged.organization)
        FROM logged WHERE logged.organization IS NOT NULL
    )
    SELECT organization FROM logged WHERE organization IS NOT NULL
"""


def known_of(connection: sqlite3.Connection) -> Known:
    """The names of organizations, and the defaults of keys."""
    names = connection.execute("SELECT organization, name FROM organizations")
    defaults = connection.execute("SELECT fingerprint, organization FROM keys")
    return Known(dict(checked(names, "tt")), dict(checked(defaults, "tt")))


def logged_organizations(connection: sqlite3.Connection) -> list[str]:
    """What readings are logged under: the ids of organizations, and of keys."""
    return [organization for (organization,) in checked(connection.execute(_LOGGED), "t")]


def remember(connection: sqlite3.Connection, account: Account, key_fingerprint: str) -> None:
    """Writes down the names of an account's organizations, and which is the key's default."""
    seen_at = microseconds(datetime.now(UTC))
    connection.executemany(
        "INSERT INTO organizations VALUES (?, ?, ?, ?) ON CONFLICT (organization) DO UPDATE"
        " SET name = excluded.name, role = excluded.role, seen_at = excluded.seen_at",
        [(each.id, each.name, each.role, seen_at) for each in account.organizations],
    )
    default = account.default_organization
    if default is not None and key_fingerprint:
        connection.execute(
            "INSERT INTO keys VALUES (?, ?, ?) ON CONFLICT (fingerprint) DO UPDATE"
            " SET organization = excluded.organization, seen_at = excluded.seen_at",
            (key_fingerprint, default.id, seen_at),
        )
