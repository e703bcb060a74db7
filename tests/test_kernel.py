"""In a real kernel, as notebooks run: what is shown, how often, and what stops Run All."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def run(*cells: str, allow: list[str] | None = None) -> list[list[dict]]:
    """The outputs of cells that a fresh kernel runs one after the other."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", allow_error_names=allow or []
    )
    client.execute()
    return [each["outputs"] for each in notebook["cells"]]


def pictures(outputs: list[dict]) -> int:
    """How many pictures or interactive figures a cell shows."""
    kinds = ("image/png", "image/svg+xml", "application/vnd.jupyter.widget-view+json")
    return sum(any(kind in each.get("data", {}) for kind in kinds) for each in outputs)


def text(outputs: list[dict], stream: str = "stdout") -> str:
    """What a cell printed."""
    return "".join(each["text"] for each in outputs if each.get("name") == stream)


@pytest.mark.usefixtures("api", "log_path")
def test_a_notebook_shows_lines_frames_and_each_picture_once(monkeypatch):
    """With the inline backend, set up or not, and with the interactive one."""
    monkeypatch.delenv("MPLBACKEND")
    outputs = run(
        "%load_ext stability_magic\n%stability_balance",
        "%stability_plot",
        "figure = %stability_plot\nfigure",
        "%matplotlib inline\n%stability_plot",
        "%stability_plot;",
        "%matplotlib widget\n%stability_plot",
        "import stability_magic\nreadings = %stability_history\n"
        "stability_magic.plot_usage(readings)",
    )
    balance, *plots = outputs
    assert text(balance).startswith("Fernhill Studio (simulated): ")
    (frame,) = (each for each in balance if each["output_type"] == "execute_result")
    assert "<table" in frame["data"]["text/html"]
    assert "@" not in frame["data"]["text/html"]
    assert [pictures(each) for each in plots] == [1, 1, 1, 0, 1, 1]


@pytest.mark.usefixtures("api", "log_path")
def test_variables_are_filled_in_and_answers_can_be_kept():
    """As with any line magic."""
    outputs = run(
        "%load_ext stability_magic\nspan = '7d'",
        "df = %stability_balance --since $span\nprint(type(df).__name__, len(df))",
        "def days():\n    return 2\nprint(len(get_ipython().run_line_magic("
        "'stability_history', f'--since {days()}d')))",
        "%stability_history --since {span};",
    )
    assert text(outputs[1]).endswith("DataFrame 1\n")
    assert text(outputs[2]).endswith("1\n")
    assert not any(each["output_type"] == "execute_result" for each in outputs[3])


@pytest.mark.usefixtures("log_path")
def test_an_error_stops_run_all_and_keeps_its_class(api, monkeypatch):
    """The notebook stores an error of that name, in one line, without the key."""
    monkeypatch.setenv("STABILITY_API_KEY", "sk-wrong-but-secret")
    cells = ("%load_ext stability_magic", "%stability_balance", "print('reached')")
    with pytest.raises(CellExecutionError) as stopped:
        run(*cells)
    assert stopped.value.ename == "AuthenticationError"
    assert "sk-wrong" not in str(stopped.value)
    outputs = run(*cells, allow=["AuthenticationError"])
    (error,) = outputs[1]
    assert error["output_type"] == "error"
    assert len(error["traceback"]) == 1
    assert text(outputs[2]) == "reached\n"


def test_a_wrong_argument_stops_run_all():
    """Also though IPython stores it as a line on standard error."""
    with pytest.raises(CellExecutionError):
        run("%load_ext stability_magic", "%stability_balance --sinc 7d")
