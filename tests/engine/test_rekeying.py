"""Proves that everything sealed is sealed anew with the first key, while others go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest

from promptpilot.engine.drafts import TriggerDraft, WebhookConfig
from promptpilot.engine.endpoints.drafts import EndpointDraft
from promptpilot.engine.endpoints.kinds import WebhookEventType
from promptpilot.engine.endpoints.manage import Endpoints
from promptpilot.engine.endpoints.secrets import EndpointSecrets
from promptpilot.engine.principal import Principal
from promptpilot.engine.rekeying import SEALED_TABLES, Count, Rekeying
from promptpilot.engine.signing_secrets import SigningSecrets
from promptpilot.engine.step_secrets import SecretStore
from promptpilot.engine.triggers.manage import Triggers
from promptpilot.engine.triggers.secrets import SealedSecrets, TriggerSecrets
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.engine.vault import Vault
from promptpilot.engine.versions import Versions
from promptpilot.engine.workflows import Workflows
from promptpilot.models import Credential, StepSecret, Trigger, WebhookEndpoint
from promptpilot.models.database import Database, Dialect
from tests.support.clock import ManualClock
from tests.support.credentials import NEW_SECRET, SECRET, draft, verbs
from tests.support.drafts import draft as workflow_draft
from tests.support.drafts import transform
from tests.support.executions import CountedExecutions
from tests.support.stored import dump

T = TypeVar("T")

_OLD = ("old", bytes(32))
_NEW = ("new", bytes(range(32)))
BEFORE = Vault([_OLD])
RING = Vault([_NEW, _OLD])
AFTER = Vault([_NEW])
_COLUMNS = {
    Dialect.SQLITE: "SELECT m.name || '.' || c.name AS place FROM sqlite_master m, "
    "pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name LIKE '%sealed%'",
    Dialect.POSTGRES: "SELECT table_name || '.' || column_name AS place FROM "
    "information_schema.columns WHERE table_schema = 'public' AND column_name LIKE '%sealed%'",
}


@dataclass
class Sealed:
    """One of everything that is sealed, of one workspace."""

    database: Database
    clock: ManualClock
    owner: Principal
    credential_id: str = ""
    header_id: str = ""
    trigger_id: str = ""
    endpoint_id: str = ""

    async def fill(self, vault: Vault) -> None:
        """Seal everything with a vault."""
        row = await verbs(self.database, vault, self.clock).create(self.owner, draft())
        header = SecretStore(self.database, vault, self.clock).seal(self._workspace, "header")
        await header.save(force_create=True)
        signing = SigningSecrets(self.database, vault, self.clock)
        await signing.rotate(self.owner, 60)
        await signing.rotate(self.owner, 60)
        trigger = await self._trigger(vault)
        wanted = (WebhookEventType.EXECUTION_FAILED,)
        asked = EndpointDraft(url="https://example.org", event_types=wanted)
        endpoint, _ = await Endpoints(self.database, vault, self.clock).create(self.owner, asked)
        self.endpoint_id = endpoint.id
        self.credential_id, self.header_id, self.trigger_id = row.id, header.id, trigger.id

    async def opened(self, vault: Vault) -> list[object]:
        """Return everything in the clear."""
        store = SecretStore(self.database, vault, self.clock).open_for(self._workspace)
        account = await store.account("OPENAI", self.credential_id)
        headers = await store.reveal([self.header_id])
        row = await Trigger.get(id=self.trigger_id)
        kept = SealedSecrets(
            self._workspace,
            row.id,
            row.secret_sealed,
            row.previous_secret_sealed,
            row.previous_secret_until,
        )
        called = TriggerSecrets(vault).active(kept, self.clock.now())
        told = EndpointSecrets(vault).open(await WebhookEndpoint.get(id=self.endpoint_id))
        return [account.secret, headers, await store.signing_secrets(), called, told]

    @property
    def _workspace(self) -> str:
        return self.owner.workspace_id

    async def _trigger(self, vault: Vault) -> Trigger:
        store = SecretStore(self.database, vault, self.clock)
        workflows = Workflows(self.database, self.clock, CountedExecutions(), store)
        workflow = await workflows.create(self.owner, workflow_draft(transform("a")))
        triggers = Triggers(self.database, self.clock, TriggerSecrets(vault), Versions())
        config = WebhookConfig(scheme=WebhookScheme.GITHUB)
        asked = TriggerDraft(workflow_id=workflow.id, name="t", config=config)
        made, _ = await triggers.create(self.owner, asked)
        rotated, _ = await triggers.rotate_secret(self.owner, made.id, 3600)
        return rotated


class Meddling(Database):
    """A database in which somebody does something just before the first write."""

    def __init__(self, database: Database, deed: Callable[[], Awaitable[object]]) -> None:
        vars(self).update(vars(database))
        self._deed: Callable[[], Awaitable[object]] | None = deed

    async def retry(self, work: Callable[[], Awaitable[T]], *, for_seconds: float = 15.0) -> T:
        """Let the deed be done, then do the work."""
        deed, self._deed = self._deed, None
        if deed is not None:
            await deed()
        return await super().retry(work, for_seconds=for_seconds)


@pytest.fixture
async def sealed(database: Database, clock: ManualClock, principal: Principal) -> Sealed:
    """Give a workspace in which everything is sealed with the old key."""
    made = Sealed(database, clock, principal)
    await made.fill(BEFORE)
    return made


async def test_every_sealed_column_is_looked_at(database: Database) -> None:
    stored = {row["place"] for row in await database.fetch(_COLUMNS[database.dialect])}

    assert {f"{each.name}.{column}" for each in SEALED_TABLES for column in each.columns} == stored


async def test_afterwards_everything_opens_without_the_old_key(
    sealed: Sealed, database: Database
) -> None:
    before = await sealed.opened(RING)

    await Rekeying(database, RING).rotate()

    assert await sealed.opened(AFTER) == before
    assert before[0] == SECRET
    assert "v1.old." not in await dump(database)


async def test_fingerprints_follow_the_first_key(sealed: Sealed, database: Database) -> None:
    await Rekeying(database, RING).rotate()

    row = await Credential.get(id=sealed.credential_id)
    assert row.fingerprint == AFTER.fingerprint(SECRET)


async def test_what_was_done_is_counted_and_not_done_twice(
    sealed: Sealed, database: Database
) -> None:
    expected = {
        "credentials": 1,
        "step_secrets": 1,
        "signing_secrets": 2,
        "webhook_endpoints": 1,
        "triggers": 2,
    }
    rekeying = Rekeying(database, RING)

    first, second = await rekeying.rotate(), await rekeying.rotate()

    assert {each.table: each.old for each in first} == expected
    assert second == [replace(each, old=0) for each in first]
    assert sealed.credential_id


async def test_a_survey_counts_and_changes_nothing(sealed: Sealed, database: Database) -> None:
    before = await dump(database)

    counts = await Rekeying(database, RING).survey()

    assert sum(each.old for each in counts) == 7
    assert await dump(database) == before
    assert sealed.header_id


async def test_what_does_not_open_is_told_and_left(sealed: Sealed, database: Database) -> None:
    damaged = (await StepSecret.get(id=sealed.header_id)).secret_sealed
    await Credential.filter(id=sealed.credential_id).update(secret_sealed=damaged)

    counts = await Rekeying(database, RING).rotate()

    assert counts[0] == Count("credentials", 1, 0, (sealed.credential_id,))
    assert (await Credential.get(id=sealed.credential_id)).secret_sealed == damaged
    assert [each.unopened for each in counts[1:]] == [()] * 4


async def test_without_the_old_key_nothing_opens_and_nothing_is_lost(
    sealed: Sealed, database: Database
) -> None:
    before = await dump(database)

    counts = await Rekeying(database, AFTER).rotate()

    assert [len(each.unopened) for each in counts] == [1] * 5
    assert await dump(database) == before
    assert sealed.trigger_id


async def test_an_erased_secret_is_passed_over(
    sealed: Sealed, database: Database, clock: ManualClock
) -> None:
    await verbs(database, RING, clock).revoke(sealed.owner, sealed.credential_id)

    counts = await Rekeying(database, RING).rotate()

    assert counts[0] == Count("credentials", 0, 0)


async def test_a_secret_that_changed_since_it_was_read_is_not_overwritten(
    sealed: Sealed, database: Database, clock: ManualClock
) -> None:
    elsewhere = verbs(database, BEFORE, clock)  # of a process that does not know the new key yet
    meddling = Meddling(
        database, lambda: elsewhere.rotate(sealed.owner, sealed.credential_id, NEW_SECRET)
    )

    await Rekeying(meddling, RING).rotate()

    assert (await sealed.opened(AFTER))[0] == NEW_SECRET


async def test_more_rows_than_a_batch_are_all_found(
    sealed: Sealed, database: Database, clock: ManualClock, principal: Principal
) -> None:
    store = SecretStore(database, BEFORE, clock)
    await StepSecret.bulk_create([store.seal(principal.workspace_id, "x") for _ in range(450)])

    counts = await Rekeying(database, RING).rotate()

    assert (counts[1].sealed, counts[1].old) == (451, 451)
    assert sealed.header_id
