"""Proves which credential a step gets, what it is told when there is none, and what is noted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.accounts import Account
from promptpilot.engine.credentials import Credentials
from promptpilot.engine.principal import Principal
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.engine.step_secrets import OpenedSecrets, SecretStore
from promptpilot.engine.vault import Vault
from promptpilot.errors import StepFailed
from promptpilot.models import Credential
from promptpilot.models.database import Database
from tests.support.clock import ManualClock
from tests.support.credentials import NEW_SECRET, SECRET, draft, verbs

OWN = Account("sk-of-the-server")


@pytest.fixture
def credentials(database: Database, vault: Vault, clock: ManualClock) -> Credentials:
    """Give the verbs of credentials."""
    return verbs(database, vault, clock)


@pytest.fixture
def opened(step_secrets: SecretStore, principal: Principal) -> OpenedSecrets:
    """Give what opens secrets for a step, without keys of the server."""
    return step_secrets.open_for(principal.workspace_id)


@pytest.fixture
def opened_or_own(
    database: Database, vault: Vault, clock: ManualClock, principal: Principal
) -> OpenedSecrets:
    """Give what opens secrets for a step where the server has a key for OPENAI."""
    store = SecretStore(database, vault, clock, {"OPENAI": OWN})
    return store.open_for(principal.workspace_id)


async def store(credentials: Credentials, principal: Principal, **fields: Any) -> Credential:
    """Store a credential, by default for OPENAI."""
    return await credentials.create(principal, draft(**fields))


async def code_of(opened: OpenedSecrets, credential_id: str | None = None) -> str:
    """Return the code of the failure to find an account for OPENAI."""
    with pytest.raises(StepFailed) as failed:
        await opened.account("OPENAI", credential_id)
    assert not failed.value.is_retryable
    return failed.value.error_code


async def test_the_credential_that_the_step_names_is_taken(
    credentials: Credentials, opened: OpenedSecrets, principal: Principal, clock: ManualClock
) -> None:
    named = await store(credentials, principal, base_url="https://a.example")
    clock.move(seconds=1)
    await store(credentials, principal, label="newer", secret=NEW_SECRET)

    account = await opened.account("OPENAI", named.id)

    assert account == Account(SECRET, "https://a.example", named.id)
    assert opened.revealed == (SECRET,)


async def test_without_a_name_the_newest_usable_one_is_taken(
    credentials: Credentials, opened: OpenedSecrets, principal: Principal, clock: ManualClock
) -> None:
    rows = []
    for label in ("usable", "refused", "revoked", "expired"):
        expires_at = clock.now() + timedelta(minutes=1) if label == "expired" else None
        rows.append(await store(credentials, principal, label=label, expires_at=expires_at))
        clock.move(seconds=1)
    await opened.refused(await opened.account("OPENAI", rows[1].id), "no")
    await credentials.revoke(principal, rows[2].id)
    clock.move(minutes=2)

    assert (await opened.account("OPENAI", None)).credential_id == rows[0].id


async def test_a_refused_one_is_tried_when_there_is_no_other(
    credentials: Credentials, opened_or_own: OpenedSecrets, principal: Principal
) -> None:
    row = await store(credentials, principal)
    await opened_or_own.refused(await opened_or_own.account("OPENAI", None), "no")

    assert (await opened_or_own.account("OPENAI", None)).credential_id == row.id


async def test_the_server_s_own_key_serves_who_has_none(
    credentials: Credentials, opened_or_own: OpenedSecrets, stranger: Principal
) -> None:
    await store(credentials, stranger)

    assert await opened_or_own.account("OPENAI", None) == OWN
    assert opened_or_own.revealed == (OWN.secret,)


async def test_a_credential_of_one_s_own_goes_before_the_server_s(
    credentials: Credentials, opened_or_own: OpenedSecrets, principal: Principal
) -> None:
    row = await store(credentials, principal)

    assert (await opened_or_own.account("OPENAI", None)).credential_id == row.id


async def test_a_named_one_that_is_gone_is_not_replaced_by_the_server_s(
    credentials: Credentials, opened_or_own: OpenedSecrets, principal: Principal
) -> None:
    row = await store(credentials, principal)
    await credentials.revoke(principal, row.id)

    assert await code_of(opened_or_own, row.id) == "CREDENTIAL_REVOKED"
    assert await opened_or_own.account("OPENAI", None) == OWN


async def test_without_any_the_step_is_told_how_to_make_one(opened: OpenedSecrets) -> None:
    with pytest.raises(StepFailed, match="createModelCredential") as failed:
        await opened.account("OPENAI", None)

    assert (failed.value.error_code, opened.revealed) == ("CREDENTIAL_MISSING", ())


async def test_a_revoked_one_is_told_as_revoked_by_name_and_without(
    credentials: Credentials, opened: OpenedSecrets, principal: Principal
) -> None:
    row = await store(credentials, principal)
    await credentials.revoke(principal, row.id)

    assert await code_of(opened, row.id) == "CREDENTIAL_REVOKED"
    assert await code_of(opened) == "CREDENTIAL_REVOKED"


async def test_an_expired_one_is_told_as_expired_by_name_and_without(
    credentials: Credentials, opened: OpenedSecrets, principal: Principal, clock: ManualClock
) -> None:
    row = await store(credentials, principal, expires_at=clock.now() + timedelta(days=1))
    clock.move(days=1)

    assert await code_of(opened, row.id) == "CREDENTIAL_EXPIRED"
    assert await code_of(opened) == "CREDENTIAL_EXPIRED"


async def test_one_of_another_workspace_or_provider_is_missing(
    credentials: Credentials, opened: OpenedSecrets, principal: Principal, stranger: Principal
) -> None:
    foreign = await store(credentials, stranger)
    other = await store(credentials, principal, provider=ModelProvider.GOOGLE)
    unknown = ids.new_id(ids.Kind.CREDENTIAL)

    for credential_id in (foreign.id, other.id, unknown, "nonsense"):
        assert await code_of(opened, credential_id) == "CREDENTIAL_MISSING"
    assert await code_of(opened) == "CREDENTIAL_MISSING"


async def test_a_secret_moved_to_another_row_does_not_open(
    credentials: Credentials, opened: OpenedSecrets, principal: Principal
) -> None:
    row = await store(credentials, principal)
    moved = await store(credentials, principal, label="moved")
    await Credential.filter(id=moved.id).update(secret_sealed=row.secret_sealed)

    assert await code_of(opened, moved.id) == "CREDENTIAL_MISSING"


async def test_the_minute_of_the_last_use_is_kept(
    credentials: Credentials, opened: OpenedSecrets, principal: Principal, clock: ManualClock
) -> None:
    row = await store(credentials, principal)

    await opened.account("OPENAI", None)

    minute = clock.now().replace(second=0, microsecond=0)
    assert (await Credential.get(id=row.id)).last_used_at == minute


async def test_a_use_is_written_once_a_minute(
    credentials: Credentials, opened: OpenedSecrets, principal: Principal, clock: ManualClock
) -> None:
    row = await store(credentials, principal)
    await opened.account("OPENAI", None)
    await Credential.filter(id=row.id).update(last_used_at=None)

    await opened.account("OPENAI", None)
    assert (await Credential.get(id=row.id)).last_used_at is None
    clock.move(minutes=1)
    await opened.account("OPENAI", None)
    assert (await Credential.get(id=row.id)).last_used_at is not None


async def test_a_refusal_is_kept_without_the_secret(
    credentials: Credentials, opened: OpenedSecrets, principal: Principal, clock: ManualClock
) -> None:
    row = await store(credentials, principal)

    await opened.refused(await opened.account("OPENAI", None), f"Wrong key: {SECRET}")

    stored = await Credential.get(id=row.id)
    assert (stored.refused_at, stored.refusal) == (clock.now(), "Wrong key: ***")


async def test_a_refusal_of_the_old_secret_says_nothing_of_the_new_one(
    credentials: Credentials, opened: OpenedSecrets, principal: Principal
) -> None:
    row = await store(credentials, principal)
    account = await opened.account("OPENAI", None)
    await credentials.rotate(principal, row.id, NEW_SECRET)

    await opened.refused(account, "no")

    assert (await Credential.get(id=row.id)).refused_at is None


async def test_a_refusal_of_the_server_s_key_is_not_stored(opened_or_own: OpenedSecrets) -> None:
    account = await opened_or_own.account("OPENAI", None)

    await opened_or_own.refused(account, "no")

    assert await Credential.all().count() == 0
