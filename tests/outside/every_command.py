"""Every command and every magic, for a user who installed the wheel without extras.

It needs nothing but a Python with the package installed. The readings go to the log in the home
folder, and the files that commands write on request to the current folder.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from stability_magic.commands.declarations import COMMANDS
from stability_magic.simulator.simulator import Simulator

PROGRAMS = Path(sys.executable).parent
EXTRAS = ("adbc_driver_sqlite", "apprise", "keyring", "psycopg", "pyarrow")

OTHER_LOG = {"STABILITY_MAGIC_LOG": "other.db"}
TOLD_BY_COMMAND = {"STABILITY_MAGIC_NOTIFY": '["cat"]'}
TOLD_BY_MAIL = {"STABILITY_MAGIC_NOTIFY": "mailto://me:secret@example.org"}
SHARED_LOG = {"STABILITY_MAGIC_SHARED_LOG": "postgresql://me@localhost/credits"}

# The arguments, environment variables, the exit code, and a part of the output.
LINES: tuple[tuple[str, dict[str, str], int, str], ...] = (
    ("account", {}, 0, "org-sim-studio"),
    ("balance --label first", {}, 0, "first reading"),
    ("status", {}, 0, "Fernhill Studio (simulated)"),
    ("balance --all", OTHER_LOG, 0, "first reading"),
    ("balance --require 500 --quiet", {}, 0, "org-sim-studio"),
    ("balance --require 999999", {}, 3, "LowBalanceError: "),
    ("history --format json", {}, 0, '"label": "first"'),
    ("usage --by hour --format table", {}, 0, "spent"),
    ("forecast", {}, 0, "evidence"),
    ("prices --since all", {}, 0, "creative-upscale"),
    ("estimate 40 ultra + 12 creative-upscale", {}, 0, "1,040.00 credits ($10.40)"),
    ("estimate 40 utlra", {}, 2, "did you mean ultra?"),
    ("plot --forecast --output usage.png", {}, 0, "usage.png"),
    ("plot --output usage.svg", {}, 0, "usage.svg"),
    ("budget 900000 --every month --check", {}, 0, "a budget of 900,000.00 credits"),
    ("costs --summary", {}, 0, "label"),
    ("team --since 7d", {}, 0, "(elsewhere)"),
    ("notify", {}, 1, "SettingsError: Nobody is told"),
    ("notify --test", TOLD_BY_COMMAND, 0, "1. the command cat: delivered"),
    ("notify --digest daily", TOLD_BY_COMMAND, 0, "1. the command cat: delivered"),
    ("notify --digest daily", TOLD_BY_COMMAND, 0, "was sent before"),
    ("notify --test", TOLD_BY_MAIL, 1, "install stability_magic[notify]"),
    ("balance", TOLD_BY_MAIL, 0, "install stability_magic[notify]"),
    ("merge other.db", {}, 0, "other.db"),
    ("sync", {}, 1, "SettingsError: No shared log is set"),
    ("sync", SHARED_LOG, 1, "install stability_magic[postgres]"),
    ("balance", SHARED_LOG, 1, "install stability_magic[postgres]"),
    ("check", {}, 0, "this check's among them"),
    ("check", SHARED_LOG, 1, "install stability_magic[postgres]"),
    ("login", {}, 2, "add --save"),
    ("login --save", {}, 1, "SettingsError: The key cannot be asked for here"),
    ("demo", {}, 0, "SIMULATED"),
)

CELLS = (
    "%load_ext stability_magic",
    "%stability_account",
    "%stability_balance",
    "%stability",
    "%stability_history --since all",
    "%stability_usage --by week",
    "%stability_plot --forecast",
    "%stability_forecast",
    "%stability_prices",
    "%stability_estimate 40 ultra + 12 creative-upscale",
    "%stability_budget",
    "%%stability_cost render --settle 0.1 --max 500\nsum(range(10))",
    "%stability_costs",
    "%stability_team",
    "%stability_watch --every 10s --plot",
    "%stability_watch --status",
    "%stability_watch --stop",
    "%stability_merge other.db",
    "%stability_check",
    "%stability_demo",
    "%stability_demo --spend 24",
    "%stability_balance",
    "%stability_demo --stop",
)
CELLS_THAT_FAIL = ("%stability_sync", "%stability_notify --test", "%stability_login --save")

IPYTHON_CODE = f"""
shell = get_ipython()
for cell in {CELLS!r}:
    shell.run_cell(cell).raise_error()
for cell in {CELLS_THAT_FAIL!r}:
    error = shell.run_cell(cell).error_in_exec
    assert type(error).__name__ == "SettingsError", error
"""


def run_without_terminal(
    arguments: str, variables: dict[str, str], exit_code: int, expected: str
) -> None:
    """Runs a command that cannot ask for anything."""
    process = subprocess.run(
        [PROGRAMS / "stability-magic", *arguments.split()],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    output = process.stdout + process.stderr
    assert process.returncode == exit_code, f"{arguments}: {process.returncode}\n{output}"
    assert expected in output, f"{arguments}: {output}"
    assert "Traceback" not in output, output
    assert "Warning: " not in output, output


def run_in_terminal(arguments: str, answer: bytes, exit_code: int, expected: str) -> None:
    """Runs a command that asks for something."""
    child, terminal = pty.fork()
    if child == 0:
        program = PROGRAMS / "stability-magic"
        os.execv(program, [program, *arguments.split()])
    output = b""
    while b":" not in output:
        output += os.read(terminal, 1024)
    os.write(terminal, answer)
    try:
        while chunk := os.read(terminal, 1024):
            output += chunk
    except OSError:
        # Linux reports the end of the process at the other side as an error.
        pass
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == exit_code, output
    assert expected in output.decode(), output
    assert answer.strip() not in output
    assert b"Traceback" not in output, output


def run_watch() -> None:
    """Runs a watch up to its first reading, and ends it as systemd ends a service."""
    with subprocess.Popen(
        [PROGRAMS / "stability-magic", "watch", "--every", "10m"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        first_line = process.stderr.readline()
        process.terminate()
        output = first_line + process.stderr.read()
    assert "Fernhill Studio" in output, output
    assert process.returncode == 0, output
    assert "Traceback" not in output, output


def run_magics() -> None:
    """Runs the magics in an IPython without any configuration."""
    process = subprocess.run(
        [PROGRAMS / "ipython", "--no-banner", "--colors=NoColor", "-c", IPYTHON_CODE],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    output = process.stdout + process.stderr
    assert process.returncode == 0, output
    assert "render: no change seen yet" in output, output
    assert "Traceback" not in output, output


def main() -> None:
    """Runs every command and every magic on the simulator."""
    assert not [each for each in EXTRAS if find_spec(each)], "an extra is installed"
    with Simulator() as simulator:
        os.environ["STABILITY_API_HOST"] = simulator.url
        os.environ["STABILITY_API_KEY"] = simulator.api_key
        for line in LINES:
            run_without_terminal(*line)
        run_in_terminal("login --save", b"sk-of-a-stranger\n", 1, "stability_magic[keyring]")
        run_watch()
        run_magics()
    commands = {line.split()[0] for line, *_ in LINES} | {"watch"}
    assert commands == {each.name for each in COMMANDS if each.is_offered_in("command line")}
    magics = {each.split()[0].lstrip("%") for each in (*CELLS, *CELLS_THAT_FAIL)} - {"load_ext"}
    assert magics == {each.magic_name for each in COMMANDS if each.is_offered_in("magic")}


if __name__ == "__main__":
    main()
