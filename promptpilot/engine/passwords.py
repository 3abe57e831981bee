"""Hashes and checks passwords with argon2id, beside the event loop and with bounded memory."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from promptpilot.errors import InvalidInput, InvariantBroken

MIN_LENGTH = 12
MAX_LENGTH = 1024

# The second recommendation of RFC 9106. Each hash in progress holds MEMORY_KIB.
_TIME_COST = 3
_MEMORY_KIB = 64 * 1024
_LANES = 4

_Answer = TypeVar("_Answer")


class Passwords:
    """argon2id over a pool of threads; at most `concurrency` hashes (64 MiB each) at a time."""

    def __init__(self, concurrency: int = 2) -> None:
        self._hasher = PasswordHasher(
            time_cost=_TIME_COST, memory_cost=_MEMORY_KIB, parallelism=_LANES, type=Type.ID
        )
        # A pool of our own: a hash whose caller was cancelled still counts while it runs.
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="password")

    async def hash(self, password: str) -> str:
        """Return the hash to store. Raise InvalidInput when check_password() does."""
        check_password(password)
        return await self._run(lambda: self._hasher.hash(_bytes(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` made `stored`. None (no such user) takes as long and is False.

        Raises InvariantBroken when `stored` is no argon2 hash.
        """
        return await self._run(lambda: self._verify(stored, password))

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored` was made with other costs than today's: hash again at the next login."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Let the threads go. Hashes that have not begun are dropped. May be called twice."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> bool:
        data = _bytes(password[:MAX_LENGTH])
        if stored is None:
            self._hasher.hash(data)
            return False
        try:
            return self._hasher.verify(stored, data) and len(password) <= MAX_LENGTH
        except VerifyMismatchError:
            return False
        except InvalidHashError as error:
            raise InvariantBroken("A stored password hash is not an argon2 hash.") from error

    async def _run(self, work: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def check_password(password: str) -> None:
    """Raise InvalidInput unless `password` has 12 to 1024 characters that can be typed."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        message = f"A password must have {MIN_LENGTH} to {MAX_LENGTH} characters."
        raise InvalidInput(message, ("input", "password"))
    if any(0xD800 <= ord(character) <= 0xDFFF for character in password):  # noqa: PLR2004 -- the range of surrogates
        message = "A password must be valid Unicode text."
        raise InvalidInput(message, ("input", "password"))


def _bytes(password: str) -> bytes:
    """Return one spelling of what looks the same, whatever keyboard it was typed on."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
