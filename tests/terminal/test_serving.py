"""``stability-magic demo --serve``: a simulator that other commands can ask."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stability_magic import BalanceLog
from stability_magic.api.validation import is_loopback
from stability_magic.terminal.pasting import command_with, shell_line

COMMAND = [sys.executable, "-m", "stability_magic"]
needs_posix = pytest.mark.skipif(os.name == "nt", reason="for systems with POSIX signals")


@pytest.fixture
def server(tmp_path) -> Iterator[subprocess.Popen[str]]:
    """A running ``demo --serve``, in a folder whose name needs quotes."""
    process = subprocess.Popen(
        [*COMMAND, "demo", "--serve", "--folder", "my demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        cwd=tmp_path,
    )
    yield process
    process.kill()
    process.communicate()


def pasted(lines: list[str]) -> dict[str, str]:
    """The environment in which lines have been pasted."""
    words = [each for line in lines for each in shlex.split(line) if each != "export"]
    return os.environ | dict(each.split("=", 1) for each in words)


@needs_posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_other_commands_can_ask_it_until_a_signal(server, tmp_path, monkeypatch, number):
    """With the demo's log; a shared log and an organization of the user are left aside."""
    monkeypatch.setenv("STABILITY_MAGIC_SHARED_LOG", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("STABILITY_ORGANIZATION", "org-mine")
    lines = [server.stdout.readline() for _ in range(2)]
    assert all(each.startswith("export ") for each in lines)
    environment = pasted(lines)
    assert is_loopback(environment["STABILITY_API_HOST"])
    assert environment["STABILITY_API_KEY"].startswith("sk-simulated-")
    log_path = Path(environment["STABILITY_MAGIC_LOG"])
    assert log_path == tmp_path / "my demo" / "demo.db"
    count = len(BalanceLog(log_path).readings())
    assert count > 400

    def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, timeout=60, env=environment
        )

    done = ask("balance")
    assert (done.returncode, done.stderr[:9]) == (0, "Fernhill ")
    assert ask("balance", "--require", "1000000usd").returncode == 3
    assert len(BalanceLog(log_path).readings()) == count + 2
    watch = subprocess.Popen(
        [*COMMAND, "watch"], stderr=subprocess.PIPE, encoding="utf-8", env=environment
    )
    assert " · next " in watch.stderr.readline()
    watch.send_signal(signal.SIGTERM)
    watch.communicate(timeout=30)
    assert watch.returncode == 0
    server.send_signal(number)
    rest, errors = server.communicate(timeout=30)
    assert (server.returncode, rest) == (0, "")
    assert "SIMULATED" in errors
    assert "Ctrl-C" in errors
    assert ask("balance").returncode == 1


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("sh", "export A='it'\"'\"'s' B="),
        ("cmd", 'set "A=it\'s" & set "B="'),
        ("powershell", "$env:A = 'it''s'; $env:B = ''"),
    ],
)
def test_each_shell_has_its_language(shell, line):
    """Quotes in a value are kept, and an empty value unsets."""
    assert shell_line({"A": "it's", "B": ""}, shell) == line
    separator = {"sh": " ", "cmd": " & ", "powershell": "; "}[shell]
    expected = f"{line.removeprefix('export ')}{separator}run"
    assert command_with({"A": "it's", "B": ""}, "run", shell) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("value", ["it's", "a b", "$HOME `x`", '"', "é"])
def test_a_shell_takes_the_line_as_it_is_meant(value):
    """Whatever the folder is called."""
    script = f"{shell_line({'A': value}, 'sh')}\nprintenv A"
    done = subprocess.run(["sh", "-c", script], capture_output=True, encoding="utf-8", timeout=60)
    assert done.stdout == f"{value}\n"
