"""Proves that credentials are kept sealed, change as asked, and are gone for good when revoked."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from promptpilot.engine.accounts import Probed
from promptpilot.engine.credential_drafts import CredentialChange
from promptpilot.engine.credentials import Credentials
from promptpilot.engine.principal import Principal
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.engine.vault import Vault
from promptpilot.errors import (
    CallerError,
    CredentialUnavailable,
    InvalidInput,
    InvalidMany,
    InvalidStatus,
    NotFound,
    NotUnique,
    Required,
    StepFailed,
)
from promptpilot.models import Credential
from promptpilot.models.database import Database
from tests.support.clock import ManualClock
from tests.support.credentials import NEW_SECRET, SECRET, FakeProber, draft, verbs
from tests.support.stored import dump


@pytest.fixture
def prober() -> FakeProber:
    """Give a provider that takes every key unless told otherwise."""
    return FakeProber()


@pytest.fixture
def credentials(
    database: Database, vault: Vault, clock: ManualClock, prober: FakeProber
) -> Credentials:
    """Give the verbs of credentials."""
    return verbs(database, vault, clock, prober)


async def test_a_new_credential_shows_both_ends_of_its_secret_and_no_more(
    credentials: Credentials, principal: Principal, database: Database, vault: Vault
) -> None:
    row = await credentials.create(principal, draft(metadata={"team": "a"}))

    stored = await Credential.get(id=row.id)
    assert (stored.label, stored.metadata, stored.created_by) == (
        "main",
        {"team": "a"},
        principal.user_id,
    )
    assert stored.secret_preview == "sk-l…ghij"
    assert stored.fingerprint == vault.fingerprint(SECRET)
    assert SECRET not in await dump(database)


async def test_a_label_is_given_once_for_each_provider_and_workspace(
    credentials: Credentials, principal: Principal, stranger: Principal
) -> None:
    await credentials.create(principal, draft())
    await credentials.create(stranger, draft())
    await credentials.create(principal, draft(provider=ModelProvider.ANTHROPIC))

    with pytest.raises(NotUnique, match="'main'") as refused:
        await credentials.create(principal, draft())

    assert refused.value.path == ("input", "label")


async def test_of_many_with_one_label_one_is_stored(
    credentials: Credentials, principal: Principal
) -> None:
    made = [credentials.create(principal, draft()) for _ in range(6)]

    results = await asyncio.gather(*made, return_exceptions=True)

    assert sum(isinstance(each, NotUnique) for each in results) == 5
    assert await Credential.all().count() == 1


async def test_a_draft_with_faults_is_not_stored(
    credentials: Credentials, principal: Principal
) -> None:
    with pytest.raises(InvalidMany):
        await credentials.create(principal, draft(label="", secret=""))

    assert await Credential.all().count() == 0


async def test_a_change_leaves_alone_what_it_does_not_name(
    credentials: Credentials, principal: Principal, clock: ManualClock
) -> None:
    row = await credentials.create(principal, draft(base_url="https://a.example"))
    clock.move(seconds=1)

    changed = await credentials.update(principal, CredentialChange(id=row.id, label="other"))

    assert (changed.label, changed.base_url) == ("other", "https://a.example")
    assert (changed.updated_at, changed.created_at) == (clock.now(), row.created_at)
    assert changed.secret_sealed == row.secret_sealed


async def test_a_change_clears_what_can_be_cleared(
    credentials: Credentials, principal: Principal, clock: ManualClock
) -> None:
    later = clock.now() + timedelta(days=1)
    row = await credentials.create(principal, draft(base_url="https://a", expires_at=later))
    change = CredentialChange(id=row.id, base_url=None, expires_at=None, secret="sk-new-0123456789")

    changed = await credentials.update(principal, change)

    assert (changed.base_url, changed.expires_at) == (None, None)


@pytest.mark.parametrize(
    "url", [None, "https://evil.example", "https://a.example:444", "http://a.example"]
)
async def test_a_stored_secret_is_never_sent_to_another_server(
    credentials: Credentials, principal: Principal, url: str | None
) -> None:
    row = await credentials.create(principal, draft(base_url="https://a.example/v1"))

    with pytest.raises(CallerError) as refused:
        await credentials.update(principal, CredentialChange(id=row.id, base_url=url))

    assert refused.value.path in {("input", "secret"), ("input", "baseUrl")}
    assert (await Credential.get(id=row.id)).base_url == "https://a.example/v1"


async def test_another_path_of_the_same_server_needs_no_secret(
    credentials: Credentials, principal: Principal
) -> None:
    row = await credentials.create(principal, draft(base_url="https://a.example/v1"))
    change = CredentialChange(id=row.id, base_url="https://A.example:443/v2")

    changed = await credentials.update(principal, change)

    assert changed.secret_sealed == row.secret_sealed


async def test_another_server_is_named_together_with_its_secret(
    credentials: Credentials, principal: Principal
) -> None:
    row = await credentials.create(principal, draft(base_url="https://a.example"))
    change = CredentialChange(id=row.id, base_url="https://b.example", secret="sk-for-the-other")

    changed = await credentials.update(principal, change)

    assert (changed.base_url, changed.last_rotated_at) == ("https://b.example", changed.updated_at)
    assert changed.secret_preview != row.secret_preview


async def test_a_change_of_nothing_is_none(
    credentials: Credentials, principal: Principal, clock: ManualClock
) -> None:
    row = await credentials.create(principal, draft())
    clock.move(seconds=1)

    changed = await credentials.update(principal, CredentialChange(id=row.id, label="main"))

    assert changed.updated_at == row.updated_at


async def test_a_change_is_checked_like_a_draft(
    credentials: Credentials, principal: Principal
) -> None:
    row = await credentials.create(principal, draft())
    await credentials.create(principal, draft(label="taken"))

    with pytest.raises(Required):
        await credentials.update(principal, CredentialChange(id=row.id, label=None))
    with pytest.raises(InvalidInput):
        await credentials.update(principal, CredentialChange(id=row.id, base_url="http://a.b"))
    with pytest.raises(NotUnique):
        await credentials.update(principal, CredentialChange(id=row.id, label="taken"))


async def test_a_rotated_credential_has_another_secret_and_is_good_again(
    credentials: Credentials, principal: Principal, clock: ManualClock, vault: Vault
) -> None:
    row = await credentials.create(principal, draft())
    await Credential.filter(id=row.id).update(refused_at=clock.now(), refusal="no")
    clock.move(seconds=1)

    rotated = await credentials.rotate(principal, row.id, NEW_SECRET)

    assert (rotated.refused_at, rotated.refusal) == (None, None)
    assert rotated.last_rotated_at == clock.now()
    assert rotated.fingerprint == vault.fingerprint(NEW_SECRET) != row.fingerprint
    assert rotated.secret_preview == "sk-n…tsrq"


async def test_revoking_erases_the_secret_and_keeps_what_history_shows(
    credentials: Credentials, principal: Principal, clock: ManualClock
) -> None:
    row = await credentials.create(principal, draft())

    revoked = await credentials.revoke(principal, row.id)
    clock.move(seconds=1)
    again = await credentials.revoke(principal, row.id)

    assert (revoked.secret_sealed, revoked.label) == ("", "main")
    assert revoked.secret_preview == row.secret_preview
    assert again.revoked_at == revoked.revoked_at


async def test_what_is_revoked_stays_revoked(
    credentials: Credentials, principal: Principal, prober: FakeProber
) -> None:
    row = await credentials.create(principal, draft())
    await credentials.revoke(principal, row.id)

    for verb in (
        credentials.update(principal, CredentialChange(id=row.id, label="x")),
        credentials.rotate(principal, row.id, NEW_SECRET),
        credentials.test(principal, row.id),
    ):
        with pytest.raises(InvalidStatus) as refused:
            await verb
        assert refused.value.status == "REVOKED"
    assert prober.asked == []


async def test_a_rotation_that_meets_a_revocation_does_not_bring_the_secret_back(
    credentials: Credentials, principal: Principal
) -> None:
    row = await credentials.create(principal, draft())

    await asyncio.gather(
        credentials.revoke(principal, row.id),
        credentials.rotate(principal, row.id, NEW_SECRET),
        return_exceptions=True,
    )

    assert (await Credential.get(id=row.id)).secret_sealed == ""


async def test_a_key_that_is_taken_makes_a_rejected_credential_good_again(
    credentials: Credentials, principal: Principal, clock: ManualClock, prober: FakeProber
) -> None:
    row = await credentials.create(principal, draft())
    await Credential.filter(id=row.id).update(refused_at=clock.now(), refusal="no")

    tested = await credentials.test(principal, row.id)

    assert (tested.row.refused_at, tested.probed.latency_ms) == (None, 12)
    ((provider, account),) = prober.asked
    assert (provider, account.secret, account.credential_id) == ("OPENAI", SECRET, row.id)


async def test_a_key_that_is_refused_makes_its_credential_rejected(
    credentials: Credentials, principal: Principal, clock: ManualClock, prober: FakeProber
) -> None:
    row = await credentials.create(principal, draft())
    prober.answer = Probed(is_accepted=False, latency_ms=5, words=f"Bad key {SECRET}.")

    tested = await credentials.test(principal, row.id)

    assert tested.row.refused_at == clock.now()
    assert tested.row.refusal == "Bad key ***."


async def test_a_provider_that_cannot_be_asked_changes_nothing(
    credentials: Credentials, principal: Principal, prober: FakeProber
) -> None:
    row = await credentials.create(principal, draft())
    prober.answer = StepFailed(f"{SECRET} is away.", "NETWORK", is_retryable=True)

    with pytest.raises(CredentialUnavailable, match=r"^\*\*\* is away"):
        await credentials.test(principal, row.id)

    assert (await Credential.get(id=row.id)).refused_at is None


async def test_a_secret_that_does_not_open_has_to_be_rotated(
    credentials: Credentials, principal: Principal, database: Database, clock: ManualClock
) -> None:
    row = await credentials.create(principal, draft())
    elsewhere = verbs(database, Vault([("k2", bytes(32))]), clock)

    with pytest.raises(CredentialUnavailable, match="rotate it"):
        await elsewhere.test(principal, row.id)


async def test_nobody_reaches_the_credential_of_another_workspace(
    credentials: Credentials, principal: Principal, stranger: Principal, prober: FakeProber
) -> None:
    row = await credentials.create(principal, draft())

    for verb in (
        credentials.update(stranger, CredentialChange(id=row.id, label="mine")),
        credentials.rotate(stranger, row.id, NEW_SECRET),
        credentials.revoke(stranger, row.id),
        credentials.test(stranger, row.id),
    ):
        with pytest.raises(NotFound):
            await verb
    assert await credentials.mine(stranger) == []
    assert (prober.asked, (await Credential.get(id=row.id)).label) == ([], "main")


async def test_credentials_are_listed_the_newest_first_and_by_provider(
    credentials: Credentials, principal: Principal, clock: ManualClock
) -> None:
    for provider in (ModelProvider.OPENAI, ModelProvider.GOOGLE, ModelProvider.ANTHROPIC):
        await credentials.create(principal, draft(provider=provider))
        clock.move(seconds=1)

    listed = await credentials.mine(principal)
    some = await credentials.mine(principal, frozenset({ModelProvider.GOOGLE}))

    assert [row.provider for row in listed] == ["ANTHROPIC", "GOOGLE", "OPENAI"]
    assert [row.provider for row in some] == ["GOOGLE"]


async def test_a_provider_is_configured_by_a_usable_credential(
    credentials: Credentials, principal: Principal, stranger: Principal
) -> None:
    await credentials.create(principal, draft())
    gone = await credentials.create(principal, draft(provider=ModelProvider.GOOGLE))
    await credentials.revoke(principal, gone.id)

    assert await credentials.configured(principal.workspace_id) == {"OPENAI"}
    assert await credentials.configured(stranger.workspace_id) == frozenset()
