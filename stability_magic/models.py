"""What the API returns, as values: accounts, organizations, balances."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

__all__ = [
    "Account",
    "Balance",
    "Organization",
    "from_microseconds",
    "to_microseconds",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_microseconds(at: datetime) -> int:
    """An aware time as whole microseconds since 1970 UTC, without rounding through a float.

    Raises:
        ValueError: The time has no zone.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone; use a time with one")
    return (at - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(count: int) -> datetime:
    """The time in UTC that is ``count`` microseconds after the start of 1970 UTC."""
    return _EPOCH + timedelta(microseconds=count)


@dataclasses.dataclass(frozen=True, slots=True)
class Organization:
    """An organization that a key's user belongs to.

    Attributes:
        id: The organization's id, ``org-…``.
        name: Its name, as its owner wrote it; control characters are replaced.
        role: The user's role in it, free text (such as MEMBER, ACCOUNTANT or OWNER).
        is_default: Whether requests that name no organization are charged to this one.
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
        email: The user's full email address; left out of the repr so that it does not end up in
            a notebook by accident.
        organizations: The user's organizations, in the service's order.
        profile_picture: The address of a picture, or None.
    """

    id: str
    email: str = dataclasses.field(repr=False)
    organizations: tuple[Organization, ...]
    profile_picture: str | None = dataclasses.field(default=None, repr=False)

    @property
    def default_organization(self) -> Organization | None:
        """The one default organization; None if the service marks none or several."""
        defaults = [each for each in self.organizations if each.is_default]
        return defaults[0] if len(defaults) == 1 else None


@dataclasses.dataclass(frozen=True, slots=True)
class Balance:
    """One reading of a credit balance.

    Attributes:
        organization: The requested organization's id, or None for the key's default.
        credits: The balance in credits, unrounded; may be negative.
            (1 credit = 0.01 USD; Stability-AI/platform, Pricing.md)
        read_at: When the answer arrived, with a time zone: by the service's clock, if this
            machine's is wrong.
        api_url: The address of the service.
        key_fingerprint: A truncated SHA-256 of the key, by which the log tells keys apart
            without holding them; empty if no key was involved.
        clock_offset: What was added to this machine's time; None where that is not known.
    """

    organization: str | None
    credits: float
    read_at: datetime
    api_url: str = ""
    key_fingerprint: str = dataclasses.field(default="", repr=False)
    clock_offset: timedelta | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.read_at.tzinfo is None:
            raise ValueError("read_at has no time zone; use datetime.now(timezone.utc)")
