"""Slows guessing of passwords down: counts sign-ins that fail, for everybody in one table.

Rules: a try counts before its password is looked at, so that a thousand tries at once are counted
too; a good one is taken off again. Who is held up is told until when. Keys are digests: nobody
reads an e-mail or an address out of the table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final

from promptpilot.clock import Clock, from_ms, to_ms
from promptpilot.errors import LimitExceeded
from promptpilot.models.database import Database

WINDOW: Final = timedelta(minutes=15)
#: Tries in a window: of one address for one account, of one address, and for one account.
PER_PAIR: Final = 10
PER_ADDRESS: Final = 100
PER_ACCOUNT: Final = 100

_COUNT: Final = """
INSERT INTO login_failures AS f (key, count, window_at) VALUES ($1, 1, $2)
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN f.window_at <= $3 THEN 1 ELSE f.count + 1 END,
    window_at = CASE WHEN f.window_at <= $3 THEN $2 ELSE f.window_at END
RETURNING count, window_at
"""
_TAKE_OFF: Final = "UPDATE login_failures SET count = count - 1 WHERE key = $1 AND count > 0"


class LoginLimits:
    """Counts tries to sign in."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def admit(self, account: str, address: str | None) -> None:
        """Count a try for an account from an address (None: a process of ours).

        Raises LimitExceeded after too many; it says when the next try is looked at.
        """
        for key, limit in _limits(account, address).items():
            await self._admit(key, limit, "tries to sign in")

    async def admit_registration(self, address: str) -> None:
        """Count a new account from an address; raise LimitExceeded after too many."""
        await self._admit(_key("registration", network_of(address)), PER_ADDRESS, "new accounts")

    async def _admit(self, key: str, limit: int, what: str) -> None:
        count, until = await self._count(key)
        if count > limit:
            minutes = -(-(until - self._clock.now()) // timedelta(minutes=1))
            message = f"Too many {what}; try again in {minutes} minutes."
            raise LimitExceeded(message, limit, retry_after=until)

    async def forgive(self, account: str, address: str | None) -> None:
        """Take a try that was admitted, and was good, off again."""
        for key in _limits(account, address):
            await self._database.retry(partial(self._database.execute, _TAKE_OFF, key))

    async def _count(self, key: str) -> tuple[int, datetime]:
        """Count one try more; return how many there are now and until when they count."""
        now = self._clock.now()
        count = partial(self._database.fetch, _COUNT, key, to_ms(now), to_ms(now - WINDOW))
        row = (await self._database.retry(count))[0]
        return row["count"], from_ms(row["window_at"]) + WINDOW


def _limits(account: str, address: str | None) -> Mapping[str, int]:
    """Return what a try counts for, in the order in which it is held up.

    One that is held up counts no further: nobody uses up the tries of an account from one address.
    """
    limits: dict[str, int] = {}
    if address is not None:
        network = network_of(address)
        limits[_key("address", network)] = PER_ADDRESS
        limits[_key("pair", account, network)] = PER_PAIR
    return {**limits, _key("account", account): PER_ACCOUNT}


def network_of(address: str) -> str:
    """Return what one customer of a provider has: an IPv4 address, or 64 bits of IPv6."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return address
    mapped = found.ipv4_mapped
    return str(mapped or ip_network((int(found), 64), strict=False))


def _key(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
