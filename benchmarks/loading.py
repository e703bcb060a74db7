"""How long a shell takes to start with the extension, and with others that people load."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from ._timing import report, side_by_side

# Extensions, and the packages that they are in.
_OTHERS = {"sql": "sql", "watermark": "watermark", "memory_profiler": "memory_profiler"}


def run(root: Path) -> None:
    """``ipython -c`` with and without each of them."""
    jobs = {"ipython -c pass": partial(_ipython, root, "pass")}
    for name, package in {"stability_magic": "stability_magic", **_OTHERS}.items():
        if find_spec(package):
            jobs[f"%load_ext {name}"] = partial(_ipython, root, f"%load_ext {name}")
    times = side_by_side(jobs, rounds=15)
    bare = times.pop("ipython -c pass")
    report("`ipython -c pass`", bare)
    for name, seconds in times.items():
        report(f"`{name}`", seconds, bare, 1.10 if "stability" in name else None)


def _ipython(root: Path, code: str) -> None:
    command = [sys.executable, "-m", "IPython", "--quick", "--no-banner", "-c", code]
    # As pip installs it: compiled once, and not at each start.
    environment = os.environ | {"IPYTHONDIR": str(root / "ipython")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(command, check=True, capture_output=True, env=environment)
