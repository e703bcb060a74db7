"""A team in a real PostgreSQL database: who spent what, from kernels with logs of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("psycopg")

from stability_magic import BalanceLog, LogError
from stability_magic.analysis.costs import Cost
from stability_magic.log.outbox import Outbox
from stability_magic.models import to_microseconds
from stability_magic.shared_log.sync import send
from stability_magic.simulator.activity import SimulatedOrganization
from stability_magic.simulator.simulator import Simulator

from ..helpers.errors import assert_is_clear_error
from .logs import NOON, make_readings, open_shared_log, run_command

# A kernel that runs two cells, each of which waits for a line.
KERNEL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "stability_magic")
for _ in range(2):
    shell.run_cell(
        "%%stability_cost render --settle 0\\n"
        "import sys; print('running', flush=True); sys.stdin.readline()"
    ).raise_error()
"""


class Kernel:
    """A process with an IPython shell, a log of its own, and a member and a host."""

    def __init__(self, member: str, host: str, log: Path) -> None:
        variables = {
            "STABILITY_MAGIC_MEMBER": member,
            "STABILITY_MAGIC_HOST": host,
            "STABILITY_MAGIC_LOG": str(log),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", KERNEL],
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def wait_until_it_runs(self) -> None:
        """Waits until a cell has begun."""
        assert "running\n" in iter(self._process.stdout.readline, "")

    def end_cell(self) -> None:
        """Lets the cell end."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def wait(self) -> None:
        """Waits until the kernel has ended."""
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0


def cost(number: int, member: str | None, organization: str = "org-a") -> Cost:
    """The cost of a cell of a minute, in which a credit was spent."""
    at = to_microseconds(NOON) + number * 60_000_000
    identity = bytes([number]) * 16
    who = ("hub", member)
    return Cost(organization, at, at + 60_000_000, 60.0, 1.0, True, "render", None, identity, *who)


def ask(*words: str) -> list[dict[str, object]]:
    """What a command writes as JSON."""
    result = run_command(*words, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def rows_of(told: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(each["member"], each["host"], each["label"], each["spent"]) for each in told]


@pytest.fixture
def idle_api(monkeypatch):
    """A simulator, whose clock runs, of an organization that only the test spends of."""
    studio = SimulatedOrganization("org-a", "Studio", is_default=True, opening=1000.0)
    with Simulator(organizations=[studio], rate_limit=100_000) as simulator:
        monkeypatch.setenv("STABILITY_API_HOST", simulator.url)
        monkeypatch.setenv("STABILITY_API_KEY", simulator.api_key)
        yield simulator


@pytest.mark.once
def test_kernels_of_two_members_whose_cells_overlap(shared, schema, idle_api, tmp_path, log_path):
    """The rows add up to usage, in the shared log and after merging, however often it is sent."""
    logs = [tmp_path / "ann.db", tmp_path / "bob.db"]
    assert run_command("balance").returncode == 0
    ann = Kernel("ann", "hub", logs[0])
    ann.wait_until_it_runs()
    bob = Kernel("bob", "laptop", logs[1])
    # Of cells that run at once, it is that of the one that began last.
    for spent in (24.0, 8.0):
        bob.wait_until_it_runs()
        idle_api.spend(spent)
        bob.end_cell()
    bob.wait()
    idle_api.spend(5.5)
    ann.end_cell()
    ann.wait_until_it_runs()
    # A cell that spent nothing would wait for what the balance falls by next.
    idle_api.spend(1.5)
    ann.end_cell()
    ann.wait()
    idle_api.spend(100.0)
    assert run_command("balance").returncode == 0
    expected = [
        ("bob", "laptop", "render", 32.0),
        ("ann", "hub", "render", 7.0),
        ("(elsewhere)", None, None, 100.0),
    ]
    told = ask("team", "--since", "all")
    assert rows_of(told) == [pytest.approx(row) for row in expected]
    assert [each["cells"] for each in told] == [2, 2, 0]
    assert sum(row[-1] for row in rows_of(told)) == pytest.approx(
        sum(each["spent"] for each in ask("usage", "--since", "all")), abs=1e-6
    )
    for each in logs:
        result = run_command("sync", "--again", STABILITY_MAGIC_LOG=str(each))
        assert result.returncode == 0, result.stderr
    assert ask("team", "--since", "all") == told
    held = shared.sql(f'SELECT member, host, count(*) FROM "{schema}".costs GROUP BY 1, 2')
    assert sorted(held) == [("ann", "hub", 2), ("bob", "laptop", 2)]
    assert rows_of(ask("team", "--since", "all", "--local")) == [
        ("(elsewhere)", None, None, pytest.approx(139.0))
    ]
    assert run_command("merge", *map(str, logs)).returncode == 0
    assert ask("team", "--since", "all", "--local") == told


def make_older(server, schema) -> None:
    """Makes the shared log one of the version before."""
    for each in ("host", "member"):
        server.sql(f'ALTER TABLE "{schema}".costs DROP COLUMN {each}')
    server.sql(f"DELETE FROM \"{schema}\".migrations WHERE name = 'm003_cost_members'")


def test_an_older_shared_log_gets_them_from_who_may_add_columns(
    server_with_roles, schema, log_path
):
    """Others are told so in one line; costs that are there already have neither."""
    server = server_with_roles
    log = BalanceLog(log_path)
    log.write(make_readings(9), costs=[cost(1, None)])
    with open_shared_log(server, schema) as shared:
        send(Outbox(log.path), shared, lambda total: None)
    make_older(server, schema)
    for role in ("writer", "reader"):
        with pytest.raises(LogError, match="lacks what is new") as caught:
            open_shared_log(server, schema, user=role)
        assert_is_clear_error(caught.value)
        assert "m003_cost_members" in str(caught.value)
        assert "run stability-magic sync once" in str(caught.value)
    with open_shared_log(server, schema) as shared:
        assert [(each.host, each.member) for each in shared.costs(None, None)] == [(None, None)]
    log.write([], costs=[cost(3, "ann")])
    with open_shared_log(server, schema, user="writer") as shared:
        assert send(Outbox(log.path), shared, lambda total: None).costs == 1
        found = [(each.host, each.member) for each in shared.costs(None, None)]
    assert found == [(None, None), ("hub", "ann")]


def test_the_database_adds_up_what_lies_between_cells(shared, schema, log_path):
    """Of thousands of readings few cross the network, and the answer is that of the local log."""
    log = BalanceLog(log_path)
    costs = [cost(number, ["ann", "bob", None][number % 3]) for number in range(0, 40, 2)]
    log.write(make_readings(4000), costs=costs)
    told, local = (ask("team", "--since", "all", *each) for each in (["--local"], []))
    assert [row[:3] for row in rows_of(told)] == [row[:3] for row in rows_of(local)]
    assert [row[3] for row in rows_of(told)] == pytest.approx([row[3] for row in rows_of(local)])
    assert sum(row[3] for row in rows_of(local)) == pytest.approx(3999.0)


@pytest.mark.parametrize("member", ["x" * 70_000, "a\x1b[31m\u202eb"])
def test_what_others_write_as_a_member_is_left_out_or_made_harmless(
    shared, schema, log_path, member
):
    """Whoever may insert can insert anything."""
    log = BalanceLog(log_path)
    log.write(make_readings(9), costs=[cost(1, "ann"), cost(3, "bob")])
    assert run_command("sync").returncode == 0
    shared.sql(f"UPDATE \"{schema}\".costs SET member = %s WHERE member = 'ann'", member)
    result = run_command("team", "--since", "all")
    assert result.returncode == 0, result.stderr
    assert "bob,hub,render,1.0," in result.stdout
    assert "\x1b" not in result.stdout
    assert len(result.stdout) < 1000
    assert ("\N{REPLACEMENT CHARACTER}" in result.stdout) is (len(member) < 100)
