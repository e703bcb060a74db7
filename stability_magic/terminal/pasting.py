"""Lines that set the environment of another terminal, in the language of its shell."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from ..environment import variable

__all__ = ["command_with", "environment_lines", "shell_line", "user_shell"]


def environment_lines(api_url: str, api_key: str, log_path: Path) -> tuple[str, str]:
    """Two lines that point the commands of another terminal at a service and a log.

    They unset what would send a reading elsewhere, or ask for an organization that is not there.
    """
    service = {"STABILITY_API_HOST": api_url, "STABILITY_API_KEY": api_key}
    log = {
        "STABILITY_MAGIC_LOG": str(log_path.absolute()),
        "STABILITY_MAGIC_SHARED_LOG": "",
        "STABILITY_ORGANIZATION": "",
    }
    shell = user_shell()
    return shell_line(service, shell), shell_line(log, shell)


def user_shell() -> str:
    """The shell that most likely started this process: ``sh``, ``cmd`` or ``powershell``."""
    if os.name != "nt":
        return "sh"
    # The command prompt gives its PROMPT to the programs that it starts; PowerShell has none.
    return "cmd" if variable("PROMPT") else "powershell"


def shell_line(variables: dict[str, str], shell: str) -> str:
    """A line that sets variables of the environment; an empty value unsets.

    Args:
        variables: Their values by name.
        shell: ``sh`` and its kin, ``cmd`` or ``powershell``.
    """
    if shell == "cmd":
        return " & ".join(f'set "{name}={value}"' for name, value in variables.items())
    if shell == "powershell":
        quoted = {name: value.replace("'", "''") for name, value in variables.items()}
        return "; ".join(f"$env:{name} = '{value}'" for name, value in quoted.items())
    return f"export {_assignments(variables)}"


def command_with(variables: dict[str, str], command: str, shell: str) -> str:
    """A line that runs a command with variables of the environment, in the language of a shell."""
    if shell == "sh":
        return f"{_assignments(variables)} {command}"
    return f"{shell_line(variables, shell)}{' & ' if shell == 'cmd' else '; '}{command}"


def _assignments(variables: dict[str, str]) -> str:
    return " ".join(
        f"{name}={shlex.quote(value) if value else ''}" for name, value in variables.items()
    )
