"""One word for one thing, in all that people read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from stability_magic.analysis.frames import COLUMNS
from stability_magic.display import wording
from stability_magic.display.tables import frame_text

from .helpers.project import ROOT

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")

# What is no longer said, and what is said instead. The summary's column keeps its name.
GONE = {
    r"(?<![\"'`])dear(er|est)(?![\"'`])": "most, or most expensive",
    r"(no|some)body (has )?(looked|read the balance)\b": "no readings",
    r"hard to tell": "cannot tell",
    r"outside cells": "elsewhere",
    r"\b(run|runs|ran) (out|dry)\b": "empty",
    r"\bused up\b": "empty, or spent",
    r"\b(same|one) pool\b": "balance",
    r"\bthis pace\b": "rate",
}

FILES = [
    *sorted((ROOT / "stability_magic").rglob("*.py")),
    *sorted((ROOT / "benchmarks").rglob("*.py")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
]


def read(path: Path) -> str:
    """What a file says; of a notebook, what is written in its cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return text


@pytest.mark.parametrize("gone", GONE, ids=GONE.get)
def test_what_has_another_word_is_nowhere_called_otherwise(gone):
    """In the package with its comments, in the pages, and in the notebooks."""
    found = [
        f"{path.relative_to(ROOT)}: {match[0]!r}; say {GONE[gone]}"
        for path in FILES
        for match in re.finditer(gone.replace(" ", r"[\s#]+"), read(path), re.IGNORECASE)
    ]
    assert not found


def entries() -> Iterator[str]:
    """The words that the page explains."""
    for line in re.findall(r"^\*\*.*$", GLOSSARY, re.MULTILINE):
        head, _, _ = line.partition(":")
        yield from (each.lower() for each in re.findall(r"\*\*([^*]+)\*\*", head))


def test_the_glossary_explains_what_is_said():
    """Each word once, in a paragraph of its own."""
    words = list(entries())
    assert len(words) == len(set(words))
    assert set(words) >= {
        "reading",
        "balance",
        "credits",
        "spent",
        "at least",
        "about",
        "likely",
        "estimated",
        "doubtful",
        "observed",
        "elsewhere",
        "organization",
        "top-up",
        "burn rate",
        "gap",
        "no readings",
    }


def test_the_words_and_signs_of_a_bound_are_those_of_the_glossary():
    """Lines have the words, tables the signs, and a note below them both."""
    words = set(entries())
    for word, note in (("at least", wording.AT_LEAST_NOTE), ("about", wording.ABOUT_NOTE)):
        sign = note[0]
        assert note.startswith(f"{sign}: {word}, ")
        assert re.search(rf"^\*\*{word}\*\* \(`{sign}` in tables\)", GLOSSARY, re.M | re.I)
        assert word in words
    assert wording.bound_words(is_estimate=True, is_lower_bound=True) == "at least about "


def test_a_terminal_says_most_where_the_column_is_called_otherwise():
    """Programs, which take CSV and JSON, find the column under its name."""
    values = ("render", "org-a", 1, 3.0, 3.0, 3.0, 0.03, True, 1.0)
    frame = pd.DataFrame([dict(zip(COLUMNS["summary"], values, strict=True))])
    head = frame_text(frame, "table", 200).splitlines()[0].split()
    assert "most" in head
    assert "dearest" not in head
    assert "dearest" in frame_text(frame, "csv", 200).splitlines()[0].split(",")
    assert '"dearest"' in frame_text(frame, "json", 200)
