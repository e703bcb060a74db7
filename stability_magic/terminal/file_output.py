"""Writes a file as a whole or not at all, so that nobody who reads it meanwhile sees a part."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from ..errors import SettingsError

__all__ = ["write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file, or replaces it with its permissions; a link stays one.

    A new file may be read by whom the process lets read what it makes (umask). What is no file,
    such as ``/dev/stdout`` or a pipe, is written into.

    Raises:
        SettingsError: It cannot be written; the file is as it was.
    """
    try:
        mode = _mode(path)
        if mode is not None and (not stat.S_ISREG(mode) or _is_stream(path)):
            with path.open("ab") as stream:
                stream.write(content)
        else:
            _replace(Path(os.path.realpath(path)), content, mode)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(
            f"{path} could not be written: {reason}. Check --output; what was there is as it was."
        ) from error


def _is_stream(path: Path) -> bool:
    """Whether it is a name for what is open, such as /dev/stdout, which may lead to a file."""
    return path.is_absolute() and path.parts[1:2] in (("dev",), ("proc",))


def _mode(path: Path) -> int | None:
    """The kind and the permissions of a file; None if there is none."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _replace(path: Path, content: bytes, mode: int | None) -> None:
    # In the same folder, since a file can only be put in place of another on its own file system;
    # by a name that node_exporter, which looks for *.prom, passes over.
    temporary = path.with_name(f".stability-magic-{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
