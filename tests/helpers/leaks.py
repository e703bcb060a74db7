"""Searches for the tests' keys in what a test prints and in the files that it leaves."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .errors import KEY

__all__ = ["assert_no_key", "search_files", "watch_outputs"]

# The simulator's made-up keys begin with this prefix.
_KEYS = re.compile(rf"{re.escape(KEY)}|sk-simulated-[0-9a-f]{{38}}".encode())


def assert_no_key(where: str, content: str | bytes | None) -> None:
    """The content holds none of the keys that the tests use."""
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content or b""
    assert _KEYS.search(data) is None, f"{where} holds a key"


def watch_outputs(patch: pytest.MonkeyPatch) -> None:
    """Searches the output that a test captures, its own and that of its processes."""
    readouterr, communicate = pytest.CaptureFixture.readouterr, subprocess.Popen.communicate

    def searched_readouterr(self: Any) -> Any:
        output = readouterr(self)
        for name, content in zip(("standard output", "standard error"), output, strict=True):
            assert_no_key(name, content)
        return output

    def searched_communicate(self: Any, *args: Any, **kwargs: Any) -> Any:
        output = communicate(self, *args, **kwargs)
        for content in output:
            assert_no_key(f"what {self.args!r:.200} printed", content)
        return output

    patch.setattr(pytest.CaptureFixture, "readouterr", searched_readouterr)
    patch.setattr(subprocess.Popen, "communicate", searched_communicate)


def search_files(folder: Path) -> None:
    """Searches every file that a test has left, except those that hold keys for users."""
    for each in folder.rglob("*"):
        if each.is_file() and not each.is_symlink() and each.name != ".stability":
            assert_no_key(str(each), each.read_bytes())
