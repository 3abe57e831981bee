"""Proves that secrets of steps are sealed, open for one workspace only, and are remembered."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from promptpilot import ids
from promptpilot.engine.principal import Principal
from promptpilot.engine.signing_secrets import SigningSecrets
from promptpilot.engine.step_secrets import SecretStore
from promptpilot.engine.vault import Vault
from promptpilot.errors import StepFailed
from promptpilot.models import SigningSecret, StepSecret
from promptpilot.models.database import Database
from tests.support.clock import ManualClock


async def keep(store: SecretStore, principal: Principal, text: str) -> StepSecret:
    """Store a secret."""
    row = store.seal(principal.workspace_id, text)
    await row.save(force_create=True)
    return row


@pytest.fixture
def other_store(database: Database, clock: ManualClock) -> SecretStore:
    """Give a store that has another master key."""
    return SecretStore(database, Vault([("k2", bytes(32))]), clock)


async def test_what_is_sealed_can_be_revealed(
    step_secrets: SecretStore, principal: Principal
) -> None:
    first, second = [await keep(step_secrets, principal, each) for each in ("one", "two")]

    revealed = await step_secrets.open_for(principal.workspace_id).reveal([second.id, first.id])

    assert revealed == {first.id: "one", second.id: "two"}
    assert "one" not in first.secret_sealed


async def test_whatever_was_opened_is_remembered_once(
    step_secrets: SecretStore, principal: Principal
) -> None:
    row = await keep(step_secrets, principal, "one")
    opened = step_secrets.open_for(principal.workspace_id)

    assert opened.revealed == ()
    for _ in range(2):
        await opened.reveal([row.id])
    keys = await opened.signing_secrets()

    assert opened.revealed == ("one", *keys)


async def test_a_secret_that_was_never_there_is_missing(
    step_secrets: SecretStore, principal: Principal
) -> None:
    row = await keep(step_secrets, principal, "one")

    with pytest.raises(StepFailed, match="with its value once again") as failed:
        await step_secrets.open_for(principal.workspace_id).reveal([row.id, "sec_none"])

    assert (failed.value.error_code, failed.value.is_retryable) == ("CREDENTIAL_MISSING", False)


async def test_a_secret_of_another_workspace_is_missing(
    step_secrets: SecretStore, principal: Principal, stranger: Principal
) -> None:
    row = await keep(step_secrets, principal, "one")

    with pytest.raises(StepFailed) as failed:
        await step_secrets.open_for(stranger.workspace_id).reveal([row.id])

    assert failed.value.error_code == "CREDENTIAL_MISSING"


async def test_a_secret_does_not_open_in_another_row(
    step_secrets: SecretStore, principal: Principal
) -> None:
    row = await keep(step_secrets, principal, "one")
    moved = await keep(step_secrets, principal, "two")
    await StepSecret.filter(id=moved.id).update(secret_sealed=row.secret_sealed)

    with pytest.raises(StepFailed) as failed:
        await step_secrets.open_for(principal.workspace_id).reveal([moved.id])

    assert failed.value.error_code == "CREDENTIAL_MISSING"


async def test_without_its_master_key_a_secret_is_missing(
    step_secrets: SecretStore, other_store: SecretStore, principal: Principal
) -> None:
    row = await keep(step_secrets, principal, "one")
    opened = other_store.open_for(principal.workspace_id)

    with pytest.raises(StepFailed) as failed:
        await opened.reveal([row.id])

    assert (failed.value.error_code, opened.revealed) == ("CREDENTIAL_MISSING", ())
    assert "one" not in failed.value.message.split()


async def test_the_first_request_makes_the_signing_secret(
    step_secrets: SecretStore, principal: Principal
) -> None:
    first = await step_secrets.open_for(principal.workspace_id).signing_secrets()
    second = await step_secrets.open_for(principal.workspace_id).signing_secrets()

    row = await SigningSecret.get(workspace_id=principal.workspace_id)
    assert first == second
    assert row.secret_preview == f"{first[0][:9]}…{first[0][-3:]}"
    assert first[0] not in row.secret_sealed


async def test_of_many_first_requests_all_get_the_same_secret(
    database: Database, vault: Vault, clock: ManualClock, principal: Principal
) -> None:
    workers = [SecretStore(database, vault, clock) for _ in range(8)]
    opened = [each.open_for(principal.workspace_id) for each in workers]

    keys = await asyncio.gather(*(each.signing_secrets() for each in opened))

    assert len({tuple(each) for each in keys}) == 1
    assert await SigningSecret.all().count() == 1


async def test_workspaces_sign_with_secrets_of_their_own(
    step_secrets: SecretStore, principal: Principal, stranger: Principal
) -> None:
    mine, other = [
        await step_secrets.open_for(each.workspace_id).signing_secrets()
        for each in (principal, stranger)
    ]

    assert mine != other


async def test_after_a_change_both_secrets_sign_until_the_grace_is_over(
    step_secrets: SecretStore,
    signing_secrets: SigningSecrets,
    principal: Principal,
    clock: ManualClock,
) -> None:
    opened = step_secrets.open_for(principal.workspace_id)
    (old,) = await opened.signing_secrets()
    _, new = await signing_secrets.rotate(principal, 60)

    assert await opened.signing_secrets() == [new, old]
    clock.move(seconds=60)
    assert await opened.signing_secrets() == [new]


async def test_without_its_master_key_the_signing_secret_has_to_be_rotated(
    step_secrets: SecretStore, other_store: SecretStore, principal: Principal
) -> None:
    await step_secrets.open_for(principal.workspace_id).signing_secrets()
    opened = other_store.open_for(principal.workspace_id)

    with pytest.raises(StepFailed, match="rotate it") as failed:
        await opened.signing_secrets()

    assert failed.value.error_code == "CREDENTIAL_MISSING"


async def test_a_change_heals_a_signing_secret_that_does_not_open(
    step_secrets: SecretStore,
    database: Database,
    clock: ManualClock,
    principal: Principal,
) -> None:
    await step_secrets.open_for(principal.workspace_id).signing_secrets()
    other_vault = Vault([("k2", bytes(32))])

    _, text = await SigningSecrets(database, other_vault, clock).rotate(principal, 3600)

    opened = SecretStore(database, other_vault, clock).open_for(principal.workspace_id)
    assert await opened.signing_secrets() == [text]
    assert (await SigningSecret.get()).previous_secret_until == clock.now() + timedelta(hours=1)


async def test_a_row_that_is_sealed_says_whose_it_is(
    step_secrets: SecretStore, principal: Principal, clock: ManualClock
) -> None:
    row = step_secrets.seal(principal.workspace_id, "one")

    assert ids.is_id(row.id, ids.Kind.STEP_SECRET)
    assert (row.workspace_id, row.created_at) == (principal.workspace_id, clock.now())
