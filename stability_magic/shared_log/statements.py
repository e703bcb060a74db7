"""The SQL that reads from the shared log.

Every query that adds up readings is about one organization, so that one node can answer it if the
table is distributed by organization. ``{s}`` stands for the schema.

Whoever may insert can insert anything, so every query leaves out the rows that are not valid.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..analysis.costs import Cost
from ..log.validity import FIRST_TIME, LAST_TIME, MAX_NAME_LENGTH, MAX_TEXT_LENGTH

__all__ = [
    "AMOUNTS",
    "BUDGET_ROWS",
    "CONDENSED",
    "COST_COLUMNS",
    "COST_FAULTS",
    "COST_ROWS",
    "GAPS",
    "INVALID_COSTS",
    "INVALID_READINGS",
    "NAMES",
    "READING_FAULTS",
    "RETURNS",
    "ROWS",
    "SETTINGS",
    "SPAN",
]


def _short_enough(*columns: str) -> str:
    """The condition that texts are not too long; nearly always their sizes alone decide it."""
    size = " + ".join(f"coalesce(octet_length({each}), 0)" for each in columns)
    longest = ", ".join(f"coalesce(char_length({each}), 0)" for each in columns)
    return (
        f"({size} <= {MAX_TEXT_LENGTH} OR ({size} <= {len(columns) * 4 * MAX_TEXT_LENGTH}"
        f" AND greatest({longest}) <= {MAX_TEXT_LENGTH}))"
    )


def _is_finite(column: str) -> str:
    # PostgreSQL's NaN is greater than every number.
    return f"({column} > '-Infinity' AND {column} < 'Infinity')"


# What ``log.validity`` says of rows, by the fault of those that it is not true of. Ids need no
# check here, as the type of their column keeps them to 16 bytes; organizations are checked where
# their names are read.
_READING_CHECKS = {
    "no time between 1970 and 2200": f"read_at BETWEEN {FIRST_TIME} AND {LAST_TIME}",
    "no finite balance": _is_finite("credits"),
    "a text that is too long": _short_enough("api_url", "source", "label", "host"),
}
_COST_CHECKS = {
    "no time between 1970 and 2200": f"started_at BETWEEN {FIRST_TIME} AND {LAST_TIME}"
    f" AND ended_at BETWEEN {FIRST_TIME} AND {LAST_TIME}",
    "ended before it began": "ended_at >= started_at",
    "no finite duration": _is_finite("seconds"),
    "no finite amount": f"(spent IS NULL OR {_is_finite('spent')})",
    "a text that is too long": _short_enough("label", "cell", "host", "member"),
}
READING_FAULTS, COST_FAULTS = tuple(_READING_CHECKS), tuple(_COST_CHECKS)
_VALID_READING = " AND ".join(_READING_CHECKS.values())
_VALID_COST = " AND ".join(_COST_CHECKS.values())
_OF_ORGANIZATION = f"organization = %(organization)s AND {_VALID_READING}"
# Readings are doubtful from each other instant in this array to the next one.
_COUNTS = f"{_OF_ORGANIZATION} AND width_bucket(read_at, %(doubtful)s::BIGINT[]) %% 2 = 0"

# By default, PostgreSQL takes longer to compile a query than to answer it, and sorts on the disk
# what would fit into a little more memory. Databases without these settings ignore this.
SETTINGS = """
    SELECT set_config(name, CASE name WHEN 'jit' THEN 'off' ELSE '64MB' END, true)
    FROM pg_settings WHERE name IN ('jit', 'work_mem')
"""

# From the first reading to the last one in a range, with the last balance, and the number of
# readings up to a limit.
SPAN = """
    WITH bounds AS (
        SELECT
            coalesce((
                SELECT max(read_at) FROM {s}.readings
                WHERE {counts} AND read_at < %(since)s
            ), %(since)s) AS low,
            coalesce((
                SELECT min(read_at) FROM {s}.readings
                WHERE {counts} AND read_at >= %(until)s AND %(after)s
            ), %(until)s - 1) AS high
    )
    SELECT
        (SELECT min(read_at) FROM {s}.readings
         WHERE {counts} AND read_at BETWEEN low AND high),
        (SELECT max(read_at) FROM {s}.readings
         WHERE {counts} AND read_at BETWEEN low AND high),
        (SELECT max(read_at) FROM {s}.readings
         WHERE {counts} AND read_at BETWEEN low AND %(until)s - 1),
        (SELECT credits FROM {s}.readings
         WHERE {counts} AND read_at BETWEEN low AND high
         ORDER BY read_at DESC, credits LIMIT 1),
        (SELECT count(*) FROM (
            SELECT 1 FROM {s}.readings
            WHERE {counts} AND read_at BETWEEN low AND high LIMIT %(few)s
        ) AS counted)
    FROM bounds
""".replace("{counts}", _COUNTS)

# The first reading of all.
FIRST = """
    SELECT min(read_at) FROM {s}.readings WHERE {of_organization}
""".replace("{of_organization}", _OF_ORGANIZATION)

ROWS = """
    SELECT {columns} FROM {s}.readings
    WHERE {counts} AND read_at BETWEEN %(first)s AND %(last)s
    ORDER BY read_at, credits DESC, id
""".replace("{counts}", _COUNTS)

# The rises that may begin or end a doubtful stretch: those around which the same level was read.
RETURNS = """
    SELECT read_at FROM (
        SELECT
            read_at, credits, lag(read_at) OVER w AS before_at, lag(credits) OVER w AS before
        FROM {s}.readings
        WHERE {of_organization} AND read_at BETWEEN %(first)s AND %(last)s
        WINDOW w AS (ORDER BY read_at, credits DESC)
    ) AS paired
    WHERE credits - before > CASE WHEN before = 0 THEN 0 ELSE %(least_rise)s END
        AND read_at - before_at <= %(longest)s
        AND (
            EXISTS (
                SELECT 1 FROM {s}.readings AS other
                WHERE {other_of_organization}
                    AND other.read_at BETWEEN paired.read_at AND paired.read_at + %(longest)s
                    AND other.credits <= paired.before + %(least)s
            )
            OR EXISTS (
                SELECT 1 FROM {s}.readings AS other
                WHERE {other_of_organization}
                    AND other.read_at BETWEEN paired.read_at - %(longest)s AND paired.before_at
                    AND other.credits >= paired.credits - %(least)s
            )
        )
    ORDER BY read_at
""".replace("{of_organization}", _OF_ORGANIZATION).replace(
    "{other_of_organization}", "other.organization = %(organization)s"
)

# One row for each reading that is the first in its stretch or shows a rise, with the reading before
# it; and one row for all other readings of a stretch.
CONDENSED = """
    SELECT
        stretch, told_at, count(*), sum(fall),
        max(credits) FILTER (WHERE told_at IS NOT NULL),
        max(before_at) FILTER (WHERE told_at IS NOT NULL),
        max(before) FILTER (WHERE told_at IS NOT NULL),
        sum(too_small)
    FROM (
        SELECT
            stretch, credits, before_at, before,
            CASE WHEN credits - before >= %(least)s OR before_at IS NULL
                OR before_at < (%(edges)s::BIGINT[])[stretch] THEN read_at END AS told_at,
            CASE WHEN before - credits >= %(least)s
                AND before_at >= (%(edges)s::BIGINT[])[stretch] THEN before - credits
                ELSE 0 END AS fall,
            CASE WHEN abs(credits - before) < %(least)s THEN abs(credits - before)
                ELSE 0 END AS too_small
        FROM (
            SELECT
                read_at, credits, width_bucket(read_at, %(edges)s::BIGINT[]) AS stretch,
                lag(read_at) OVER w AS before_at, lag(credits) OVER w AS before
            FROM {s}.readings
            WHERE {counts} AND read_at BETWEEN %(first)s AND %(last)s
            WINDOW w AS (ORDER BY read_at, credits DESC)
        ) AS paired
    ) AS told
    GROUP BY stretch, told_at
""".replace("{counts}", _COUNTS)

# For each window of time: the readings around it, what was spent in the part of the window that is
# covered by readings, how long that part is, and what was spent between the readings around the
# window. The times of windows are microseconds since the first reading. Readings at one instant
# count together, as a step between them has no length.
AMOUNTS = """
    SELECT number, opening.read_at, closing.read_at, spent, seen, around
    FROM unnest(%(starts)s::DOUBLE PRECISION[], %(ends)s::DOUBLE PRECISION[])
        WITH ORDINALITY AS windows (start, stop, number)
    CROSS JOIN LATERAL (
        SELECT read_at FROM {s}.readings
        WHERE {counts}
            AND read_at BETWEEN %(first)s AND %(first)s + floor(start)::BIGINT
        ORDER BY read_at DESC LIMIT 1
    ) AS opening
    CROSS JOIN LATERAL (
        SELECT read_at FROM {s}.readings
        WHERE {counts}
            AND read_at BETWEEN %(first)s + ceil(stop)::BIGINT AND %(last)s
        ORDER BY read_at LIMIT 1
    ) AS closing
    CROSS JOIN LATERAL (
        SELECT
            sum(fell * (least(ended, stop) - greatest(begun, start)) / (ended - begun)) AS spent,
            sum(CASE WHEN rose THEN 0 ELSE least(ended, stop) - greatest(begun, start) END) AS seen,
            sum(fell) AS around
        FROM (
            SELECT
                moment, fell, rose,
                (moment - %(first)s)::DOUBLE PRECISION AS ended,
                (lag(moment) OVER (ORDER BY moment) - %(first)s)::DOUBLE PRECISION AS begun
            FROM (
                SELECT
                    moment, bool_or(fall <= -%(least)s) AS rose,
                    sum(CASE WHEN fall >= %(least)s THEN fall ELSE 0 END) AS fell
                FROM (
                    SELECT read_at AS moment, lag(credits) OVER w - credits AS fall
                    FROM {s}.readings
                    WHERE {counts}
                        AND read_at BETWEEN opening.read_at AND closing.read_at
                    WINDOW w AS (ORDER BY read_at, credits DESC)
                ) AS steps
                GROUP BY moment
            ) AS moments
        ) AS intervals
        WHERE moment > opening.read_at
    ) AS told
    WHERE closing.read_at - opening.read_at <= 2 * (stop - start) + %(day)s
""".replace("{counts}", _COUNTS)

# The longest step between readings that is no gap, and each gap: where it begins and ends. One row
# with nothing but the limit where there is none.
GAPS = """
    WITH steps AS (
        SELECT read_at, read_at - lag(read_at) OVER (ORDER BY read_at) AS length
        FROM {s}.readings
        WHERE {counts} AND read_at BETWEEN %(first)s AND %(last)s
    ), usual AS (
        SELECT percentile_cont(%(shares)s::DOUBLE PRECISION[])
            WITHIN GROUP (ORDER BY length::DOUBLE PRECISION) AS lengths
        FROM steps WHERE length IS NOT NULL
    ), limits AS (
        SELECT coalesce(greatest(
            lengths[1] * (%(factors)s::DOUBLE PRECISION[])[1],
            lengths[2] * (%(factors)s::DOUBLE PRECISION[])[2]
        ), 0) AS longest FROM usual
    )
    SELECT longest, read_at - length, read_at FROM limits LEFT JOIN steps ON length > longest
    ORDER BY read_at
""".replace("{counts}", _COUNTS)

COST_COLUMNS = tuple(each.name for each in dataclasses.fields(Cost))

COST_ROWS = f"""
    SELECT {", ".join(COST_COLUMNS)} FROM {{s}}.costs
    WHERE {_VALID_COST} AND ended_at >= %(first)s AND started_at <= %(last)s
    ORDER BY started_at, id
"""  # noqa: S608 - names of our own

NAMES = f"""
    SELECT organization, seen_at, name FROM {{s}}.organizations
    WHERE seen_at BETWEEN {FIRST_TIME} AND {LAST_TIME}
        AND octet_length(organization) <= {4 * MAX_NAME_LENGTH} AND {_short_enough("name")}
    ORDER BY seen_at, name
"""  # noqa: S608 - names of our own


def _fault_counts(checks: Mapping[str, str]) -> str:
    """Selects how many rows have each fault; a row that has several counts for the first."""
    conditions = list(checks.values())
    counts = (
        " AND ".join([*conditions[:number], f"NOT ({each})"])
        for number, each in enumerate(conditions)
    )
    return ", ".join(f"count(*) FILTER (WHERE {each})" for each in counts)


# How many readings of some organizations are left out of a window, by their faults. Times that no
# calendar has are in every window.
INVALID_READINGS = f"""
    SELECT {_fault_counts(_READING_CHECKS)} FROM {{s}}.readings
    WHERE NOT ({_VALID_READING})
        AND (%(organizations)s::TEXT[] IS NULL OR organization = ANY(%(organizations)s::TEXT[]))
        AND (read_at BETWEEN %(since)s AND %(until)s
            OR read_at < {FIRST_TIME} OR read_at > {LAST_TIME})
"""  # noqa: S608 - names of our own

INVALID_COSTS = f"""
    SELECT {_fault_counts(_COST_CHECKS)} FROM {{s}}.costs WHERE NOT ({_VALID_COST})
"""  # noqa: S608 - names of our own

# Who sets a budget changes it a few times a year, so that all changes are few rows.
BUDGET_ROWS = "SELECT organization, every, set_at, credits, id FROM {s}.budgets"
