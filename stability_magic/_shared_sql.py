"""What the shared log is asked about readings.

Every question is about one organization, so that each is answered at one place where the table is
spread by it. ``{s}`` stands for the schema.
"""

from __future__ import annotations

__all__ = ["AMOUNTS", "REDUCED", "ROWS", "SETTINGS", "SPAN"]

# PostgreSQL would compile a question for longer than it takes to answer it, and sort on the disk
# what fits into little memory. Others do not know these settings, and are not told of them.
SETTINGS = """
    SELECT set_config(name, CASE name WHEN 'jit' THEN 'off' ELSE '64MB' END, true)
    FROM pg_settings WHERE name IN ('jit', 'work_mem')
"""

SPAN = """
    WITH bounds AS (
        SELECT
            coalesce((
                SELECT max(read_at) FROM {s}.readings
                WHERE organization = %(organization)s AND read_at < %(since)s
            ), %(since)s) AS low,
            coalesce((
                SELECT min(read_at) FROM {s}.readings
                WHERE organization = %(organization)s AND read_at >= %(until)s AND %(after)s
            ), %(until)s - 1) AS high
    )
    SELECT
        (SELECT min(read_at) FROM {s}.readings
         WHERE organization = %(organization)s AND read_at BETWEEN low AND high),
        (SELECT max(read_at) FROM {s}.readings
         WHERE organization = %(organization)s AND read_at BETWEEN low AND high),
        (SELECT max(read_at) FROM {s}.readings
         WHERE organization = %(organization)s AND read_at BETWEEN low AND %(until)s - 1),
        (SELECT credits FROM {s}.readings
         WHERE organization = %(organization)s AND read_at BETWEEN low AND high
         ORDER BY read_at DESC, credits LIMIT 1),
        (SELECT count(*) FROM (
            SELECT 1 FROM {s}.readings
            WHERE organization = %(organization)s AND read_at BETWEEN low AND high LIMIT %(few)s
        ) AS counted)
    FROM bounds
"""

ROWS = """
    SELECT {columns} FROM {s}.readings
    WHERE organization = %(organization)s AND read_at BETWEEN %(first)s AND %(last)s
    ORDER BY read_at, credits DESC, id
"""

# One row for each reading that is the first from a mark on, or shows a rise, with the reading
# before it; and one for all others from one mark to the next.
REDUCED = """
    SELECT
        stretch, told_at, count(*), sum(fall),
        max(credits) FILTER (WHERE told_at IS NOT NULL),
        max(before_at) FILTER (WHERE told_at IS NOT NULL),
        max(before) FILTER (WHERE told_at IS NOT NULL)
    FROM (
        SELECT
            stretch, credits, before_at, before,
            CASE WHEN credits - before >= %(least)s OR before_at IS NULL
                OR before_at < (%(edges)s::BIGINT[])[stretch] THEN read_at END AS told_at,
            CASE WHEN before - credits >= %(least)s
                AND before_at >= (%(edges)s::BIGINT[])[stretch] THEN before - credits
                ELSE 0 END AS fall
        FROM (
            SELECT
                read_at, credits, width_bucket(read_at, %(edges)s::BIGINT[]) AS stretch,
                lag(read_at) OVER w AS before_at, lag(credits) OVER w AS before
            FROM {s}.readings
            WHERE organization = %(organization)s AND read_at BETWEEN %(first)s AND %(last)s
            WINDOW w AS (ORDER BY read_at, credits DESC)
        ) AS paired
    ) AS told
    GROUP BY stretch, told_at
"""

# For windows of time: the readings around each, what was spent in it and in how much of it that
# is known, and what was spent between the readings around it. Times are since the first reading.
AMOUNTS = """
    SELECT number, opening.read_at, closing.read_at, spent, seen, around
    FROM unnest(%(starts)s::DOUBLE PRECISION[], %(ends)s::DOUBLE PRECISION[])
        WITH ORDINALITY AS windows (start, stop, number)
    CROSS JOIN LATERAL (
        SELECT read_at FROM {s}.readings
        WHERE organization = %(organization)s
            AND read_at BETWEEN %(first)s AND %(first)s + floor(start)::BIGINT
        ORDER BY read_at DESC LIMIT 1
    ) AS opening
    CROSS JOIN LATERAL (
        SELECT read_at FROM {s}.readings
        WHERE organization = %(organization)s
            AND read_at BETWEEN %(first)s + ceil(stop)::BIGINT AND %(last)s
        ORDER BY read_at LIMIT 1
    ) AS closing
    CROSS JOIN LATERAL (
        SELECT
            sum(CASE WHEN fall < %(least)s THEN 0
                WHEN ended = begun AND ended > start AND ended <= stop THEN fall
                WHEN ended = begun THEN 0
                ELSE fall * (least(ended, stop) - greatest(begun, start)) / (ended - begun)
                END) AS spent,
            sum(CASE WHEN fall > -%(least)s THEN least(ended, stop) - greatest(begun, start)
                ELSE 0 END) AS seen,
            sum(CASE WHEN fall >= %(least)s THEN fall ELSE 0 END) AS around
        FROM (
            SELECT
                read_at AS moment,
                (read_at - %(first)s)::DOUBLE PRECISION AS ended,
                (lag(read_at) OVER w - %(first)s)::DOUBLE PRECISION AS begun,
                lag(credits) OVER w - credits AS fall
            FROM {s}.readings
            WHERE organization = %(organization)s
                AND read_at BETWEEN opening.read_at AND closing.read_at
            WINDOW w AS (ORDER BY read_at, credits DESC)
        ) AS steps
        WHERE moment > opening.read_at
    ) AS told
    WHERE closing.read_at - opening.read_at <= 2 * (stop - start) + %(day)s
"""
