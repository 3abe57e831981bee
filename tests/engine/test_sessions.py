"""Proves that a session is renewed once per refresh token, and ends when a copy of one is used."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from promptpilot.engine.access import Access, SignedIn
from promptpilot.engine.principal import Principal
from promptpilot.engine.sessions import IDLE_LIFETIME, LIFETIME, REPEAT_GRACE
from promptpilot.engine.tokens import SessionTokens
from promptpilot.errors import BadCredentials, Unauthenticated
from promptpilot.models import AuditEntry, Session
from tests.support.clock import ManualClock

PASSWORD = "correct horse battery"


@pytest.fixture
async def signed_in(access: Access) -> SignedIn:
    """Give somebody who has just signed up."""
    return await access.register("ada@example.org", PASSWORD, None)


async def test_a_refresh_token_gets_the_next_ones(access: Access, signed_in: SignedIn) -> None:
    second = await access.refresh(signed_in.refresh_token)
    third = await access.refresh(second.refresh_token)

    tokens = {each.refresh_token for each in (signed_in, second, third)}
    assert len(tokens) == 3
    assert (await access.identify(third.token)).user_id == signed_in.user.id


async def test_a_lost_answer_can_be_asked_for_again(access: Access, signed_in: SignedIn) -> None:
    lost = await access.refresh(signed_in.refresh_token)

    again = await access.refresh(signed_in.refresh_token)

    assert again.refresh_token == lost.refresh_token


async def test_many_renewals_at_once_all_get_the_same_token(
    access: Access, signed_in: SignedIn
) -> None:
    renewals = [access.refresh(signed_in.refresh_token) for _ in range(8)]

    renewed = await asyncio.gather(*renewals)

    assert len({each.refresh_token for each in renewed}) == 1


async def test_a_copy_that_is_used_later_ends_the_session(
    access: Access, signed_in: SignedIn, clock: ManualClock
) -> None:
    thief = await access.refresh(signed_in.refresh_token)
    clock.at += REPEAT_GRACE + timedelta(seconds=1)

    with pytest.raises(BadCredentials):
        await access.refresh(signed_in.refresh_token)

    with pytest.raises(BadCredentials):
        await access.refresh(thief.refresh_token)
    with pytest.raises(Unauthenticated):
        await access.identify(thief.token)
    assert await AuditEntry.filter(action="REFRESH_TOKEN_REUSED").count() == 1


async def test_a_token_of_two_generations_ago_ends_the_session_at_once(
    access: Access, signed_in: SignedIn
) -> None:
    second = await access.refresh(signed_in.refresh_token)
    third = await access.refresh(second.refresh_token)

    with pytest.raises(BadCredentials):
        await access.refresh(signed_in.refresh_token)

    with pytest.raises(Unauthenticated):
        await access.identify(third.token)


async def test_a_session_that_nobody_renews_is_over(
    access: Access, signed_in: SignedIn, clock: ManualClock
) -> None:
    clock.at += IDLE_LIFETIME

    with pytest.raises(BadCredentials):
        await access.refresh(signed_in.refresh_token)


async def test_no_renewal_outlives_the_session(
    access: Access, signed_in: SignedIn, clock: ManualClock
) -> None:
    until = clock.now() + LIFETIME
    newest = signed_in
    for _ in range(4):
        clock.at += IDLE_LIFETIME - timedelta(days=1)
        newest = await access.refresh(newest.refresh_token) if clock.at < until else newest

    assert newest.refresh_expires_at == until


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ppr_",
        "ppr_01k00000000000000000000000_1_" + "A" * 43,
        "pp_00000000_" + "A" * 43,
        "\ud800",
    ],
)
async def test_what_is_no_refresh_token_is_refused(access: Access, text: str) -> None:
    with pytest.raises(BadCredentials):
        await access.refresh(text)


async def test_a_changed_generation_proves_nothing(access: Access, signed_in: SignedIn) -> None:
    forged = signed_in.refresh_token.replace("_1_", "_2_")

    with pytest.raises(BadCredentials):
        await access.refresh(forged)

    assert (await access.refresh(signed_in.refresh_token)).token


async def test_who_signs_out_ends_the_tokens_of_that_session_alone(
    access: Access, signed_in: SignedIn
) -> None:
    other = await access.login("ada@example.org", PASSWORD)

    count = await access.end_sessions(await access.identify(signed_in.token), everywhere=False)

    assert count == 1
    with pytest.raises(Unauthenticated):
        await access.identify(signed_in.token)
    assert (await access.identify(other.token)).session_id


async def test_who_signs_out_everywhere_ends_every_session(
    access: Access, signed_in: SignedIn
) -> None:
    other = await access.login("ada@example.org", PASSWORD)

    count = await access.end_sessions(await access.identify(signed_in.token), everywhere=True)

    assert count == 2
    with pytest.raises(BadCredentials):
        await access.refresh(other.refresh_token)


async def test_an_access_token_has_no_session_to_end(access: Access, principal: Principal) -> None:
    assert await access.end_sessions(principal, everywhere=False) == 0


async def test_nothing_that_renews_a_session_is_stored(signed_in: SignedIn) -> None:
    proof = signed_in.refresh_token.rpartition("_")[2]

    (row,) = await Session.all()

    assert proof not in repr([getattr(row, name) for name in row._meta.fields_map])


def test_refresh_tokens_of_another_server_prove_nothing(sessions: SessionTokens) -> None:
    other = SessionTokens(bytes(range(32)), "promptpilot", "promptpilot")
    text = other.refresh_token("ses_01k00000000000000000000000", 1)

    assert sessions.read_refresh_token(text) is None
    assert other.read_refresh_token(text) == ("ses_01k00000000000000000000000", 1)
