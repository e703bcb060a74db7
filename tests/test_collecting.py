"""What the README advises for collecting readings works as it stands there."""

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

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
UNITS = re.findall(
    r"`~/\.config/systemd/user/(stability-[\w.-]+)`(.*?)```ini\n(.*?)```", README, re.S
)
NAMES = ("stability-watch.service", "stability-balance.service", "stability-balance.timer")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="for systems with a POSIX shell")


@pytest.fixture
def home(api) -> Path:
    """A home with the key in a file, and the program where a virtual environment puts it."""
    home = Path(os.environ["HOME"])
    lines = (f"STABILITY_API_KEY={api.api_key}", f"STABILITY_API_HOST={api.url}", "TZ=UTC")
    (home / ".stability").write_text("\n".join(lines) + "\n")
    program = home / ".venv" / "bin" / "stability-magic"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m stability_magic "$@"\n')
    program.chmod(0o755)
    return home


def sections(unit: str) -> dict[str, str]:
    """The settings of a unit, whatever their section."""
    return dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)


def unit(name: str) -> str:
    """A unit as the README has it."""
    (found,) = (text for each, _, text in UNITS if each == name)
    return found


def environment(home: Path) -> dict[str, str]:
    """What cron and systemd hand over, and where the tests' log goes."""
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "XDG_DATA_HOME": str(home / "data")}


def with_key(home: Path) -> dict[str, str]:
    """The same with what the unit's EnvironmentFile holds."""
    lines = (home / ".stability").read_text().splitlines()
    return environment(home) | dict(each.split("=", 1) for each in lines)


def readings(home: Path) -> list[str]:
    """The sources of the logged readings."""
    log = BalanceLog(home / "data" / "stability_magic" / "log.db")
    return log.readings()["source"].tolist()


def test_the_cron_line_takes_a_reading_and_says_nothing(home):
    """As cron runs it: by sh, with a bare environment."""
    line = re.search(r"```cron\n\*/15 \* \* \* \* (.*)\n", README)[1]
    done = subprocess.run(
        ["/bin/sh", "-c", line], env=environment(home), capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert readings(home) == ["cli"]


def test_the_timer_s_service_takes_a_reading(home):
    """Its command, with the environment of its file."""
    settings = sections(unit("stability-balance.service"))
    command = shlex.split(settings["ExecStart"].replace("%h", str(home)))
    done = subprocess.run(command, env=with_key(home), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert readings(home) == ["cli"]


def test_the_service_watches_until_it_is_told_to_end(home):
    """Its command writes a line for a reading, and ends well at SIGTERM."""
    settings = sections(unit("stability-watch.service"))
    command = shlex.split(settings["ExecStart"].replace("%h", str(home)))
    with subprocess.Popen(command, env=with_key(home), stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert line.startswith("Fernhill Studio (simulated): ")
    assert readings(home) == ["watch"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_accepts_the_units(home):
    """systemd-analyze finds nothing to complain about."""
    folder = home / ".config" / "systemd" / "user"
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_text(unit(name).replace("%h", str(home)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", *(str(folder / each) for each in NAMES)],
        env=environment(home) | {"XDG_RUNTIME_DIR": str(home)},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    complaints = [each for each in done.stderr.splitlines() if "stability-" in each]
    assert done.returncode == 0, done.stderr
    assert not complaints


def test_the_guard_lets_a_job_start_or_not(home):
    """The line of the README, with a job that leaves a trace."""
    line = re.search(r"(stability-magic balance --require .*) && python", README)[1]
    program = str(home / ".venv" / "bin" / "stability-magic")
    for amount, code in (("5usd", 0), ("1000000", 3)):
        command = line.replace("stability-magic", shlex.quote(program)).replace("5usd", amount)
        done = subprocess.run(["/bin/sh", "-c", command], env=with_key(home), timeout=60)
        assert done.returncode == code
