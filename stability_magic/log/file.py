"""Opens the log's file: creates, locks, migrates and checks it, and explains errors."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from ..errors import LogError
from ..text import clean_text
from .rows import check_types
from .schema import MIGRATIONS, migration_names, own_columns
from .waiting import ATTEMPT_SECONDS, BUSY_SECONDS, try_until_free, waiting_budget

__all__ = [
    "CHECK_THE_NAME",
    "check_writable",
    "is_readable",
    "open_for_reading",
    "open_for_writing",
    "rollback_journal_path",
    "translate_errors",
    "waiting_budget",
]

_APPLIED_MIGRATIONS_SQL = "SELECT name FROM _sqlite_migrations WHERE migration_set = ?"

# What SQLite's errors mean and what to do, by the beginnings of their names.
_MEANINGS = {
    "SQLITE_NOTADB": "is not an SQLite file; it was left as it is. {advice}.",
    "SQLITE_CORRUPT": "is damaged; it was left as it is. Restore a copy, or let"
    " 'sqlite3 FILE .recover' tell what can be read.",
    "SQLITE_FULL": "could not be written: the disk is full. Make room and try again.",
    "SQLITE_BUSY": "is held by another program. Close what has it open and try again.",
    "SQLITE_READONLY": "cannot be written: it is read-only. Allow writing to it and to its"
    " folder. {advice} otherwise.",
    "SQLITE_CANTOPEN": "cannot be opened. Check that its folder exists and may be written."
    " {advice} otherwise.",
    "SQLITE_IOERR": "could not be read or written: the disk or the file system failed, or is"
    " full. Check it and try again.",
}

CHECK_THE_NAME = "Check the name"
_CHOOSE_ANOTHER_FILE = "Choose another file (StabilityMagic.log)"

# How the definition of a table begins, as SQLite keeps it. That of a view, or of a table of an
# extension, begins otherwise; reading those would run somebody else's program.
_TABLE = re.compile(r"CREATE\s+TABLE\s", re.IGNORECASE)

# After so many steps of a query, an interruption gets its turn.
_STEPS_BETWEEN_INTERRUPTIONS = 500


class _PatientConnection(sqlite3.Connection):
    """A connection that waits for other processes, in such a way that Ctrl-C ends the waiting.

    SQLite itself would sleep to the end of its busy timeout.
    """

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return try_until_free(
            lambda: super(_PatientConnection, self).execute(sql, parameters), _is_busy, BUSY_SECONDS
        )


def _is_busy(error: Exception) -> bool:
    return _error_name(error).startswith("SQLITE_BUSY")


@contextmanager
def open_for_writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection inside a transaction that is committed to the disk at the end.

    Creates the file and its folder if they are missing, and applies pending migrations.

    Raises:
        LogError: The file could not be written; the transaction was rolled back.
    """
    with translate_errors(path), waiting_budget():
        _check_name(path)
        _create_file(path)
        with closing(_connect(path, "rw")) as connection:
            # With the default rollback journal, FULL alone can lose the last commit to a
            # power cut: EXTRA syncs the folder too (sqlite.org/pragma.html#pragma_synchronous).
            connection.execute("PRAGMA synchronous = EXTRA")
            # Waiting only helps if the lock is taken first. If the first write takes it, that
            # fails at once when two processes open a new file at the same time.
            connection.execute("BEGIN IMMEDIATE")
            try:
                if _has_pending_migrations(connection, path):
                    MIGRATIONS.apply(Database(connection, execute_plugins=False))
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise


def check_writable(path: Path) -> None:
    """Tries whether a log could be written; nothing is changed or created.

    Raises:
        LogError: It could not.
    """
    with translate_errors(path), waiting_budget():
        _check_name(path)
        if not _exists(path):
            _check_folder(path)
            return
        with closing(_connect(path, "rw")) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                # Only a change needs the journal beside the file.
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                connection.execute(f"PRAGMA user_version = {version + 1}")
            finally:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")


def _check_folder(path: Path) -> None:
    """Raises an OSError where the folder of a new file cannot be written or made."""
    parents = Path(os.path.realpath(path)).parents
    folder = next(each for each in parents if os.path.lexists(each))
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@contextmanager
def open_for_reading(
    path: Path, *, error_path: Path | None = None
) -> Iterator[sqlite3.Connection | None]:
    """A connection that cannot write; None if there is no log yet.

    Args:
        path: The file.
        error_path: The file to name in errors, if it is not the user's own log: another file,
            of which ``path`` may be a copy.

    Raises:
        LogError: The file could not be read.
    """
    advice = CHECK_THE_NAME if error_path else _CHOOSE_ANOTHER_FILE
    with translate_errors(error_path or path, advice), waiting_budget():
        _check_name(path)
        if not _exists(path):
            yield None
            return
        _roll_back_killed_writer(path)
        with closing(_connect(path, "ro")) as connection:
            if error_path is not None:
                distrust(connection)
                check_tables(connection, error_path)
            yield connection if _is_log(connection, error_path or path) else None


def distrust(connection: sqlite3.Connection) -> None:
    """Lets a file of somebody else run nothing that it brings, nor hold up an interruption."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    # The file's own conditions are programs too.
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.set_progress_handler(_go_on, _STEPS_BETWEEN_INTERRUPTIONS)


def _go_on() -> int:
    """Tells SQLite to go on; where it was interrupted, Python raises that before this returns."""
    return 0


def check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Checks that what has the name of a table of the log is one, with columns that are stored.

    Raises:
        LogError: It is something else: a view, a table of an extension, or a column that a program
            computes.
    """
    rows = connection.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master")
    for kind, name, table, root_page, sql in list(rows):
        own_table = next((each for each in own_columns() if each == str(table).lower()), None)
        if own_table is None or kind in ("index", "trigger"):
            continue
        is_table = kind == "table" and name == table and root_page and _TABLE.match(str(sql))
        if not is_table or own_columns()[own_table] & _computed_columns(connection, own_table):
            raise LogError(
                f"{path} is no log of stability_magic: its {own_table} is no ordinary table; check"
                " the name.",
                path=path,
            )


def _computed_columns(connection: sqlite3.Connection, table: str) -> set[str]:
    columns = connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
    return {str(name).lower() for _, name, _, _, _, _, hidden in columns if hidden}


def rollback_journal_path(path: Path) -> Path:
    """The file where SQLite keeps what it needs to undo an interrupted transaction.

    It lies beside the file itself, not beside a link to it.
    """
    return Path(f"{os.path.realpath(path)}-journal")


def is_readable(path: Path) -> bool:
    """Whether the file can be read as it is, without a rollback before."""
    try:
        with closing(_connect(path, "ro")) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        return False
    return True


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=ATTEMPT_SECONDS,
        isolation_level=None,
        factory=_PatientConnection,
    )


def _check_name(path: Path) -> None:
    if "\0" in str(path):
        raise LogError(f"{path} cannot be the name of a file. {_CHOOSE_ANOTHER_FILE}.", path=path)
    if str(path).startswith("~"):
        # Taken literally, it would put a log into whatever the current folder is.
        message = f"{path} is in a home folder that is not known. {_CHOOSE_ANOTHER_FILE}."
        raise LogError(message, path=path)


def _exists(path: Path) -> bool:
    # Path.exists would report a file in a folder that may not be entered as missing, and links
    # that go round in a circle too.
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        # Opening a pipe would wait for ever.
        raise sqlite3.NotSupportedError("it is a pipe or a device, not a file")
    return True


def _create_file(path: Path) -> None:
    if _exists(path):
        return
    # A link to a file that is not there yet says where to make it.
    file = Path(os.path.realpath(path))
    if not file.parent.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _roll_back_killed_writer(path: Path) -> None:
    """Lets SQLite undo the transaction of a writer that was killed.

    SQLite does so when the file is next opened for writing, which a reader cannot wait for.
    """
    if not rollback_journal_path(path).exists():
        return
    with suppress(sqlite3.Error), closing(_connect(path, "rw")) as connection:
        # The first query undoes the transaction, and does not wait for a writer that still runs.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _has_pending_migrations(connection: sqlite3.Connection, path: Path) -> bool:
    return _applied_migrations(connection, path) != migration_names()


def _is_log(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file holds a log, possibly of an older version."""
    return "m001_readings" in _applied_migrations(connection, path)


def _applied_migrations(connection: sqlite3.Connection, path: Path) -> set[str]:
    """The names of the migrations that were applied to the file.

    Raises:
        LogError: The log is of a newer version.
    """
    try:
        rows = connection.execute(_APPLIED_MIGRATIONS_SQL, [MIGRATIONS.name])
        applied = {name for (name,) in check_types(rows, "t")}
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        applied = set()
    unknown = applied - migration_names()
    if unknown:
        raise LogError(
            f"{path} was written by a newer version of stability_magic (it has"
            f" {clean_text(', '.join(sorted(unknown)))}); it was left as it is. Upgrade"
            " stability_magic.",
            path=path,
        )
    return applied


@contextmanager
def translate_errors(path: Path, advice: str = _CHOOSE_ANOTHER_FILE) -> Iterator[None]:
    """Turns errors of SQLite and of the file system into a LogError of one line.

    Args:
        path: The file, which the error names.
        advice: What to do if it is the wrong file.
    """
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if _error_name(error) == "SQLITE_INTERRUPT":
            # The only interruption is Ctrl-C, of which SQLite keeps this alone.
            raise KeyboardInterrupt from None
        if path.is_dir():
            raise LogError(f"{path} is a folder, not a file. {advice}.", path=path) from error
        name = _error_name(error)
        for prefix, meaning in _MEANINGS.items():
            if name.startswith(prefix):
                message = f"{path} {meaning.format(advice=advice)}"
                raise LogError(message, path=path) from error
        raise LogError(
            f"{path} cannot be used as a log ({clean_text(str(error))}); it was left as it is."
            f" {advice}.",
            path=path,
        ) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"{path} cannot be used as a log: {reason}. {advice}."
        raise LogError(message, path=path) from error


def _error_name(error: Exception) -> str:
    """SQLite's own name for an error; an error that SQLite did not name comes from a bad value."""
    name = getattr(error, "sqlite_errorname", None)
    is_misuse = isinstance(
        error, (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.NotSupportedError)
    )
    return name or ("" if is_misuse else "SQLITE_CORRUPT")
