"""The notebooks run from top to bottom, and what is kept in them is what they show.

``STABILITY_MAGIC_REFRESH=1 python -m pytest tests/test_notebooks.py`` keeps new outputs.
"""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(each.name for each in FOLDER.glob("*.ipynb"))
ADDRESS = re.compile(r"[\w.+-]{2,}@[\w-]+\.\w+")


@pytest.fixture(scope="module", params=NOTEBOOKS)
def notebook(request) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode]:
    """A notebook as it is kept, and as a real kernel runs it now, without a key."""
    path = FOLDER / request.param
    kept = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("STABILITY_API_KEY", raising=False)
        environment.delenv("MPLBACKEND", raising=False)
        environment.setenv("TZ", "UTC")
        # Under load a kernel sends what one cell prints in several pieces.
        NotebookClient(fresh, timeout=120, kernel_name="python3", coalesce_streams=True).execute()
    for cell in fresh.cells:
        cell.metadata.pop("execution", None)
    fresh.metadata = kept.metadata
    if os.environ.get("STABILITY_MAGIC_REFRESH"):
        nbformat.write(fresh, path)
        kept = fresh
    return kept, fresh


def shape(cell: nbformat.NotebookNode) -> list[tuple[str, object]]:
    """What a cell shows, without the figures, which change from day to day."""
    shown: list[tuple[str, object]] = []
    written = ""
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            # In how many pieces a kernel sends what is written depends on how busy it is.
            if shown and shown[-1][0] == output.name:
                shown.pop()
            else:
                written = ""
            written += output.text
            shown.append((output.name, len(written.splitlines())))
            continue
        for kind in sorted(output.data):
            described: object = None
            if kind == "text/html":
                head, _, _ = output.data[kind].partition("</thead>")
                described = re.findall(r"<th>(.*?)</th>", head)
            shown.append((kind, described))
    return shown


def test_there_are_notebooks():
    """Else the tests below would check nothing."""
    assert "quickstart.ipynb" in NOTEBOOKS


def test_kept_outputs_are_of_the_current_shape(notebook):
    """The same streams, tables with the same columns, and pictures, cell by cell."""
    kept, fresh = notebook
    for old, new in zip(kept.cells, fresh.cells, strict=True):
        assert old.source == new.source
        assert shape(old) == shape(new), old.source


def test_pictures_are_kept_once_and_whole(notebook):
    """A cell shows one picture at the most, and it is a PNG."""
    for cell in notebook[0].cells:
        pictures = [
            each.data["image/png"]
            for each in cell.get("outputs", ())
            if "image/png" in each.get("data", {})
        ]
        assert len(pictures) <= 1
        for each in pictures:
            assert base64.b64decode(each).startswith(b"\x89PNG")


def test_nothing_private_is_kept(notebook):
    """No address in clear, no key, no home folder, no warning."""
    for each in notebook:
        outputs = str([cell.get("outputs") for cell in each.cells])
        assert not ADDRESS.search(outputs)
        assert "sk-" not in outputs
        assert str(Path.home()) not in outputs
        assert "/home/" not in outputs
        assert "stderr" not in outputs


def test_figures_are_said_to_be_simulated(notebook):
    """Nobody shall take them for real ones."""
    outputs = str([cell.get("outputs") for cell in notebook[0].cells])
    assert "SIMULATED" in outputs
    assert "(simulated)" in outputs
