"""Proves how the signing secret of a workspace is changed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from promptpilot.engine.principal import Principal
from promptpilot.engine.signing_secrets import SigningSecrets
from promptpilot.errors import Conflict, InvalidInput
from promptpilot.models import SigningSecret
from tests.support.clock import ManualClock


async def test_the_first_change_makes_a_secret(
    signing_secrets: SigningSecrets, principal: Principal, clock: ManualClock
) -> None:
    row, text = await signing_secrets.rotate(principal, 3600)

    assert await signing_secrets.active(principal.workspace_id) == [text]
    assert row.secret_preview == f"{text[:9]}…{text[-3:]}"
    assert (row.previous_secret_until, row.created_at) == (None, clock.now())


async def test_a_change_says_until_when_the_old_secret_goes_on(
    signing_secrets: SigningSecrets, principal: Principal, clock: ManualClock
) -> None:
    (old,) = await signing_secrets.active(principal.workspace_id)

    row, text = await signing_secrets.rotate(principal, 3600)

    assert await signing_secrets.active(principal.workspace_id) == [text, old]
    assert row.previous_secret_until == clock.now() + timedelta(hours=1)


async def test_without_grace_the_old_secret_ends_at_once(
    signing_secrets: SigningSecrets, principal: Principal
) -> None:
    await signing_secrets.rotate(principal, 3600)

    row, text = await signing_secrets.rotate(principal, 0)

    assert await signing_secrets.active(principal.workspace_id) == [text]
    assert (row.previous_secret_sealed, row.previous_secret_until) == (None, None)


async def test_only_the_newest_of_the_old_secrets_goes_on(
    signing_secrets: SigningSecrets, principal: Principal, clock: ManualClock
) -> None:
    texts = []
    for _ in range(3):
        clock.move(seconds=1)
        texts.append((await signing_secrets.rotate(principal, 3600))[1])

    assert await signing_secrets.active(principal.workspace_id) == texts[:0:-1]
    assert (await SigningSecret.get()).updated_at == clock.now()


@pytest.mark.parametrize("seconds", [-1, 30 * 86_400 + 1])
async def test_a_grace_that_cannot_be_changes_nothing(
    signing_secrets: SigningSecrets, principal: Principal, seconds: int
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await signing_secrets.rotate(principal, seconds)

    assert refused.value.path == ("input", "graceSeconds")
    assert not await SigningSecret.exists()


@pytest.mark.parametrize("seconds", [0, 30 * 86_400])
async def test_the_ends_of_the_range_can_be(
    signing_secrets: SigningSecrets, principal: Principal, seconds: int
) -> None:
    _, text = await signing_secrets.rotate(principal, seconds)

    assert (await signing_secrets.active(principal.workspace_id))[0] == text


async def test_of_changes_at_once_the_last_one_counts(
    signing_secrets: SigningSecrets, principal: Principal
) -> None:
    answers = await asyncio.gather(
        *(signing_secrets.rotate(principal, 60) for _ in range(4)), return_exceptions=True
    )

    told = [each[1] for each in answers if not isinstance(each, BaseException)]
    active = await signing_secrets.active(principal.workspace_id)
    assert all(isinstance(each, tuple | Conflict) for each in answers)
    assert active[0] in told


async def test_a_change_is_the_workspaces_own(
    signing_secrets: SigningSecrets, principal: Principal, stranger: Principal
) -> None:
    before = await signing_secrets.active(stranger.workspace_id)

    await signing_secrets.rotate(principal, 0)

    assert await signing_secrets.active(stranger.workspace_id) == before
