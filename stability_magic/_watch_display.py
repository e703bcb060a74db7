"""A watch as it is shown in a notebook: below its cell, kept up to date in place."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib.figure import Figure

    from ._watch import Watch, Watched

__all__ = ["WatchDisplay"]


class WatchDisplay:
    """The lines of a watch, and the picture where one is wanted.

    A terminal cannot change what it has shown, so there the first lines are the last.

    Args:
        shell: Where to show it.
        watch: The watch.
        picture: Draws the picture.
    """

    def __init__(
        self, shell: InteractiveShell, watch: Watch, picture: Callable[[Watch], Figure]
    ) -> None:
        # Taken now: while a cell captures its output, the shell has another one.
        self._publisher = shell.display_pub
        self._in_place = getattr(shell, "kernel", None) is not None
        self.watch = watch
        self._picture = picture
        self._ids = {"lines": uuid.uuid4().hex, "picture": uuid.uuid4().hex}
        self._shown: set[str] = set()

    def begin(self) -> None:
        """Shows it for the first time."""
        self._publish("lines", {"text/plain": "\n".join(self.watch.lines())})
        if self.watch.plot:
            figure: Any = self._picture(self.watch)
            self._publish("picture", {"image/png": figure._repr_png_(), "text/plain": str(figure)})

    def update(self, _: Watched) -> None:
        """Shows how it stands now, where it has been shown; called in the watch's thread."""
        if self._shown and self._in_place:
            self.begin()

    def end(self) -> None:
        """Says below the cell that the watch has ended."""
        if self._shown and self._in_place:
            self._publish("lines", {"text/plain": "\n".join(self.watch.lines())})

    def _publish(self, what: str, data: dict[str, Any]) -> None:
        self._publisher.publish(
            data=data,
            metadata={},
            transient={"display_id": self._ids[what]},
            update=what in self._shown,
        )
        self._shown.add(what)
