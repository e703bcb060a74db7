"""Every command and every magic, as somebody runs them who installed the wheel and no extra.

The python that runs this file has the package; nothing else is needed. The readings go to the log
in the home folder, and what is asked for beside them into the current folder.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from stability_magic._commands import COMMANDS
from stability_magic._simulator import Simulator

PROGRAMS = Path(sys.executable).parent
EXTRAS = ("adbc_driver_sqlite", "keyring", "psycopg", "pyarrow")

OTHER = {"STABILITY_MAGIC_LOG": "other.db"}
SHARED = {"STABILITY_MAGIC_SHARED_LOG": "postgresql://me@localhost/credits"}

# What is typed, with which variables, the exit code, and what is said.
LINES: tuple[tuple[str, dict[str, str], int, str], ...] = (
    ("account", {}, 0, "org-sim-studio"),
    ("balance --label first", {}, 0, "first reading"),
    ("balance --all", OTHER, 0, "first reading"),
    ("balance --require 500 --quiet", {}, 0, "org-sim-studio"),
    ("balance --require 999999", {}, 3, "LowBalanceError: "),
    ("history --format json", {}, 0, '"label": "first"'),
    ("usage --by hour --format table", {}, 0, "spent"),
    ("forecast", {}, 0, "evidence"),
    ("plot --forecast --output usage.png", {}, 0, "usage.png"),
    ("plot --output usage.svg", {}, 0, "usage.svg"),
    ("costs --summary", {}, 0, "label"),
    ("merge other.db", {}, 0, "other.db"),
    ("sync", {}, 1, "SettingsError: No shared log is set"),
    ("sync", SHARED, 1, "install stability_magic[postgres]"),
    ("balance", SHARED, 1, "install stability_magic[postgres]"),
    ("login", {}, 2, "add --save"),
    ("login --save", {}, 1, "SettingsError: The key cannot be asked for here"),
    ("demo", {}, 0, "SIMULATED"),
)

CELLS = (
    "%load_ext stability_magic",
    "%stability_account",
    "%stability_balance",
    "%stability_history --since all",
    "%stability_usage --by week",
    "%stability_plot --forecast",
    "%stability_forecast",
    "%%stability_cost render --settle 0.1\nsum(range(10))",
    "%stability_costs",
    "%stability_watch --every 10s --plot",
    "%stability_watch --status",
    "%stability_watch --stop",
    "%stability_merge other.db",
    "%stability_demo",
    "%stability_demo --spend 24",
    "%stability_balance",
    "%stability_demo --stop",
)
REFUSED = ("%stability_sync", "%stability_login --save")

IN_IPYTHON = f"""
shell = get_ipython()
for cell in {CELLS!r}:
    shell.run_cell(cell).raise_error()
for cell in {REFUSED!r}:
    error = shell.run_cell(cell).error_in_exec
    assert type(error).__name__ == "SettingsError", error
"""


def command_line(typed: str, variables: dict[str, str], code: int, words: str) -> None:
    """Runs a line, without a terminal to ask for anything."""
    done = subprocess.run(
        [PROGRAMS / "stability-magic", *typed.split()],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, f"{typed}: {done.returncode}\n{said}"
    assert words in said, f"{typed}: {said}"
    assert "Traceback" not in said, said
    assert "Warning: " not in said, said


def on_a_terminal(typed: str, answer: bytes, code: int, words: str) -> None:
    """Runs a line that asks for something."""
    child, terminal = pty.fork()
    if child == 0:
        program = PROGRAMS / "stability-magic"
        os.execv(program, [program, *typed.split()])
    said = b""
    while b":" not in said:
        said += os.read(terminal, 1024)
    os.write(terminal, answer)
    try:
        while more := os.read(terminal, 1024):
            said += more
    except OSError:
        # So a terminal tells that whoever wrote to it has ended.
        pass
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == code, said
    assert words in said.decode(), said
    assert answer.strip() not in said
    assert b"Traceback" not in said, said


def watch() -> None:
    """Lets it take its first reading, and ends it as a service is ended."""
    with subprocess.Popen(
        [PROGRAMS / "stability-magic", "watch", "--every", "10m"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.terminate()
        said = first + process.stderr.read()
    assert "Fernhill Studio" in said, said
    assert process.returncode == 0, said
    assert "Traceback" not in said, said


def ipython() -> None:
    """Runs the magics, in a shell as it is when nobody has configured it."""
    done = subprocess.run(
        [PROGRAMS / "ipython", "--no-banner", "--colors=NoColor", "-c", IN_IPYTHON],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "render: 0.00 credits" in said, said
    assert "Traceback" not in said, said


def main() -> None:
    """Runs all of them on the simulator."""
    assert not [each for each in EXTRAS if find_spec(each)], "an extra is installed"
    with Simulator() as simulator:
        os.environ["STABILITY_API_HOST"] = simulator.url
        os.environ["STABILITY_API_KEY"] = simulator.api_key
        for line in LINES:
            command_line(*line)
        on_a_terminal("login --save", b"sk-of-a-stranger\n", 1, "stability_magic[keyring]")
        watch()
        ipython()
    typed = {line.split()[0] for line, *_ in LINES} | {"watch"}
    assert typed == {each.name for each in COMMANDS if each.place != "magic"}
    cells = {each.split()[0].lstrip("%") for each in (*CELLS, *REFUSED)} - {"load_ext"}
    assert cells == {f"stability_{each.name}" for each in COMMANDS if each.place != "command line"}


if __name__ == "__main__":
    main()
