"""The summary for Prometheus and its kin, in the text format of OpenMetrics; pure.

Whatever there is has the type of a gauge and no time of its own, so that readers of Prometheus's
older text format understand it as well. One of them is node_exporter's textfile collector: it
skips a file that has a type that is new in OpenMetrics, or a time, and takes ``# UNIT`` and
``# EOF`` for comments (prometheus/common, expfmt/text_parse.go; node_exporter,
collector/textfile.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    from ..analysis.summary import Summary

__all__ = ["summary_openmetrics"]

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class _Family(NamedTuple):
    """What is measured; its name ends in its unit, as OpenMetrics has it, if it has one."""

    name: str
    unit: str
    help: str


_BALANCE = _Family(
    "stability_balance_credits", "credits", "Credits that were left at the last reading."
)
_READ_AT = _Family(
    "stability_balance_read_timestamp_seconds", "seconds", "When the balance was last read."
)
_IS_DOUBTFUL = _Family(
    "stability_balance_is_doubtful", "", "1 where the last reading may be wrong, else 0."
)
_SPENT = _Family(
    "stability_spent_credits",
    "credits",
    "Credits that were seen to be spent; a lower bound where a top-up hides a part.",
)
_LIKELY_SPENT = _Family(
    "stability_likely_spent_credits", "credits", "The same with what top-ups likely hid."
)
_RATE = _Family(
    "stability_expected_spend_per_day_credits", "credits", "Credits a day, until it is empty."
)
_EMPTY = {
    "empty_at": _Family(
        "stability_empty_timestamp_seconds", "seconds", "When the balance is expected to be empty."
    ),
    "empty_early": _Family(
        "stability_empty_early_timestamp_seconds", "seconds", "The early end of its interval."
    ),
    "empty_late": _Family(
        "stability_empty_late_timestamp_seconds", "seconds", "The late end of its interval."
    ),
}
_LOW = _Family(
    "stability_low_balance_credits", "credits", "The credits under which a balance is low."
)


def summary_openmetrics(summaries: Sequence[Summary], *, low_balance: float | None = None) -> str:
    """The summary as OpenMetrics, which is UTF-8; what is not known is left out.

    Args:
        summaries: The organizations; none is a document without figures.
        low_balance: Credits under which a balance is low.
    """
    lines: dict[_Family, list[str]] = {}
    for summary in summaries:
        for family, labels, value in _samples(summary):
            lines.setdefault(family, []).append(_sample_line(family.name, labels, value))
    if low_balance is not None:
        lines[_LOW] = [_sample_line(_LOW.name, {}, low_balance)]
    texts = [each for family in lines for each in (*_head(family), *lines[family])]
    return "\n".join([*texts, "# EOF"]) + "\n"


def _head(family: _Family) -> Iterator[str]:
    yield f"# TYPE {family.name} gauge"
    if family.unit:
        yield f"# UNIT {family.name} {family.unit}"
    yield f"# HELP {family.name} {family.help}"


def _samples(summary: Summary) -> Iterator[tuple[_Family, dict[str, str], float]]:
    labels = {"organization": summary.organization, "name": summary.name}
    yield _BALANCE, labels, summary.credits
    yield _READ_AT, labels, summary.read_at.timestamp()
    yield _IS_DOUBTFUL, labels, float(summary.doubt is not None)
    for name, window in summary.windows.items():
        if window is not None:
            window_labels = {**labels, "window": name.replace(" ", "_")}
            yield _SPENT, window_labels, window.spent
            yield _LIKELY_SPENT, window_labels, window.likely_spent
    if summary.outlook.empty:
        return
    row = summary.outlook.iloc[0]
    if not pd.isna(row["spent_per_day"]):
        yield _RATE, labels, float(row["spent_per_day"])
    for column, family in _EMPTY.items():
        if not pd.isna(row[column]):
            yield family, labels, row[column].timestamp()


def _sample_line(name: str, labels: Mapping[str, str], value: float) -> str:
    texts = [f'{label}="{text.translate(_ESCAPES)}"' for label, text in labels.items()]
    return f"{name}{{{','.join(texts)}}} {value!r}" if texts else f"{name} {value!r}"
