"""Proves what endpoints may be, who may touch them, and what a change does to what waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.api import Engine
from promptpilot.engine.drafts import UNSET
from promptpilot.engine.endpoints.drafts import MAX_WORKFLOWS, EndpointChange, EndpointDraft
from promptpilot.engine.endpoints.kinds import WebhookEventType as Type
from promptpilot.engine.endpoints.manage import MAX_ENDPOINTS
from promptpilot.engine.endpoints.queue import LEASE
from promptpilot.engine.principal import Principal, Scope
from promptpilot.errors import (
    CallerError,
    InvalidInput,
    InvalidMany,
    InvalidStatus,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    Required,
)
from promptpilot.models import AuditEntry, WebhookDelivery, WebhookEndpoint
from tests.support.drafts import draft as workflow_draft
from tests.support.drafts import transform
from tests.support.endpoints import Post, attempts_of
from tests.support.stored import dump

DRAFT = EndpointDraft(url="https://example.org/hook", event_types=(Type.EXECUTION_FAILED,))


async def test_the_secret_is_told_once_and_stored_sealed(post: Post) -> None:
    row, secret = await post.verbs.create(post.principal, DRAFT)

    assert secret.startswith("whsec_")
    assert row.secret_preview == f"{secret[:9]}…{secret[-3:]}"
    assert secret.removeprefix("whsec_") not in await dump(post.database)


@pytest.mark.parametrize(
    "url",
    ["", "ftp://example.org", "https://", "https://a:b@example.org", "https://{{ host }}/", "x"],
)
async def test_an_address_that_cannot_be_called_is_refused(url: str, post: Post) -> None:
    with pytest.raises(InvalidInput) as refused:
        await post.verbs.create(post.principal, replace(DRAFT, url=url))

    assert refused.value.path == ("input", "url")
    assert not await WebhookEndpoint.exists()


async def test_all_faults_are_told_at_once(post: Post) -> None:
    wrong = replace(DRAFT, url="x", event_types=(), description="x" * 10_001)

    with pytest.raises(InvalidMany) as refused:
        await post.verbs.create(post.principal, wrong)

    assert [each.path[-1] for each in refused.value.errors] == ["url", "description", "eventTypes"]


async def test_there_are_limits(post: Post) -> None:
    for _ in range(MAX_ENDPOINTS):
        await post.verbs.create(post.principal, DRAFT)

    with pytest.raises(LimitExceeded):
        await post.verbs.create(post.principal, DRAFT)
    many = replace(DRAFT, workflow_ids=tuple(map(str, range(MAX_WORKFLOWS + 1))))
    with pytest.raises(LimitExceeded):
        await post.verbs.create(post.principal, many)


async def test_workflows_must_be_the_callers(
    post: Post, engine: Engine, stranger: Principal
) -> None:
    mine = await engine.create_workflow(post.principal, workflow_draft(transform("a")))
    theirs = await engine.create_workflow(stranger, workflow_draft(transform("a")))
    row, _ = await post.verbs.create(post.principal, replace(DRAFT, workflow_ids=(mine.id,)))

    for wrong in (theirs.id, ids.new_id(ids.Kind.WORKFLOW), "x"):
        change = EndpointChange(id=row.id, workflow_ids=(mine.id, wrong))
        with pytest.raises(NotFound) as refused:
            await post.verbs.update(post.principal, change)
        assert refused.value.path == ("input", "workflowIds", "1")


async def test_what_is_given_is_changed_and_noted(post: Post) -> None:
    row, _ = await post.verbs.create(post.principal, replace(DRAFT, description="a"))
    types = (Type.EXECUTION_STARTED, Type.EXECUTION_FAILED)
    post.clock.move(minutes=1)

    await post.verbs.update(
        post.principal, EndpointChange(id=row.id, event_types=types, description=None)
    )

    now = await WebhookEndpoint.get(id=row.id)
    assert (now.url, now.description) == (DRAFT.url, None)
    assert (now.event_types, now.starts_since) == ([each.value for each in types], post.clock.at)
    noted = await AuditEntry.filter(object_id=row.id).order_by("id")
    assert [each.action for each in noted] == ["ENDPOINT_CREATED", "ENDPOINT_UPDATED"]
    assert noted[1].details == {"fields": ["description", "event_types"]}


@pytest.mark.parametrize("field", ["url", "event_types", "is_active"])
async def test_what_must_be_there_cannot_be_cleared(field: str, post: Post) -> None:
    row, _ = await post.verbs.create(post.principal, DRAFT)
    cleared: dict[str, Any] = {field: None}

    with pytest.raises(Required):
        await post.verbs.update(post.principal, EndpointChange(id=row.id, **cleared))


async def test_a_change_of_nothing_leaves_no_trace(post: Post) -> None:
    row, _ = await post.verbs.create(post.principal, DRAFT)
    post.clock.move(minutes=1)

    same = await post.verbs.update(post.principal, EndpointChange(id=row.id, url=DRAFT.url))

    assert same.updated_at == row.updated_at
    assert await AuditEntry.filter(action="ENDPOINT_UPDATED").count() == 0


async def test_what_waits_for_an_endpoint_that_is_off_is_sent_when_it_is_on(post: Post) -> None:
    endpoint, _ = await post.endpoint("/json")
    delivery = await post.due(endpoint)
    await post.verbs.update(post.principal, EndpointChange(id=endpoint.id, is_active=False))
    held, late = await WebhookDelivery.get(id=delivery.id), await post.due(endpoint, event_seq=4)
    sent = await post.send_due()

    await post.verbs.update(post.principal, EndpointChange(id=endpoint.id, is_active=True))

    assert (held.status, held.ready_at, sent) == ("PENDING", None, 0)
    assert await post.send_due() == 2
    assert (await WebhookDelivery.get(id=late.id)).status == "SUCCEEDED"


async def test_switching_on_forgives_what_was(post: Post) -> None:
    endpoint, _ = await post.endpoint("/status/410")
    await post.due(endpoint)
    await post.send_due()

    row = await post.verbs.update(
        post.principal, EndpointChange(id=endpoint.id, is_active=True, url=UNSET)
    )

    assert (row.is_active, row.disabled_reason, row.failing_since) == (True, None, None)


async def test_deliveries_outlive_their_endpoint(post: Post) -> None:
    endpoint, _ = await post.endpoint("/json")
    sent = await post.due(endpoint)
    await post.send_due()
    waiting = await post.due(endpoint)

    await post.verbs.delete(post.principal, endpoint.id)

    assert (await WebhookDelivery.get(id=sent.id)).status == "SUCCEEDED"
    row = await WebhookDelivery.get(id=waiting.id)
    assert (row.status, (row.error or {})["code"]) == ("FAILED", "ENDPOINT_DELETED")
    assert await AuditEntry.filter(action="ENDPOINT_DELETED").count() == 1


async def test_what_is_stored_for_a_deleted_endpoint_is_given_up(post: Post) -> None:
    endpoint, _ = await post.endpoint("/json")
    await post.verbs.delete(post.principal, endpoint.id)
    late = await post.due(endpoint)

    assert await post.send_due() == 0

    assert (await WebhookDelivery.get(id=late.id)).status == "FAILED"


@pytest.mark.parametrize("path", ["/json", "/status/500"])
async def test_a_delivery_is_sent_again_under_its_id(path: str, post: Post) -> None:
    endpoint, _ = await post.endpoint(path)
    delivery = await post.due(endpoint)
    await post.send_due()

    again = await post.verbs.redeliver(post.principal, delivery.id)

    assert (again.status, again.ready_at, again.tries) == ("PENDING", post.clock.at, 0)
    assert await post.send_due() == 1
    assert [each.number for each in await attempts_of(delivery)] == [1, 2]
    seen = post.server.journal.requests
    assert [each.headers["webhook-id"] for each in seen] == [delivery.id] * 2


async def test_what_is_being_sent_is_sent_once_more_afterwards(post: Post) -> None:
    endpoint, _ = await post.endpoint("/json")
    delivery = await post.due(endpoint)
    sender = post.sender()
    (taken,) = await sender.take(endpoint.id, 1)

    held = await post.verbs.redeliver(post.principal, delivery.id)
    meanwhile = await post.send_due()
    await sender.send(taken)

    assert (held.ready_at, meanwhile) == (post.clock.at + LEASE, 0)
    assert (await WebhookDelivery.get(id=delivery.id)).status == "PENDING"
    assert (await post.send_due(), await post.send_due()) == (1, 0)


async def test_a_delivery_without_an_active_endpoint_is_not_sent_again(post: Post) -> None:
    endpoint, _ = await post.endpoint("/json")
    delivery = await post.due(endpoint, ready_at=post.clock.at + timedelta(days=1))
    await post.verbs.update(post.principal, EndpointChange(id=endpoint.id, is_active=False))

    with pytest.raises(InvalidStatus, match="switched off"):
        await post.verbs.redeliver(post.principal, delivery.id)
    await post.verbs.delete(post.principal, endpoint.id)
    with pytest.raises(InvalidStatus, match="deleted"):
        await post.verbs.redeliver(post.principal, delivery.id)


async def test_a_stranger_touches_nothing(post: Post, stranger: Principal) -> None:
    endpoint, _ = await post.endpoint("/json")
    delivery = await post.due(endpoint)
    change = EndpointChange(id=endpoint.id, url="https://evil.example")

    for deed in (
        partial(post.verbs.update, stranger, change),
        partial(post.verbs.delete, stranger, endpoint.id),
        partial(post.verbs.redeliver, stranger, delivery.id),
    ):
        with pytest.raises(NotFound):
            await deed()

    assert await post.verbs.mine(stranger) == []
    assert (await WebhookEndpoint.get(id=endpoint.id)).url == endpoint.url


async def test_a_token_that_may_read_makes_none(post: Post) -> None:
    reader = replace(post.principal, scopes=frozenset({Scope.READ}))

    with pytest.raises(PermissionDenied) as refused:
        await post.verbs.create(reader, DRAFT)

    assert isinstance(refused.value, CallerError)
