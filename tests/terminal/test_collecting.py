"""The instructions in docs/collecting.md work exactly as they are written."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stability_magic import BalanceLog

from ..helpers.project import ROOT

PAGE = (ROOT / "docs" / "collecting.md").read_text(encoding="utf-8")
SYSTEMD_UNITS = re.findall(
    r"`~/\.config/systemd/user/(stability-[\w.-]+)`(.*?)```ini\n(.*?)```", PAGE, re.S
)
UNIT_NAMES = ("stability-watch.service", "stability-balance.service", "stability-balance.timer")

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(os.name == "nt", reason="for systems with a POSIX shell"),
]


@pytest.fixture
def home(api) -> Path:
    """A home folder with the key in a file, and the program in a virtual environment."""
    home = Path(os.environ["HOME"])
    lines = (f"STABILITY_API_KEY={api.api_key}", f"STABILITY_API_HOST={api.url}", "TZ=UTC")
    (home / ".stability").write_text("\n".join(lines) + "\n")
    program = home / ".venv" / "bin" / "stability-magic"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m stability_magic "$@"\n')
    program.chmod(0o755)
    return home


def unit_settings(unit: str) -> dict[str, str]:
    """The settings in all sections of a unit."""
    return dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)


def unit_text(name: str) -> str:
    """A unit as it is on the page."""
    (text,) = (text for each, _, text in SYSTEMD_UNITS if each == name)
    return text


def bare_environment(home: Path) -> dict[str, str]:
    """The variables that cron and systemd set, and where the tests' log goes."""
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "XDG_DATA_HOME": str(home / "data")}


def environment_with_key(home: Path) -> dict[str, str]:
    """The same with the variables of the unit's EnvironmentFile."""
    lines = (home / ".stability").read_text().splitlines()
    return bare_environment(home) | dict(each.split("=", 1) for each in lines)


def logged_sources(home: Path) -> list[str]:
    """The sources of the logged readings."""
    log = BalanceLog(home / "data" / "stability_magic" / "log.db")
    return log.readings()["source"].tolist()


def test_the_cron_line_takes_a_reading_and_prints_nothing(home):
    """Run as by cron: by sh, with a bare environment."""
    line = re.search(r"```cron\n\*/15 \* \* \* \* (.*)\n", PAGE)[1]
    process = subprocess.run(
        ["/bin/sh", "-c", line], env=bare_environment(home), capture_output=True, timeout=60
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, b"", b"")
    assert logged_sources(home) == ["cli"]


def test_the_line_for_prometheus_writes_what_it_reads(home):
    """In the folder that node_exporter is told of."""
    reading, metrics = re.findall(r"```cron\n\*/15 \* \* \* \* (.*)\n", PAGE)
    metrics = metrics.replace("/var/lib/node_exporter", str(home))
    for line in (reading, metrics):
        subprocess.run(["/bin/sh", "-c", line], env=bare_environment(home), check=True, timeout=60)
    text = (home / "stability.prom").read_text()
    table = PAGE.split("| metric | what it is |")[1].split("\n\n")[0]
    for name in re.findall(r"^\| `(stability_balance_\w+)", table, re.M):
        assert f'\n{name}{{organization="' in text
    assert text.endswith("# EOF\n")


def test_the_timer_s_service_takes_a_reading(home):
    """Its command, run with the environment of its file."""
    settings = unit_settings(unit_text("stability-balance.service"))
    command = shlex.split(settings["ExecStart"].replace("%h", str(home)))
    process = subprocess.run(
        command, env=environment_with_key(home), capture_output=True, timeout=60
    )
    assert process.returncode == 0, process.stderr
    assert logged_sources(home) == ["cli"]


def test_the_service_watches_until_it_is_terminated(home):
    """Its command prints a line for each reading, and exits with 0 at SIGTERM."""
    settings = unit_settings(unit_text("stability-watch.service"))
    command = shlex.split(settings["ExecStart"].replace("%h", str(home)))
    with subprocess.Popen(
        command, env=environment_with_key(home), stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert line.startswith("Fernhill Studio (simulated): ")
    assert logged_sources(home) == ["watch"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_accepts_the_units(home):
    """systemd-analyze finds nothing to complain about."""
    folder = home / ".config" / "systemd" / "user"
    folder.mkdir(parents=True)
    for name in UNIT_NAMES:
        (folder / name).write_text(unit_text(name).replace("%h", str(home)))
    process = subprocess.run(
        ["systemd-analyze", "verify", "--user", *(str(folder / each) for each in UNIT_NAMES)],
        env=bare_environment(home) | {"XDG_RUNTIME_DIR": str(home)},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    complaints = [each for each in process.stderr.splitlines() if "stability-" in each]
    assert process.returncode == 0, process.stderr
    assert not complaints


def test_the_guard_lets_a_job_start_or_not(home):
    """By the exit code of the command on the page."""
    line = re.search(r"(stability-magic balance --require .*) && python", PAGE)[1]
    program = str(home / ".venv" / "bin" / "stability-magic")
    for amount, code in (("5usd", 0), ("1000000", 3)):
        command = line.replace("stability-magic", shlex.quote(program)).replace("5usd", amount)
        process = subprocess.run(
            ["/bin/sh", "-c", command], env=environment_with_key(home), timeout=60
        )
        assert process.returncode == code
