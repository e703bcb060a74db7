"""The shells' completions: those of the command line as it is, and bash completes by them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import resources

import pytest

from stability_magic.commands.declarations import COMMANDS
from stability_magic.terminal.command_line import SHELLS, main

pytestmark = pytest.mark.once

COMMANDS_HERE = [each.name for each in COMMANDS if each.is_offered_in("command line")]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_files_are_those_of_the_command_line(shell):
    """Whoever changes it writes them anew: ``python -m tests.helpers.shell_completions``."""
    pytest.importorskip("shtab")
    from ..helpers.shell_completions import completion

    name = f"completions/stability-magic.{shell}"
    file = resources.files("stability_magic.terminal") / name
    assert file.read_text(encoding="utf-8") == completion(shell)


@pytest.mark.parametrize("shell", SHELLS)
def test_each_is_printed_as_it_is(shell, capsys):
    """All commands are in it."""
    assert main(["--print-completion", shell]) == 0
    printed = capsys.readouterr().out
    file = resources.files("stability_magic.terminal") / f"completions/stability-magic.{shell}"
    assert printed == file.read_text(encoding="utf-8")
    assert not [each for each in COMMANDS_HERE if each not in printed]


def test_an_unknown_shell_is_a_wrong_argument(capsys):
    """With those that there are."""
    with pytest.raises(SystemExit) as caught:
        main(["--print-completion", "bsh"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "choose from bash, fish, tcsh, zsh); did you mean bash?" in error


# Switches the completion on as the page says, and completes the words that it is given.
COMPLETE = """
eval "$("$PYTHON" -m stability_magic --print-completion bash)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMP_LINE="$*"
COMP_POINT=${#COMP_LINE}
set -- $(complete -p stability-magic)
while [ "$1" != -F ]; do shift; done
"$2" stability-magic "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None or os.name == "nt", reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["us"], ["usage"]),
        (["che"], ["check"]),
        (["st"], ["status"]),
        (["bal"], ["balance"]),
        (["usage", "--by", "w"], ["week"]),
        (["usage", "--si"], ["--since"]),
        (["status", "--format", "o"], ["openmetrics"]),
        (["status", "--output", "fi"], ["file.prom"]),
        (["merge", "fi"], ["file.prom"]),
        (["demo", "--folder", "f"], ["folder"]),
        (["--print-completion", "z"], ["zsh"]),
        (["nonsense"], [""]),
    ],
)
def test_bash_completes(tmp_path, words, completed):
    """Commands, options, choices and files."""
    folder = tmp_path / "here"
    (folder / "folder").mkdir(parents=True)
    (folder / "file.prom").touch()
    done = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE, "bash", "stability-magic", *words],
        cwd=folder,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == completed
