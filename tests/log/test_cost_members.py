"""Hosts and members of costs: kept wherever costs go, missing in older logs."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlite_utils import Database

from stability_magic import BalanceLog
from stability_magic.analysis.costs import Cost
from stability_magic.log.balance_log import Entry
from stability_magic.log.merging import merge
from stability_magic.log.outbox import Outbox
from stability_magic.log.schema import MIGRATIONS
from stability_magic.log.spill import read_spills, write_spill
from stability_magic.models import to_microseconds

NOON = to_microseconds(datetime(2026, 1, 5, 12, tzinfo=UTC))
OLD_COLUMNS = (
    *("organization", "started_at", "id", "ended_at", "seconds", "spent", "exact"),
    *("label", "cell"),
)
SHARED_LOG = ("00000000-0000-0000-0000-000000000000", "postgresql://h/d")


def cost(number: int, host: str | None = "hub", member: str | None = "ann") -> Cost:
    """The cost of a cell."""
    at, identity = NOON + number, bytes([number]) * 16
    return Cost("org-a", at, at + 5, 2.5, 1.5, True, "render", None, identity, host, member)


def old_log(path, *costs: Cost) -> BalanceLog:
    """A log of the version before, with costs."""
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        MIGRATIONS.apply(Database(connection), stop_before="m008_cost_members")
    places = ", ".join(f":{each}" for each in OLD_COLUMNS)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            f"INSERT INTO costs ({', '.join(OLD_COLUMNS)}) VALUES ({places})",
            [dataclasses.asdict(each) for each in costs],
        )
    return BalanceLog(path, timezone=UTC)


def who(log: BalanceLog) -> list[tuple[str | None, str | None]]:
    """The host and the member of each cost."""
    return [(each.host, each.member) for each in log.costs()]


def test_an_older_log_has_neither(tmp_path):
    """It is read as it is, and gets the columns with the next cost."""
    log = old_log(tmp_path / "log.db", cost(1))
    content = log.path.read_bytes()
    assert who(log) == [(None, None)]
    assert log.path.read_bytes() == content
    log.write([], costs=[cost(2)])
    assert who(log) == [(None, None), ("hub", "ann")]


@pytest.mark.parametrize("is_old_first", [True, False])
def test_merging_keeps_them(tmp_path, is_old_first):
    """From and into a log of the version before, in either order, again and again."""
    old = old_log(tmp_path / "old.db", cost(1))
    other = BalanceLog(tmp_path / "other.db", timezone=UTC)
    other.write([], costs=[cost(2, "laptop", "bob"), cost(3, None, None), cost(4)])
    expected = [(None, None), ("laptop", "bob"), (None, None), ("hub", "ann")]
    target, source = (old, other) if is_old_first else (other, old)
    for new in (3 if is_old_first else 1, 0):
        counts = merge(target.path, source.path, lambda done, total: None)
        assert counts.costs == new
        assert who(target) == expected


def test_what_is_sent_has_them(tmp_path):
    """Also from a log of the version before that a shared log has been used with."""
    log = old_log(tmp_path / "log.db", cost(1))
    number = Outbox(log.path).register(*SHARED_LOG)
    # Registering has brought the log up to date; before, only that version's columns were there.
    with closing(sqlite3.connect(log.path)) as connection, connection:
        for each in ("host", "member"):
            connection.execute(f"ALTER TABLE costs DROP COLUMN {each}")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm008_cost_members'")
    outbox = Outbox(log.path)
    batch = outbox.next_batch(number, 10)
    assert [row[-2:] for row in batch.costs] == [(None, None)]
    outbox.mark_sent(number, batch)
    log.write([], costs=[cost(2)])
    batch = outbox.next_batch(number, 10)
    assert [row[-2:] for row in batch.costs] == [("hub", "ann")]


def test_a_spill_file_keeps_them(tmp_path):
    """And one of the version before is taken in without them."""
    path = tmp_path / "log.db"
    file = write_spill(path, [Entry("org-a", NOON, 5.0, "", "t", None)], [cost(1)])
    assert file is not None
    older = json.loads(file.read_text())
    older["costs"] = [{**older["costs"][0], "id": "02" * 16}]
    del older["costs"][0]["host"], older["costs"][0]["member"]
    file.with_name("log.db.0123456789abcdef.unlogged").write_text(json.dumps(older))
    assert len(read_spills(path)) == 2
    log = BalanceLog(path, timezone=UTC)
    log.write([])
    assert sorted(who(log), key=str) == [("hub", "ann"), (None, None)]


def test_what_another_file_calls_a_member_is_made_harmless(tmp_path):
    """Control characters are replaced; a text without end is left out, and told."""
    other = BalanceLog(tmp_path / "other.db", timezone=UTC)
    other.write([], costs=[cost(1), cost(2)])
    with closing(sqlite3.connect(other.path)) as connection, connection:
        sql = "UPDATE costs SET member = ? WHERE id = ?"
        connection.execute(sql, ["a\x1bb", b"\1" * 16])
        connection.execute(sql, ["x" * 70_000, b"\2" * 16])
    log, faults = BalanceLog(tmp_path / "log.db", timezone=UTC), {}
    assert merge(log.path, other.path, lambda done, total: None, faults.update).costs == 1
    assert who(log) == [("hub", "a\N{REPLACEMENT CHARACTER}b")]
    assert faults == {("cost", "a text that is too long"): 1}
