"""The shared log gives the same results as the pandas functions do for the same readings."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("psycopg")

from stability_magic import Balance, BalanceLog, forecast, plot_usage, usage
from stability_magic.analysis import topups
from stability_magic.analysis.cell_spending import cell_cut_points, spending_by_organization
from stability_magic.analysis.costs import Cost
from stability_magic.analysis.forecast import forecast_cut_points, forecast_of
from stability_magic.analysis.series import histories_from_frame
from stability_magic.analysis.spend import usage_between, usage_cut_points, usage_of
from stability_magic.charts.picture_data import picture_cut_points
from stability_magic.charts.plots import usage_picture
from stability_magic.log.balance_log import entry_from_balance
from stability_magic.log.outbox import Outbox
from stability_magic.models import to_microseconds
from stability_magic.shared_log import reader
from stability_magic.shared_log.connection import target_from_address
from stability_magic.shared_log.shared_log import SharedLog
from stability_magic.shared_log.sync import send
from stability_magic.text import DatabaseAddress

BERLIN = ZoneInfo("Europe/Berlin")
# Some weeks before the clocks change in Berlin.
START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=70)
WINDOWS = [
    (None, None),
    (datetime(2026, 3, 20, tzinfo=BERLIN), datetime(2026, 4, 10, 13, 30, tzinfo=BERLIN)),
    (datetime(2026, 4, 1, 12, 0, 0, 7, tzinfo=BERLIN), None),
    (None, datetime(2026, 2, 1, tzinfo=BERLIN)),
    (datetime(2027, 1, 1, tzinfo=BERLIN), None),
]


def random_readings(organization, count, seed):
    """Readings at irregular times, with top-ups and pauses."""
    rng = np.random.default_rng(seed)
    gaps = rng.choice([0, 1, 10, 10, 10, 60, 60, 1440], count)
    seconds = 60 * gaps.cumsum() % (65 * 86_400)
    changes = rng.choice([0.0, -2.5, -0.25, -7.3, 0.0, 0.0], count)
    changes[rng.random(count) < 0.004] = rng.choice([1000.0, 960.0, 37.5])
    credits = 9000 + changes.cumsum()
    order = np.argsort(seconds, kind="stable")
    return [
        entry_from_balance(
            Balance(organization, float(balance), START + timedelta(seconds=int(at)), "https://x"),
            source="test",
            label="odd" if number % 2 else None,
        )
        for number, (at, balance) in enumerate(zip(seconds[order], credits, strict=True))
    ]


@pytest.fixture(scope="module")
def logs(postgres, tmp_path_factory):
    """A local log and a shared one with the same readings, of organizations with many or few."""
    log = BalanceLog(tmp_path_factory.mktemp("local") / "log.db", timezone=BERLIN)
    entries = [
        *random_readings("org-many", 6000, 1),
        *random_readings("org-more", 3000, 2),
        *random_readings("org-few", 300, 3),
        *random_readings("org-one", 1, 4),
    ]
    log.write(entries)
    target = target_from_address(DatabaseAddress(postgres.address()), "reading")
    with closing(SharedLog(target, BERLIN)) as shared:
        send(Outbox(log.path), shared, lambda total: None)
        yield log, shared


@pytest.fixture
def row_counts(monkeypatch):
    """How many rows were fetched for each series whose readings the database added up."""
    counts = []
    series_from_sums = reader._series_from_sums

    def record_count(answer, *arguments):
        counts.append(len(answer))
        return series_from_sums(answer, *arguments)

    monkeypatch.setattr(reader, "_series_from_sums", record_count)
    return counts


@pytest.mark.parametrize("window", WINDOWS, ids=["all", "both", "since", "before", "after"])
@pytest.mark.parametrize("by", ["hour", "day", "week", "month"])
def test_usage_is_the_same_to_the_last_digits(logs, row_counts, by, window):
    """Certain and likely usage, from the whole log and from a window of it."""
    log, shared = logs
    since, until = window
    readings = log.readings_with_neighbours(None, since, until)
    expected = usage_between(readings, by, since=since, until=until)
    histories = shared.histories(None, since, until, usage_cut_points(by, BERLIN, since, until))
    frame = usage_of(histories, by, since=since, until=until)
    pd.testing.assert_frame_equal(frame, expected, rtol=1e-12, atol=1e-9)
    if window == (None, None) and by != "hour":
        assert sum(row_counts) < len(readings) / 5


def test_a_forecast_is_the_same(logs, row_counts):
    """Even for an organization with too few readings to be added up."""
    log, shared = logs
    until = NOW + timedelta(microseconds=1)
    expected = forecast(log.readings(), now=NOW)
    histories = shared.histories(None, None, until, forecast_cut_points, after=False)
    frame = forecast_of(histories, now=NOW)
    assert frame["evidence"].tolist() == expected["evidence"].tolist()
    pd.testing.assert_frame_equal(frame, expected, rtol=1e-9)
    assert len(row_counts) == 2


def test_the_frame_is_the_same(logs):
    """Values, order, types, names and time zone; with labels, and on request the machines."""
    log, shared = logs
    for since, until in WINDOWS:
        for hosts in (False, True):
            expected = log.readings_with_neighbours(None, since, until, hosts=hosts)
            frame = shared.readings_with_neighbours(None, since, until, hosts=hosts)
            pd.testing.assert_frame_equal(frame, expected, check_exact=True)


def test_a_picture_is_the_same(logs, row_counts):
    """It has the same bars, top-ups and gaps, and its lines have the same extremes."""
    log, shared = logs
    since, until = WINDOWS[1]
    expected = plot_usage(
        log.readings_with_neighbours(None, since, until), since=since, until=until, forecast=True
    )
    cut_points = picture_cut_points("day", BERLIN, since, until)
    histories = shared.histories(None, since, until, cut_points)
    recent = shared.histories(None, since, until, forecast_cut_points)
    picture = usage_picture(histories, "day", since=since, until=until, recent=recent)
    assert row_counts
    for axes, expected_axes in zip(picture.axes, expected.axes, strict=True):
        np.testing.assert_allclose(axes.get_xlim(), expected_axes.get_xlim())
        np.testing.assert_allclose(axes.get_ylim(), expected_axes.get_ylim())
        for line, expected_line in zip(axes.lines, expected_axes.lines, strict=True):
            assert line.get_label() == expected_line.get_label()
            for getter in ("get_xdata", "get_ydata"):
                data, expected_data = (getattr(each, getter)() for each in (line, expected_line))
                for extreme in (np.min, np.max):
                    assert extreme(data) == pytest.approx(extreme(expected_data))
        markers, expected_markers = (
            [each for each in ax.collections if hasattr(each, "get_offsets")]
            for ax in (axes, expected_axes)
        )
        for marker, expected_marker in zip(markers, expected_markers, strict=True):
            np.testing.assert_allclose(marker.get_offsets(), expected_marker.get_offsets())
        for patch, expected_patch in zip(axes.patches, expected_axes.patches, strict=True):
            for data, expected_data in zip(
                patch.get_data(), expected_patch.get_data(), strict=True
            ):
                np.testing.assert_allclose(data, expected_data, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("days", [65, 9, 0])
def test_the_gaps_are_the_same_to_the_last_bit(postgres, tmp_path, days):
    """Of readings in bursts, of which some quantiles lie between two steps."""
    rng = np.random.default_rng(days)
    minutes = rng.choice([1, 7, 10, 10, 10, 60], 4000).cumsum()
    minutes += 60 * 24 * (np.arange(4000) // 90)
    minutes = minutes[minutes <= 60 * 24 * days]
    log = BalanceLog(tmp_path / "log.db", timezone=BERLIN)
    log.write(
        [
            entry_from_balance(Balance("org-a", 1.0, START + timedelta(minutes=int(each))))
            for each in [0, *minutes]
        ]
    )
    target = target_from_address(DatabaseAddress(postgres.address()), f"gaps{days}")
    with closing(SharedLog(target, BERLIN)) as shared:
        send(Outbox(log.path), shared, lambda total: None)
        actual, expected = shared.gaps("org-a"), log.series("org-a").gaps()
    assert actual.limit == expected.limit
    assert actual.starts.tolist() == expected.starts.tolist()
    assert actual.ends.tolist() == expected.ends.tolist()
    assert (len(expected.starts) > 3) is (days > 0)


@pytest.mark.parametrize("seed", range(4))
def test_what_cells_spent_is_the_same(logs, row_counts, seed):
    """Whether the balance moved while they ran, later, or never; also where they ran at once."""
    log, shared = logs
    full = log.histories(["org-many", "org-few"])
    rng = np.random.default_rng(seed)
    cells = []
    for organization, series in zip(full.organizations, full.series, strict=True):
        for number, begin in enumerate(rng.integers(0, len(series.times) - 4, 40)):
            end = begin + rng.integers(1, 4)
            start, stop = (int(series.times[at]) for at in (begin, end))
            spent = [None, float(series.spent[begin + 1 : end + 1].sum())][rng.random() < 0.9]
            identity = f"{organization}{number}".encode().ljust(16)[:16]
            cells.append(Cost(organization, start, stop, 1.0, spent, True, "x", None, identity))
    cells.sort(key=lambda each: each.started_at)
    condensed = shared.histories(full.organizations, None, None, cell_cut_points(cells))
    assert len(row_counts) == 1
    for actual, expected in zip(
        spending_by_organization(condensed, cells).values(),
        spending_by_organization(full, cells).values(),
        strict=True,
    ):
        np.testing.assert_allclose(actual.spent, expected.spent, atol=1e-9)
        for name in ("exact", "is_estimate", "is_waiting"):
            assert getattr(actual, name).tolist() == getattr(expected, name).tolist(), name
        assert actual.revised_at == expected.revised_at
        assert any(expected.revised_at)
        np.testing.assert_allclose(actual.within(None, None)[1], expected.within(None, None)[1])


def test_every_command_says_the_same_of_both_logs(shared, api, log_path, shell, capsys):
    """The magics print the same lines and return the same frames for both logs."""
    log = BalanceLog(log_path)
    now = datetime.now(UTC)
    entries = random_readings("org-sim-studio", 5000, 7)
    last_time = max(each.read_at for each in entries)
    shift = to_microseconds(now) - last_time - 10**9
    recent_entries = [
        entry_from_balance(
            Balance(
                each.organization,
                each.credits,
                datetime.fromtimestamp((each.read_at + shift) / 1e6, UTC),
                "https://x",
            ),
            label=each.label,
        )
        for each in entries
    ]
    start = to_microseconds(now) - 3 * 86_400_000_000
    cost = Cost("org-sim-studio", start, start + 10**9, 9.0, 12.5, True, "render", None, b"1" * 16)
    log.write(recent_entries, costs=[cost])
    day = (now - timedelta(days=3)).date()
    for line in (
        f"history --since {day}",
        "usage --since all",
        f"usage --by hour --since {day}",
        "forecast",
        "costs --since all",
        "costs --since all --summary",
        "team --since all",
    ):
        results = []
        for option in ("", " --local"):
            frame = shell.run_cell(f"%stability_{line}{option}").result
            results.append((frame, capsys.readouterr().out.splitlines()[0]))
        (shared_frame, shared_line), (local_frame, local_line) = results
        assert shared_line == local_line
        pd.testing.assert_frame_equal(shared_frame, local_frame, rtol=1e-9, atol=1e-9)
        assert len(shared_frame) > 0
    shell.run_cell("%stability_balance --since 1d").raise_error()
    shared_line = capsys.readouterr().out.splitlines()[0]
    shell.run_cell("import os; del os.environ['STABILITY_MAGIC_SHARED_LOG']")
    shell.run_cell("%stability_balance --since 1d --no-log").raise_error()
    local_line = capsys.readouterr().out.splitlines()[0]
    assert "credits" in shared_line
    assert shared_line.split(" · ")[2:] == local_line.split(" · ")[2:]
    assert shared_line.split(" · ")[0] == local_line.split(" · ")[0]


def test_a_series_from_the_database_counts_every_reading(logs):
    """Whatever the cut points are."""
    log, shared = logs
    times = log.readings().index.as_unit("us").asi8
    rng = np.random.default_rng(5)
    for size in (0, 1, 7, 500):
        instants = rng.choice(times, size)
        histories = shared.histories(None, None, None, lambda first, last, at=instants: at)
        expected = histories_from_frame(log.readings())
        for series, expected_series in zip(histories.series, expected.series, strict=True):
            assert series.counts.sum() == len(expected_series.times)
            expected_spent = pytest.approx(expected_series.spent.sum(), rel=1e-12)
            expected_top_ups = pytest.approx(expected_series.topped_up.sum(), rel=1e-12)
            assert series.spent.sum() == expected_spent
            assert series.topped_up.sum() == expected_top_ups


def test_usage_of_the_public_function_is_the_definition(logs):
    """It gives the same for a frame from the shared log as for one from the local log."""
    log, shared = logs
    pd.testing.assert_frame_equal(
        usage(shared.readings_with_neighbours(None, None, None)), usage(log.readings())
    )


def simultaneous_readings(seed):
    """Readings of one day and a bit, many of them two at one microsecond."""
    rng = np.random.default_rng(seed)
    seconds = rng.choice([0, 0, 600, 3600.000001, 9000.5], 60).cumsum()
    credits = 20_000 + rng.choice([-0.005, -3.0, -700.0, 0.005, 930.0, 2100.0], 60).cumsum()
    return [
        (START + timedelta(seconds=float(at)), float(balance))
        for at, balance in zip(seconds, credits, strict=True)
    ]


AT_ONE_MICROSECOND = [
    (datetime(2026, 1, 5, 0, 34, tzinfo=UTC), 19658570.472),
    (datetime(2026, 1, 5, 20, 42, 6, 271371, tzinfo=UTC), 19658567.467),
    (datetime(2026, 1, 5, 20, 42, 6, 271371, tzinfo=UTC), 19658567.472),
    (datetime(2026, 1, 5, 21, 9, 59, 65753, tzinfo=UTC), 19658567.472),
    (datetime(2026, 1, 5, 21, 45, tzinfo=UTC), 19648452.215),
]


@pytest.mark.parametrize(
    "readings", [AT_ONE_MICROSECOND, *map(simultaneous_readings, range(4))], ids=range(5)
)
def test_likely_columns_are_the_same_where_readings_share_a_microsecond(
    postgres, schema, tmp_path, monkeypatch, readings
):
    """Also where the database adds up few readings."""
    monkeypatch.setattr(reader, "_MAX_READINGS_AS_THEY_ARE", 0)
    log = BalanceLog(tmp_path / "log.db", timezone=BERLIN)
    log.write(
        [entry_from_balance(Balance("org-a", each, at, "https://x")) for at, each in readings]
    )
    target = target_from_address(DatabaseAddress(postgres.address()), schema)
    with closing(SharedLog(target, BERLIN)) as shared:
        send(Outbox(log.path), shared, lambda total: None)
        histories = shared.histories(None, None, None, usage_cut_points("day", BERLIN, None, None))
        frame = usage_of(histories, "day")
        (series,) = histories.series
        (expected,) = log.histories(None).series
        length = np.float64(1_672_794_382)
        starts = np.linspace(0, series.times[-1] - series.times[0] - length, 200).round()
        actual = series.amounts(starts, length)
    pd.testing.assert_frame_equal(frame, usage(log.readings()), rtol=1e-12, atol=1e-8)
    quiet = topups._quiet_time(expected.times, expected.spent, expected.topped_up)
    for values, wanted in zip(actual, topups._amounts(quiet, starts, length), strict=True):
        np.testing.assert_allclose(values, wanted, rtol=1e-9, atol=1e-6)


def test_organizations_are_known_in_the_same_order(logs):
    """By the first reading of each, which decides on colours and on the order on the screen."""
    log, shared = logs
    order = shared.organization_order()
    assert order == log.organization_order()
    firsts = log.readings().groupby("organization").apply(lambda rows: rows.index[0])
    assert order == sorted(firsts.index, key=lambda each: (firsts[each], each))
