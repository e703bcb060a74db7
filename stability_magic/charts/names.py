"""Names of organizations as a font can draw them."""

from __future__ import annotations

import unicodedata

from matplotlib import font_manager

from ..text import clean_text, shorten
from .picture_data import PictureData

__all__ = ["drawable_names"]

_MAX_NAME_LENGTH = 40


def drawable_names(picture: PictureData) -> list[str]:
    """Names that can be drawn: one line, not too long, of glyphs that the fonts have."""
    histories = picture.histories
    names = [
        _visible_part(clean_text(name)) or _visible_part(clean_text(organization)) or "?"
        for name, organization in zip(histories.names, histories.organizations, strict=True)
    ]
    # A legend of the user ignores labels that begin with an underscore.
    names = [" " + name if name.startswith("_") else name for name in names]
    names = [shorten(name, _MAX_NAME_LENGTH) for name in names]
    if all(name.isascii() for name in names):
        return names
    glyphs = _available_glyphs()
    stand_in = "\N{REPLACEMENT CHARACTER}" if 0xFFFD in glyphs else "?"
    return [
        "".join(each if _is_drawable(each, glyphs) else stand_in for each in name) for name in names
    ]


def _visible_part(name: str) -> str:
    """The name without characters that only say how others are to be drawn; empty for a blank one.

    A font may have a glyph for them that a PDF cannot hold.
    """
    name = "".join(each for each in name if unicodedata.category(each) != "Cf")
    return name if name.strip() else ""


def _is_drawable(character: str, glyphs: set[int]) -> bool:
    """Whether the fonts have a glyph for a character that has a meaning of its own."""
    return ord(character) in glyphs and not unicodedata.category(character).startswith("C")


def _available_glyphs() -> set[int]:
    glyphs: set[int] = set()
    # The families that text is drawn with, and what matplotlib takes if none is installed.
    for family in (*font_manager.FontProperties().get_family(), "DejaVu Sans"):
        properties = font_manager.FontProperties(family=[family])
        try:
            path = font_manager.findfont(properties, fallback_to_default=False)
        except ValueError:
            continue
        if family != "DejaVu Sans" or not glyphs:
            glyphs.update(font_manager.get_font(path).get_charmap())
    return glyphs
