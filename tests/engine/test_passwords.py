"""Proves that only the right password is accepted, and that strangers cost as much as users."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from promptpilot.engine.passwords import Passwords, check_password
from promptpilot.errors import InvalidInput, InvariantBroken

PASSWORD = "correct horse battery"


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords()
    yield passwords
    passwords.close()


async def test_the_password_that_made_a_hash_is_accepted(passwords: Passwords) -> None:
    stored = await passwords.hash(PASSWORD)

    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, PASSWORD)


async def test_another_password_is_not_accepted(passwords: Passwords) -> None:
    stored = await passwords.hash(PASSWORD)

    assert not await passwords.verify(stored, PASSWORD + " ")


async def test_one_password_never_makes_one_hash_twice(passwords: Passwords) -> None:
    assert await passwords.hash(PASSWORD) != await passwords.hash(PASSWORD)


async def test_a_password_may_be_typed_in_any_unicode_form(passwords: Passwords) -> None:
    stored = await passwords.hash("caf\u00e9 au lait!")

    assert await passwords.verify(stored, "cafe\u0301 au lait!")


async def test_a_longer_password_with_the_same_start_is_not_accepted(passwords: Passwords) -> None:
    stored = await passwords.hash("a" * 1024)

    assert not await passwords.verify(stored, "a" * 1025)


@pytest.mark.parametrize("password", ["", "short", "\ud800", "\x00", "a" * 100_000])
async def test_no_text_makes_a_check_raise(passwords: Passwords, password: str) -> None:
    stored = await passwords.hash(PASSWORD)

    assert not await passwords.verify(stored, password)


async def test_an_unknown_user_costs_the_same_work_as_a_known_one(passwords: Passwords) -> None:
    stored = await passwords.hash(PASSWORD)
    known = [await cpu_seconds(passwords, stored) for _ in range(4)]

    unknown = [await cpu_seconds(passwords, None) for _ in range(4)]

    assert min(unknown) > min(known) / 2
    assert min(known) > min(unknown) / 2


async def cpu_seconds(passwords: Passwords, stored: str | None) -> float:
    begin = time.process_time()
    assert not await passwords.verify(stored, "wrong password")
    return time.process_time() - begin


async def test_an_unknown_user_is_never_accepted(passwords: Passwords) -> None:
    assert not await passwords.verify(None, PASSWORD)


async def test_a_hash_of_other_costs_is_to_be_made_again(passwords: Passwords) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=64).hash(PASSWORD)

    assert await passwords.verify(cheap, PASSWORD)
    assert passwords.needs_rehash(cheap)
    assert not passwords.needs_rehash(await passwords.hash(PASSWORD))


async def test_what_is_no_hash_is_our_fault(passwords: Passwords) -> None:
    with pytest.raises(InvariantBroken, match="not an argon2 hash"):
        await passwords.verify("plain text", PASSWORD)


@pytest.mark.parametrize("password", ["a" * 12, "a" * 1024, "пароль длинный", "🔒" * 12])
def test_a_password_of_12_to_1024_characters_may_be_set(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize("password", ["", "a" * 11, "a" * 1025, "lone surrogate \ud800"])
async def test_another_password_is_refused_at_its_field(
    passwords: Passwords, password: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await passwords.hash(password)

    assert caught.value.path == ("input", "password")
