"""Proves that guessing passwords is slowed down, and that nobody is kept out by others for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from promptpilot.engine.access import Access
from promptpilot.engine.login_limits import (
    PER_ACCOUNT,
    PER_ADDRESS,
    PER_PAIR,
    WINDOW,
    LoginLimits,
)
from promptpilot.engine.retention import Retention
from promptpilot.errors import BadCredentials, LimitExceeded
from promptpilot.models import LoginFailure
from promptpilot.models.database import Database
from tests.support.clock import ManualClock

PASSWORD = "correct horse battery"
HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def limits(database: Database, clock: ManualClock) -> LoginLimits:
    """Give the counts of tries."""
    return LoginLimits(database, clock)


async def _use_up(limits: LoginLimits, count: int = PER_PAIR) -> None:
    for _ in range(count):
        await limits.admit("ada", HERE)


async def test_too_many_tries_are_held_up_until_the_window_is_over(
    limits: LoginLimits, clock: ManualClock
) -> None:
    began = clock.now()
    await _use_up(limits)

    with pytest.raises(LimitExceeded) as refused:
        await limits.admit("ada", HERE)

    assert refused.value.retry_after == began + WINDOW
    clock.at = began + WINDOW
    await limits.admit("ada", HERE)


async def test_an_address_makes_so_many_accounts_and_no_more(limits: LoginLimits) -> None:
    for _ in range(PER_ADDRESS):
        await limits.admit_registration(HERE)

    with pytest.raises(LimitExceeded) as refused:
        await limits.admit_registration(HERE)

    assert "new accounts" in str(refused.value)
    await limits.admit_registration(THERE)
    await limits.admit("ada", HERE)


async def test_the_same_account_is_open_from_elsewhere(limits: LoginLimits) -> None:
    await _use_up(limits)

    await limits.admit("ada", THERE)


async def test_one_address_keeps_nobody_out_of_their_account(limits: LoginLimits) -> None:
    for _ in range(PER_ACCOUNT + 1):
        with suppress(LimitExceeded):
            await limits.admit("ada", HERE)

    await limits.admit("ada", THERE)


async def test_an_address_that_is_held_up_leaves_no_more_counts(limits: LoginLimits) -> None:
    for number in range(PER_ADDRESS):
        await limits.admit(f"user {number}", HERE)
    before = await LoginFailure.all().count()

    with pytest.raises(LimitExceeded):
        await limits.admit("another", HERE)

    assert await LoginFailure.all().count() == before


@pytest.mark.parametrize("another", ["2001:db8:0:1::2", "2001:db8:0:1:ffff:ffff:ffff:ffff"])
async def test_the_addresses_of_one_customer_are_one(limits: LoginLimits, another: str) -> None:
    for _ in range(PER_PAIR):
        await limits.admit("ada", "2001:db8:0:1::1")

    with pytest.raises(LimitExceeded):
        await limits.admit("ada", another)

    await limits.admit("ada", "2001:db8:0:2::1")


async def test_ipv4_is_the_same_in_the_form_of_ipv6(limits: LoginLimits) -> None:
    await _use_up(limits)

    with pytest.raises(LimitExceeded):
        await limits.admit("ada", f"::ffff:{HERE}")


async def test_an_address_cannot_try_many_accounts(limits: LoginLimits) -> None:
    for number in range(PER_ADDRESS):
        await limits.admit(f"user {number}", HERE)

    with pytest.raises(LimitExceeded):
        await limits.admit("another", HERE)


async def test_tries_at_once_are_all_counted(limits: LoginLimits) -> None:
    tries = [limits.admit("ada", HERE) for _ in range(PER_PAIR + 5)]

    results = await asyncio.gather(*tries, return_exceptions=True)

    assert sum(isinstance(each, LimitExceeded) for each in results) == 5


async def test_a_good_try_does_not_count(limits: LoginLimits) -> None:
    for _ in range(3 * PER_PAIR):
        await limits.admit("ada", HERE)
        await limits.forgive("ada", HERE)

    await limits.admit("ada", HERE)


async def test_what_is_over_is_forgotten(
    limits: LoginLimits, database: Database, clock: ManualClock
) -> None:
    await limits.admit("ada", HERE)
    clock.at += WINDOW + timedelta(hours=1, seconds=1)

    await Retention(database, clock).prune()

    assert await LoginFailure.all().count() == 0


async def test_the_right_password_does_not_help_who_guessed_too_often(access: Access) -> None:
    await access.register("ada@example.org", PASSWORD, None)
    for _ in range(PER_PAIR):
        with pytest.raises(BadCredentials):
            await access.login("ada@example.org", "wrong horse battery", HERE)

    with pytest.raises(LimitExceeded):
        await access.login("ADA@example.org", PASSWORD, HERE)

    assert (await access.login("ada@example.org", PASSWORD, THERE)).token


async def test_neither_address_nor_email_is_stored(access: Access) -> None:
    with pytest.raises(BadCredentials):
        await access.login("ada@example.org", PASSWORD, HERE)

    stored = repr([row.key for row in await LoginFailure.all()])
    assert "ada" not in stored
    assert HERE not in stored
