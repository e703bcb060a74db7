"""A real JupyterLab server for the tests, and the programs that they view it with."""

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

__all__ = ["TIMEOUT", "Lab", "find_programs", "missing"]

# Seconds. Generous: it only ends what would otherwise wait for ever.
TIMEOUT = 180

_SETTINGS = {
    # Cells outside the visible area must be in the page, too.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    # A kernel on a busy machine may need a long time for a completion.
    "@jupyterlab/completer-extension/manager": {"providerTimeout": 1000 * TIMEOUT},
}


def find_programs() -> tuple[str | None, str | None]:
    """The paths of Chromium and its driver; None for one that is not installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((each for each in map(shutil.which, names) if each), None)
    return browser, shutil.which("chromedriver")


def missing() -> list[str]:
    """The names of whatever a page of JupyterLab needs that is not installed."""
    locations = dict(zip(("Chromium", "chromedriver"), find_programs(), strict=True))
    locations |= {each: importlib.util.find_spec(each) for each in ("jupyterlab", "selenium")}
    return [name for name, location in locations.items() if not location]


class Lab:
    """A server with its own folder, on loopback; it does not look for news or updates.

    Args:
        folder: The folder for its settings and notebooks.
    """

    def __init__(self, folder: Path) -> None:
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir(parents=True)
        self._runtime = folder / "runtime"
        self._server_log = folder / "server.log"
        for name, settings in _SETTINGS.items():
            _write_json(folder / "settings" / f"{name}.jupyterlab-settings", settings)
        news = {"@jupyterlab/apputils-extension:announcements": True}
        _write_json(folder / "config/labconfig/page_config.json", {"disabledExtensions": news})
        # The tests' plotting backend is not the notebook's.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("JUPYTER") and name != "MPLBACKEND"
        }
        folders = {
            "JUPYTER_CONFIG_DIR": folder / "config",
            "JUPYTER_DATA_DIR": folder / "data",
            "JUPYTER_RUNTIME_DIR": self._runtime,
            "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
            "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
        }
        with self._server_log.open("wb") as server_log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                    *("--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"),
                    f"--ServerApp.root_dir={self.notebooks}",
                    "--LabApp.extension_manager=readonly",
                    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                ],
                env=environment | {name: str(path) for name, path in folders.items()},
                stdin=subprocess.DEVNULL,
                stdout=server_log,
                stderr=server_log,
            )

    def write(self, notebook: str, cells: Sequence[nbformat.NotebookNode]) -> int:
        """Writes a notebook without outputs, and returns how many cells it has."""
        content = nbformat.v4.new_notebook(cells=list(cells))
        content.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        for cell in content.cells:
            if cell.cell_type == "code":
                cell.update(outputs=[], execution_count=None)
        nbformat.write(content, self.notebooks / notebook)
        return len(content.cells)

    def address(self, notebook: str) -> str:
        """The URL of a notebook, as soon as the server is ready."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline and self._process.poll() is None:
            # The file may exist before its content is complete.
            with contextlib.suppress(StopIteration, ValueError):
                path = next(self._runtime.glob("jpserver-*.json"))
                server = json.loads(path.read_text(encoding="utf-8"))
                return f"{server['url']}lab/tree/{notebook}?token={server['token']}"
            time.sleep(0.05)
        raise RuntimeError(self._server_log.read_text(encoding="utf-8"))

    def close(self) -> None:
        """Ends the server and its kernels."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            # Its kernels notice, and end too.
            self._process.kill()
            self._process.wait()


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
