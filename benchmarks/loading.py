"""How long a shell takes to start with the extension, and with other popular ones."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from .timing import print_timing, time_side_by_side

# Extensions, with the packages that they are in.
_OTHER_EXTENSIONS = {"sql": "sql", "watermark": "watermark", "memory_profiler": "memory_profiler"}


def run(root: Path) -> None:
    """Times ``ipython -c`` without an extension, and with each that is installed."""
    jobs = {"ipython -c pass": partial(_run_ipython, root, "pass")}
    for name, package in {"stability_magic": "stability_magic", **_OTHER_EXTENSIONS}.items():
        if find_spec(package):
            jobs[f"%load_ext {name}"] = partial(_run_ipython, root, f"%load_ext {name}")
    times = time_side_by_side(jobs, rounds=15)
    bare = times.pop("ipython -c pass")
    print_timing("`ipython -c pass`", bare)
    for name, seconds in times.items():
        print_timing(f"`{name}`", seconds, bare, 1.10 if "stability" in name else None)


def _run_ipython(root: Path, code: str) -> None:
    command = [sys.executable, "-m", "IPython", "--quick", "--no-banner", "-c", code]
    # As after installing with pip: compiled once, not at each start.
    environment = os.environ | {"IPYTHONDIR": str(root / "ipython")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(command, check=True, capture_output=True, env=environment)
