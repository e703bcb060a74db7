"""Columns that users add to the tables of their log stop nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlite_utils import Database

from stability_magic import Account, Balance, BalanceLog, Organization
from stability_magic.analysis.costs import Cost
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.merging import merge
from stability_magic.log.outbox import Outbox
from stability_magic.log.schema import MIGRATIONS, own_columns

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ADDRESS = "postgresql://h/d"
ACCOUNT = Account("user-1", "", (Organization("org-a", "Alpha", "OWNER", is_default=True),))


def entry(n):
    """A reading some minutes after noon."""
    balance = Balance("org-a", 100.0 - n, NOON + timedelta(minutes=n), "https://x", "f1")
    return entry_from_balance(balance, label=f"n{n}", host=f"host {n}")


def cost(n):
    """The cost of a cell some microseconds after 1970."""
    return Cost("org-a", n, n + 5, 1.0, 2.0, True, "render", "cell", bytes([n]) * 16)


def use_everything(log, start):
    """Writes with a new organization, merges in and out, and sends."""
    log.append(Balance("org-b", 1.0, NOON))
    log.write([entry(start)], account=ACCOUNT, key_fingerprint="f1", costs=[cost(start)])
    other = BalanceLog(log.path.with_name(f"other{start}.db"), timezone=UTC)
    other.write([entry(start + 1)], account=ACCOUNT, key_fingerprint="f2", costs=[cost(start + 1)])
    for pair in ((log, other), (other, log)):
        merge(pair[0].path, pair[1].path, lambda done, total: None)
    outbox = Outbox(log.path)
    number = outbox.register("00000000-0000-0000-0000-000000000000", ADDRESS)
    log.write([entry(start + 2)], costs=[cost(start + 2)])
    outbox.mark_all_unsent(number)
    while batch := outbox.next_batch(number, 2):
        outbox.mark_sent(number, batch)
    assert outbox.count_unsent(ADDRESS)[:3] == (0, 0, 0)
    assert outbox.count_invalid() == 0


@pytest.mark.parametrize(
    "definition",
    [
        "note TEXT",
        "note TEXT NOT NULL DEFAULT ''",
        "label2 TEXT DEFAULT 'x'",
        "doubled INTEGER GENERATED ALWAYS AS (2) VIRTUAL",
    ],
)
def test_a_column_of_the_users_own_stops_nothing(tmp_path, definition):
    """In every table, at once; the values in it stay."""
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    use_everything(log, 10)
    with closing(sqlite3.connect(log.path, isolation_level=None)) as connection:
        for table in own_columns().keys() - {"_sqlite_migrations"}:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {definition}")
    use_everything(log, 20)
    assert len(log.readings(hosts=True)) == 8
    assert len(log.costs()) == 6
    assert log.organizations() == {"org-a": "Alpha", "org-b": "org-b"}
    with closing(sqlite3.connect(log.path)) as connection:
        assert len(connection.execute("SELECT * FROM balance_history").fetchall()) == 8


@pytest.mark.parametrize(
    "name", ["name", "label", "host", "url", "number", "exact", "spent", "log"]
)
def test_it_may_have_the_name_of_a_column_of_another_table(tmp_path, name):
    """No query takes the one for the other."""
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    use_everything(log, 10)
    with closing(sqlite3.connect(log.path, isolation_level=None)) as connection:
        for table, columns in own_columns().items():
            if name not in columns:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} TEXT DEFAULT 'wrong'")
    use_everything(log, 20)
    frame = log.readings(hosts=True)
    assert len(frame) == 8
    assert "wrong" not in set(frame["label"]) | set(frame["host"]) | set(frame["name"])


def test_sqlite_utils_adds_one(tmp_path):
    """As in its documentation."""
    log = BalanceLog(tmp_path / "log.db", timezone=UTC)
    use_everything(log, 10)
    for table in ("readings", "costs", "organizations", "keys", "unsent_readings", "unsent_costs"):
        command = [sys.executable, "-m", "sqlite_utils", "add-column"]
        subprocess.run([*command, str(log.path), table, "note", "text"], check=True)
    use_everything(log, 20)
    assert len(log.readings()) == 8


def test_a_log_of_the_version_before_learns_it_with_its_next_reading(tmp_path):
    """Its triggers are made anew; reading alone changes nothing."""
    path = tmp_path / "log.db"
    with closing(sqlite3.connect(path)) as connection:
        MIGRATIONS.apply(Database(connection), stop_before="m005_named_columns")
    content_before = path.read_bytes()
    log = BalanceLog(path, timezone=UTC)
    assert log.readings().empty
    assert path.read_bytes() == content_before
    outbox = Outbox(path)
    number = outbox.register("00000000-0000-0000-0000-000000000000", ADDRESS)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE unsent_readings ADD COLUMN note TEXT")
        connection.execute("ALTER TABLE shared_logs ADD COLUMN note TEXT")
    log.write([entry(1)])
    assert len(outbox.next_batch(number, 10).readings) == 1
