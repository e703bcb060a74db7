"""Pictures of very many readings, and how they are thinned out."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stability_magic.charts.plots import plot_usage
from stability_magic.charts.thinning import extreme_positions, largest_per_column

from .pictures import many_readings, svg_bytes


def test_a_million_readings_give_a_small_picture() -> None:
    """The SVG stays far below a megabyte, and shows the highest and lowest balance."""
    frame = many_readings(1_000_000, with_topups=True)
    figure = plot_usage(frame)
    data = figure.axes[0].lines[0].get_ydata()
    assert data.min() == max(frame["credits"].min(), 0)
    assert data.max() == frame["credits"].max()
    assert len(svg_bytes(figure)) < 600_000


def test_many_organizations_share_the_room() -> None:
    """A hundred thousand readings of twelve organizations give a small picture, too."""
    frame = many_readings(100_000, with_topups=False)
    frame["organization"] = np.resize([f"org-{code:02}" for code in range(12)], len(frame))
    assert len(svg_bytes(plot_usage(frame))) < 700_000


@settings(deadline=None, max_examples=40)
@given(data=st.data(), column_count=st.integers(1, 6), count=st.integers(1, 120))
def test_thinning_keeps_every_extreme(data: st.DataObject, column_count: int, count: int) -> None:
    """The first, lowest, highest and last value of each column are kept, and few others."""
    times = np.sort(data.draw(st.lists(st.integers(0, 300), min_size=count, max_size=count)))
    values = data.draw(st.lists(st.integers(-5, 5), min_size=count, max_size=count))
    positions = extreme_positions(times, np.array(values, dtype=float), column_count)
    assert (np.diff(positions) > 0).all()
    assert len(positions) <= max(4 * column_count, 0)
    edges = np.linspace(times[0], times[-1], column_count + 1)[1:-1]
    columns = np.searchsorted(edges, times, side="right")
    for column in np.unique(columns):
        before = np.flatnonzero(columns == column)
        after = np.intersect1d(before, positions)
        assert {before[0], before[-1]} <= set(after)
        full, thin = np.array(values)[before], np.array(values)[after]
        assert (full.min(), full.max()) == (thin.min(), thin.max())


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), max_size=30))
def test_the_largest_of_each_column_is_kept(items: list[tuple[int, int]]) -> None:
    """One item stays in each column, and no larger one is dropped."""
    places, sizes = np.array(items, dtype=np.int64).reshape(-1, 2).T
    positions = largest_per_column(places, sizes.astype(float), 7)
    if items:
        columns = (places - places.min()) // 7
        assert sorted(columns[positions]) == sorted(set(columns))
        for position in positions:
            assert sizes[position] == sizes[columns == columns[position]].max()
