"""What a session still has to log, and what it still has to tell the user."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..analysis.costs import Cost
    from ..log.balance_log import Entry

__all__ = ["Backlog", "Notes"]


@dataclasses.dataclass
class Backlog:
    """Readings and costs that could not be logged yet.

    Attributes:
        spilled_ids: The ids of those that are in a spill file too, and so outlive this process.
        spill_files: These files.
    """

    entries: list[Entry] = dataclasses.field(default_factory=list)
    costs: list[Cost] = dataclasses.field(default_factory=list)
    spilled_ids: set[bytes] = dataclasses.field(default_factory=set)
    spill_files: list[Path] = dataclasses.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.entries or self.costs)

    @property
    def is_spilled(self) -> bool:
        """Whether all of it is in spill files."""
        ids = {each.id for each in self.entries} | {each.id for each in self.costs}
        return self.spilled_ids >= ids


class Notes(threading.local):
    """What to tell the user, per thread: a command must not print the notes of a watch.

    Attributes:
        messages: Warnings: something did not work.
        news: What the user should know although everything works.
    """

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.news: list[str] = []
