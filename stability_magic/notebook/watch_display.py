"""How a notebook shows a watch: below its cell, updated in place."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..text import clean_line

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib.figure import Figure

    from ..display.watch_state import WatchState
    from ..session.watch import Watch

__all__ = ["WatchDisplay"]


class WatchDisplay:
    """The lines of a watch, and its picture if it has one.

    A terminal cannot change what it has printed, so there the first lines stay as they are.

    Args:
        shell: The shell that shows it.
        watch: The watch.
        draw: Draws the picture.
    """

    def __init__(
        self, shell: InteractiveShell, watch: Watch, draw: Callable[[Watch], Figure]
    ) -> None:
        # Looked up now: while a cell captures its output, the shell has another one.
        self._publisher = shell.display_pub
        self._can_update = getattr(shell, "kernel", None) is not None
        self.watch = watch
        self._draw = draw
        self._display_ids = {"lines": uuid.uuid4().hex, "picture": uuid.uuid4().hex}
        self._shown_parts: set[str] = set()

    def show(self) -> None:
        """Shows the lines and the picture, in place of those shown before."""
        self._publish("lines", {"text/plain": self._text()})
        if self.watch.has_picture:
            figure: Any = self._draw(self.watch)
            png, metadata = figure._repr_png_()
            data = {"image/png": png, "text/plain": repr(figure)}
            self._publish("picture", data, {"image/png": metadata})

    def update(self, _: WatchState) -> None:
        """Updates everything, once it is shown; called in the watch's thread."""
        if self._shown_parts and self._can_update:
            self.show()

    def show_end(self) -> None:
        """Updates the lines below the cell to say that the watch has ended."""
        if self._shown_parts and self._can_update:
            self._publish("lines", {"text/plain": self._text()})

    def _text(self) -> str:
        return "\n".join(map(clean_line, self.watch.lines()))

    def _publish(
        self, part: str, data: dict[str, Any], metadata: dict[str, Any] | None = None
    ) -> None:
        self._publisher.publish(
            data=data,
            metadata=metadata or {},
            transient={"display_id": self._display_ids[part]},
            update=part in self._shown_parts,
        )
        self._shown_parts.add(part)
