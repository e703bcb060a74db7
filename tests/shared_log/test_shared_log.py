"""The shared log on a real PostgreSQL server: what is sent, what is read, and what stays secret."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

pytest.importorskip("psycopg")

from stability_magic import Account, Balance, BalanceLog, Organization
from stability_magic.log.outbox import Outbox
from stability_magic.shared_log.sync import send

from .logs import NOON, local_rows, make_readings, open_shared_log, shared_rows

ACCOUNT = Account("user-1", "me@example.com", (Organization("org-a", "Alpha", "OWNER", True),))


def test_a_reading_goes_to_both_logs_in_one_command(shared, schema, api, log_path, shell):
    """Along with all other readings, names and costs that the shared log lacks."""
    BalanceLog(log_path).write(make_readings(3), account=ACCOUNT, key_fingerprint="f1")
    shell.run_cell("%stability_balance").raise_error()
    assert shared_rows(shared, schema) == local_rows(log_path)
    assert len(local_rows(log_path)) == 4
    names = dict(shared.sql(f'SELECT organization, name FROM "{schema}".organizations'))
    assert names == {"org-a": "Alpha", "org-sim-studio": "Fernhill Studio (simulated)"}
    shell.run_cell("%%stability_cost render\nx = 1").raise_error()
    assert shared_rows(shared, schema) == local_rows(log_path)
    ((label, spent),) = shared.sql(f'SELECT label, spent FROM "{schema}".costs')
    assert (label, spent) == ("render", 0.0)


def test_neither_key_nor_fingerprint_nor_address_goes_there(shared, schema, api, log_path, shell):
    """Readings of a key whose organization is unknown wait until it is known."""
    from stability_magic import StabilityClient

    with StabilityClient(api.api_key, api_url=api.url) as client:
        fingerprint = client.key_fingerprint
    BalanceLog(log_path).append(Balance(None, 7.0, NOON, "https://x", fingerprint))
    frame = shell.run_cell("%stability_sync").result
    assert frame["readings"].tolist() == [0]
    assert shared_rows(shared, schema) == set()
    shell.run_cell("%stability_balance").raise_error()
    assert len(shared_rows(shared, schema)) == 2
    tables = [
        shared.sql(f'SELECT * FROM "{schema}".{table}')
        for table in ("readings", "costs", "organizations", "migrations")
    ]
    for secret in (fingerprint, api.api_key, "@", "key:"):
        assert secret not in str(tables)


def test_unknown_readings_are_counted(shared, api, log_path, shell, capsys):
    """They are shown when the local log is read."""
    BalanceLog(log_path).append(Balance(None, 7.0, NOON, "https://x", "unknown"))
    shell.run_cell("%stability_sync").raise_error()
    assert "1 reading cannot be sent: whose they are is not known yet" in capsys.readouterr().err
    assert len(shell.run_cell("%stability_history --since all --local").result) == 1
    assert len(shell.run_cell("%stability_history --since all").result) == 0


def test_what_was_there_at_first_is_sent_in_bulk_and_counted(shared, schema, log_path, shell):
    """Sending again does no harm, even if everything is sent again."""
    BalanceLog(log_path).write(make_readings(1500))
    commands = ("%stability_sync", "%stability_sync", "%stability_sync --again")
    frames = [shell.run_cell(each).result for each in commands]
    counts = [tuple(each[["readings", "known", "organizations"]].iloc[0]) for each in frames]
    assert counts == [(1500, 0, 1), (0, 0, 0), (0, 1500, 0)]
    assert shared_rows(shared, schema) == local_rows(log_path)


def test_two_machines_share_one_history(shared, schema, tmp_path, monkeypatch, api):
    """Each shows which machine took a reading, even if their clocks are an hour apart."""
    for number, host in enumerate(("laptop", "hub")):
        monkeypatch.setenv("STABILITY_MAGIC_LOG", str(tmp_path / f"{host}.db"))
        monkeypatch.setenv("STABILITY_MAGIC_HOST", host)
        balance = Balance("org-sim-studio", 9.0, NOON + timedelta(hours=number), "https://x")
        BalanceLog(tmp_path / f"{host}.db").append(balance)
        command = [sys.executable, "-m", "stability_magic", "balance", "--since", "all", "--host"]
        result = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    rows = result.stdout.splitlines()
    assert len(rows) == 1 + 4
    assert [row.split(",")[-2] for row in rows[1:]] == ["laptop", "hub", "laptop", "hub"]
    assert len(shared_rows(shared, schema)) == 4


def test_readings_at_one_instant_are_told_apart_by_their_ids(shared, schema, tmp_path):
    """Two clients may read the same balance in the same microsecond."""
    for name in ("a", "b"):
        log = BalanceLog(tmp_path / f"{name}.db")
        log.write(make_readings(5))
        with open_shared_log(shared, schema) as shared_log:
            send(Outbox(log.path), shared_log, lambda total: None)
    assert len(shared_rows(shared, schema)) == 10


def test_a_copied_log_sends_nothing_twice(shared, schema, tmp_path):
    """Even if both copies grow separately."""
    import shutil

    first = BalanceLog(tmp_path / "a.db")
    first.write(make_readings(10))
    with open_shared_log(shared, schema) as shared_log:
        send(Outbox(first.path), shared_log, lambda total: None)
    second = BalanceLog(shutil.copy(first.path, tmp_path / "b.db"))
    first.write(make_readings(3, start=20))
    second.write(make_readings(4, start=30))
    for log in (first, second, first):
        with open_shared_log(shared, schema) as shared_log:
            send(Outbox(log.path), shared_log, lambda total: None)
    assert shared_rows(shared, schema) == local_rows(first.path) | local_rows(second.path)
    assert len(shared_rows(shared, schema)) == 17


def test_what_is_merged_is_sent(shared, schema, tmp_path, log_path, shell):
    """It does not matter how a reading came into the local log."""
    other = BalanceLog(tmp_path / "other.db")
    other.write(make_readings(5))
    BalanceLog(log_path).write(make_readings(2, start=100))
    shell.run_cell("%stability_sync").raise_error()
    shell.run_cell(f"%stability_merge {other.path}").raise_error()
    shell.run_cell("%stability_sync").raise_error()
    assert shared_rows(shared, schema) == local_rows(log_path)
    assert len(shared_rows(shared, schema)) == 7


def test_a_shared_log_that_was_made_anew_gets_everything(shared, schema, log_path, shell):
    """It has another id."""
    BalanceLog(log_path).write(make_readings(5))
    shell.run_cell("%stability_sync").raise_error()
    shared.sql(f'DROP SCHEMA "{schema}" CASCADE')
    assert shell.run_cell("%stability_sync").result["readings"].tolist() == [5]
    assert shared_rows(shared, schema) == local_rows(log_path)


def test_a_name_that_changed_is_told(shared, schema, log_path, shell):
    """The latest name is shown, even if it is an old name again."""
    names = {}
    for name in ("Old", "New", "Old"):
        account = Account("user-1", "", (Organization("org-a", name, "OWNER", True),))
        start = 10 * len(names)
        BalanceLog(log_path).write(
            make_readings(2, start=start), account=account, key_fingerprint="f"
        )
        frame = shell.run_cell("%stability_history --since all").result
        names[start] = set(frame["name"])
    assert list(names.values()) == [{"Old"}, {"New"}, {"Old"}]


def test_what_others_wrote_there_harms_no_terminal(shared, schema, log_path, shell, capsys):
    """Other clients of the database may write anything."""
    BalanceLog(log_path).write(make_readings(3))
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
