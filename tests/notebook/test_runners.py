"""nbconvert and papermill: what they write, and what stops them."""

from __future__ import annotations

import os
import subprocess
import sys

import nbformat
import pytest

from ..helpers.project import ROOT

pytestmark = pytest.mark.once

QUICKSTART = ROOT / "notebooks" / "quickstart.ipynb"


def run_module(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a module as a program, with matplotlib's default backend of a notebook."""
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        env=environment | {"PYTHONIOENCODING": "utf-8"},
    )


def test_nbconvert_runs_the_quickstart(tmp_path):
    """Without a key; every cell runs, and none fails."""
    target = tmp_path / "run.ipynb"
    to_notebook = ("nbconvert", "--to", "notebook", "--execute")
    process = run_module(*to_notebook, str(QUICKSTART), "--output", str(target))
    assert process.returncode == 0, process.stderr
    cells = [each for each in nbformat.read(target, 4).cells if each.cell_type == "code"]
    assert [each.execution_count for each in cells] == list(range(1, len(cells) + 1))
    kinds = {each.output_type for cell in cells for each in cell.outputs}
    assert kinds == {"stream", "display_data", "execute_result"}


@pytest.mark.usefixtures("log_path")
def test_papermill_stops_when_less_is_left_than_required(api, tmp_path):
    """With an exit code, the error's name, and a notebook with the outputs so far."""
    source, target = tmp_path / "source.ipynb", tmp_path / "run.ipynb"
    cells = (
        "%load_ext stability_magic",
        "%stability_balance --require 1000000",
        "print('reached')",
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    nbformat.write(notebook, source)
    process = run_module("papermill", "--kernel", "python3", str(source), str(target))
    assert process.returncode != 0
    assert "LowBalanceError: " in process.stderr
    assert "1,000,000.00 are required" in process.stderr
    notebook_text = target.read_text(encoding="utf-8")
    assert "LowBalanceError" in notebook_text
    assert api.api_key not in process.stdout + process.stderr + notebook_text
    assert nbformat.reads(notebook_text, 4).cells[-1].execution_count is None


def test_papermill_stops_at_a_cap(tmp_path):
    """With an exit code, the error's name, and a notebook with the outputs so far."""
    source, target = tmp_path / "source.ipynb", tmp_path / "run.ipynb"
    cells = (
        "%load_ext stability_magic\n%stability_demo",
        "%%stability_cost render --max 20\n%stability_demo --spend 30\nimport time\ntime.sleep(60)",
        "print('reached')",
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    nbformat.write(notebook, source)
    process = run_module("papermill", "--kernel", "python3", str(source), str(target))
    assert process.returncode != 0
    assert "BudgetError: render is capped at 20.00 credits" in process.stderr
    written = nbformat.read(target, 4)
    assert written.cells[-1].execution_count is None
    assert "render: 30.00 credits" in nbformat.writes(written)
