"""Frames as a terminal shows them: as in a notebook, in as many columns as there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic.analysis.spend import usage
from stability_magic.display.tables import frame_text

from .table_frames import NOW, all_frames, readings_of


def table(frame, width=80, **options):
    """The lines of the table of a frame."""
    return frame_text(frame, "table", width, now=NOW, **options).splitlines()


@pytest.mark.parametrize("kind", all_frames())
@pytest.mark.parametrize("has_unicode", [True, False])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(kind, has_unicode, width):
    """In Unicode and in ASCII, whatever has to be left out."""
    lines = table(all_frames()[kind], width, has_unicode=has_unicode)
    assert max(map(len, lines)) <= width
    assert has_unicode or all(each.isascii() for each in lines)
    assert "DataFrame" not in " ".join(lines)


@given(
    st.lists(st.text(st.characters(categories=["L", "N", "Zs"]), max_size=60), max_size=50),
    st.integers(0, 9),
)
@settings(max_examples=30, deadline=None)
def test_many_organizations_of_any_names_fit(names, seed):
    """Their names give way, and never a figure."""
    random = np.random.default_rng(seed)
    ids = {f"org-{code}": name for code, name in enumerate([*names, "one"])}
    balances = {each: -np.sort(-random.random(5) * 10 ** random.integers(1, 7)) for each in ids}
    frame = readings_of({each: list(values) for each, values in balances.items()}, names=ids)
    for each in (frame, usage(frame)):
        lines = table(each)
        assert max(map(len, lines)) <= 80
        assert any("$" in line and "…" not in line.partition("$")[0][-9:] for line in lines)


def test_it_says_what_a_notebook_says():
    """Times as people say them, dollars beside credits, and a dash where nothing was spent."""
    lines = table(readings_of({"one": [900.0, 850.5, 850.5]}))
    assert lines[0].split() == ["read", "credits", "left", "spent"]
    assert lines[2].split() == ["today", "08:30", "850.50", "$8.51", "49.50"]
    assert lines[3].split()[:-1] == ["today", "09:30", "850.50", "$8.51"]
    assert lines[4:] == ["one"]


def test_usage_has_a_column_for_each_organization():
    """Heads are broken between words where the line is too short for them."""
    names = {"a": "Fernhill Studio of the North", "b": "Lantern Pipeline of the South"}
    frame = usage(readings_of({"a": [900.0, 850.0], "b": [80.0, 70.0]}, names=names))
    wide, narrow = table(frame, 120), table(frame, 60)
    assert "Fernhill Studio of the North" in wide[0]
    assert len(narrow) > len(wide)
    assert wide[1].split() == ["Wed", "25", "Nov", "so", "far", "60.00", "$0.60", "50.00", "10.00"]


def test_what_has_no_room_is_named():
    """The last columns go first."""
    frame = readings_of({"a": [900.0, 850.0], "b": [80.0, 70.0]}, label="a label")
    assert table(frame, 46)[-2:] == ["without organization, label: the terminal is", "  too narrow"]
