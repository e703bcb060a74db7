"""Servers that are down, silent or stopped: one warning, and every reading is sent later."""

from __future__ import annotations

import itertools
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

pytest.importorskip("psycopg")

from stability_magic import BalanceLog
from stability_magic.shared_log import connection as connections
from stability_magic.shared_log.shared_log import SharedLog

from .logs import (
    local_rows,
    make_readings,
    run_command,
    shared_rows,
    start_sending,
    warning_lines,
)

pytestmark = pytest.mark.once


def test_a_server_that_is_away_costs_one_warning_and_nothing_else(
    stoppable_server, schema, api, log_path
):
    """The next command after the server is back sends everything."""
    stoppable_server.stop()
    begin = time.monotonic()
    for number in (1, 2):
        balance = run_command("balance")
        assert balance.returncode == 0
        (warning,) = warning_lines(balance)
        waits = "1 reading waits" if number == 1 else "2 readings wait"
        assert f"{waits} for it; the local log is used meanwhile." in warning
        assert len(balance.stdout.splitlines()) == 1 + number
    history = run_command("history")
    assert len(history.stdout.splitlines()) == 3
    assert len(warning_lines(history)) == 1
    assert warning_lines(run_command("history", "--local")) == []
    assert time.monotonic() - begin < 30
    sync = run_command("sync")
    assert sync.returncode == 1
    assert sync.stderr.startswith("LogError: The shared log postgresql://owner@")
    stoppable_server.start()
    balance = run_command("balance")
    assert warning_lines(balance) == []
    assert len(balance.stdout.splitlines()) == 4
    assert shared_rows(stoppable_server, schema) == local_rows(log_path)


def test_a_server_that_says_nothing_is_waited_for_three_seconds(schema, api, log_path):
    """The server accepts connections, but never sends anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        address = f"postgresql://me@127.0.0.1:{port}/db"
        result = run_command("balance", STABILITY_MAGIC_SHARED_LOG=address)
    assert result.returncode == 0
    (warning,) = warning_lines(result)
    assert "no answer within 3 seconds" in warning
    assert len(local_rows(log_path)) == 1


@contextmanager
def block_readings(server, schema, statement):
    """Another client locks the readings, so that INSERT or SELECT has to wait."""
    import psycopg

    mode = "SHARE" if statement == "INSERT" else "ACCESS EXCLUSIVE"
    with psycopg.connect(server.address()) as connection:
        connection.execute(f'LOCK TABLE "{schema}".readings IN {mode} MODE')
        yield
        connection.rollback()


def test_a_server_that_falls_silent_is_not_waited_for_for_ever(
    stoppable_server, schema, api, log_path, shell, monkeypatch, capsys
):
    """Neither when readings are sent nor when they are read."""
    shell.run_cell("%stability_balance").raise_error()
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.5)
    for statement in ("INSERT", "SELECT"):
        with block_readings(stoppable_server, schema, statement):
            capsys.readouterr()
            begin = time.monotonic()
            shell.run_cell("%stability_balance").raise_error()
            assert time.monotonic() - begin < 10
            errors = capsys.readouterr().err
        assert errors.count("stability_magic:") == 1
        assert "could not be reached" in errors
    shell.run_cell("%stability_balance").raise_error()
    assert capsys.readouterr().err == ""
    assert shared_rows(stoppable_server, schema) == local_rows(log_path)
    assert len(local_rows(log_path)) == 4


def test_a_server_that_ends_in_the_middle_of_a_long_send_loses_nothing(
    stoppable_server, schema, log_path
):
    """However it stops; readings that had arrived are there once."""
    BalanceLog(log_path).write(make_readings(4000))
    for stop_signal in (signal.SIGQUIT, signal.SIGINT):
        with start_sending(log_path, stoppable_server, schema, stderr=subprocess.PIPE) as process:
            for _ in range(5):
                process.stdout.readline()
            stoppable_server.stop(stop_signal)
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 1
            assert "could not be reached" in errors.splitlines()[-1]
        stoppable_server.start()
    rows = shared_rows(stoppable_server, schema)
    assert 0 < len(rows) < 4000
    assert rows < local_rows(log_path)
    assert run_command("sync").returncode == 0
    assert shared_rows(stoppable_server, schema) == local_rows(log_path)


def test_a_watch_tries_less_and_less_often(stoppable_server, schema, api, log_path, monkeypatch):
    """It still tells how many readings wait."""
    from stability_magic.session import shared_link
    from stability_magic.session.session import Session
    from stability_magic.settings import StabilityMagic

    session = Session(StabilityMagic(), source="magic")
    stoppable_server.stop()
    try_times = []
    monkeypatch.setattr(shared_link, "_RETRY_PAUSE", 0.4)
    original_init = SharedLog.__init__

    def record_try(self, *arguments):
        try_times.append(time.monotonic())
        original_init(self, *arguments)

    monkeypatch.setattr(SharedLog, "__init__", record_try)
    begin = time.monotonic()
    notes = []
    while time.monotonic() - begin < 3.5:
        with session.command(in_background=True):
            session.take_readings([None], source="watch")
        notes += session.take_notes()
        time.sleep(0.05)
    gaps = [later - earlier for earlier, later in itertools.pairwise(try_times)]
    assert 2 <= len(try_times) <= 6
    assert gaps == sorted(gaps)
    assert len(notes) > len(try_times)
    assert f"{len(notes)} readings wait for it" in notes[-1]
    stoppable_server.start()
    session._link._next_try = 0.0
    with session.command(in_background=True):
        session.take_readings([None], source="watch")
    assert session.take_notes() == []
    assert shared_rows(stoppable_server, schema) == local_rows(log_path)
    session.close()


def test_a_watch_goes_on_without_the_shared_log_and_tells(stoppable_server, schema, api, log_path):
    """It prints a line for each reading, and sends them when the server is back."""
    command = [sys.executable, "-m", "stability_magic", "watch", "--every", "10s"]
    stoppable_server.stop()
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        line = process.stderr.readline()
        assert "credits" in line
        assert "1 reading waits for it; the local log is used meanwhile." in line
        stoppable_server.start()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 1
    assert run_command("sync").returncode == 0
    assert shared_rows(stoppable_server, schema) == local_rows(log_path)
