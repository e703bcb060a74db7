"""In a real kernel: what cells show, how often, and what stops Run All."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def run_cells(*cells: str, allowed_errors: list[str] | None = None) -> list[list[dict]]:
    """The outputs of cells that a new kernel runs one after the other."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", allow_error_names=allowed_errors or []
    )
    client.execute()
    return [each["outputs"] for each in notebook["cells"]]


def count_pictures(outputs: list[dict]) -> int:
    """How many pictures or interactive figures a cell shows."""
    mime_types = ("image/png", "image/svg+xml", "application/vnd.jupyter.widget-view+json")
    return sum(
        any(mime_type in each.get("data", {}) for mime_type in mime_types) for each in outputs
    )


def printed_text(outputs: list[dict], stream: str = "stdout") -> str:
    """What a cell printed."""
    return "".join(each["text"] for each in outputs if each.get("name") == stream)


@pytest.mark.usefixtures("api", "log_path")
def test_a_notebook_shows_lines_frames_and_each_picture_once(monkeypatch):
    """With the inline backend, activated or not, and with the interactive one."""
    monkeypatch.delenv("MPLBACKEND")
    outputs = run_cells(
        "%load_ext stability_magic\n%stability_balance",
        "%stability_plot",
        "figure = %stability_plot\nfigure",
        "%matplotlib inline\n%stability_plot",
        "%stability_plot;",
        "%matplotlib widget\n%stability_plot",
        "import stability_magic\nreadings = %stability_history\n"
        "stability_magic.plot_usage(readings)",
    )
    balance_outputs, *plot_outputs = outputs
    card, _ = balance_outputs
    assert card["data"]["text/plain"].startswith("Fernhill Studio (simulated): ")
    (frame,) = (each for each in balance_outputs if each["output_type"] == "execute_result")
    assert "<table" in frame["data"]["text/html"]
    assert "@" not in frame["data"]["text/html"]
    assert [count_pictures(each) for each in plot_outputs] == [1, 1, 1, 0, 1, 1]


@pytest.mark.usefixtures("api", "log_path")
def test_variables_are_expanded_and_results_can_be_assigned():
    """As with any line magic."""
    outputs = run_cells(
        "%load_ext stability_magic\nspan = '7d'",
        "df = %stability_balance --since $span\nprint(type(df).__name__, len(df))",
        "def days():\n    return 2\nprint(len(get_ipython().run_line_magic("
        "'stability_history', f'--since {days()}d')))",
        "%stability_history --since {span};",
    )
    assert printed_text(outputs[1]).endswith("DataFrame 1\n")
    assert printed_text(outputs[2]).endswith("1\n")
    assert not any(each["output_type"] == "execute_result" for each in outputs[3])


@pytest.mark.usefixtures("log_path")
def test_an_error_stops_run_all_and_keeps_its_class(api, monkeypatch):
    """The notebook stores an error of that name, in one line, without the key."""
    monkeypatch.setenv("STABILITY_API_KEY", "sk-wrong-but-secret")
    cells = ("%load_ext stability_magic", "%stability_balance", "print('reached')")
    with pytest.raises(CellExecutionError) as error_info:
        run_cells(*cells)
    assert error_info.value.ename == "AuthenticationError"
    assert "sk-wrong" not in str(error_info.value)
    outputs = run_cells(*cells, allowed_errors=["AuthenticationError"])
    (error,) = outputs[1]
    assert error["output_type"] == "error"
    assert len(error["traceback"]) == 1
    assert printed_text(outputs[2]) == "reached\n"


def test_a_wrong_argument_stops_run_all():
    """Even though IPython shows it as a line on standard error."""
    with pytest.raises(CellExecutionError):
        run_cells("%load_ext stability_magic", "%stability_balance --sinc 7d")


def test_a_capped_cell_stops_run_all():
    """Blocked or awaiting, it ends with one error, and the kernel goes on."""
    cells = (
        "%load_ext stability_magic\n%stability_demo",
        "%%stability_cost render --max 20\n%stability_demo --spend 30\n"
        "import socket\nnear, far = socket.socketpair()\nnear.recv(1)",
        "%%stability_cost waits --max 20\nimport asyncio\n%stability_demo --spend 30\n"
        "await asyncio.sleep(60)",
        "print('reached')",
    )
    with pytest.raises(CellExecutionError) as error_info:
        run_cells(*cells)
    assert error_info.value.ename == "BudgetError"
    outputs = run_cells(*cells, allowed_errors=["BudgetError"])
    for each, label in ((outputs[1], "render"), (outputs[2], "waits")):
        assert f"{label}: 30.00 credits ($0.30) in " in printed_text(each)
        (error,) = (output for output in each if output["output_type"] == "error")
        assert error["ename"] == "BudgetError"
        assert error["evalue"].startswith(f"{label} is capped at 20.00 credits ($0.20), and 30.00")
        assert len(error["traceback"]) == 1
    assert printed_text(outputs[3]) == "reached\n"
