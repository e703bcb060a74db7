"""The tables of the log, as migrations. A published migration is never edited."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache

from sqlite_utils import Database, Migrations

__all__ = ["MIGRATIONS", "migration_names", "own_columns"]

MIGRATIONS = Migrations("stability_magic")


@cache
def migration_names() -> frozenset[str]:
    """The names of all migrations that this version knows."""
    # In an empty database, all migrations are pending.
    with closing(sqlite3.connect(":memory:")) as empty:
        return frozenset(each.name for each in MIGRATIONS.pending(Database(empty)))


@cache
def own_columns() -> dict[str, frozenset[str]]:
    """The columns of each table of a log, also of the one that notes the migrations."""
    with closing(sqlite3.connect(":memory:")) as empty:
        MIGRATIONS.apply(Database(empty, execute_plugins=False))
        tables = empty.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: frozenset(row[1] for row in empty.execute(f"PRAGMA table_info({name})"))
            for (name,) in tables
            if not name.startswith("sqlite_")
        }


@MIGRATIONS()
def m001_readings(db: Database) -> None:
    """Readings, organizations, the default organizations of keys, and a view for people."""
    # Times and ids are not text, each address is stored once, and the table is its primary key:
    # a reading takes 70 bytes instead of 219, and a history is one range of the table.
    db.execute("""
        CREATE TABLE readings (
            organization TEXT NOT NULL,
            read_at INTEGER NOT NULL,
            id BLOB NOT NULL,
            credits REAL NOT NULL,
            api INTEGER NOT NULL REFERENCES apis (id),
            source TEXT NOT NULL,
            label TEXT,
            PRIMARY KEY (organization, read_at, id)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("CREATE TABLE apis (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE) STRICT")
    db.execute("""
        CREATE TABLE organizations (
            organization TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            role TEXT NOT NULL,
            seen_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE keys (
            fingerprint TEXT NOT NULL PRIMARY KEY,
            organization TEXT NOT NULL,
            seen_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE VIEW balance_history AS
        SELECT
            strftime('%Y-%m-%dT%H:%M:%S', readings.read_at / 1000000, 'unixepoch')
                || printf('.%06dZ', readings.read_at % 1000000) AS read_at,
            coalesce(keys.organization, readings.organization) AS organization,
            coalesce(organizations.name, keys.organization, readings.organization) AS name,
            readings.credits,
            readings.source,
            readings.label,
            apis.url AS api_url
        FROM readings
        JOIN apis ON apis.id = readings.api
        LEFT JOIN keys ON readings.organization = 'key:' || keys.fingerprint
        LEFT JOIN organizations ON organizations.organization
            = coalesce(keys.organization, readings.organization)
    """)


@MIGRATIONS()
def m002_costs(db: Database) -> None:
    """What cells cost: from the reading before a cell to the last one after it."""
    # A cost that could not be determined is NULL, not zero.
    db.execute("""
        CREATE TABLE costs (
            organization TEXT NOT NULL,
            started_at INTEGER NOT NULL,
            id BLOB NOT NULL,
            ended_at INTEGER NOT NULL,
            seconds REAL NOT NULL,
            spent REAL,
            exact INTEGER NOT NULL,
            label TEXT,
            cell TEXT,
            PRIMARY KEY (organization, started_at, id)
        ) STRICT, WITHOUT ROWID
    """)


@MIGRATIONS()
def m003_hosts(db: Database) -> None:
    """Which machine took a reading; unknown for readings that were logged before."""
    db.execute("CREATE TABLE hosts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT")
    db.execute("ALTER TABLE readings ADD COLUMN host INTEGER REFERENCES hosts (id)")
    db.execute("DROP VIEW balance_history")
    db.execute("""
        CREATE VIEW balance_history AS
        SELECT
            strftime('%Y-%m-%dT%H:%M:%S', readings.read_at / 1000000, 'unixepoch')
                || printf('.%06dZ', readings.read_at % 1000000) AS read_at,
            coalesce(keys.organization, readings.organization) AS organization,
            coalesce(organizations.name, keys.organization, readings.organization) AS name,
            readings.credits,
            readings.source,
            readings.label,
            apis.url AS api_url,
            hosts.name AS host
        FROM readings
        JOIN apis ON apis.id = readings.api
        LEFT JOIN hosts ON hosts.id = readings.host
        LEFT JOIN keys ON readings.organization = 'key:' || keys.fingerprint
        LEFT JOIN organizations ON organizations.organization
            = coalesce(keys.organization, readings.organization)
    """)


@MIGRATIONS()
def m004_outbox(db: Database) -> None:
    """What shared logs still lack: readings from before one was first used, and newer ones."""
    # organization, read_at and id are a position in the primary key of the readings that were
    # logged before: readings up to it have been sent. They are NULL when all have been sent.
    db.execute("""
        CREATE TABLE shared_logs (
            number INTEGER PRIMARY KEY,
            log TEXT NOT NULL UNIQUE,
            address TEXT NOT NULL,
            reached_at INTEGER NOT NULL,
            organization TEXT,
            read_at INTEGER,
            id BLOB
        ) STRICT
    """)
    for table, time in (("readings", "read_at"), ("costs", "started_at")):
        db.execute(f"""
            CREATE TABLE unsent_{table} (
                shared_log INTEGER NOT NULL,
                organization TEXT NOT NULL,
                {time} INTEGER NOT NULL,
                id BLOB NOT NULL,
                PRIMARY KEY (shared_log, organization, {time}, id)
            ) STRICT, WITHOUT ROWID
        """)
        # The same transaction notes every new row, whichever program writes it.
        db.execute(f"""
            CREATE TRIGGER note_unsent_{table} AFTER INSERT ON {table} BEGIN
                INSERT OR IGNORE INTO unsent_{table}
                SELECT number, NEW.organization, NEW.{time}, NEW.id FROM shared_logs;
            END
        """)  # noqa: S608 - names of our own


@MIGRATIONS()
def m005_named_columns(db: Database) -> None:
    """The triggers name the columns that they fill, so that a table may have more of them."""
    for table, time in (("readings", "read_at"), ("costs", "started_at")):
        db.execute(f"DROP TRIGGER IF EXISTS note_unsent_{table}")
        db.execute(f"""
            CREATE TRIGGER note_unsent_{table} AFTER INSERT ON {table} BEGIN
                INSERT OR IGNORE INTO unsent_{table} (shared_log, organization, {time}, id)
                SELECT shared_logs.number, NEW.organization, NEW.{time}, NEW.id FROM shared_logs;
            END
        """)  # noqa: S608 - names of our own


@MIGRATIONS()
def m006_clock_offsets(db: Database) -> None:
    """How wrong the clock was of the machine that took a reading; unknown for older readings."""
    # In microseconds; read_at is the machine's own time plus this.
    db.execute("ALTER TABLE readings ADD COLUMN clock_offset INTEGER")


@MIGRATIONS()
def m007_budgets(db: Database) -> None:
    """What may be spent in a day, a week or a month: each change of it, so that it is known since
    when a budget holds. Shared logs get the changes too."""
    # Without credits there is no such budget from then on. The columns of the key come first, since
    # SQLite 3.40 takes a table for damaged where others stand between them.
    db.execute("""
        CREATE TABLE budgets (
            organization TEXT NOT NULL,
            set_at INTEGER NOT NULL,
            id BLOB NOT NULL,
            every TEXT NOT NULL,
            credits REAL,
            PRIMARY KEY (organization, set_at, id)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE unsent_budgets (
            shared_log INTEGER NOT NULL,
            organization TEXT NOT NULL,
            set_at INTEGER NOT NULL,
            id BLOB NOT NULL,
            PRIMARY KEY (shared_log, organization, set_at, id)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TRIGGER note_unsent_budgets AFTER INSERT ON budgets BEGIN
            INSERT OR IGNORE INTO unsent_budgets (shared_log, organization, set_at, id)
            SELECT shared_logs.number, NEW.organization, NEW.set_at, NEW.id FROM shared_logs;
        END
    """)


@MIGRATIONS()
def m008_cost_members(db: Database) -> None:
    """Which machine ran a cell, and who, if the settings say so; unknown for older costs."""
    # Cells are few beside readings, so their hosts are text.
    db.execute("ALTER TABLE costs ADD COLUMN host TEXT")
    db.execute("ALTER TABLE costs ADD COLUMN member TEXT")


@MIGRATIONS()
def m009_notices(db: Database) -> None:
    """What a person was told of: an event goes on, or is over, as of an instant."""
    # Not of the log's readings, so that it is neither merged nor shared.
    db.execute("""
        CREATE TABLE notices (
            organization TEXT NOT NULL,
            event TEXT NOT NULL,
            subject TEXT NOT NULL,
            is_ongoing INTEGER NOT NULL,
            as_of INTEGER NOT NULL,
            PRIMARY KEY (organization, event, subject)
        ) STRICT, WITHOUT ROWID
    """)
