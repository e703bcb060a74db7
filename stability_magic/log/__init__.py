"""The local log: one SQLite file; the only importer of sqlite3 and sqlite_utils.

Begin with ``balance_log``, which the rest of the package uses, and ``schema``, which defines the
tables. ``file`` opens the file, ``waiting`` waits for other processes, ``rows`` reads it into
arrays, ``validity`` says what a row must be, ``merging`` takes in other logs, and ``outbox`` keeps
track of what the shared log still lacks.

May import ``analysis`` and the modules at the top of the package; knows no service.
"""
