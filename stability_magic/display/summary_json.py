"""The summary for programs; pure."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..analysis.budgets import BudgetSpend
    from ..analysis.summary import Summary, WindowSpend

__all__ = ["summary_json"]

# Counts up when a name changes or goes; new names do not count.
_SCHEMA = 1


def summary_json(
    summaries: Sequence[Summary],
    now: datetime,
    *,
    usd_per_credit: float,
    low_balance: float | None = None,
) -> str:
    """The summary as a JSON object with exact figures and times in ISO 8601."""
    organizations = [_record(each, usd_per_credit, low_balance) for each in summaries]
    answer = {"schema": _SCHEMA, "now": now.isoformat(), "organizations": organizations}
    return json.dumps(answer, ensure_ascii=False, indent=1) + "\n"


def _record(summary: Summary, usd_per_credit: float, low_balance: float | None) -> dict[str, Any]:
    windows = {
        name.replace(" ", "_"): _window_record(window, usd_per_credit)
        for name, window in summary.windows.items()
    }
    return {
        "organization": summary.organization,
        "name": summary.name,
        "credits": summary.credits,
        "usd": summary.credits * usd_per_credit,
        "low": None if low_balance is None else summary.credits < low_balance,
        "buys": _buys(summary),
        "doubt": summary.doubt,
        "read_at": summary.read_at.isoformat(),
        "known_since": summary.known_since.isoformat(),
        "spent": windows,
        "budgets": [_budget_record(each, usd_per_credit) for each in summary.budgets],
        "top_ups": [
            {"day": each.at.date().isoformat(), "credits": each.credits} for each in summary.top_ups
        ],
        **_outlook_record(summary.outlook),
    }


def _buys(summary: Summary) -> dict[str, Any] | None:
    """What is done next, and how often the balance pays for it, where its price is known."""
    if summary.next_job is None:
        return None
    times = summary.next_job.times(summary.credits)
    return {
        "job": str(summary.next_job),
        "credits": summary.next_job.credits if math.isfinite(times) else None,
        "times": int(times) if math.isfinite(times) else None,
    }


def _budget_record(spend: BudgetSpend, usd_per_credit: float) -> dict[str, Any]:
    return {
        "every": spend.every,
        "budget": spend.budget,
        "period": spend.start.isoformat(),
        "until": spend.until.isoformat(),
        "credits": spend.spent if spend.is_known else None,
        "usd": spend.spent * usd_per_credit if spend.is_known else None,
        "left": spend.left if spend.is_known else None,
        "at_least": spend.is_at_least,
        "about": spend.is_known and spend.estimated > 0.0,
        "passed": spend.is_passed,
    }


def _window_record(window: WindowSpend | None, usd_per_credit: float) -> dict[str, Any] | None:
    if window is None:
        return None
    return {
        "credits": window.spent,
        "usd": window.spent * usd_per_credit,
        "likely": window.likely_spent,
        "at_least": window.is_at_least,
        "about": window.is_about,
    }


def _outlook_record(outlook: pd.DataFrame) -> dict[str, Any]:
    if outlook.empty:
        return {}
    row = outlook.iloc[0]
    times = {
        name: None if pd.isna(row[name]) else row[name].isoformat()
        for name in ("empty_at", "empty_early", "empty_late")
    }
    rate = None if pd.isna(row["spent_per_day"]) else float(row["spent_per_day"])
    return {**times, "spent_per_day": rate, "evidence": row["evidence"]}
