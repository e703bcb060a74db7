"""What the API tells, as values: accounts, organizations, balances."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

__all__ = ["EARLIEST", "LATEST", "Account", "Balance", "Organization", "instant", "microseconds"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# The times that a calendar has, in microseconds since 1970 UTC.
EARLIEST = -62_135_596_800_000_000
LATEST = 253_402_300_799_999_999


def microseconds(at: datetime) -> int:
    """An aware time as whole microseconds since 1970 UTC, without rounding through a float.

    Raises:
        ValueError: The time has no zone.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone; use a time with one")
    return (at - _EPOCH) // timedelta(microseconds=1)


def instant(microseconds: int) -> datetime:
    """The time that is so many microseconds after 1970 UTC, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


@dataclasses.dataclass(frozen=True, slots=True)
class Organization:
    """An organization that a key's user belongs to.

    Attributes:
        id: The organization's id, ``org-…``.
        name: Its name, as its owner wrote it; control characters are replaced.
        role: The user's role in it, free text (MEMBER, ACCOUNTANT and OWNER have been seen).
        is_default: Whether a request that names no organization is charged to this one.
    """

    id: str
    name: str
    role: str
    is_default: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """The user a key belongs to.

    Attributes:
        id: The user's id, ``user-…``.
        email: The user's address, in clear; left out of the representation so that it does
            not end up in a notebook by accident.
        organizations: The user's organizations, in the order of the service.
        profile_picture: An address of a picture, or None.
    """

    id: str
    email: str = dataclasses.field(repr=False)
    organizations: tuple[Organization, ...]
    profile_picture: str | None = dataclasses.field(default=None, repr=False)

    @property
    def default_organization(self) -> Organization | None:
        """The one default organization; None where the service marks none, or several."""
        defaults = [each for each in self.organizations if each.is_default]
        return defaults[0] if len(defaults) == 1 else None


@dataclasses.dataclass(frozen=True, slots=True)
class Balance:
    """One reading of a credit balance.

    Attributes:
        organization: The organization asked for, or None for the key's default.
        credits: What is left, in credits, unrounded; may be negative.
            (1 credit = 0.01 USD; Stability-AI/platform, Pricing.md)
        read_at: When the answer arrived, with a time zone.
        api_url: The service that was asked.
        key_fingerprint: A truncated SHA-256 of the key, which tells keys apart in the log
            without holding them; empty where no key was involved.
    """

    organization: str | None
    credits: float
    read_at: datetime
    api_url: str = ""
    key_fingerprint: str = dataclasses.field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.read_at.tzinfo is None:
            raise ValueError("read_at has no time zone; use datetime.now(timezone.utc)")
