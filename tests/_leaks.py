"""A search for the tests' keys in all that a test puts out: what it prints, and files it leaves."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ._support import KEY

__all__ = ["assert_no_key", "search_files", "watch_outputs"]

# The keys that the simulators make up bear this name.
_KEYS = re.compile(rf"{re.escape(KEY)}|sk-simulated-[0-9a-f]{{38}}".encode())


def assert_no_key(where: str, content: str | bytes | None) -> None:
    """The content holds none of the keys that the tests use."""
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content or b""
    assert _KEYS.search(data) is None, f"{where} holds a key"


def watch_outputs(patch: pytest.MonkeyPatch) -> None:
    """Searches what a test takes in of its own output, and of that of its processes."""
    readouterr, communicate = pytest.CaptureFixture.readouterr, subprocess.Popen.communicate

    def searched_readouterr(self: Any) -> Any:
        taken = readouterr(self)
        for name, content in zip(("standard output", "standard error"), taken, strict=True):
            assert_no_key(name, content)
        return taken

    def searched_communicate(self: Any, *arguments: Any, **named: Any) -> Any:
        taken = communicate(self, *arguments, **named)
        for content in taken:
            assert_no_key(f"what {self.args!r:.200} printed", content)
        return taken

    patch.setattr(pytest.CaptureFixture, "readouterr", searched_readouterr)
    patch.setattr(subprocess.Popen, "communicate", searched_communicate)


def search_files(folder: Path) -> None:
    """Searches every file that a test has left, but for those that hold keys for users."""
    for each in folder.rglob("*"):
        if each.is_file() and not each.is_symlink() and each.name != ".stability":
            assert_no_key(str(each), each.read_bytes())
