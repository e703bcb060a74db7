"""The shared log on a real PostgreSQL server: what is sent, read, and never told."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("psycopg")

from stability_magic import Account, Balance, BalanceLog, Organization
from stability_magic._log import entry
from stability_magic._log_outbox import Outbox
from stability_magic._shared import SharedLog
from stability_magic._shared_connection import target_of
from stability_magic._sync import send
from stability_magic._text import Address

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ACCOUNT = Account("user-1", "me@example.com", (Organization("org-a", "Alpha", "OWNER", True),))


def readings(count, organization="org-a", start=0):
    """Readings a minute apart."""
    return [
        entry(
            Balance(organization, 5000.0 - n, NOON + timedelta(minutes=n), "https://x", "f1"),
            source="test",
            label=f"n{n}" if n % 2 else None,
            host="hub",
        )
        for n in range(start, start + count)
    ]


def local(path):
    """What a local log holds, as the shared one has it."""
    import sqlite3

    with closing(sqlite3.connect(path)) as connection:
        return set(
            connection.execute(
                "SELECT coalesce(keys.organization, readings.organization), read_at,"
                " lower(hex(readings.id)), credits, url, source, label, hosts.name"
                " FROM readings JOIN apis ON apis.id = api LEFT JOIN hosts ON hosts.id = host"
                " LEFT JOIN keys ON readings.organization = 'key:' || fingerprint"
            )
        )


def there(server, schema):
    """What the shared log holds."""
    rows = server.sql(
        "SELECT organization, read_at, replace(id::text, '-', ''), credits, api_url, source, label,"
        f' host FROM "{schema}".readings'
    )
    assert len(rows) == len(set(rows))
    return set(rows)


def opened(server, schema, **who):
    """The shared log, to be closed."""
    return closing(SharedLog(target_of(Address(server.address(**who)), schema), UTC))


def test_a_reading_goes_to_both_logs_in_one_command(shared, schema, api, log_path, shell):
    """And with it all that the shared one lacks: readings, names, costs."""
    BalanceLog(log_path).write(readings(3), account=ACCOUNT, key_fingerprint="f1")
    shell.run_cell("%stability_balance").raise_error()
    assert there(shared, schema) == local(log_path)
    assert len(local(log_path)) == 4
    names = dict(shared.sql(f'SELECT organization, name FROM "{schema}".organizations'))
    assert names == {"org-a": "Alpha", "org-sim-studio": "Fernhill Studio (simulated)"}
    shell.run_cell("%%stability_cost render\nx = 1").raise_error()
    assert there(shared, schema) == local(log_path)
    ((label, spent),) = shared.sql(f'SELECT label, spent FROM "{schema}".costs')
    assert (label, spent) == ("render", 0.0)


def test_neither_key_nor_fingerprint_nor_address_goes_there(shared, schema, api, log_path, shell):
    """Readings of a key whose organization is not known wait here until it is."""
    from stability_magic import StabilityClient

    with StabilityClient(api.api_key, api_url=api.url) as client:
        fingerprint = client.key_fingerprint
    unknown = Balance(None, 7.0, NOON, "https://x", fingerprint)
    BalanceLog(log_path).append(unknown)
    frame = shell.run_cell("%stability_sync").result
    assert frame["readings"].tolist() == [0]
    assert there(shared, schema) == set()
    shell.run_cell("%stability_balance").raise_error()
    assert len(there(shared, schema)) == 2
    everything = [
        shared.sql(f'SELECT * FROM "{schema}".{table}')
        for table in ("readings", "costs", "organizations", "migrations")
    ]
    for secret in (fingerprint, api.api_key, "@", "key:"):
        assert secret not in str(everything)


def test_unknown_readings_are_counted(shared, api, log_path, shell, capsys):
    """And shown where the local log is asked."""
    BalanceLog(log_path).append(Balance(None, 7.0, NOON, "https://x", "unknown"))
    shell.run_cell("%stability_sync").raise_error()
    assert "1 reading cannot be sent: whose they are is not known yet" in capsys.readouterr().err
    assert len(shell.run_cell("%stability_history --since all --local").result) == 1
    assert len(shell.run_cell("%stability_history --since all").result) == 0


def test_what_was_there_at_first_is_sent_in_bulk_and_counted(shared, schema, log_path, shell):
    """Again is harmless, also with everything."""
    BalanceLog(log_path).write(readings(1500))
    first = shell.run_cell("%stability_sync").result
    again = shell.run_cell("%stability_sync").result
    whole = shell.run_cell("%stability_sync --again").result
    counts = [
        tuple(each[["readings", "known", "organizations"]].iloc[0])
        for each in (first, again, whole)
    ]
    assert counts == [(1500, 0, 1), (0, 0, 0), (0, 1500, 0)]
    assert there(shared, schema) == local(log_path)


def test_two_machines_share_one_history(shared, schema, tmp_path, monkeypatch, api):
    """Each sees what the other took, and which machine it was, also with clocks an hour apart."""
    for number, host in enumerate(("laptop", "hub")):
        monkeypatch.setenv("STABILITY_MAGIC_LOG", str(tmp_path / f"{host}.db"))
        monkeypatch.setenv("STABILITY_MAGIC_HOST", host)
        late = Balance("org-sim-studio", 9.0, NOON + timedelta(hours=number), "https://x")
        BalanceLog(tmp_path / f"{host}.db").append(late)
        command = [sys.executable, "-m", "stability_magic", "balance", "--since", "all", "--host"]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    rows = done.stdout.splitlines()
    assert len(rows) == 1 + 4
    assert [row.rsplit(",", 1)[1] for row in rows[1:]] == ["laptop", "hub", "laptop", "hub"]
    assert len(there(shared, schema)) == 4


def test_readings_at_one_instant_are_told_apart_by_their_ids(shared, schema, tmp_path):
    """Two clients read the same balance in the same microsecond."""
    for name in ("a", "b"):
        log = BalanceLog(tmp_path / f"{name}.db")
        log.write(readings(5))
        with opened(shared, schema) as there_:
            send(Outbox(log.path), there_, lambda done: None)
    assert len(there(shared, schema)) == 10


def test_a_copied_log_sends_nothing_twice(shared, schema, tmp_path):
    """Both went on separately."""
    import shutil

    first = BalanceLog(tmp_path / "a.db")
    first.write(readings(10))
    with opened(shared, schema) as one:
        send(Outbox(first.path), one, lambda done: None)
    second = BalanceLog(shutil.copy(first.path, tmp_path / "b.db"))
    first.write(readings(3, start=20))
    second.write(readings(4, start=30))
    for log in (first, second, first):
        with opened(shared, schema) as one:
            send(Outbox(log.path), one, lambda done: None)
    assert there(shared, schema) == local(first.path) | local(second.path)
    assert len(there(shared, schema)) == 17


def test_what_is_merged_is_sent(shared, schema, tmp_path, log_path, shell):
    """Whatever way a reading came into the local log."""
    other = BalanceLog(tmp_path / "other.db")
    other.write(readings(5))
    BalanceLog(log_path).write(readings(2, start=100))
    shell.run_cell("%stability_sync").raise_error()
    shell.run_cell(f"%stability_merge {other.path}").raise_error()
    shell.run_cell("%stability_sync").raise_error()
    assert there(shared, schema) == local(log_path)
    assert len(there(shared, schema)) == 7


def test_a_shared_log_that_was_made_anew_gets_everything(shared, schema, log_path, shell):
    """It gave itself another id."""
    BalanceLog(log_path).write(readings(5))
    shell.run_cell("%stability_sync").raise_error()
    shared.sql(f'DROP SCHEMA "{schema}" CASCADE')
    assert shell.run_cell("%stability_sync").result["readings"].tolist() == [5]
    assert there(shared, schema) == local(log_path)


def test_a_name_that_changed_is_told(shared, schema, log_path, shell):
    """The latest one is shown; what was seen earlier by another clock does not come back."""
    names = {}
    for name in ("Old", "New", "Old"):
        account = Account("user-1", "", (Organization("org-a", name, "OWNER", True),))
        start = 10 * len(names)
        BalanceLog(log_path).write(readings(2, start=start), account=account, key_fingerprint="f")
        frame = shell.run_cell("%stability_history --since all").result
        names[start] = set(frame["name"])
    assert list(names.values()) == [{"Old"}, {"New"}, {"Old"}]


def test_what_others_wrote_there_harms_no_terminal(shared, schema, log_path, shell, capsys):
    """Whoever may write to the database may write anything."""
    BalanceLog(log_path).write(readings(3))
    shell.run_cell("%stability_sync").raise_error()
    shared.sql(f'INSERT INTO "{schema}".organizations VALUES (%s, 1, %s)', "org-a", "\x1b[31mred")
    shared.sql(
        f'INSERT INTO "{schema}".readings'
        " VALUES ('odd\x1b', 1, gen_random_uuid(), 1.5, 'x', E'\\n\\x1b', E'\\r', E'\\x1b')"
    )
    shared.sql(f'INSERT INTO "{schema}".organizations VALUES (%s, 1, %s)', "odd\x1b", "a\nb")
    for line in ("history --since all --host", "usage --by month --since all", "forecast"):
        frame = shell.run_cell(f"%stability_{line}").result
        text = "".join(str(each) for each in frame.to_numpy().ravel())
        assert text.isprintable()
    assert "\x1b" not in capsys.readouterr().out
