"""How instants are written and read at the borders: RFC 3339, in UTC, ending in Z."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def instant_text(instant: datetime) -> str:
    """Write an aware instant with milliseconds."""
    text = instant.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def read_instant(text: str) -> datetime:
    """Return the UTC instant of a text with an offset; digits after microseconds are dropped.

    Raises ValueError with the rest of a sentence that begins with the text.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        message = "is not a time of RFC 3339 with an offset; write it like 2026-11-23T04:00:00Z."
        raise ValueError(message)
    day, time, fraction, offset = match.groups()
    microseconds = ((fraction or "") + "000000")[:6]
    offset = "+00:00" if offset in "Zz" else offset
    try:
        return datetime.fromisoformat(f"{day}T{time}.{microseconds}{offset}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is not a time: {error}.") from None
