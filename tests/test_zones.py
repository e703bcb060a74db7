"""Time zones by rule and by file, and those of machines that are set up in unusual ways."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import numpy as np
import pandas as pd
import pytest

from stability_magic import Balance, BalanceLog, SettingsError, forecast, plot_usage, usage, zones
from stability_magic.analysis.periods import period_edges
from stability_magic.settings import StabilityMagic

from .helpers.errors import assert_is_clear_error

CET_RULE = "CET-1CEST,M3.5.0,M10.5.0/3"
CHANGES = tuple(int(datetime(2026, month, 27, tzinfo=UTC).timestamp()) for month in (3, 10))


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Made-up files of a machine's zone; TZ is not set."""
    monkeypatch.delenv("TZ")
    monkeypatch.setattr(zones, "_LOCALTIME", tmp_path / "localtime")
    monkeypatch.setattr(zones, "_TIMEZONE_NAME", tmp_path / "timezone")
    return tmp_path


def system_file(name: str) -> Path:
    """The file of one of the system's zones."""
    path = next((Path(each) / name for each in TZPATH if (Path(each) / name).is_file()), None)
    if path is None:
        pytest.skip("the system has no time zones")
    return path


def made_up_content(rule: str) -> bytes:
    """A file of a zone that no system has."""
    header = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4)
    return (header + struct.pack(">lbB4s", 0, 0, 0, b"ABC\0")) * 2 + f"\n{rule}\n".encode()


def around_a_clock_change(zone) -> pd.DataFrame:
    """Readings every hour over a change of the clock."""
    times = pd.date_range("2026-10-20", periods=300, freq="1h", tz="UTC").tz_convert(zone)
    return pd.DataFrame(
        {"organization": "org-one", "credits": np.arange(300, 0, -1.0)}, index=times
    )


# Rules


@pytest.mark.parametrize(
    ("rule", "winter", "summer"),
    [
        (CET_RULE, 60, 120),
        ("UTC0", 0, 0),
        ("<+0330>-3:30", 210, 210),
        ("EST5EDT", -300, -240),
        ("NZST-12NZDT,M9.5.0,M4.1.0/3", 780, 720),
        ("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", -180, -120),
        ("IST-5:30", 330, 330),
    ],
)
def test_a_zone_may_be_a_rule(monkeypatch, rule, winter, summer):
    """As POSIX writes it: hours are those to add to get UTC."""
    monkeypatch.setenv("TZ", rule)
    zone = StabilityMagic().zone()
    for month, minutes in ((1, winter), (7, summer)):
        at = datetime(2026, month, 15, 12, tzinfo=UTC).astimezone(zone)
        assert at.utcoffset() == timedelta(minutes=minutes)
    assert str(zone) == rule


@pytest.mark.parametrize(
    "rule", ["CET-1CEST", "A1", "UTC0,M3", "ABC24DEF,M3.2.0,M11.1.0", "X" * 99]
)
def test_a_rule_that_says_too_little_or_too_much_is_refused(monkeypatch, rule):
    """Where it does not say when summer begins, a guess would be wrong by an hour."""
    monkeypatch.setenv("TZ", rule)
    with pytest.raises(SettingsError, match="is not known") as caught:
        StabilityMagic().zone()
    assert_is_clear_error(caught.value)


@pytest.mark.parametrize("by", ["hour", "day", "week", "month"])
def test_the_periods_of_a_rule_are_those_of_the_zone(by):
    """Over two changes of the clock."""
    first, last = (1_760_000_000_000_000, 1_800_000_000_000_000)
    ruled = period_edges(first, last, by, zones.find_zone(CET_RULE))
    assert (ruled == period_edges(first, last, by, ZoneInfo("Europe/Berlin"))).all()


def test_frames_and_pictures_work_in_a_zone_by_rule(log_path, monkeypatch):
    """Also when they are pickled; two frames of the zone are of one zone."""
    monkeypatch.setenv("TZ", CET_RULE)
    zone = StabilityMagic().zone()
    readings = around_a_clock_change(zone)
    expected = usage(around_a_clock_change("Europe/Berlin"))
    by_day = usage(readings)
    assert by_day["spent"].tolist() == expected["spent"].tolist()
    assert (by_day.index == expected.index).all()
    assert len(forecast(readings)) == 1
    plot_usage(readings).savefig(io.BytesIO(), format="svg")
    assert pickle.loads(pickle.dumps(by_day)).equals(by_day)
    assert StabilityMagic().zone() is zone
    log = BalanceLog(log_path)
    log.append(Balance("org-one", 1.0, datetime(2026, 7, 1, tzinfo=UTC)))
    assert str(log.readings().index[0]) == "2026-07-01 02:00:00+02:00"
    assert pd.concat([log.readings(), log.readings()]).index.tz is zone


# The machine's zone


def test_what_the_link_names_wins_over_another_file(machine):
    """``/etc/timezone`` may be out of date; ``date`` does not look at it."""
    (machine / "localtime").symlink_to(system_file("Europe/Berlin"))
    (machine / "timezone").write_text("America/New_York\n")
    assert StabilityMagic().zone() == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "", "Asia/Kathmandu"])
def test_a_copy_is_known_by_what_it_holds(machine, name):
    """Whatever ``/etc/timezone`` says; of names that are alike the one there is taken."""
    (machine / "localtime").write_bytes(system_file("Asia/Kolkata").read_bytes())
    (machine / "timezone").write_text(name)
    assert StabilityMagic().zone() == ZoneInfo("Asia/Kolkata")
    (machine / "localtime").write_bytes(system_file("Asia/Calcutta").read_bytes())
    (machine / "timezone").write_text("Asia/Calcutta")
    assert StabilityMagic().zone() == ZoneInfo("Asia/Calcutta")
    assert StabilityMagic().zone_note() == ""


def test_a_file_that_the_system_does_not_know_is_used_itself(machine):
    """Periods are cut and pictures are drawn by its clock."""
    (machine / "localtime").write_bytes(made_up_content("ABC-5:17DEF,M3.5.0,M10.5.0/3"))
    zone = StabilityMagic().zone()
    readings = around_a_clock_change(zone)
    by_day = usage(readings)
    assert {f"{each:%H:%M}" for each in by_day.index} == {"00:00"}
    assert {str(each)[-6:] for each in by_day.index} == {"+06:17", "+05:17"}
    assert by_day["spent"].sum() == 299
    figure = plot_usage(readings)
    figure.savefig(io.BytesIO(), format="svg")
    left = pd.Timestamp(figure.axes[1].get_xlim()[0], unit="D", tz="UTC").round("s")
    assert f"{left.tz_convert(zone):%H:%M}" == "00:00"
    assert pickle.loads(pickle.dumps(by_day)).equals(by_day)


@pytest.mark.parametrize("content", [b"", b"TZif", b"no zone", b"TZif2" + bytes(60)])
def test_a_file_that_is_none_means_utc(machine, content):
    """As for the C library."""
    (machine / "localtime").write_bytes(content)
    assert StabilityMagic().now().utcoffset() == timedelta(0)


def test_a_machine_without_files_is_in_utc(machine):
    """As ``date`` has it."""
    assert StabilityMagic().now().utcoffset() == timedelta(0)


def test_a_path_may_be_set_as_well(machine, monkeypatch):
    """Also that of a file without a name."""
    (machine / "mine").write_bytes(made_up_content("ABC-5:17"))
    monkeypatch.setenv("TZ", f":{machine / 'mine'}")
    assert StabilityMagic().now().utcoffset() == timedelta(hours=5, minutes=17)


# Without zone data


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC", "GMT", "Z", "utc", "UTC0", "EST5EDT", CET_RULE])
def test_utc_and_rules_need_no_data(log_path, name):
    """Everything works with them."""
    process = run_without_data("-c", EVERYTHING, zone=name)
    assert process.returncode == 0, process.stderr
    assert "fine" in process.stdout


def test_a_name_without_data_says_what_to_install(api, log_path):
    """And that UTC needs none."""
    process = run_without_data("-c", COMMAND_LINE, "balance", zone="Asia/Tokyo")
    assert process.returncode == 1
    assert "'Asia/Tokyo' cannot be loaded" in process.stderr
    assert "pip install tzdata" in process.stderr
    assert "to UTC" in process.stderr


def test_a_machine_without_data_is_in_utc_with_one_note(api, log_path, tmp_path):
    """Nothing is refused."""
    (tmp_path / "localtime").symlink_to("/no/such/share/zoneinfo/Asia/Tokyo")
    code = f"""
from pathlib import Path
from stability_magic import zones
zones._LOCALTIME = Path({str(tmp_path / "localtime")!r})
{COMMAND_LINE}
"""
    process = run_without_data("-c", code, "balance", zone="")
    assert process.returncode == 0, process.stderr
    assert process.stderr.count("'Asia/Tokyo'") == 1
    assert "install its data (pip install tzdata)" in process.stderr
    assert "+00:00" in process.stdout


HIDE_DATA = """
import sys
class Hidden:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "tzdata":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hidden())
"""
COMMAND_LINE = """
from stability_magic.terminal.command_line import main
sys.exit(main())
"""
EVERYTHING = """
import io
from datetime import UTC, datetime, timedelta
import stability_magic as it
from stability_magic.settings import StabilityMagic
log = it.BalanceLog(StabilityMagic().log_path())
for day in range(40):
    at = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(day)
    log.append(it.Balance("org-one", 100.0 - day, at))
readings = log.readings()
assert len(readings) == 40
it.usage(readings), it.forecast(readings), it.plot_usage(readings).savefig(io.BytesIO())
print("fine")
"""


def run_without_data(
    flag: str, code: str, *arguments: str, zone: str
) -> subprocess.CompletedProcess:
    """A process that finds no zone data."""
    return subprocess.run(
        [sys.executable, flag, HIDE_DATA + code, *arguments],
        env=os.environ | {"PYTHONTZPATH": "", "TZ": zone},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
