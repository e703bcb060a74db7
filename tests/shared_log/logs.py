"""Local and shared logs for the tests: readings to fill them, their rows, and ways to send them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

from stability_magic import Balance
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.shared_log.connection import target_from_address
from stability_magic.shared_log.shared_log import SharedLog
from stability_magic.text import DatabaseAddress

__all__ = [
    "NOON",
    "local_rows",
    "make_readings",
    "open_shared_log",
    "raise_on_insert",
    "run_command",
    "shared_rows",
    "start_sending",
    "warning_lines",
]

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

# Sends in small batches, so that there are many to be interrupted.
SEND_BATCHES = """
import sys
from contextlib import closing
from datetime import UTC
from pathlib import Path
from stability_magic.shared_log import sync
from stability_magic.log.outbox import Outbox
from stability_magic.shared_log.shared_log import SharedLog
from stability_magic.shared_log.connection import target_from_address
from stability_magic.text import DatabaseAddress
path, address, schema, batch_size = sys.argv[1:]
sync._BATCH_SIZE = int(batch_size)
with closing(SharedLog(target_from_address(DatabaseAddress(address), schema), UTC)) as shared:
    print("open", flush=True)
    sync.send(Outbox(Path(path)), shared, lambda total: print(total, flush=True))
"""


def make_readings(count, organization="org-a", start=0):
    """Readings a minute apart."""
    return [
        entry_from_balance(
            Balance(organization, 5000.0 - n, NOON + timedelta(minutes=n), "https://x", "f1"),
            source="test",
            label=f"n{n}" if n % 2 else None,
            host="hub",
        )
        for n in range(start, start + count)
    ]


def local_rows(path):
    """The readings of a local log, with the columns of the shared log."""
    with closing(sqlite3.connect(path)) as connection:
        return set(
            connection.execute(
                "SELECT coalesce(keys.organization, readings.organization), read_at,"
                " lower(hex(readings.id)), credits, url, source, label, hosts.name"
                " FROM readings JOIN apis ON apis.id = api LEFT JOIN hosts ON hosts.id = host"
                " LEFT JOIN keys ON readings.organization = 'key:' || fingerprint"
            )
        )


def shared_rows(server, schema):
    """The readings of the shared log, none of which occurs twice."""
    rows = server.sql(
        "SELECT organization, read_at, replace(id::text, '-', ''), credits, api_url, source, label,"
        f' host FROM "{schema}".readings'
    )
    assert len(rows) == len(set(rows))
    return set(rows)


def open_shared_log(server, schema, **login):
    """The shared log as a context manager, which closes it."""
    return closing(
        SharedLog(target_from_address(DatabaseAddress(server.address(**login)), schema), UTC)
    )


def start_sending(path, server, schema, batch_size=50, **options):
    """Starts a process that sends a local log."""
    arguments = [str(path), server.address(), schema, str(batch_size)]
    command = [sys.executable, "-c", SEND_BATCHES, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", **options)


def run_command(*arguments, **environment):
    """Runs the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "stability_magic", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env=os.environ | environment,
    )


def warning_lines(result):
    """The warnings that the command line printed."""
    return [line for line in result.stderr.splitlines() if line.startswith("stability-magic:")]


def raise_on_insert(server, schema, code, condition="true"):
    """Lets the server refuse readings with a PostgreSQL error code, on a condition in SQL."""
    server.sql(
        f'CREATE OR REPLACE FUNCTION "{schema}".refuse() RETURNS trigger LANGUAGE plpgsql AS $$'
        f" BEGIN IF {condition} THEN RAISE EXCEPTION 'made up' USING ERRCODE = '{code}'; END IF;"
        " RETURN NEW; END $$"
    )
    server.sql(
        f'CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON "{schema}".readings'
        f' FOR EACH ROW EXECUTE FUNCTION "{schema}".refuse()'
    )
