"""How an instant is written in expressions: so that comparing texts compares instants."""

from __future__ import annotations

from datetime import UTC, datetime


def moment_text(moment: datetime) -> str:
    """Write an aware instant as ISO 8601 in UTC with microseconds, ending in Z."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return text.removesuffix("+00:00") + "Z"
