"""Costs, watch and guard in real kernels: what is shown where, and what stops."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from stability_magic._simulator import SimulatedClock

pytestmark = pytest.mark.usefixtures("api", "log_path")

Message = dict[str, Any]


class Notebook:
    """A kernel that runs cells, and what it says meanwhile."""

    def __init__(self) -> None:
        self.manager = KernelManager()
        self.manager.start_kernel()
        self.connect()

    def connect(self) -> None:
        """Waits until it answers."""
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def begin(self, cell: str) -> str:
        """Begins a cell."""
        return str(self.client.execute(cell))

    def finish(self, cell: str) -> list[Message]:
        """What a cell that was begun says, and everybody else until it has run."""
        said = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            said.append(message)
            ended = message["msg_type"] == "status" and message["content"]["execution_state"]
            if ended == "idle" and message["parent_header"].get("msg_id") == cell:
                return said

    def run(self, cell: str) -> list[Message]:
        """Runs a cell."""
        return self.finish(self.begin(cell))

    def interrupt(self, cell: str) -> list[Message]:
        """Runs a cell that prints ``begun``, and interrupts it then."""
        running = self.begin(cell)
        said = []
        while "begun" not in text(said):
            said.append(self.client.get_iopub_msg(timeout=60))
        time.sleep(0.2)
        self.manager.interrupt_kernel()
        return said + self.finish(running)


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    """A kernel with the extension loaded."""
    notebook = Notebook()
    notebook.run("%load_ext stability_magic")
    yield notebook
    notebook.client.stop_channels()
    notebook.manager.shutdown_kernel(now=True)


def text(said: list[Message], stream: str = "stdout") -> str:
    """What was printed."""
    parts = (each["content"] for each in said if each["msg_type"] == "stream")
    return "".join(each["text"] for each in parts if each["name"] == stream)


def kinds(said: list[Message]) -> list[str]:
    """The kinds of the messages that show something."""
    silent = ("status", "execute_input")
    return [each["msg_type"] for each in said if each["msg_type"] not in silent]


def shown(said: list[Message], kind: str) -> list[tuple[str, str]]:
    """The ids and texts of displays."""
    found = (each["content"] for each in said if each["msg_type"] == kind)
    return [(each["transient"]["display_id"], each["data"]["text/plain"]) for each in found]


def test_cells_run_as_without_the_magic(notebook):
    """Top-level await, displays, and interrupts of both kinds of cells."""
    said = notebook.run(
        "%%stability_cost waited --settle 0\n"
        "import asyncio\nawait asyncio.sleep(0.01)\nvalue = 5\nvalue * 2"
    )
    assert kinds(said) == ["execute_result", "stream"]
    assert text(said).startswith("waited: 0.00 credits ($0.00) in 0.")
    assert text(notebook.run("print(value)")) == "5\n"
    # The kernel cancels a cell that awaits when its loop wakes up, and not before.
    awaits = "for _ in range(1200):\n    await asyncio.sleep(0.05)"
    for wait in ("import time; time.sleep(60)", awaits):
        said = notebook.interrupt(
            f"%%stability_cost stopped --settle 0\nprint('begun', flush=True)\n{wait}"
        )
        assert "stopped: 0.00 credits" in text(said)
        assert text(notebook.run("print(value)")) == "5\n"
    said = notebook.run("costs = %stability_costs\nprint(list(costs['label']))")
    assert "['waited', 'stopped', 'stopped']" in text(said)


def test_a_cell_s_id_is_logged(notebook):
    """As JupyterLab and VS Code tell it."""
    content = {
        "code": "%%stability_cost --settle 0\n1",
        "silent": False,
        "store_history": True,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
    }
    message = notebook.client.session.msg("execute_request", content, metadata={"cellId": "c-1"})
    notebook.client.shell_channel.send(message)
    notebook.finish(message["header"]["msg_id"])
    said = notebook.run("costs = %stability_costs\nprint(list(costs['cell']))")
    assert "['c-1']" in text(said)


def test_what_a_cell_cost_is_what_the_simulation_spent(api):
    """With a clock that runs six hours in a second, over a day of work."""
    ledger = api.ledgers["org-sim-studio"]
    notebook = Notebook()
    notebook.run("%load_ext stability_magic")
    api.clock = SimulatedClock(datetime(2026, 11, 3, 8, tzinfo=UTC), speed=20_000)
    said = notebook.run("%%stability_cost day --settle 0.2\nimport time; time.sleep(1)")
    asked = [each.at for each in api.requests if each.path.endswith("/balance")]
    frame = "costs = %stability_costs\nprint(costs['spent'].item(), costs['exact'].item())"
    spent, exact = text(notebook.run(frame)).splitlines()[-1].split()
    notebook.client.stop_channels()
    notebook.manager.shutdown_kernel(now=True)
    assert ledger.spent(asked[0], asked[-1]) > 0
    if ledger.topped_up(asked[0], asked[-1]) == 0:
        assert float(spent) == pytest.approx(ledger.spent(asked[0], asked[-1]))
        assert text(said).startswith("day: " if exact == "True" else "day: about ")
    else:
        assert float(spent) <= ledger.spent(asked[0], asked[-1])
        assert text(said).startswith("day: at least ")


def test_a_watch_keeps_its_line_and_picture_up_to_date_in_place(notebook):
    """And writes nothing into the cells that run meanwhile; an interrupt does not end it."""
    said = notebook.run("%stability_watch --every 10s --plot")
    (line, told), (picture, _) = shown(said, "display_data")
    assert told.startswith("Fernhill Studio (simulated): ")
    assert " · next " in told
    said = notebook.interrupt("print('begun', flush=True)\nimport time; time.sleep(60)")
    assert kinds(said) == ["stream", "error"]
    said = notebook.run("time.sleep(10.5)")
    assert kinds(said) == ["update_display_data"] * 2
    assert [each for each, _ in shown(said, "update_display_data")] == [line, picture]
    said = notebook.run("%stability_watch --stop")
    assert [each for each, _ in shown(said, "update_display_data")] == [line]
    assert shown(said, "update_display_data")[0][1].endswith(" · stopped")


def test_reload_and_restart_end_a_watch(notebook):
    """No thread is left in the kernel, and the kernel ends at once."""
    count = "import threading\nprint([each.name for each in threading.enumerate()])"
    notebook.run("%stability_watch")
    assert "stability_watch" in text(notebook.run(count))
    said = notebook.run("%reload_ext stability_magic")
    assert shown(said, "update_display_data")[0][1].endswith(" · stopped")
    assert "stability_watch" not in text(notebook.run(count))
    notebook.run("%stability_watch")
    notebook.client.stop_channels()
    notebook.manager.restart_kernel(now=False)
    notebook.connect()
    assert "stability_watch" not in text(notebook.run(count))
    assert "credits" in text(notebook.run("%load_ext stability_magic\n%stability_balance"))


def test_the_guard_stops_run_all():
    """The notebook keeps the error's class."""
    cells = ("%load_ext stability_magic", "%stability_balance --require 900000", "print('on')")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    with pytest.raises(CellExecutionError) as stopped:
        NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    assert stopped.value.ename == "LowBalanceError"
    assert not notebook.cells[2].outputs
