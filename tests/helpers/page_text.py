"""What of a piece of HTML a person sees, and what a browser would do with it."""

from __future__ import annotations

from html.parser import HTMLParser

__all__ = ["Html"]


class Html(HTMLParser):
    """The rows, texts, tags and attributes of a piece of HTML.

    Attributes:
        rows: The texts of the cells of each row, with ordinary spaces.
        texts_to_typeset: The pieces of text between tags in which a notebook looks for formulas.
        outside: The text outside the table.
        tags: All tags, in order.
        attributes: The names of all attributes, and their values.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.texts_to_typeset: list[str] = []
        self._is_code = False
        self.outside = ""
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self._is_in_cell = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes a tag, and where rows and cells begin."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._is_code |= tag == "code"
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._is_in_cell = True

    def handle_endtag(self, tag: str) -> None:
        """Notes where cells and code end."""
        self._is_code &= tag != "code"
        if tag in ("td", "th"):
            self._is_in_cell = False

    def handle_data(self, data: str) -> None:
        """Notes a text."""
        if not self._is_code:
            self.texts_to_typeset.append(data)
        text = data.replace("\N{NO-BREAK SPACE}", " ")
        if self._is_in_cell:
            self.rows[-1][-1] += text
        else:
            self.outside += text
