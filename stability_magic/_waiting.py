"""What waits in a session: to be logged, and to be told."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._costs import Cost
    from ._log import Entry

__all__ = ["Notes", "Waiting"]


@dataclasses.dataclass
class Waiting:
    """What could not be logged yet."""

    entries: list[Entry] = dataclasses.field(default_factory=list)
    costs: list[Cost] = dataclasses.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.entries or self.costs)


class Notes(threading.local):
    """The warnings of each thread: what a watch has to say is no command's to print."""

    def __init__(self) -> None:
        self.told: list[str] = []
