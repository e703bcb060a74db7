"""Servers that a test may stop, and roles with different rights."""

from __future__ import annotations

import pytest

from ..helpers.project import ROOT


@pytest.fixture
def stoppable_server(own_postgres, schema, monkeypatch):
    """A server that the test may stop, and that the environment points at."""
    monkeypatch.setenv("STABILITY_MAGIC_SHARED_LOG", own_postgres.address())
    return own_postgres


@pytest.fixture
def server_with_roles(shared, schema):
    """A server with a shared log and the roles that the documentation describes."""
    # Imported here, since it needs psycopg, which may not be installed.
    from .logs import open_shared_log

    with open_shared_log(shared, schema):
        pass
    for role in ("writer", "reader", "nobody"):
        shared.sql(
            f"DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN END $$"
        )
    page = (ROOT / "docs" / "shared-log.md").read_text(encoding="utf-8")
    grants = page.split("```sql\n")[1].split("```")[0]
    shared.sql(grants.replace("stability_magic", f'"{schema}"'))
    return shared
