"""Clients that send at the same time or are killed while sending: nothing is lost or doubled."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

pytest.importorskip("psycopg")

from stability_magic import Balance, BalanceLog

from ..helpers.project import ROOT
from .logs import (
    NOON,
    local_rows,
    make_readings,
    open_shared_log,
    raise_on_insert,
    run_command,
    shared_rows,
    start_sending,
)

pytestmark = pytest.mark.once

# Starts a hundred processes, one after the other, and kills each of them while it sends.
SEND_AND_KILL = """
import os, random, signal, sys, time
from datetime import UTC
from pathlib import Path
from stability_magic import BalanceLog
from stability_magic.shared_log import sync
from stability_magic.log.outbox import Outbox
from stability_magic.shared_log.shared_log import SharedLog
from stability_magic.shared_log.connection import target_from_address
from stability_magic.text import DatabaseAddress
from tests.shared_log.logs import make_readings
path, address, schema = sys.argv[1:]
sync._BATCH_SIZE = 5
generator = random.Random(20261125)
kills = 0
for number in range(100):
    BalanceLog(path).write(make_readings(60, start=60 * number))
    child = os.fork()
    if not child:
        shared = SharedLog(target_from_address(DatabaseAddress(address), schema), UTC)
        sync.send(Outbox(Path(path)), shared, lambda total: None)
        os._exit(0)
    time.sleep(generator.uniform(0, 0.08))
    os.kill(child, signal.SIGKILL)
    kills += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
print(kills)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_client_that_is_killed_a_hundred_times_loses_and_doubles_nothing(
    shared, schema, log_path
):
    """Whenever that happens; one sync afterwards makes both logs equal."""
    arguments = [str(log_path), shared.address(), schema]
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SEND_AND_KILL, *arguments],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
        cwd=ROOT,
    )
    assert int(result.stdout) > 50
    assert 0 < len(shared_rows(shared, schema)) < len(local_rows(log_path)) == 6000
    assert run_command("sync").returncode == 0
    assert shared_rows(shared, schema) == local_rows(log_path)


def test_two_processes_send_one_log_at_once(shared, schema, log_path):
    """While the log keeps growing."""
    log = BalanceLog(log_path)
    log.write(make_readings(3000))
    processes = [start_sending(log_path, shared, schema, batch_size=700) for _ in range(3)]
    for number in range(20):
        log.append(Balance("org-b", float(number), NOON, "https://x"))
    for each in processes:
        each.communicate(timeout=60)
    assert [each.returncode for each in processes] == [0, 0, 0]
    assert run_command("sync").returncode == 0
    assert shared_rows(shared, schema) == local_rows(log_path)


def test_ten_clients_make_the_tables_at_once(shared, schema, tmp_path):
    """In an empty database; none fails, and all get the same log."""
    ready = threading.Barrier(10)
    ids, errors = [], []

    def open_log():
        ready.wait()
        try:
            with open_shared_log(shared, schema) as log:
                ids.append(log.id)
        except Exception as error:
            errors.append(error)

    for _ in range(3):
        shared.sql(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
        ids.clear()
        threads = [threading.Thread(target=open_log) for _ in range(10)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert errors == []
        assert len(ids) == 10
        assert len(set(ids)) == 1


def test_what_others_are_busy_with_is_tried_again(shared, schema, log_path, shell):
    """The server rejects one of two clients that change the same rows, which may try again."""
    shell.run_cell("%stability_sync").raise_error()
    with open_shared_log(shared, schema):
        pass
    shared.sql(f'CREATE SEQUENCE "{schema}".tries')
    raise_on_insert(shared, schema, "40001", f"nextval('\"{schema}\".tries') IN (1, 2)")
    BalanceLog(log_path).write(make_readings(3))
    assert shell.run_cell("%stability_sync").result["readings"].tolist() == [3]
    assert shared_rows(shared, schema) == local_rows(log_path)
