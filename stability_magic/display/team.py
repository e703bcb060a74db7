"""Who spent what, in a line and as a table; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..analysis.team import NO_MEMBER
from .html_table import NOTEBOOK, Cell, Head, Medium, first_rows
from .table_texts import amount_text, dollars_text, names_text, share_text, shown_names, text_of
from .wording import NOTHING, bound_words, count_text, credits_text, usd_text

if TYPE_CHECKING:
    import pandas as pd

    from ..analysis.spend import SumDoubts
    from ..analysis.team import Team

__all__ = ["team_line", "team_table"]

_MOST_ELSEWHERE = 5
_ABOUT = "≈: about, not confirmed yet, or a top-up or other spending fell in"
_ADVICE = f"{NO_MEMBER}: the setting member, in that person's notebook, names who runs a cell"


def team_line(team: Team, window: str, doubts: SumDoubts) -> str:
    """How many members spent how much, how much of all was spent elsewhere, and what all is.

    Args:
        team: What they spent.
        window: What its window is called.
        doubts: What makes the sum of all rows inexact.
    """
    frame = team.frame
    if frame.empty:
        return f"no readings {window}"
    # A member or a label may say the same, in a log of somebody else.
    is_elsewhere = frame["cells"] == 0
    cells, elsewhere = frame[~is_elsewhere], frame[is_elsewhere]
    parts = [f"{_cells_phrase(cells, team, window)}; {_elsewhere_phrase(frame, elsewhere)}"]
    parts.append(f"{bound_words(*doubts)}{credits_text(frame['spent'].sum())} in all")
    if team.unknown:
        parts.append(f"{count_text(team.unknown, 'cell')} of unknown cost")
    if team.unseen:
        parts.append(f"{credits_text(team.unseen)} left out, of cells without readings")
    return " · ".join(parts)


def _cells_phrase(cells: pd.DataFrame, team: Team, window: str) -> str:
    if cells.empty:
        return f"no cells {window}"
    members = set(cells["member"]) - {NO_MEMBER}
    has_others = bool((cells["member"] == NO_MEMBER).any())
    subjects = [count_text(len(members), "member")] if members else []
    subjects += ["cells without a member"] if has_others else []
    bound = bound_words(is_estimate=team.is_estimate or team.unknown > 0, is_lower_bound=False)
    spent, usd = (float(cells[each].sum()) for each in ("spent", "usd"))
    return (
        f"{' and '.join(subjects)} spent {bound}{credits_text(spent)} credits"
        f" ({usd_text(usd)}) {window}"
    )


def _elsewhere_phrase(frame: pd.DataFrame, elsewhere: pd.DataFrame) -> str:
    if elsewhere.empty:
        return "elsewhere unknown"
    spent, total = (float(each["spent"].sum()) for each in (elsewhere, frame))
    if not spent > 0.0:
        return "nothing elsewhere"
    bound = bound_words(is_estimate=not elsewhere["exact"].all(), is_lower_bound=False)
    return f"{bound}{share_text(spent / total)} elsewhere"


def team_table(frame: pd.DataFrame, medium: Medium = NOTEBOOK) -> str:
    """Who spent what where; below it what each member spent in all, where that is not one row.

    Args:
        frame: A team frame.
        medium: Where it is shown.
    """
    names = shown_names(frame)
    has_organizations = len(names) > 1
    heads = [Head(each, is_text=True) for each in ("member", "host", "cell")]
    heads += [Head("credits", span=2), Head("share")]
    heads += [Head("organization", is_text=True)] * has_organizations
    lines: list[list[Cell]] = []
    elsewhere_lines: list[list[Cell]] = []
    has_estimate = False
    for _, row in frame.iterrows():
        is_elsewhere = row["cells"] == 0
        is_estimate = bool(row["spent"] > 0.0 and not row["exact"])
        has_estimate |= is_estimate
        is_nothing = row["spent"] == 0.0
        cells = [
            Cell(text_of(row["member"]), is_text=True, is_bold=not is_elsewhere),
            Cell(text_of(row["host"]) or ("" if is_elsewhere else NOTHING), is_text=True),
            Cell(text_of(row["label"]), is_text=True),
            Cell(NOTHING if is_nothing else amount_text(row["spent"], about=is_estimate)),
            Cell(NOTHING if is_nothing else dollars_text(row["usd"], about=is_estimate)),
            Cell(NOTHING if is_nothing else share_text(row["share"])),
        ]
        cells += [Cell(names[row["organization"]], is_text=True)] * has_organizations
        (elsewhere_lines if is_elsewhere else lines).append(cells)
    elsewhere_rows = first_rows(elsewhere_lines, _MOST_ELSEWHERE)
    shown = [*first_rows(lines, medium.most_rows - len(elsewhere_rows)), *elsewhere_rows]
    foot = [_totals_text(frame), _ABOUT if has_estimate else ""]
    foot.append(_ADVICE if (frame["member"] == NO_MEMBER).any() else "")
    return medium.draw(heads, shown, foot, frame)


def _totals_text(frame: pd.DataFrame) -> str:
    """``in all: ann 800.00 and bob 300.00``; nothing where each member has one row."""
    rows: Any = frame[frame["cells"] > 0]
    by_member = rows.groupby("member", sort=False)["spent"]
    if not len(rows) or by_member.size().max() == 1:
        return ""
    totals = [f"{text_of(each)} {credits_text(spent)}" for each, spent in by_member.sum().items()]
    return f"in all: {names_text(totals)}"
