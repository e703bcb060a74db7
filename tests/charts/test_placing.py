"""Where labels go: clear of lines and of each other."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic.charts.placing import first_free_place, place_above, spread, step_boxes

FRAME = np.array([0.0, 0.0, 200.0, 100.0])
POINTS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 90)), min_size=2, max_size=12)


@settings(deadline=None, max_examples=100)
@given(points=POINTS, width=st.integers(5, 60))
def test_labels_touch_no_line_and_no_label(points: list[tuple[int, int]], width: int) -> None:
    """If all of them have a place; each stands inside, not far above what it belongs to."""
    anchors = np.array(sorted(points), dtype=float)
    sizes = np.tile([float(width), 10.0], (len(anchors), 1))
    lines = step_boxes(*anchors.T)
    corners = place_above(anchors, sizes, lines, FRAME, 4, 5, 36)
    if corners is None:
        return
    boxes = np.column_stack([corners, corners + sizes])
    assert (boxes[:, 0] >= 0).all()
    assert (boxes[:, 2:] <= FRAME[2:]).all()
    assert ((corners[:, 1] - anchors[:, 1] >= 4) & (corners[:, 1] - anchors[:, 1] <= 36)).all()
    for one, other in itertools.combinations([*boxes, *lines], 2):
        if any(one is each for each in lines):
            continue
        apart = (
            (one[0] >= other[2])
            | (other[0] >= one[2])
            | (one[1] >= other[3])
            | (other[1] >= one[3])
        )
        assert apart or not any(np.array_equal(one, each) for each in boxes)


def test_a_label_on_a_level_takes_the_first_place_without_a_line() -> None:
    """Above or below the level, from the left."""
    steps = step_boxes(np.array([0.0, 60, 60, 200]), np.array([90.0, 90, 52, 10]))
    place = first_free_place(np.array([40.0, 10.0]), 50.0, steps, FRAME, 4)
    assert place == (0.0, 54.0)
    wall = np.array([[0.0, 0.0, 200.0, 100.0]])
    assert first_free_place(np.array([40.0, 10.0]), 50.0, wall, FRAME, 4) is None


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(-20, 320), min_size=1, max_size=8))
def test_ends_of_lines_keep_apart_and_in_order(places: list[int]) -> None:
    """Those that have room stay where they are."""
    wanted = np.array(places, dtype=float)
    result = spread(wanted, np.full(len(places), 30.0), 0.0, 300.0)
    ordered = result[np.argsort(wanted, kind="stable")]
    assert (np.diff(ordered) >= 30 - 1e-6).all()
    assert ((result >= 15 - 1e-6) & (result <= 285 + 1e-6)).all()
    if len(places) == 1 and 15 <= places[0] <= 285:
        assert result[0] == places[0]
