"""A client that exists when a process forks: every process gets connections of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from ..helpers.errors import KEY
from .keep_alive import KeepAliveServer, balance_answer, organization_of

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

# What follows runs in a process of its own: this one has threads, which a fork does not copy.
START = """
import multiprocessing, os, signal, sys, threading
from stability_magic import StabilityClient

client = StabilityClient(sys.argv[1], api_url=sys.argv[2], timeout=20.0)

def ask(number, count):
    for _ in range(count):
        credits = client.balance(f"org-{number}").credits
        assert credits == number, f"org-{number} has the {credits:g} of another"
"""


def answer(connection, head):
    """Sends an answer in two pieces, so that two processes at one socket would mix theirs."""
    own = balance_answer(organization_of(head))
    connection.sendall(own[:40])
    connection.sendall(own[40:])


def run(script, server):
    """Runs a script to its end, where every warning is an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", START + textwrap.dedent(script), KEY, server.url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_children_and_parent_ask_at_once_about_different_organizations():
    """As under gunicorn: none gets the balance of another's organization."""
    with KeepAliveServer(answer) as server:
        done = run(
            """
            ask(0, 2)
            children = []
            for number in range(1, 7):
                if not (child := os.fork()):
                    try:
                        ask(number, 40)
                    except BaseException as error:
                        print(error, flush=True)
                        os._exit(1)
                    os._exit(0)
                children.append(child)
            ask(0, 40)
            statuses = [os.waitpid(each, 0)[1] for each in children]
            ask(0, 2)
            assert statuses == [0] * 6
            """,
            server,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    # One for each process: each child keeps its own, and the parent keeps the one that it had.
    assert server.connections == 7


def test_a_pool_of_processes_shares_a_client():
    """``multiprocessing`` with fork, and children that end in the ordinary way."""
    with KeepAliveServer(answer) as server:
        done = run(
            """
            def work(number):
                ask(number, 20)
                return number

            ask(0, 1)
            with multiprocessing.get_context("fork").Pool(4) as pool:
                assert sorted(pool.map(work, range(1, 13), chunksize=3)) == list(range(1, 13))
            ask(0, 1)
            client.close()
            """,
            server,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("way", ["client.close()", "del client", "pass", "ask(1, 1)"])
def test_a_child_that_ends_leaves_the_parents_connection_open(way):
    """Whether it closes the client, drops it, or leaves that to the end of Python."""
    with KeepAliveServer(answer) as server:
        done = run(
            f"""
            ask(0, 2)
            if not (child := os.fork()):
                {way}
                sys.exit()
            assert os.waitpid(child, 0)[1] == 0
            ask(0, 2)
            """,
            server,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert server.connections == (2 if "ask" in way else 1)


def test_a_fork_while_other_threads_ask_leaves_no_lock_behind():
    """The children ask, close and end; none waits for a thread that only the parent has."""
    with KeepAliveServer(answer) as server:
        done = run(
            """
            import warnings
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
            is_over = threading.Event()

            def go_on(number):
                while not is_over.is_set():
                    ask(number, 1)

            threads = [threading.Thread(target=go_on, args=(each,)) for each in range(1, 4)]
            for each in threads:
                each.start()
            children = []
            for number in range(10, 40):
                if not (child := os.fork()):
                    signal.alarm(60)
                    try:
                        ask(number, 3)
                        client.close()
                        del client
                    finally:
                        os._exit(1 if sys.exc_info()[0] else 0)
                children.append(child)
            statuses = [os.waitpid(each, 0)[1] for each in children]
            is_over.set()
            for each in threads:
                each.join()
            assert statuses == [0] * len(children), statuses
            """,
            server,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
