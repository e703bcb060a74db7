"""Channels of tests: what they are sent can be read."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

__all__ = ["Recorder"]


class Recorder:
    """A command that keeps what it is sent in a file, one message a line.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.command = [str(shutil.which("tee")), "-a", str(path)]

    def messages(self) -> list[dict[str, Any]]:
        """What was sent so far."""
        if not self._path.exists():
            return []
        return [json.loads(line) for line in self._path.read_text("utf-8").splitlines()]

    def events(self) -> list[str]:
        """The events of these."""
        return [each["event"] for each in self.messages()]

    def wait_for(self, count: int) -> list[str]:
        """The events, once there are so many."""
        end = time.monotonic() + 60
        while len(self.messages()) < count:
            assert time.monotonic() < end, self.events()
            time.sleep(0.01)
        return self.events()
