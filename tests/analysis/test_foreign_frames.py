"""Frames of readings that come from elsewhere: from CSV files, from Arrow, with odd figures."""

from __future__ import annotations

import io
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from stability_magic import forecast, plot_usage, usage
from stability_magic.display.tables import frame_text

HOURS = 300


def readings(zone: str = "Europe/Berlin") -> pd.DataFrame:
    """Hourly readings over the end of summer time."""
    index = pd.date_range("2026-10-20", periods=HOURS, freq="1h", tz=zone, name="read_at")
    credits = np.arange(HOURS, 0, -1.0)
    columns = {"organization": "org-one", "name": "One", "credits": credits}
    return pd.DataFrame(columns, index=index.as_unit("us"))


def with_index(index: object) -> pd.DataFrame:
    """The same readings with another index."""
    return readings().set_axis(pd.Index(index), axis="index")


def from_csv(**options: object) -> pd.DataFrame:
    """The same readings, written as the command line does and read as people do."""
    return pd.read_csv(io.StringIO(frame_text(readings(), "csv", 80)), index_col=0, **options)


def python_times() -> list[datetime]:
    return [each.to_pydatetime() for each in readings().index]


def fixed_offset(at: datetime) -> datetime:
    """The same time with an offset instead of a zone."""
    return at.astimezone(timezone(at.utcoffset() or timedelta(0)))


def arrow_frame() -> pd.DataFrame:
    pytest.importorskip("pyarrow")
    frame = readings().convert_dtypes(dtype_backend="pyarrow")
    return frame.astype({"credits": "double[pyarrow]"}).set_axis(
        readings().index.astype("timestamp[us, tz=Europe/Berlin][pyarrow]"), axis="index"
    )


FRAMES = {
    "csv": lambda: from_csv(parse_dates=True),
    "csv as text": from_csv,
    "offsets": lambda: with_index(pd.Index(map(fixed_offset, python_times()), dtype=object)),
    "python": lambda: with_index(pd.Index(python_times(), dtype=object)),
    "iso": lambda: with_index([each.isoformat() for each in python_times()]),
    "arrow": arrow_frame,
}
# Where the zone is told, and not only how far it is from UTC.
WITH_ZONE = {"python", "arrow"}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_from_anywhere_will_do(name):
    """Its periods are those of its zone, or of UTC where there are only offsets."""
    frame = FRAMES[name]()
    zone = "Europe/Berlin" if name in WITH_ZONE else "UTC"
    expected = readings().tz_convert(zone)
    for by in ("hour", "day", "week"):
        found = usage(frame, by=by)
        assert found["spent"].tolist() == usage(expected, by=by)["spent"].tolist()
        assert (found.index == usage(expected, by=by).index).all()
    assert forecast(frame)["spent_per_day"].iloc[0] == forecast(expected)["spent_per_day"].iloc[0]
    for style in ("pdf", "svg", "png"):
        plot_usage(frame).savefig(io.BytesIO(), format=style)


def test_one_offset_is_a_zone():
    """Days are those of the clock that was written down."""
    times = pd.date_range("2026-07-01", periods=48, freq="1h", tz="Europe/Berlin")
    frame = pd.DataFrame({"organization": "a", "credits": 1.0}, index=times.astype(str))
    assert [str(each) for each in usage(frame).index] == [
        "2026-07-01 00:00:00+02:00",
        "2026-07-02 00:00:00+02:00",
    ]


@pytest.mark.parametrize(
    "index",
    [
        [str(each.replace(tzinfo=None)) for each in python_times()],
        [each.replace(tzinfo=None) for each in python_times()],
        [*python_times()[:-1], python_times()[0].replace(tzinfo=None)],
        ["2026-10-20", *(str(each) for each in python_times()[1:])],
        ["yesterday", *(str(each) for each in python_times()[1:])],
        ["2026-10-20 25:00+01:00", *(str(each) for each in python_times()[1:])],
        list(range(HOURS)),
        [None] * HOURS,
    ],
    ids=["text", "naive", "one naive", "date", "word", "no hour", "numbers", "nothing"],
)
def test_times_without_a_zone_are_refused(index):
    """Even if only one of them has none: it is not taken for UTC."""
    frame = readings().set_axis(pd.Index(index, dtype=object), axis="index")
    with pytest.raises(ValueError, match="time index with a time zone"):
        usage(frame)


def test_a_missing_time_among_others_is_told():
    """As in any other index."""
    frame = with_index(pd.Index([pd.NaT, *python_times()[1:]], dtype=object))
    with pytest.raises(ValueError, match="has no time"):
        usage(frame)


@pytest.mark.parametrize(
    "credits",
    [
        [1e308, 1e308],
        [1e308, 0.0],
        [1.7e308, -1.7e308],
        [-1e308, -1e308],
        [5e-324, 1e-308],
        [1e308, 1.0],
    ],
)
def test_the_largest_balances_are_computed_and_drawn(credits):
    """Without a warning, which would be an error here."""
    frame = readings().assign(credits=np.tile(credits, HOURS // 2))
    for by in ("hour", "week"):
        assert usage(frame, by=by)["credits"].isin(credits).all()
    assert forecast(frame)["credits"].tolist() == credits[-1:]
    for style in ("pdf", "png"):
        plot_usage(frame, by="week").savefig(io.BytesIO(), format=style)


def test_a_forecast_does_not_depend_on_the_size_of_the_figures():
    """It is empty at the same time; what is spent a day is as many times as much."""
    small, large = readings(), readings().assign(credits=readings()["credits"] * 2.0**1000)
    (expected,), (found,) = (forecast(each).to_dict("records") for each in (small, large))
    for column in ("credits", "spent_per_day", "recent_per_day"):
        assert found.pop(column) == expected.pop(column) * 2.0**1000
    assert found == expected
    figure = plot_usage(large)
    figure.savefig(io.BytesIO(), format="png")


@pytest.mark.parametrize("zone", [ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu")])
def test_the_zone_of_python_s_times_is_kept(zone):
    """Days begin at its midnight."""
    times = [each.astimezone(zone) for each in python_times()]
    assert usage(with_index(pd.Index(times, dtype=object))).index.tz == zone
