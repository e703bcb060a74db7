"""A team in a real PostgreSQL database: who spent what, from kernels with logs of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("psycopg")

from stability_magic import BalanceLog, LogError
from stability_magic.analysis.costs import Cost
from stability_magic.log.outbox import Outbox
from stability_magic.models import to_microseconds
from stability_magic.shared_log.sync import send

from ..helpers.errors import assert_is_clear_error
from .logs import NOON, make_readings, open_shared_log, run_command

# A kernel that runs cells of a member one after the other.
KERNEL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "stability_magic")
for spent in sys.argv[1].split(","):
    cell = f"%%stability_cost render --settle 0\\nspend({spent})"
    from urllib.request import Request, urlopen
    shell.user_ns["spend"] = lambda credits: urlopen(
        Request(f"{sys.argv[2]}/simulator/spend", data=str(credits).encode())
    ).read()
    shell.run_cell(cell).raise_error()
"""


def cost(number: int, member: str | None, organization: str = "org-a") -> Cost:
    """The cost of a cell of a minute, in which a credit was spent."""
    at = to_microseconds(NOON) + number * 60_000_000
    identity = bytes([number]) * 16
    who = ("hub", member)
    return Cost(
        organization, at, at + 60_000_000, 60.0, 1.0, True, "render", None, identity, *who
    )


def ask(*words: str) -> list[dict[str, object]]:
    """What a command writes as JSON."""
    result = run_command(*words, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def rows_of(told: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(each["member"], each["host"], each["label"], each["spent"]) for each in told]
