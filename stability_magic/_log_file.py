"""Opening the log's file: how it is made, locked, migrated and checked, and what can go wrong."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlite_utils import Database

from ._errors import LogError
from ._log_rows import BUSY_SECONDS, checked
from ._log_schema import MIGRATIONS, migration_names
from ._text import clean_text

__all__ = ["CHECK_THE_NAME", "is_readable", "journal_of", "naming", "reading", "writing"]

_APPLIED = "SELECT name FROM _sqlite_migrations WHERE migration_set = ?"

# By SQLite's own names of its errors: what it means, and what to do.
_MEANINGS = {
    "SQLITE_NOTADB": "is not an SQLite file; it was left as it is. {instead}.",
    "SQLITE_CORRUPT": "is damaged; it was left as it is. Restore a copy, or recover what can be"
    " read with: sqlite3 FILE .recover",
    "SQLITE_FULL": "could not be written: the disk is full. Make room and try again.",
    "SQLITE_BUSY": "is held by another program. Close what has it open and try again.",
    "SQLITE_READONLY": "cannot be written: it is read-only. Allow writing to it and to its"
    " folder. {instead} otherwise.",
    "SQLITE_CANTOPEN": "cannot be opened. Check that its folder exists and may be written."
    " {instead} otherwise.",
    "SQLITE_IOERR": "could not be read or written: the disk or the file system failed, or is"
    " full. Check it and try again.",
}

CHECK_THE_NAME = "Check the name"
_INSTEAD = "Choose another file (StabilityMagic.log)"


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection in a transaction of its own, committed to the disk at the end.

    The file and its folder are made where they are missing, and pending migrations applied.

    Raises:
        LogError: The file could not be written; nothing of the transaction was.
    """
    with naming(path):
        _check_name(path)
        _create(path)
        with closing(_connect(path, "rw")) as connection:
            # With the default rollback journal, FULL alone can lose the last commit to a
            # power cut: EXTRA syncs the folder too (sqlite.org/pragma.html#pragma_synchronous).
            connection.execute("PRAGMA synchronous = EXTRA")
            # Taking the lock first is what the busy timeout works for; a lock taken later, by
            # the first write, fails at once where two processes open a new file together.
            connection.execute("BEGIN IMMEDIATE")
            try:
                if _pending(connection, path):
                    MIGRATIONS.apply(Database(connection, execute_plugins=False))
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise


@contextmanager
def reading(path: Path, *, called: Path | None = None) -> Iterator[sqlite3.Connection | None]:
    """A connection that cannot write; None where there is no log yet.

    Args:
        path: The file.
        called: What an error names where it is not the user's log: another file, of which
            ``path`` may be a copy.

    Raises:
        LogError: The file could not be read.
    """
    with naming(called, CHECK_THE_NAME) if called else naming(path):
        _check_name(path)
        if not _is_there(path):
            yield None
            return
        _roll_back_what_was_cut_off(path)
        with closing(_connect(path, "ro")) as connection:
            yield connection if _has_readings(connection, called or path) else None


def journal_of(path: Path) -> Path:
    """Where SQLite keeps what it needs to undo a transaction that is cut off."""
    return Path(f"{path}-journal")


def is_readable(path: Path) -> bool:
    """Whether the file can be read as it is, with nothing to be rolled back before."""
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
        timeout=BUSY_SECONDS,
        isolation_level=None,
    )


def _check_name(path: Path) -> None:
    if "\0" in str(path):
        raise LogError(f"{path} cannot be the name of a file. {_INSTEAD}.", path=path)
    if str(path).startswith("~"):
        # As a name of its own it would put a log into whatever folder is the current one.
        told = f"{path} is in a home folder that is not known. {_INSTEAD}."
        raise LogError(told, path=path)


def _is_there(path: Path) -> bool:
    # Path.exists would take a folder that may not be entered for one that holds no log.
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _create(path: Path) -> None:
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _roll_back_what_was_cut_off(path: Path) -> None:
    """Lets SQLite undo the transaction of a writer that was killed.

    It does so at the next chance to write; a log that is only read would have to wait.
    """
    if not journal_of(path).exists():
        return
    with suppress(sqlite3.Error), closing(_connect(path, "rw")) as connection:
        # The first look into the file undoes it; one who is still writing is not waited for.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _pending(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether migrations are missing."""
    return _applied(connection, path) != migration_names()


def _has_readings(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether it is a log; one of an older version is read as it is."""
    return "m001_readings" in _applied(connection, path)


def _applied(connection: sqlite3.Connection, path: Path) -> set[str]:
    """The names of the migrations that the file has seen."""
    try:
        rows = connection.execute(_APPLIED, [MIGRATIONS.name])
        applied = {name for (name,) in checked(rows, "t")}
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
def naming(path: Path, instead: str = _INSTEAD) -> Iterator[None]:
    """Turns what SQLite and the file system raise into one line that names the file.

    Args:
        path: The file.
        instead: What to do where it is not the right one.
    """
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if path.is_dir():
            raise LogError(f"{path} is a folder, not a file. {instead}.", path=path) from error
        name = _error_name(error)
        for prefix, meaning in _MEANINGS.items():
            if name.startswith(prefix):
                told = f"{path} {meaning.format(instead=instead)}"
                raise LogError(told, path=path) from error
        raise LogError(
            f"{path} cannot be used as a log ({clean_text(str(error))}); it was left as it is."
            f" {instead}.",
            path=path,
        ) from error
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise LogError(f"{path} cannot be used as a log: {why}. {instead}.", path=path) from error


def _error_name(error: Exception) -> str:
    """SQLite's own name of an error; what it did not name itself is a value that is none."""
    named = getattr(error, "sqlite_errorname", None)
    misused = isinstance(error, (sqlite3.ProgrammingError, sqlite3.InterfaceError))
    return named or ("" if misused else "SQLITE_CORRUPT")
