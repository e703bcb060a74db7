"""Spill files: what could not be written to a log, kept beside it until it can be.

Each is a small JSON file that one process writes once, whole, readable for its owner alone. Whoever
writes to the log next, in whatever process, takes it in and removes it; ids make sure that nothing
is taken in twice, also where that is cut off.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..analysis.costs import Cost
from ..settings import data_folder
from .entries import Entry
from .validity import cost_fault, reading_fault

__all__ = ["Spill", "read_spills", "remove_files", "write_spill"]

_SUFFIX = ".unlogged"
# A file that claims to hold more is not one of ours.
_MAX_BYTES = 64 << 20


class Spill(NamedTuple):
    """What a spill file holds."""

    file: Path
    entries: list[Entry]
    costs: list[Cost]


def write_spill(path: Path, entries: Iterable[Entry], costs: Iterable[Cost]) -> Path | None:
    """Writes a spill file beside a log, or in the user's data folder where that is impossible.

    Args:
        path: The log's file.
        entries: Readings that are not in it.
        costs: Costs that are not in it.

    Returns:
        The spill file, which is on the disk; None where neither place could be written.
    """
    rows = {
        "entries": [{**dataclasses.asdict(each), "id": each.id.hex()} for each in entries],
        "costs": [{**dataclasses.asdict(each), "id": each.id.hex()} for each in costs],
    }
    content = json.dumps(rows).encode()
    for folder, prefix in _places(path):
        file = folder / f"{prefix}{secrets.token_hex(8)}{_SUFFIX}"
        with suppress(OSError, ValueError):
            if folder == _fallback_folder():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(file, content)
            return file
    return None


def read_spills(path: Path) -> list[Spill]:
    """The spill files of a log; one that is being written or damaged is left alone."""
    spills = []
    for file in _spill_files(path):
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            spills.append(_read(file))
    return spills


def remove_files(files: Iterable[Path]) -> None:
    """Removes spill files whose rows are in a log."""
    for each in files:
        # One that stays is taken in again, which changes nothing.
        with suppress(OSError):
            each.unlink(missing_ok=True)


def _places(path: Path) -> Sequence[tuple[Path, str]]:
    """The folders that a log's spill files may be in, and how their names begin there."""
    with suppress(OSError, RuntimeError, ValueError):
        # A log that is a link has its spill files where it really is.
        path = path.resolve()
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    fallback = (_fallback_folder(), f"{digest}.")
    with suppress(OSError, ValueError):
        if not path.is_dir():
            return ((path.parent, f"{path.name}."), fallback)
    return (fallback,)


def _fallback_folder() -> Path:
    return data_folder() / "unlogged"


def _spill_files(path: Path) -> Iterator[Path]:
    for folder, prefix in _places(path):
        with suppress(OSError, ValueError), os.scandir(folder) as files:
            for each in files:
                if each.name.startswith(prefix) and each.name.endswith(_SUFFIX):
                    yield folder / each.name


def _write(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
    except BaseException:
        # On a full disk its beginning alone may have been written.
        with suppress(OSError):
            file.unlink()
        raise
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    # Not every system can open a folder, or sync it.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(file: Path) -> Spill:
    if file.stat().st_size > _MAX_BYTES:
        raise ValueError(f"{file} is too large for a spill file")
    rows: Any = json.loads(file.read_bytes())
    entries = [Entry(**{**each, "id": bytes.fromhex(each["id"])}) for each in rows["entries"]]
    costs = [Cost(**{**each, "id": bytes.fromhex(each["id"])}) for each in rows["costs"]]
    # Whoever can write beside the log must not be able to make it unreadable.
    return Spill(
        file,
        [each for each in entries if not _entry_fault(each)],
        [each for each in costs if not cost_fault(*dataclasses.astuple(each))],
    )


def _entry_fault(entry: Entry) -> str | None:
    texts = (entry.api_url, entry.source, entry.label, entry.host)
    fault = reading_fault(entry.organization, entry.read_at, entry.id, entry.credits, texts)
    return fault or (None if entry.api_url is not None and entry.source is not None else "no text")
