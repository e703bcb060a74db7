"""A session's way to the shared log, after interrupts at any moment and across forks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("psycopg")

from ..helpers.project import ROOT

# Commands that reach the shared log; what each does when it is done.
_PREAMBLE = """
import gc, os, random, signal, sys, time
from stability_magic.session.session import Session
from stability_magic.settings import StabilityMagic

session = Session(StabilityMagic(), source="magic")

def reach():
    with session.command():
        answer = session._link.run_query(lambda shared: shared.costs(None, None))
    notes = session.take_notes()
    assert answer is not None and not notes, (answer, notes)

reach()
"""

# Raises at each instruction in turn of what opens, ends and closes a command.
_AT_EVERY_INSTRUCTION = (
    _PREAMBLE
    + """
FILES = ("session/shared_link.py", "contextlib.py", "shared_log/shared_log.py")
steps = 0
# Python 3.12 traces instructions only if a frame asked for it before the tracing began.
sys._getframe().f_trace_opcodes = True

def trace(frame, event, argument):
    global steps
    if not frame.f_code.co_filename.endswith(FILES):
        return None
    frame.f_trace_opcodes = True
    if event == "opcode":
        steps += 1
        if steps == at:
            raise KeyboardInterrupt
    return trace

at = interrupts = 0
kept = []
while True:
    at, steps = at + 1, 0
    # What one interrupt has broken must not hide what the next one would.
    session = Session(StabilityMagic(), source="magic")
    try:
        sys.settrace(trace)
        try:
            reach()
        finally:
            sys.settrace(None)
        break
    except KeyboardInterrupt as interrupt:
        # A notebook keeps the last traceback, and with it what its frames refer to.
        kept = [interrupt]
        interrupts += 1
    session.take_notes()
    reach()
print(interrupts)
"""
)

_AT_RANDOM_MOMENTS = (
    _PREAMBLE
    + """
def interrupt(*_):
    # Another thread may get the signal, and this one hear of it too late.
    if is_armed:
        raise KeyboardInterrupt

signal.signal(signal.SIGALRM, interrupt)
generator = random.Random(20261125)
interrupts, is_armed = 0, False
while interrupts < 100:
    begin = time.perf_counter()
    reach()
    duration = time.perf_counter() - begin
    try:
        try:
            is_armed = True
            signal.setitimer(signal.ITIMER_REAL, generator.uniform(1e-5, 1.1 * duration))
            reach()
        finally:
            is_armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt as error:
        kept = error
        interrupts += 1
    session.take_notes()
print(interrupts)
"""
)

# The child of a process that has a connection open does not use, close or cut it.
_FORK = (
    _PREAMBLE
    + """
from stability_magic import LogError

backend = "SELECT pg_backend_pid()"
with session.command():
    (shared,) = session._link.run_query(lambda shared: shared)
    (parents,) = shared._connection.execute(backend).fetchone()
    child = os.fork()
    if not child:
        code = 1
        try:
            assert shared.is_closed
            shared.close()
            try:
                shared.costs(None, None)
            except LogError as error:
                assert "was opened by another process" in str(error)
                code = 0
            (own,) = session._link.run_query(lambda shared: shared)
            assert own is not shared
            (childs,) = own._connection.execute(backend).fetchone()
            assert childs != parents
            del shared
            gc.collect()
        except BaseException as error:
            print("child:", repr(error), file=sys.stderr, flush=True)
            code = 1
    else:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert shared._connection.execute(backend).fetchone() == (parents,)
        assert session._link.run_query(lambda shared: shared) == (shared,)
if not child:
    # Past the end of the command, which would close a connection.
    os._exit(code)
assert session.take_notes() == []
reach()
print("done")
"""
)


def run(program):
    """What a program prints."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout.split()[-1]


def count_connections(server):
    """How many clients are connected."""
    ((count,),) = server.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stability_magic'"
    )
    return count


def test_an_interrupt_at_any_instruction_leaves_the_shared_log_in_use(shared, schema, log_path):
    """The next command reaches it, without a note."""
    assert int(run(_AT_EVERY_INSTRUCTION)) > 200
    assert count_connections(shared) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no SIGALRM")
def test_interrupts_at_random_moments_leave_the_shared_log_in_use(shared, schema, log_path):
    """A few hundred of them, also while the database is asked."""
    assert run(_AT_RANDOM_MOMENTS) == "100"
    assert count_connections(shared) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_process_has_a_connection_of_its_own(shared, schema, log_path):
    """The parent's goes on as if there were no child."""
    assert run(_FORK) == "done"
    assert count_connections(shared) == 0


def test_a_command_within_a_command_disturbs_none(shared, schema, log_path):
    """Both reach the shared log, and both connections are closed."""
    from stability_magic.session.session import Session
    from stability_magic.settings import StabilityMagic

    session = Session(StabilityMagic(), source="magic")
    with session.command():
        (outer,) = session._link.run_query(lambda shared: shared)
        with session.command():
            (inner,) = session._link.run_query(lambda shared: shared)
            assert not inner.is_closed
        assert inner.is_closed
        assert session._link.run_query(lambda shared: shared) == (outer,)
        assert not outer.is_closed
    assert outer.is_closed
    with pytest.raises(RuntimeError):
        session._link.run_query(lambda shared: shared)
    assert session.take_notes() == []
    session.close()
