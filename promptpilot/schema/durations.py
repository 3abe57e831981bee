"""How long something took, or has been taking.

Units: milliseconds.
"""

from __future__ import annotations

from datetime import datetime

from promptpilot.clock import Clock, to_ms
from promptpilot.schema.scalars import SafeInt


def elapsed_ms(begin: datetime | None, end: datetime | None, clock: Clock) -> SafeInt | None:
    """Return the time from `begin` to `end`, or to now; None when it has not begun."""
    if begin is None:
        return None
    return SafeInt(max(0, to_ms(end or clock.now()) - to_ms(begin)))
