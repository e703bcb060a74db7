"""Costs, watch and guard in real kernels: what is shown where, and what stops Run All."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

pytestmark = pytest.mark.usefixtures("api", "log_path")

Message = dict[str, Any]

# Short, because Python does not notice a signal that comes after its last look for one and before
# it falls asleep.
_NAPS = "import time\nfor _ in range(600):\n    time.sleep(0.1)"


class Notebook:
    """A kernel that runs cells, and the messages that it sends meanwhile."""

    def __init__(self) -> None:
        self.manager = KernelManager()
        self.manager.start_kernel()
        self.connect()

    def connect(self) -> None:
        """Connects to the kernel, and waits until it answers."""
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def begin(self, cell: str) -> str:
        """Starts a cell, and returns the id of the request."""
        return str(self.client.execute(cell))

    def finish(self, request_id: str) -> list[Message]:
        """All messages until the cell of a request has ended, from other threads too."""
        messages = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            messages.append(message)
            state = message["msg_type"] == "status" and message["content"]["execution_state"]
            if state == "idle" and message["parent_header"].get("msg_id") == request_id:
                return messages

    def run(self, cell: str) -> list[Message]:
        """Runs a cell."""
        return self.finish(self.begin(cell))

    def interrupt(self, cell: str) -> list[Message]:
        """Runs a cell until it prints ``begun``, and then interrupts it."""
        request_id = self.begin(cell)
        messages = []
        while "begun" not in printed_text(messages):
            messages.append(self.client.get_iopub_msg(timeout=60))
        time.sleep(0.2)
        self.manager.interrupt_kernel()
        return messages + self.finish(request_id)


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    """A kernel with the extension loaded."""
    notebook = Notebook()
    notebook.run("%load_ext stability_magic")
    yield notebook
    notebook.client.stop_channels()
    notebook.manager.shutdown_kernel(now=True)


def printed_text(messages: list[Message], stream: str = "stdout") -> str:
    """The text that was printed."""
    parts = (each["content"] for each in messages if each["msg_type"] == "stream")
    return "".join(each["text"] for each in parts if each["name"] == stream)


def visible_kinds(messages: list[Message]) -> list[str]:
    """The kinds of the messages that show something."""
    invisible = ("status", "execute_input")
    return [each["msg_type"] for each in messages if each["msg_type"] not in invisible]


def displays(messages: list[Message], kind: str) -> list[tuple[str, str]]:
    """The ids and texts of displays."""
    contents = (each["content"] for each in messages if each["msg_type"] == kind)
    return [(each["transient"]["display_id"], each["data"]["text/plain"]) for each in contents]


def test_cells_run_as_without_the_magic(notebook):
    """Top-level await, displays, and interrupts of both kinds of cells."""
    messages = notebook.run(
        "%%stability_cost waited --settle 0\n"
        "import asyncio\nawait asyncio.sleep(0.01)\nvalue = 5\nvalue * 2"
    )
    assert visible_kinds(messages) == ["execute_result", "stream"]
    assert printed_text(messages).startswith("waited: no change seen yet, in 0.")
    assert printed_text(notebook.run("print(value)")) == "5\n"
    # The kernel cancels a cell that awaits only when its event loop wakes up.
    async_wait = "for _ in range(1200):\n    await asyncio.sleep(0.05)"
    for wait in (_NAPS, async_wait):
        messages = notebook.interrupt(
            f"%%stability_cost stopped --settle 0\nprint('begun', flush=True)\n{wait}"
        )
        assert "stopped: no change seen yet" in printed_text(messages)
        assert printed_text(notebook.run("print(value)")) == "5\n"
    messages = notebook.run("costs = %stability_costs\nprint(list(costs['label']))")
    assert "['waited', 'stopped', 'stopped']" in printed_text(messages)


def test_a_cell_s_id_is_logged(notebook):
    """From the metadata that JupyterLab and VS Code send."""
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
    messages = notebook.run("costs = %stability_costs\nprint(list(costs['cell']))")
    assert "['c-1']" in printed_text(messages)


def test_what_a_cell_cost_is_what_the_simulation_spent(api, tmp_path):
    """Over a day of work, which passes while the cell runs."""
    ledger = api.ledgers["org-sim-studio"]
    notebook = Notebook()
    notebook.run("%load_ext stability_magic")
    morning = datetime(2026, 11, 3, 8, tzinfo=UTC)
    api.clock.set(morning)
    begun, done = tmp_path / "begun", tmp_path / "done"
    request_id = notebook.begin(
        "%%stability_cost day --settle 0.2\n"
        "import pathlib, time\n"
        f"pathlib.Path({str(begun)!r}).touch()\n"
        f"while not pathlib.Path({str(done)!r}).exists():\n    time.sleep(0.05)"
    )
    while not begun.exists():
        time.sleep(0.05)
    api.clock.set(morning + timedelta(hours=12))
    done.touch()
    messages = notebook.finish(request_id)
    request_times = [each.at for each in api.requests if each.path.endswith("/balance")]
    show_cost = "costs = %stability_costs\nprint(costs['spent'].item())"
    spent = printed_text(notebook.run(show_cost)).splitlines()[-1]
    notebook.client.stop_channels()
    notebook.manager.shutdown_kernel(now=True)
    start, end = request_times[0], request_times[-1]
    assert ledger.spent(start, end) > 0
    if ledger.topped_up(start, end) == 0:
        assert float(spent) == pytest.approx(ledger.spent(start, end))
        assert printed_text(messages).startswith("day: ")
    else:
        assert float(spent) <= ledger.spent(start, end)
        assert printed_text(messages).startswith("day: at least ")


@pytest.mark.once
def test_a_watch_keeps_its_line_and_picture_up_to_date_in_place(notebook):
    """It prints nothing into other cells meanwhile, and an interrupt does not end it."""
    messages = notebook.run("%stability_watch --every 10s --plot")
    # No frame, which could not be kept up to date.
    assert visible_kinds(messages) == ["display_data"] * 2
    (line_id, line), (picture_id, _) = displays(messages, "display_data")
    assert line.startswith("Fernhill Studio (simulated): ")
    assert " · next " in line
    messages = notebook.interrupt(f"print('begun', flush=True)\n{_NAPS}")
    assert visible_kinds(messages) == ["stream", "error"]
    messages = notebook.run("time.sleep(10.5)")
    assert visible_kinds(messages) == ["update_display_data"] * 2
    assert [each for each, _ in displays(messages, "update_display_data")] == [line_id, picture_id]
    messages = notebook.run("%stability_watch --stop")
    assert [each for each, _ in displays(messages, "update_display_data")] == [line_id]
    assert displays(messages, "update_display_data")[0][1].endswith(" · stopped")


def test_reload_and_restart_end_a_watch(notebook):
    """No thread of it is left, and the kernel ends at once."""
    list_threads = "import threading\nprint([each.name for each in threading.enumerate()])"
    notebook.run("%stability_watch")
    assert "stability_watch" in printed_text(notebook.run(list_threads))
    messages = notebook.run("%reload_ext stability_magic")
    assert displays(messages, "update_display_data")[0][1].endswith(" · stopped")
    assert "stability_watch" not in printed_text(notebook.run(list_threads))
    notebook.run("%stability_watch")
    notebook.client.stop_channels()
    notebook.manager.restart_kernel(now=False)
    notebook.connect()
    assert "stability_watch" not in printed_text(notebook.run(list_threads))
    outputs = notebook.run("%load_ext stability_magic\n%stability_balance")
    assert "display_data" in visible_kinds(outputs)


def test_the_guard_stops_run_all():
    """The notebook stores the error's class."""
    cells = ("%load_ext stability_magic", "%stability_balance --require 900000", "print('on')")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    with pytest.raises(CellExecutionError) as error_info:
        NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    assert error_info.value.ename == "LowBalanceError"
    assert not notebook.cells[2].outputs
