"""The notebooks run from top to bottom, and their saved outputs are up to date.

``STABILITY_MAGIC_REFRESH=1 python -m pytest tests/test_notebooks.py`` saves new outputs.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import os
import re
import statistics
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from stability_magic import forecast, usage
from stability_magic.simulator.simulator import Simulator

from .helpers.page_text import Html
from .helpers.project import ROOT

pytestmark = pytest.mark.once

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(each.name for each in FOLDER.glob("*.ipynb"))
MINE = "org-sim-studio"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EMAIL_ADDRESS = re.compile(r"[\w.+-]{2,}@[\w-]+\.\w+")


# Runs after a notebook's own cells, in its kernel.
KEEP_FRAMES = """
readings = %stability_history --since all
readings.to_pickle({folder!r} + "/readings.pkl")
costs = %stability_costs
costs.to_pickle({folder!r} + "/costs.pkl")
"""


def _rows(html: str) -> list[str]:
    return re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Run:
    """A notebook as it is saved and as a real kernel runs it now, without a key.

    Attributes:
        readings: The readings frame of its log at the end.
        costs: The costs frame.
    """

    saved: nbformat.NotebookNode
    fresh: nbformat.NotebookNode
    readings: pd.DataFrame
    costs: pd.DataFrame

    def output(self, source: str) -> str:
        """What the one cell with this in it showed as text, in the fresh run."""
        return text_of(self._cell(source))

    def html(self, source: str) -> str:
        """The one piece of HTML that it showed."""
        (html,) = (
            each.data["text/html"]
            for each in self._cell(source).outputs
            if "text/html" in each.get("data", {})
        )
        return str(html)

    def table(self, source: str) -> dict[str, dict[str, str]]:
        """The table that it showed: its cells by row and column."""
        head, _, body = self.html(source).partition("</thead>")
        # The line below has the name of the index.
        _, *names = re.findall(r"<th>(.*?)</th>", head.partition("</tr>")[0])
        rows = [re.findall(r"<t[hd]>(.*?)</t[hd]>", each) for each in _rows(body)]
        return {row: dict(zip(names, cells, strict=True)) for row, *cells in rows}

    def _cell(self, source: str) -> nbformat.NotebookNode:
        (cell,) = (each for each in self.fresh.cells if source in each.source)
        return cell


@pytest.fixture(scope="module")
def run_of(tmp_path_factory) -> Callable[[str], Run]:
    """Runs a notebook, once for all tests."""

    @functools.cache
    def run_of(name: str) -> Run:
        return run_notebook(FOLDER / name, tmp_path_factory.mktemp("frames"))

    return run_of


def run_notebook(path: Path, folder: Path) -> Run:
    """A notebook as it is saved and as it runs now; frames go through the folder."""
    saved = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)
    fresh.cells.append(nbformat.v4.new_code_cell(KEEP_FRAMES.format(folder=str(folder))))
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("STABILITY_API_KEY", raising=False)
        environment.delenv("STABILITY_KEY", raising=False)
        environment.delenv("MPLBACKEND", raising=False)
        environment.setenv("TZ", "UTC")
        # Costs tell which machine they are from; this one's name is nobody's business.
        environment.setenv("STABILITY_MAGIC_HOST", "laptop")
        # Under load a kernel sends what one cell prints in several pieces.
        NotebookClient(fresh, timeout=120, kernel_name="python3", coalesce_streams=True).execute()
    del fresh.cells[-1]
    for cell in fresh.cells:
        cell.metadata.pop("execution", None)
    fresh.metadata = saved.metadata
    if os.environ.get("STABILITY_MAGIC_REFRESH"):
        nbformat.write(fresh, path)
        saved = fresh
    frames = (pd.read_pickle(folder / f"{each}.pkl") for each in ("readings", "costs"))
    return Run(saved, fresh, *frames)


@pytest.fixture(params=NOTEBOOKS)
def notebook(request, run_of) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode]:
    """A notebook as it is saved, and as it runs now."""
    run = run_of(request.param)
    return run.saved, run.fresh


def text_of(cell: nbformat.NotebookNode) -> str:
    """What a cell shows, as text."""
    outputs = cell.get("outputs", ())
    return "\n".join(
        each.text if each.output_type == "stream" else each.data.get("text/plain", "")
        for each in outputs
    )


def output_shape(cell: nbformat.NotebookNode) -> list[tuple[str, object]]:
    """What a cell shows, without the figures, which change from day to day."""
    shape: list[tuple[str, object]] = []
    stream_text = ""
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            # A busy kernel may send the same text in more pieces.
            if shape and shape[-1][0] == output.name:
                shape.pop()
            else:
                stream_text = ""
            stream_text += output.text
            shape.append((output.name, len(stream_text.splitlines())))
            continue
        for mime_type in sorted(output.data):
            column_names: object = None
            if mime_type == "text/html":
                head, _, _ = output.data[mime_type].partition("</thead>")
                column_names = re.findall(r"<th>(.*?)</th>", head)
            shape.append((mime_type, column_names))
    return shape


def test_there_are_notebooks():
    """Otherwise the tests below would check nothing."""
    assert "quickstart.ipynb" in NOTEBOOKS


def test_saved_outputs_have_the_current_shape(notebook):
    """Cell by cell the same streams, tables with the same columns, and pictures."""
    saved, fresh = notebook
    for old, new in zip(saved.cells, fresh.cells, strict=True):
        assert old.source == new.source
        assert output_shape(old) == output_shape(new), old.source


def test_pictures_are_saved_once_and_complete(notebook):
    """A cell has at most one picture, and it is a PNG."""
    for cell in notebook[0].cells:
        pictures = [
            each.data["image/png"]
            for each in cell.get("outputs", ())
            if "image/png" in each.get("data", {})
        ]
        assert len(pictures) <= 1
        for each in pictures:
            assert base64.b64decode(each).startswith(b"\x89PNG")


def test_nothing_private_is_saved(notebook):
    """No e-mail address, no key, no home folder, no warning."""
    for each in notebook:
        outputs = str([cell.get("outputs") for cell in each.cells])
        assert not EMAIL_ADDRESS.search(outputs)
        assert "sk-" not in outputs
        assert str(Path.home()) not in outputs
        assert "/home/" not in outputs
        assert "stderr" not in outputs


def test_outputs_say_that_the_figures_are_simulated(notebook):
    """So that no reader takes them for real."""
    outputs = str([cell.get("outputs") for cell in notebook[0].cells])
    assert "SIMULATED" in outputs
    assert "(simulated)" in outputs


def spending_of(readings: pd.DataFrame) -> list[tuple[datetime, datetime, float]]:
    """From when to when how much was spent: every fall between two readings of an organization."""
    falls = []
    for _, rows in readings.groupby("organization"):
        times = [each.to_pydatetime() for each in rows.index]
        credits = rows["credits"].tolist()
        falls += [
            (start, end, max(0.0, before - after))
            for start, end, before, after in zip(
                times, times[1:], credits, credits[1:], strict=False
            )
        ]
    return falls


def spread_evenly(
    falls: list[tuple[datetime, datetime, float]], step: timedelta
) -> dict[datetime, float]:
    """Credits by the hour, or the day, in which they were spent, worked out by hand."""
    sums: dict[datetime, float] = defaultdict(float)
    for start, end, credits in falls:
        period = start.replace(minute=0, second=0, microsecond=0)
        period = period.replace(hour=0) if step == DAY else period
        while period < end:
            share = (min(end, period + step) - max(start, period)) / (end - start)
            sums[period] += credits * share
            period += step
    return dict(sums)


def whole_days(sums: dict[datetime, float]) -> dict[date, float]:
    """Without the first and the last."""
    return {each.date(): sums[each] for each in sorted(sums)[1:-1]}


def by_weekday(days: dict[date, float]) -> dict[str, list[float]]:
    """The figures of the days by the names of the days."""
    groups: dict[str, list[float]] = {each: [] for each in WEEKDAYS}
    for day, credits in days.items():
        groups[WEEKDAYS[day.weekday()]].append(credits)
    return groups


def numbers_after(text: str, word: str) -> list[float]:
    """The numbers in the last line that begins with a word."""
    line = [each for each in text.splitlines() if each.startswith(word)][-1]
    return [float(each.replace(",", "")) for each in re.findall(r"-?\d[\d,]*\.?\d*", line)]


def sum_told(text: str) -> float:
    """The credits in a line such as ``at least 1,234.50 credits ($12.35) spent since …``."""
    return float(re.search(r"([\d,.]+) credits \(", text)[1].replace(",", ""))


def test_the_quickstart_s_line_tells_the_balance_that_was_read(run_of):
    """The one that the frame below it ends with, and the simulator's own."""
    run = run_of("quickstart.ipynb")
    told = sum_told(run.output("%stability_balance --since 2d"))
    (left,) = {round(each, 2) for each in run.readings["credits"] if abs(each - told) < 0.005}
    assert left == told
    ledger = Simulator(seed=2022).ledgers[MINE]
    at = run.readings.index[(run.readings["credits"] - told).abs() < 0.005][-1]
    assert ledger.balance(at.to_pydatetime()) == pytest.approx(told, abs=0.01)
    assert sum_told(run.output("%stability_balance --require")) == pytest.approx(told - 24)


def test_the_quickstart_s_cell_cost_is_what_was_spent(run_of):
    """In the cell's line, the frame and its line."""
    run = run_of("quickstart.ipynb")
    assert run.costs["spent"].tolist() == [24.0]
    assert "render: 24.00 credits ($0.24)" in run.output("--spend 24")
    assert sum_told(run.output("%stability_costs")) == 24.0


def test_the_quickstart_s_weekdays_add_organizations_up(run_of):
    """A day's spending is that of all organizations, and only whole days count."""
    run = run_of("quickstart.ipynb")
    text = run.output("day_name()")
    days = whole_days(spread_evenly(spending_of(run.readings), DAY))
    for name, figures in by_weekday(days).items():
        assert numbers_after(text, name) == [pytest.approx(statistics.fmean(figures), abs=0.1)]
    ledgers = Simulator(seed=2022).ledgers.values()
    start, end = run.readings.index[0].to_pydatetime(), run.readings.index[-1].to_pydatetime()
    # What the top-ups hide is missing.
    truth = sum(each.spent(start, end) for each in ledgers) + 24
    assert 0.8 * truth < sum_told(text) <= truth + 0.01


@pytest.fixture(scope="module")
def analysis(run_of) -> Run:
    """The second notebook."""
    return run_of("spend_analysis.ipynb")


@pytest.fixture(scope="module")
def mine(analysis) -> pd.DataFrame:
    """The readings that its first half saw: what was spent for the costs came later."""
    readings = analysis.readings[analysis.readings["organization"] == MINE]
    return readings[readings["source"] == "demo"]


@pytest.fixture(scope="module")
def daily(mine) -> pd.DataFrame:
    """The usage frame of these, by day."""
    return usage(mine, by="day")


def test_the_days_that_cost_most_are_those(analysis, daily):
    """By what was likely spent in them."""
    table = analysis.table("nlargest(3")
    highest = daily.sort_values("likely_spent", ascending=False).head(3)
    for day, row in highest.iterrows():
        told = table[str(day)]
        for each in ("spent", "likely_spent", "usd"):
            assert float(told[each]) == pytest.approx(row[each], abs=0.006)
        assert told["at_least"] == str(row["at_least"])


def test_seven_days_are_compared_with_the_seven_before(analysis, daily):
    """All of them whole: a week that is not over looks cheap."""
    table = analysis.table("rolling(7)")
    days = daily["likely_spent"][1:-1]
    for end in range(len(days) - 28, len(days) + 1, 7):
        credits, before = days[end - 7 : end].sum(), days[end - 14 : end - 7].sum()
        told = table[str(days.index[end - 1])]
        assert float(told["credits"]) == pytest.approx(credits, abs=0.06)
        assert told["change"] == f"{credits / before - 1:+.0%}"


def test_the_weekdays_medians_are_of_whole_days(analysis, daily):
    """Today is not over, and no low figure."""
    text = analysis.output("median()")
    days = {each.date(): credits for each, credits in daily["likely_spent"][1:-1].items()}
    for name, figures in by_weekday(days).items():
        assert numbers_after(text, name) == [pytest.approx(statistics.median(figures), abs=0.1)]


def test_only_well_observed_hours_count(analysis, mine):
    """The bars are means over hours that no long gap between readings touches."""
    falls = spending_of(mine)
    gaps = [(start, end) for start, end, _ in falls if end - start > 2 * HOUR]
    likely = usage(mine, by="hour")["likely_spent"]
    certain = spread_evenly(falls, HOUR)
    groups: dict[int, list[float]] = defaultdict(list)
    for at in likely.index[1:-1]:
        if not any(start < at + HOUR and end > at for start, end in gaps):
            assert likely[at] >= certain[at.to_pydatetime()] - 1e-9
            groups[at.hour].append(likely[at])
    assert 5 < len(groups) < 24
    assert sum(map(len, groups.values())) < len(likely) / 2
    told = {
        int(hour): float(credits)
        for hour, credits in re.findall(
            r"^ *(\d+) +([\d.]+)$", analysis.output("is_well_observed"), re.MULTILINE
        )
    }
    expected = {hour: round(statistics.fmean(each), 1) for hour, each in groups.items()}
    assert told == pytest.approx(expected, abs=0.11)


def test_dollars_bought_are_those_of_the_likely_purchases(analysis, daily):
    """A dollar buys 100 credits."""
    text = analysis.output("bought on")
    bought = daily["likely_topped_up"][daily["likely_topped_up"] > 0]
    assert f"likely ${bought.sum() / 100:,.2f}, bought on {len(bought)} days" in text
    table = analysis.table("bought on")
    assert {each: float(table[each]["likely_topped_up"]) for each in table} == pytest.approx(
        {str(day): credits for day, credits in bought.items()}, abs=0.006
    )


def test_the_forecast_is_compared_with_the_same_days(analysis, mine):
    """From the reading at that time on, and not from somewhere before the next one."""
    text = analysis.output("told.spent_per_day")
    last = mine.index[-1]
    then = max(each for each in mine.index if each <= last - 7 * DAY)
    days = (last - then) / DAY
    (told,) = forecast(mine, now=then).itertuples()
    expected, days_told = numbers_after(text, "expected then")
    assert expected == pytest.approx(days * told.spent_per_day, abs=0.6)
    assert days_told == pytest.approx(days, abs=0.06)
    really = sum(credits for start, _, credits in spending_of(mine) if start >= then)
    assert numbers_after(text, "really spent") == [pytest.approx(really, abs=0.6)]
    truth = Simulator(seed=2022).ledgers[MINE].spent(then.to_pydatetime(), last.to_pydatetime())
    assert really <= truth + 0.01


def test_the_costs_are_what_the_cells_spent(analysis):
    """By label, and in the lines of the cells."""
    sums = analysis.costs.groupby("label")["spent"].agg(["count", "sum", "mean", "max"])
    assert sums.loc["posters"].tolist() == [2, 72.0, 36.0, 40.0]
    assert sums.loc["thumbnails"].tolist() == [1, 6.5, 6.5, 6.5]
    assert sum_told(analysis.output("--summary")) == 78.5
    rows = {label: cells for label, *cells in Html(analysis.html("--summary")).rows}
    for label in ("posters", "thumbnails"):
        count, total, mean, most = sums.loc[label]
        told = [float(each.strip("≈ $")) for each in rows[label][:5]]
        assert told == pytest.approx([count, total, total / 100, mean, most], abs=0.01)
