"""In a real terminal of 80 columns: the command line, and IPython as a person starts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stability_magic import Balance, BalanceLog, StabilityClient
from stability_magic._costs import Cost
from stability_magic._log import entry
from stability_magic._readings import microseconds

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="for systems with pseudo-terminals"),
    # From Python 3.12 on: the simulator has threads, and what is forked becomes another program.
    pytest.mark.filterwarnings("ignore:.* multi-threaded, use of forkpty:DeprecationWarning"),
]

COLUMNS = 80
PATIENCE = 120


class Terminals:
    """Processes, each in a terminal of its own."""

    def __init__(self) -> None:
        self._started: list[Any] = []

    def start(self, *arguments: str) -> Any:
        """Starts Python with arguments."""
        pexpect = pytest.importorskip("pexpect")
        environment = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")
        }
        started = pexpect.spawn(
            sys.executable,
            list(arguments),
            # Nobody is here to tell where the cursor is.
            env=environment | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
            dimensions=(24, COLUMNS),
            encoding="utf-8",
            timeout=PATIENCE,
        )
        self._started.append(started)
        return started

    def run(self, *arguments: str) -> tuple[int, list[str]]:
        """The exit code of the command line, and the lines it wrote."""
        started = self.start("-m", "stability_magic", *arguments)
        lines = started.read().splitlines()
        started.close()
        return started.exitstatus, lines

    def close(self) -> None:
        """Ends those that have not ended."""
        for each in self._started:
            each.close(force=True)


@pytest.fixture
def terminals() -> Iterator[Terminals]:
    """Terminals that are closed in the end."""
    terminals = Terminals()
    yield terminals
    terminals.close()


LABEL = "a label that is longer than any column has room for"


@pytest.fixture
def log(api, log_path) -> None:
    """A log of the three organizations, of four weeks until now, and of a cell."""
    now = datetime.now(UTC)
    entries = [
        entry(Balance(each.id, 25.5 * day * (at + 1), now - timedelta(days=day)), label=LABEL)
        for at, each in enumerate(api.organizations)
        for day in range(1, 28)
    ]
    began = microseconds(now - timedelta(hours=1))
    whose = entries[0].organization
    cost = Cost(whose, began, began + 9, 0.1, 24.5, True, LABEL, "a-cell-s-id", b"0" * 16)
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
    """Tables, the lines above them, warnings and errors, and nothing is a traceback."""
    ended, lines = terminals.run(*line.split())
    assert ended == code, lines
    assert max(map(len, lines)) <= COLUMNS, lines
    assert "Traceback" not in "\n".join(lines)


def test_the_demo_fits_the_terminal(terminals, tmp_path):
    """But for the lines that name a file."""
    folder = tmp_path / "demo"
    ended, lines = terminals.run("demo", "--folder", str(folder))
    assert ended == 0, lines
    named = [each for each in lines if str(folder) in each]
    assert len(named) >= 3
    assert not [each for each in lines if len(each) > COLUMNS and each not in named]


@pytest.mark.usefixtures("api", "log_path")
def test_ipython_runs_the_magics_and_ends(terminals):
    """As ``ipython -c`` does."""
    code = "%load_ext stability_magic\n%stability_balance"
    started = terminals.start("-m", "IPython", "--no-banner", "-c", code)
    shown = started.read()
    started.close()
    assert started.exitstatus == 0
    assert "Fernhill Studio (simulated): " in shown
    assert "read_at" in shown
    assert "Traceback" not in shown


@pytest.mark.usefixtures("api", "log_path")
def test_ipython_at_its_prompt(terminals):
    """A watch outlives the cell that Ctrl-C ends, and keeps nobody from leaving."""
    colours = "--TerminalInteractiveShell.colors=nocolor"
    ipython = terminals.start("-m", "IPython", "--no-banner", "--no-confirm-exit", colours)

    def enter(number: int, line: str, *shown: str) -> None:
        ipython.expect_exact(f"In [{number}]:")
        ipython.sendline(line)
        for each in shown:
            ipython.expect_exact(each)

    enter(1, "%load_ext stability_magic")
    enter(2, "%stability_balance", " credits ($", "first reading", "read_at")
    enter(3, "%stability_watch --every 10s", "nothing spent since", " · next ", "1 rows")
    # The prompt repeats what is typed, and this does not look like what it prints.
    enter(4, "print('be' + 'gun', flush=True); import time; time.sleep(3600)", "begun")
    ipython.sendintr()
    enter(5, "%stability_watch --status", "nothing spent since", " · next ", "1 rows")
    enter(6, "exit")
    ipython.read()
    ipython.close()
    assert ipython.exitstatus == 0
