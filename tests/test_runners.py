"""Programs that run notebooks: what they write, and what stops them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

QUICKSTART = Path(__file__).parent.parent / "notebooks" / "quickstart.ipynb"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A module as a program, with the backend that a notebook has by itself."""
    kept = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        env=kept | {"PYTHONIOENCODING": "utf-8"},
    )


def test_nbconvert_runs_the_quickstart(tmp_path):
    """Without a key; every cell has run, and none has failed."""
    target = tmp_path / "run.ipynb"
    to_notebook = ("nbconvert", "--to", "notebook", "--execute")
    done = run(*to_notebook, str(QUICKSTART), "--output", str(target))
    assert done.returncode == 0, done.stderr
    cells = [each for each in nbformat.read(target, 4).cells if each.cell_type == "code"]
    assert [each.execution_count for each in cells] == list(range(1, len(cells) + 1))
    kinds = {each.output_type for cell in cells for each in cell.outputs}
    assert kinds == {"stream", "display_data", "execute_result"}


@pytest.mark.usefixtures("log_path")
def test_papermill_stops_when_less_is_left_than_required(api, tmp_path):
    """With an exit code, the error's name, and a notebook that was run as far as that."""
    source, target = tmp_path / "source.ipynb", tmp_path / "run.ipynb"
    cells = (
        "%load_ext stability_magic",
        "%stability_balance --require 1000000",
        "print('reached')",
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    nbformat.write(notebook, source)
    done = run("papermill", "--kernel", "python3", str(source), str(target))
    assert done.returncode != 0
    assert "LowBalanceError: " in done.stderr
    assert "1,000,000.00 are required" in done.stderr
    written = target.read_text(encoding="utf-8")
    assert "LowBalanceError" in written
    assert api.api_key not in done.stdout + done.stderr + written
    assert nbformat.reads(written, 4).cells[-1].execution_count is None
