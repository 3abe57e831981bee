"""When a delivery is tried again; pure.

The delays are those that Standard Webhooks proposes: ten tries in about three days.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

#: How long to wait after the first try, the second one, and so on.
DELAYS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
#: An endpoint that nothing reached for so long is switched off.
PATIENCE: Final = timedelta(days=5)

_LONGEST_WAIT: Final = timedelta(hours=24)
#: By what part a delay is made longer at most, so that what failed together does not return so.
_JITTER: Final = 0.1


def next_delay(tries: int, asked: timedelta | None, chance: float) -> timedelta | None:
    """Return how long to wait after `tries` tries have failed; None to give up.

    `asked` is what the receiver asked to wait, which counts up to a day; `chance` is 0 to 1.
    """
    if tries > len(DELAYS):
        return None
    delay = DELAYS[tries - 1] * (1 + _JITTER * chance)
    return delay if asked is None else max(delay, min(asked, _LONGEST_WAIT))
