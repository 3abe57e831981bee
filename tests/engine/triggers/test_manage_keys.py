"""Proves that the key of an API trigger is told once, and that only its digest is stored."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.drafts import (
    ApiConfig,
    EventConfig,
    TriggerChange,
    TriggerConfig,
    TriggerDraft,
    WebhookConfig,
)
from promptpilot.engine.principal import Principal
from promptpilot.engine.tokens import hash_access_token
from promptpilot.engine.triggers.manage import Triggers
from promptpilot.engine.workflows import Workflows
from promptpilot.errors import InvalidInput
from promptpilot.models import Trigger, Workflow
from tests.support.clock import ManualClock
from tests.support.drafts import draft, transform, variable

KEY = re.compile(r"pp_[0-9a-z]{8}_[A-Za-z0-9_-]{43}")


@pytest.fixture
async def workflow(workflows: Workflows, principal: Principal) -> Workflow:
    """Give a workflow with the input `title`."""
    return await workflows.create(principal, draft(transform("a"), variables=(variable("title"),)))


def asked(workflow: Workflow, config: TriggerConfig | None = None) -> TriggerDraft:
    """Make the draft of an API trigger called "Key"."""
    return TriggerDraft(workflow_id=workflow.id, name="Key", config=config or ApiConfig())


async def stored(row: Trigger) -> Trigger:
    return await Trigger.get(id=row.id)


async def test_a_new_key_is_told_once_and_stored_as_a_digest(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row, key = await triggers.create(principal, asked(workflow))

    kept = await stored(row)
    assert key is not None
    assert KEY.fullmatch(key)
    assert (kept.type, kept.secret_sha256) == ("API", hash_access_token(key))
    assert kept.secret_preview == f"{key[:11]}…{key[-3:]}"
    assert key[12:] not in str(await Trigger.filter(id=row.id).values())


@pytest.mark.parametrize(
    "change", [{"name": "New"}, {"config": ApiConfig(input_mapping={"title": "payload.x"})}]
)
async def test_a_change_keeps_the_key(
    triggers: Triggers, principal: Principal, workflow: Workflow, change: dict[str, Any]
) -> None:
    row, key = await triggers.create(principal, asked(workflow))

    _, told = await triggers.update(principal, TriggerChange(id=row.id, **change))

    assert (told, (await stored(row)).revision) == (None, 2)
    assert (await stored(row)).secret_sha256 == hash_access_token(str(key))


async def test_after_a_rotation_the_old_key_is_kept_until_its_instant(
    triggers: Triggers, principal: Principal, workflow: Workflow, clock: ManualClock
) -> None:
    row, first = await triggers.create(principal, asked(workflow))

    _, second = await triggers.rotate_secret(principal, row.id, 60)

    kept = await stored(row)
    assert KEY.fullmatch(second)
    assert kept.secret_sha256 == hash_access_token(second)
    assert kept.previous_secret_sha256 == hash_access_token(str(first))
    assert kept.previous_secret_until == clock.now() + timedelta(seconds=60)


async def test_without_a_grace_the_old_key_is_forgotten(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row, _ = await triggers.create(principal, asked(workflow))
    await triggers.rotate_secret(principal, row.id, 60)

    await triggers.rotate_secret(principal, row.id, 0)

    kept = await stored(row)
    assert (kept.previous_secret_sha256, kept.previous_secret_until) == (None, None)


async def test_a_key_and_a_signing_secret_replace_each_other(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    row, _ = await triggers.create(principal, asked(workflow, WebhookConfig()))

    _, key = await triggers.update(principal, TriggerChange(id=row.id, config=ApiConfig()))
    with_key = await stored(row)
    _, secret = await triggers.update(principal, TriggerChange(id=row.id, config=WebhookConfig()))
    with_secret = await stored(row)

    assert KEY.fullmatch(str(key))
    assert (with_key.secret_sealed, with_key.secret_sha256 is None) == (None, False)
    assert str(secret).startswith("whsec_")
    assert (with_secret.secret_sealed is None, with_secret.secret_sha256) == (False, None)


async def test_an_event_trigger_is_stored_without_a_secret(
    triggers: Triggers, principal: Principal, workflow: Workflow
) -> None:
    config = EventConfig(event_type="order.*", filter="event.payload.total > 10")

    row, secret = await triggers.create(principal, asked(workflow, config))

    kept = await stored(row)
    assert (kept.type, kept.config["event_type"], secret) == ("EVENT", "order.*", None)
    with pytest.raises(InvalidInput, match="The type EVENT has no secret"):
        await triggers.rotate_secret(principal, row.id, 60)
