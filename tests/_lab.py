"""A real JupyterLab server, for the tests; and what they need to look at it with."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat

__all__ = ["PATIENCE", "Lab", "missing", "programs"]

# Seconds. No test fails before or passes because of it: it ends what would wait for ever.
PATIENCE = 180

_SETTINGS = {
    # Cells that are out of sight shall be in the page, too.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    # A kernel on a busy machine may need longer for a completion than a person would wait.
    "@jupyterlab/completer-extension/manager": {"providerTimeout": 1000 * PATIENCE},
}


def programs() -> tuple[str | None, str | None]:
    """Chromium and its driver, where they are installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((each for each in map(shutil.which, names) if each), None)
    return browser, shutil.which("chromedriver")


def missing() -> list[str]:
    """What is not installed of that which a page of JupyterLab needs."""
    found = dict(zip(("Chromium", "chromedriver"), programs(), strict=True))
    found |= {each: importlib.util.find_spec(each) for each in ("jupyterlab", "selenium")}
    return [name for name, what in found.items() if not what]


class Lab:
    """A server with a folder of its own, on loopback; it asks nobody for news or updates.

    Args:
        folder: Where its settings are, and its notebooks.
    """

    def __init__(self, folder: Path) -> None:
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir(parents=True)
        self._runtime = folder / "runtime"
        self._said = folder / "server.log"
        for name, settings in _SETTINGS.items():
            _write_json(folder / "settings" / f"{name}.jupyterlab-settings", settings)
        news = {"@jupyterlab/apputils-extension:announcements": True}
        _write_json(folder / "config/labconfig/page_config.json", {"disabledExtensions": news})
        # The tests' choice of a backend is not the notebook's.
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("JUPYTER") and name != "MPLBACKEND"
        }
        places = {
            "JUPYTER_CONFIG_DIR": folder / "config",
            "JUPYTER_DATA_DIR": folder / "data",
            "JUPYTER_RUNTIME_DIR": self._runtime,
            "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
            "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
        }
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                    *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"),
                    f"--ServerApp.root_dir={self.notebooks}",
                    "--LabApp.extension_manager=readonly",
                    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                ],
                env=kept | {name: str(place) for name, place in places.items()},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def write(self, notebook: str, cells: Sequence[nbformat.NotebookNode]) -> int:
        """Writes a notebook that has not been run, and answers how many cells it has."""
        made = nbformat.v4.new_notebook(cells=list(cells))
        made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        for cell in made.cells:
            if cell.cell_type == "code":
                cell.update(outputs=[], execution_count=None)
        nbformat.write(made, self.notebooks / notebook)
        return len(made.cells)

    def address(self, notebook: str) -> str:
        """Where a notebook is, as soon as the server answers."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends and self._process.poll() is None:
            # The file may be seen before it has been written.
            with contextlib.suppress(StopIteration, ValueError):
                found = next(self._runtime.glob("jpserver-*.json"))
                server = json.loads(found.read_text(encoding="utf-8"))
                return f"{server['url']}lab/tree/{notebook}?token={server['token']}"
            time.sleep(0.05)
        raise RuntimeError(self._said.read_text(encoding="utf-8"))

    def close(self) -> None:
        """Ends it and its kernels."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            # Its kernels notice, and end.
            self._process.kill()
            self._process.wait()


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
