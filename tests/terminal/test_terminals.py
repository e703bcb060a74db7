"""In a real terminal of 80 columns: the command line, and IPython as a user starts it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stability_magic import Balance, BalanceLog, StabilityClient
from stability_magic.analysis.costs import Cost
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.models import to_microseconds

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(os.name == "nt", reason="for systems with pseudo-terminals"),
    # Python 3.12 and newer warn of forking a process with threads, which the simulator has. It is
    # harmless here: the fork executes another program at once.
    pytest.mark.filterwarnings("ignore:.* multi-threaded, use of forkpty:DeprecationWarning"),
]

COLUMNS = 80
TIMEOUT = 120  # seconds


class Terminals:
    """Processes, each in its own terminal."""

    def __init__(self) -> None:
        self._processes: list[Any] = []

    def start(self, *arguments: str) -> Any:
        """Starts Python with these arguments."""
        pexpect = pytest.importorskip("pexpect")
        environment = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")
        }
        process = pexpect.spawn(
            sys.executable,
            list(arguments),
            # No terminal answers when IPython asks for the position of the cursor.
            env=environment | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
            dimensions=(24, COLUMNS),
            encoding="utf-8",
            timeout=TIMEOUT,
        )
        self._processes.append(process)
        return process

    def run(self, *arguments: str) -> tuple[int, list[str]]:
        """The exit code of the command line, and the lines that it printed."""
        process = self.start("-m", "stability_magic", *arguments)
        lines = process.read().splitlines()
        process.close()
        return process.exitstatus, lines

    def close(self) -> None:
        """Ends the processes that are still running."""
        for each in self._processes:
            each.close(force=True)


@pytest.fixture
def terminals() -> Iterator[Terminals]:
    """Terminals that are closed after the test."""
    terminals = Terminals()
    yield terminals
    terminals.close()


LABEL = "a label that is longer than any column has room for"


@pytest.fixture
def log(api, log_path) -> None:
    """A log of the three organizations over the last four weeks, with the cost of one cell."""
    now = datetime.now(UTC)
    entries = [
        entry_from_balance(
            Balance(each.id, 25.5 * day * (index + 1), now - timedelta(days=day)), label=LABEL
        )
        for index, each in enumerate(api.organizations)
        for day in range(1, 28)
    ]
    started_at = to_microseconds(now - timedelta(hours=1))
    organization = entries[0].organization
    cost = Cost(
        organization, started_at, started_at + 9, 0.1, 24.5, True, LABEL, "a-cell-s-id", b"0" * 16
    )
    with StabilityClient(api.api_key, api_url=api.url) as client:
        BalanceLog(log_path).write(
            entries,
            account=client.account(),
            key_fingerprint=client.key_fingerprint,
            costs=[cost],
        )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("account", 0),
        ("balance -a", 0),
        ("balance --require 1000000", 3),
        ("balance --require 1000000 -o org-of-others", 1),
        ("history --host --since yesterday", 0),
        ("usage --by hour --since yesterday", 0),
        ("usage --by week", 0),
        ("forecast", 0),
        ("costs", 0),
        ("costs --summary", 0),
        ("history --since soon", 2),
    ],
)
@pytest.mark.usefixtures("log")
def test_no_line_is_wider_than_the_terminal(terminals, line, code):
    """Neither in tables nor in the lines above them, warnings and errors; no tracebacks."""
    exit_code, lines = terminals.run(*line.split())
    assert exit_code == code, lines
    assert max(map(len, lines)) <= COLUMNS, lines
    assert "Traceback" not in "\n".join(lines)


def test_the_demo_fits_the_terminal(terminals, tmp_path):
    """Except for the lines that name a file."""
    folder = tmp_path / "demo"
    exit_code, lines = terminals.run("demo", "--folder", str(folder))
    assert exit_code == 0, lines
    lines_with_files = [each for each in lines if str(folder) in each or sys.executable in each]
    assert len(lines_with_files) >= 3
    texts = [re.sub(r"\x1b\[[\d;]*m", "", each) for each in lines if each not in lines_with_files]
    assert not [each for each in texts if len(each) > COLUMNS]


@pytest.mark.usefixtures("api", "log_path")
def test_ipython_runs_the_magics_and_ends(terminals):
    """As with ``ipython -c``."""
    code = "%load_ext stability_magic\n%stability_balance"
    ipython = terminals.start("-m", "IPython", "--no-banner", "-c", code)
    output = ipython.read()
    ipython.close()
    assert ipython.exitstatus == 0
    assert "Fernhill Studio (simulated): " in output
    assert "read_at" in output
    assert "Traceback" not in output


@pytest.mark.usefixtures("api", "log_path")
def test_ipython_at_its_prompt(terminals):
    """Ctrl-C ends a cell but not the watch, and the watch does not delay the exit."""
    no_colours = "--TerminalInteractiveShell.colors=nocolor"
    ipython = terminals.start("-m", "IPython", "--no-banner", "--no-confirm-exit", no_colours)

    def enter(number: int, line: str, *expected: str) -> None:
        ipython.expect_exact(f"In [{number}]:")
        ipython.sendline(line)
        for each in expected:
            ipython.expect_exact(each)

    enter(1, "%load_ext stability_magic")
    enter(2, "%stability_balance", " credits ($", "first reading", "read_at")
    enter(3, "%stability_watch --every 10s", "nothing spent since", " · next ")
    # Written in two parts, because the prompt echoes the line. Short naps: Python does not notice
    # a signal that comes after its last look for one and before it falls asleep.
    naps = "[time.sleep(0.1) for _ in range(36_000)]"
    enter(4, f"import time; print('be' + 'gun', flush=True); {naps}", "begun")
    ipython.sendintr()
    enter(5, "%stability_watch --status", "nothing spent since", " · next ", "1 rows")
    enter(6, "exit")
    ipython.read()
    ipython.close()
    assert ipython.exitstatus == 0
