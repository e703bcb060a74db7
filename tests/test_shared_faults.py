"""What can go wrong between a local log and the shared one: nothing is lost, nothing doubled."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("psycopg")

from stability_magic import Balance, BalanceLog, LogError
from stability_magic import _shared_connection as connections
from stability_magic._log_outbox import Outbox
from stability_magic._shared import SharedLog
from stability_magic._shared_connection import target_of
from stability_magic._sync import send
from stability_magic._text import Address

from ._support import assert_is_told_well
from .test_shared_log import local, opened, readings, there

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
README = Path(__file__).parent.parent / "README.md"

# Sends with small batches, so that there is much to be cut off.
SENDS = """
import sys
from contextlib import closing
from datetime import UTC
from pathlib import Path
from stability_magic import _sync
from stability_magic._log_outbox import Outbox
from stability_magic._shared import SharedLog
from stability_magic._shared_connection import target_of
from stability_magic._text import Address
path, address, schema, batch = sys.argv[1:]
_sync._BATCH = int(batch)
with closing(SharedLog(target_of(Address(address), schema), UTC)) as shared:
    print("open", flush=True)
    _sync.send(Outbox(Path(path)), shared, lambda done: print(done, flush=True))
"""


def sending(path, server, schema, batch=50, **options):
    """A process that sends."""
    command = [sys.executable, "-c", SENDS, str(path), server.address(), schema, str(batch)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", **options)


def stability(*arguments, **environment):
    """The command line, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "stability_magic", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env=os.environ | environment,
    )


def warnings(done):
    """What the command line warned of."""
    return [line for line in done.stderr.splitlines() if line.startswith("stability-magic:")]


@pytest.fixture
def own(own_postgres, schema, monkeypatch):
    """A server of the test's own, which the environment points at."""
    monkeypatch.setenv("STABILITY_MAGIC_SHARED_LOG", own_postgres.address())
    return own_postgres


def test_a_server_that_is_away_costs_one_warning_and_nothing_else(own, schema, api, log_path):
    """At the start, and when it went away; the next command after its return sends it all."""
    own.stop()
    begin = time.monotonic()
    for number in (1, 2):
        done = stability("balance")
        assert done.returncode == 0
        (warning,) = warnings(done)
        waits = "1 reading waits" if number == 1 else "2 readings wait"
        assert f"{waits} for it; the local log is used meanwhile." in warning
        assert len(done.stdout.splitlines()) == 1 + number
    history = stability("history")
    assert len(history.stdout.splitlines()) == 3
    assert len(warnings(history)) == 1
    assert warnings(stability("history", "--local")) == []
    assert time.monotonic() - begin < 30
    failed = stability("sync")
    assert failed.returncode == 1
    assert failed.stderr.startswith("LogError: The shared log postgresql://owner@")
    own.start()
    done = stability("balance")
    assert warnings(done) == []
    assert len(done.stdout.splitlines()) == 4
    assert there(own, schema) == local(log_path)


def test_a_server_that_says_nothing_is_waited_for_three_seconds(schema, api, log_path):
    """It takes connections, and that is all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        begin = time.monotonic()
        address = f"postgresql://me@127.0.0.1:{port}/db"
        done = stability("balance", STABILITY_MAGIC_SHARED_LOG=address)
        assert time.monotonic() - begin < connections.REACHED_WITHIN + 4
    assert done.returncode == 0
    (warning,) = warnings(done)
    assert "no answer within 3 seconds" in warning
    assert len(local(log_path)) == 1


def test_a_server_that_falls_silent_is_not_waited_for_for_ever(
    own, schema, api, log_path, shell, monkeypatch, capsys
):
    """Neither while readings are sent to it nor while they are read."""
    shell.run_cell("%stability_balance").raise_error()
    monkeypatch.setattr(connections, "ANSWERED_WITHIN", 0.5)
    for silent in ("INSERT", "SELECT"):
        own.sql(f'DROP TABLE IF EXISTS "{schema}".slow')
        with hanging(own, schema, silent):
            capsys.readouterr()
            begin = time.monotonic()
            shell.run_cell("%stability_balance").raise_error()
            assert time.monotonic() - begin < 10
            told = capsys.readouterr().err
        assert told.count("stability_magic:") == 1
        assert "could not be reached" in told
    shell.run_cell("%stability_balance").raise_error()
    assert capsys.readouterr().err == ""
    assert there(own, schema) == local(log_path)
    assert len(local(log_path)) == 4


@contextmanager
def hanging(server, schema, what):
    """Another client holds the table that is needed."""
    import psycopg

    mode = "SHARE" if what == "INSERT" else "ACCESS EXCLUSIVE"
    with psycopg.connect(server.address()) as connection:
        connection.execute(f'LOCK TABLE "{schema}".readings IN {mode} MODE')
        yield
        connection.rollback()


def test_a_server_that_ends_in_the_middle_of_a_long_send_loses_nothing(own, schema, log_path):
    """Whether it says good-bye or not; what had arrived is there once."""
    BalanceLog(log_path).write(readings(4000))
    for how in (signal.SIGQUIT, signal.SIGINT):
        with sending(log_path, own, schema, stderr=subprocess.PIPE) as process:
            for _ in range(5):
                process.stdout.readline()
            own.stop(how)
            _, told = process.communicate(timeout=60)
            assert process.returncode == 1
            assert "could not be reached" in told.splitlines()[-1]
        own.start()
    some = there(own, schema)
    assert 0 < len(some) < 4000
    assert some < local(log_path)
    assert stability("sync").returncode == 0
    assert there(own, schema) == local(log_path)


# A hundred processes one after the other, of which each is killed while it sends.
IS_KILLED = """
import os, random, signal, sys, time
from datetime import UTC
from pathlib import Path
from stability_magic import BalanceLog, _sync
from stability_magic._log_outbox import Outbox
from stability_magic._shared import SharedLog
from stability_magic._shared_connection import target_of
from stability_magic._text import Address
from tests.test_shared_log import readings
path, address, schema = sys.argv[1:]
_sync._BATCH = 5
chance = random.Random(20261125)
in_time = 0
for number in range(100):
    BalanceLog(path).write(readings(60, start=60 * number))
    child = os.fork()
    if not child:
        shared = SharedLog(target_of(Address(address), schema), UTC)
        _sync.send(Outbox(Path(path)), shared, lambda done: None)
        os._exit(0)
    time.sleep(chance.uniform(0, 0.08))
    os.kill(child, signal.SIGKILL)
    in_time += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
print(in_time)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_client_that_is_killed_a_hundred_times_loses_and_doubles_nothing(
    shared, schema, log_path
):
    """At any moment of its sending; afterwards one sync makes both logs the same."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IS_KILLED, str(log_path), shared.address(), schema],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    assert int(done.stdout) > 50
    assert 0 < len(there(shared, schema)) < len(local(log_path)) == 6000
    assert stability("sync").returncode == 0
    assert there(shared, schema) == local(log_path)


def test_two_processes_send_one_log_at_once(shared, schema, log_path):
    """While it goes on growing."""
    log = BalanceLog(log_path)
    log.write(readings(3000))
    running = [sending(log_path, shared, schema, batch=700) for _ in range(3)]
    for number in range(20):
        log.append(Balance("org-b", float(number), NOON, "https://x"))
    for each in running:
        each.communicate(timeout=60)
    assert [each.returncode for each in running] == [0, 0, 0]
    assert stability("sync").returncode == 0
    assert there(shared, schema) == local(log_path)


def test_ten_clients_make_the_tables_at_once(shared, schema, tmp_path):
    """On an empty database: none fails, and all mean the same log."""
    ready = threading.Barrier(10)
    ids, errors = [], []

    def client():
        ready.wait()
        try:
            with opened(shared, schema) as log:
                ids.append(log.id)
        except Exception as error:
            errors.append(error)

    for _ in range(3):
        shared.sql(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
        ids.clear()
        threads = [threading.Thread(target=client) for _ in range(10)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert errors == []
        assert len(ids) == 10
        assert len(set(ids)) == 1


def answers_with(server, schema, code, when="true"):
    """Lets the server refuse readings with an error of its own."""
    server.sql(
        f'CREATE OR REPLACE FUNCTION "{schema}".refuse() RETURNS trigger LANGUAGE plpgsql AS $$'
        f" BEGIN IF {when} THEN RAISE EXCEPTION 'made up' USING ERRCODE = '{code}'; END IF;"
        " RETURN NEW; END $$"
    )
    server.sql(
        f'CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON "{schema}".readings'
        f' FOR EACH ROW EXECUTE FUNCTION "{schema}".refuse()'
    )


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("53100", "could not be written: the disk of its server is full"),
        ("53300", "has no room left for this (made up)"),
        ("25006", "can only be read: its server is a copy"),
        ("XX000", "cannot be used (made up)"),
    ],
)
@pytest.mark.parametrize("count", [3, 900])
def test_what_the_server_refuses_waits(
    shared, schema, api, log_path, shell, capsys, code, told, count
):
    """One warning with the reason; the shared log can still be read."""
    log = BalanceLog(log_path)
    log.write(readings(1, start=5000))
    shell.run_cell("%stability_sync").raise_error()
    answers_with(shared, schema, code)
    log.write(readings(count))
    capsys.readouterr()
    assert len(shell.run_cell("%stability_history --since all").result) == 1
    (warning,) = capsys.readouterr().err.splitlines()
    assert told in warning
    assert warning.endswith(f"{count} readings wait for it.")
    shared.sql(f'DROP TRIGGER refuse ON "{schema}".readings')
    shell.run_cell("%stability_sync").raise_error()
    assert there(shared, schema) == local(log_path)


# Roles


@pytest.fixture
def roles(shared, schema):
    """A shared log with the roles of the README."""
    with opened(shared, schema):
        pass
    for role in ("writer", "reader", "nobody"):
        shared.sql(
            f"DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN END $$"
        )
    grants = README.read_text(encoding="utf-8").split("```sql\n")[1].split("```")[0]
    shared.sql(grants.replace("stability_magic", f'"{schema}"'))
    return shared


@pytest.mark.parametrize("temporary", [True, False])
def test_a_writer_needs_insert_and_select_alone(roles, schema, log_path, temporary):
    """Without tables of its own it sends row by row."""
    verb = (
        "GRANT TEMPORARY ON DATABASE postgres TO"
        if temporary
        else ("REVOKE TEMPORARY ON DATABASE postgres FROM")
    )
    roles.sql(f"{verb} PUBLIC")
    log = BalanceLog(log_path)
    log.write(readings(1200))
    try:
        with opened(roles, schema, user="writer") as shared:
            assert send(Outbox(log_path), shared, lambda done: None).readings == 1200
            log.write(readings(3, start=5000))
            assert send(Outbox(log_path), shared, lambda done: None).readings == 3
            assert len(shared.covering(None, None, None)) == 1203
    finally:
        roles.sql("GRANT TEMPORARY ON DATABASE postgres TO PUBLIC")
    assert there(roles, schema) == local(log_path)


def test_a_reader_needs_select_alone(roles, schema, log_path, api, shell, capsys, monkeypatch):
    """What it cannot send waits, and it reads what is there."""
    log = BalanceLog(log_path)
    log.write(readings(5))
    with opened(roles, schema) as shared:
        send(Outbox(log_path), shared, lambda done: None)
    log.path.unlink()
    monkeypatch.setenv("STABILITY_MAGIC_SHARED_LOG", roles.address("reader"))
    assert len(shell.run_cell("%stability_history --since all").result) == 5
    assert capsys.readouterr().err == ""
    assert not log.path.exists()
    log.write(readings(2, start=50))
    assert len(shell.run_cell("%stability_history --since all").result) == 5
    (warning,) = capsys.readouterr().err.splitlines()
    assert "does not let this user do that" in warning
    assert warning.endswith("2 readings wait for it.")


def test_a_role_without_rights_is_told_so(roles, schema):
    """And one that may not make the tables."""
    for name in (schema, "not there"):
        with pytest.raises(LogError, match="does not let this user do that") as caught:
            SharedLog(target_of(Address(roles.address("nobody")), name), UTC)
        assert_is_told_well(caught.value)


def test_a_wrong_password_is_told_without_it(own, schema, log_path, monkeypatch):
    """In no message and no variable of the traceback; PGPASSFILE and PGPASSWORD work."""
    own.sql("CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'right-one'")
    own.allow("local all keeper scram-sha-256")
    for secret in ("wrong-one", ""):
        with pytest.raises(LogError, match="password") as caught:
            SharedLog(target_of(Address(own.address("keeper", secret)), schema), UTC)
        assert_is_told_well(caught.value, secret or "right-one")
    address = Address(own.address("keeper"))
    passwords = log_path.parent.parent / "pgpass"
    passwords.write_text("*:*:*:keeper:right-one\n")
    passwords.chmod(0o600)
    for name, value in (("PGPASSFILE", str(passwords)), ("PGPASSWORD", "right-one")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            SharedLog(target_of(address, schema), UTC).close()


def test_a_newer_shared_log_is_left_as_it_is(shared, schema, api, log_path, shell, capsys):
    """One line says so, and the local log is used."""
    with opened(shared, schema):
        shared.sql(
            f"INSERT INTO \"{schema}\".migrations VALUES ('m999_later', gen_random_uuid(), 0)"
        )
    shell.run_cell("%stability_balance").raise_error()
    (warning,) = capsys.readouterr().err.splitlines()
    assert "is of a newer version of stability_magic (it has m999_later)" in warning
    assert "1 reading waits for it" in warning
    assert there(shared, schema) == set()
    result = shell.run_cell("%stability_sync")
    assert_is_told_well(result.error_in_exec)


def test_a_watch_tries_less_and_less_often(own, schema, api, log_path, monkeypatch):
    """And still says how much waits."""
    from stability_magic import _link
    from stability_magic._session import Session
    from stability_magic._settings import StabilityMagic

    session = Session(StabilityMagic(), source="magic")
    own.stop()
    tries = []
    monkeypatch.setattr(_link, "_PAUSE", 0.4)
    original = SharedLog.__init__

    def counted(self, *arguments):
        tries.append(time.monotonic())
        original(self, *arguments)

    monkeypatch.setattr(SharedLog, "__init__", counted)
    begin = time.monotonic()
    told = []
    while time.monotonic() - begin < 3.5:
        with session.command(patient=True):
            session.take([None], source="watch")
        told += session.take_notes()
        time.sleep(0.05)
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert 2 <= len(tries) <= 6
    assert gaps == sorted(gaps)
    assert len(told) > len(tries)
    assert f"{len(told)} readings wait for it" in told[-1]
    own.start()
    session._link._next_try = 0.0
    with session.command(patient=True):
        session.take([None], source="watch")
    assert session.take_notes() == []
    assert there(own, schema) == local(log_path)
    session.close()


def test_a_local_log_that_cannot_be_written_keeps_nothing_from_the_shared_one(
    shared, schema, api, log_path, shell, capsys
):
    """The reading is told of, shown, and in the shared log; later in both."""
    shell.run_cell("%stability_balance").raise_error()
    capsys.readouterr()
    log_path.rename(log_path.with_suffix(".away"))
    log_path.mkdir()
    frame = shell.run_cell("%stability_balance").result
    assert len(frame) == 2
    assert "not in the log yet but in the frame" in capsys.readouterr().err
    assert len(there(shared, schema)) == 2
    log_path.rmdir()
    log_path.with_suffix(".away").rename(log_path)
    shell.run_cell("%stability_balance").raise_error()
    assert there(shared, schema) == local(log_path)
    assert len(local(log_path)) == 3


def test_what_fails_only_while_it_is_read_is_read_here(
    roles, schema, log_path, api, shell, capsys, monkeypatch
):
    """A role that may insert and not look: the local log answers, and one warning says so."""
    roles.sql(f'REVOKE SELECT ON "{schema}".readings, "{schema}".costs FROM writer')
    monkeypatch.setenv("STABILITY_MAGIC_SHARED_LOG", roles.address("writer"))
    BalanceLog(log_path).write(readings(4))
    for line in ("history --since all", "usage --since all", "costs --since all"):
        shell.run_cell(f"%stability_{line}").raise_error()
        (warning,) = capsys.readouterr().err.splitlines()
        assert "does not let this user do that" in warning
        assert "0 readings wait for it; the local log is used meanwhile." in warning
    assert len(shell.run_cell("%stability_history --since all").result) == 4
    assert len(there(roles, schema)) == 4


def test_one_log_under_two_names_is_one_log(roles, schema, log_path, shell, monkeypatch):
    """It is known by the id that it gave itself, not by its address."""
    BalanceLog(log_path).write(readings(4))
    sent = []
    for user in ("owner", "writer", "owner"):
        monkeypatch.setenv("STABILITY_MAGIC_SHARED_LOG", roles.address(user))
        frame = shell.run_cell("%stability_sync").result
        sent.append((frame["readings"].iloc[0], frame["known"].iloc[0]))
    assert sent == [(4, 0), (0, 0), (0, 0)]


def test_what_others_are_busy_with_is_tried_again(shared, schema, log_path, shell):
    """The server gives up one of two at the same rows, and says that it may succeed later."""
    shell.run_cell("%stability_sync").raise_error()
    with opened(shared, schema):
        pass
    shared.sql(f'CREATE SEQUENCE "{schema}".tries')
    answers_with(shared, schema, "40001", f"nextval('\"{schema}\".tries') IN (1, 2)")
    BalanceLog(log_path).write(readings(3))
    assert shell.run_cell("%stability_sync").result["readings"].tolist() == [3]
    assert there(shared, schema) == local(log_path)


def test_a_shared_log_that_is_never_met_again_is_forgotten(shared, schema, log_path, shell):
    """What it would lack is not noted for ever."""
    log = BalanceLog(log_path)
    log.write(readings(2))
    shell.run_cell("%stability_sync").raise_error()
    with closing(sqlite3.connect(log_path)) as connection, connection:
        connection.execute("UPDATE shared_logs SET reached_at = 0")
    shared.sql(f'DROP SCHEMA "{schema}" CASCADE')
    log.write(readings(3, start=10))
    shell.run_cell("%stability_sync").raise_error()
    with closing(sqlite3.connect(log_path)) as connection:
        assert connection.execute("SELECT count(*) FROM shared_logs").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM unsent_readings").fetchone() == (0,)
    assert there(shared, schema) == local(log_path)


def test_the_demo_is_shared_with_nobody(shared, schema, api, log_path, shell):
    """Its readings are made up."""
    shell.run_cell("%stability_demo").raise_error()
    shell.run_cell("%stability_balance").raise_error()
    result = shell.run_cell("%stability_sync")
    assert_is_told_well(result.error_in_exec)
    shell.run_cell("%stability_demo --stop").raise_error()
    assert shared.sql("SELECT 1 FROM pg_namespace WHERE nspname = %s", schema) == []


def test_a_watch_goes_on_without_the_shared_log_and_tells(own, schema, api, log_path):
    """On the command line: a line for each reading; and it is sent when the server is back."""
    command = [sys.executable, "-m", "stability_magic", "watch", "--every", "10s"]
    own.stop()
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        line = process.stderr.readline()
        assert "credits" in line
        assert "1 reading waits for it; the local log is used meanwhile." in line
        own.start()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 1
    assert stability("sync").returncode == 0
    assert there(own, schema) == local(log_path)
