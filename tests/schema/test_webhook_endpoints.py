"""Outbound webhooks over GraphQL: what goes in, what is shown of what was sent, and to whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from promptpilot.clock import SystemClock
from promptpilot.engine.endpoints.outbox import Outbox
from promptpilot.engine.principal import Principal
from promptpilot.engine.runner import Runner
from promptpilot.engine.triggers.news import News
from promptpilot.models import WebhookEndpoint
from tests.schema.api import Api
from tests.schema.counting import counted
from tests.schema.documents import make_workflow, start
from tests.schema.watching import finish
from tests.support.clock import ManualClock
from tests.support.endpoints import Post, stored_delivery, verified
from tests.support.hostile import HostileServer, hostile_server

GIVEN = {"url": "https://example.org/hook", "eventTypes": ["EXECUTION_FAILED"]}
ENDPOINT = """
  id url description isActive eventTypes workflows { id name } secretPreview failingSince
  disabledReason createdAt updatedAt
"""
SHOWN = f"webhookEndpoint {{ {ENDPOINT} }} errors {{ code message path }}"
DELIVERY = """
  id status endpoint { id } execution { id } error { code } payload nextAttemptAt createdAt
  attempts { number startedAt durationMs responseStatus responseBody error { code } }
"""
LISTS = """query ($where: WebhookDeliveryFilter, $after: String, $first: Int) {
  webhookEndpoints { id deliveries(where: $where) { nodes { id } } }
  webhookDeliveries(where: $where, after: $after, first: $first) {
    edges { cursor } nodes { id status endpoint { url } execution { id } attempts { number } }
    pageInfo { hasNextPage endCursor }
  }
}"""
NODE = "query ($id: ID!) { node(id: $id) { __typename ... on WebhookDelivery { %s } } }" % DELIVERY  # noqa: UP031 -- braces


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """Give a server that answers as the path says."""
    async with hostile_server() as running:
        yield running


@pytest.fixture
def post(api: Api, clock: ManualClock, principal: Principal, server: HostileServer) -> Post:
    """Give what sends to it."""
    return Post(api.engine.database, clock, principal, server)


async def make(api: Api, **fields: Any) -> dict[str, Any]:
    """Make an endpoint and return its payload."""
    payload = await api.mutate("createWebhookEndpoint", {**GIVEN, **fields}, f"secret {SHOWN}")
    assert payload["errors"] == []
    return payload


async def delivery_of(api: Api, **fields: Any) -> str:
    """Make an endpoint with a delivery; return the delivery's id."""
    made = await make(api, **fields)
    endpoint = await WebhookEndpoint.get(id=made["webhookEndpoint"]["id"])
    return (await stored_delivery(endpoint)).id


async def test_a_new_endpoint_is_shown_and_its_secret_once(api: Api) -> None:
    workflow_id = await make_workflow(api)

    made = await make(api, workflowIds=[workflow_id], description="CI")

    shown = made["webhookEndpoint"]
    listed = await api.run(f"{{ webhookEndpoints {{ {ENDPOINT} }} }}")
    assert (shown["url"], shown["description"]) == (GIVEN["url"], "CI")
    assert (shown["isActive"], shown["eventTypes"]) == (True, ["EXECUTION_FAILED"])
    assert shown["workflows"] == [{"id": workflow_id, "name": "Triage"}]
    assert (shown["failingSince"], shown["disabledReason"]) == (None, None)
    assert made["secret"].startswith("whsec_")
    assert listed == {"webhookEndpoints": [shown]}


async def test_a_fault_names_its_field(api: Api) -> None:
    wrong = {"url": "http://a:b@example.org", "eventTypes": []}

    payload = await api.mutate("createWebhookEndpoint", wrong, f"secret {SHOWN}")

    assert [each["path"][-1] for each in payload["errors"]] == ["url", "eventTypes"]
    assert (payload["secret"], payload["webhookEndpoint"]) == (None, None)


async def test_an_endpoint_is_changed_and_deleted(api: Api) -> None:
    its_id = (await make(api, description="a"))["webhookEndpoint"]["id"]
    change = {"id": its_id, "isActive": False, "description": None, "workflowIds": None}

    updated = await api.mutate("updateWebhookEndpoint", change, SHOWN)
    deleted = await api.mutate("deleteWebhookEndpoint", {"id": its_id}, "deletedId errors { code }")
    again = await api.mutate("deleteWebhookEndpoint", {"id": its_id}, "deletedId errors { code }")

    shown = updated["webhookEndpoint"]
    assert (shown["isActive"], shown["description"], shown["url"]) == (False, None, GIVEN["url"])
    assert deleted == {"deletedId": its_id, "errors": []}
    assert again == {"deletedId": None, "errors": [{"code": "NOT_FOUND"}]}


async def test_an_end_arrives_and_is_shown(api: Api, post: Post, worker: Runner) -> None:
    made = await make(api, url=post.server.url("/json"), eventTypes=["EXECUTION_COMPLETED"])
    execution_id = await start(api, await make_workflow(api))
    await finish(api, execution_id)
    await _tell(api)
    post.clock.at = SystemClock().now()
    await post.send_due()

    listed = await api.run(f"{{ webhookDeliveries {{ nodes {{ {DELIVERY} }} }} }}")

    (shown,) = listed["webhookDeliveries"]["nodes"]
    (attempt,) = shown["attempts"]
    (seen,) = post.server.journal.requests
    assert (shown["status"], shown["execution"]) == ("SUCCEEDED", {"id": execution_id})
    assert shown["payload"] == verified(made["secret"], seen)
    assert (attempt["number"], attempt["responseStatus"]) == (1, 200)
    assert (shown["nextAttemptAt"], shown["error"]) == (None, None)


async def test_a_failed_delivery_is_shown_and_sent_again(api: Api, post: Post) -> None:
    delivery_id = await delivery_of(api, url=post.server.url("/status/410"))
    await post.send_due()
    failed = (await api.run(NODE, id=delivery_id))["node"]
    endpoint_id = failed["endpoint"]["id"]
    url = post.server.url("/json")
    on = {"id": endpoint_id, "isActive": True, "url": url}
    await api.mutate("updateWebhookEndpoint", on, SHOWN)

    again = await api.mutate(
        "redeliverWebhook", {"deliveryId": delivery_id}, f"webhookDelivery {{ {DELIVERY} }}"
    )

    assert (failed["status"], failed["error"]["code"]) == ("FAILED", "HTTP_4XX")
    assert again["webhookDelivery"]["status"] == "PENDING"
    assert again["webhookDelivery"]["nextAttemptAt"] is not None
    assert await post.send_due() == 1


async def test_a_delivery_of_a_deleted_endpoint_stays(api: Api) -> None:
    delivery_id = await delivery_of(api)
    (endpoint,) = (await api.run("{ webhookEndpoints { id } }"))["webhookEndpoints"]
    await api.mutate("deleteWebhookEndpoint", {"id": endpoint["id"]}, "errors { code }")

    shown = (await api.run(NODE, id=delivery_id))["node"]

    assert (shown["endpoint"], shown["status"]) == (None, "FAILED")
    assert (shown["execution"], shown["error"]["code"]) == (None, "ENDPOINT_DELETED")


async def test_deliveries_are_filtered_and_paged(api: Api, post: Post) -> None:
    first = await delivery_of(api, url=post.server.url("/json"))
    await post.send_due()
    second = await delivery_of(api)

    waiting = await api.run(LISTS, where={"statuses": ["PENDING"]})
    page = await api.run(LISTS, first=1)
    after = page["webhookDeliveries"]["pageInfo"]["endCursor"]
    rest = await api.run(LISTS, first=1, after=after)

    assert [each["id"] for each in waiting["webhookDeliveries"]["nodes"]] == [second]
    assert [len(e["deliveries"]["nodes"]) for e in waiting["webhookEndpoints"]] == [1, 0]
    assert [each["id"] for each in page["webhookDeliveries"]["nodes"]] == [second]
    assert [each["id"] for each in rest["webhookDeliveries"]["nodes"]] == [first]
    assert not rest["webhookDeliveries"]["pageInfo"]["hasNextPage"]


async def test_a_page_costs_the_same_for_one_as_for_many(api: Api) -> None:
    await delivery_of(api)
    document = (
        "{ webhookDeliveries { nodes { endpoint { url } execution { id } attempts { number } } } }"
    )
    with counted(api.engine.database) as for_one:
        await api.run(document)
    for _ in range(4):
        await delivery_of(api)

    with counted(api.engine.database) as for_many:
        await api.run(document)

    assert len(for_many) == len(for_one) <= 4


async def test_a_stranger_sees_nothing_of_it(api: Api, stranger: Principal) -> None:
    delivery_id = await delivery_of(api)
    theirs = api.seen_by(stranger)

    lists = await theirs.run(LISTS)
    again = await theirs.mutate(
        "redeliverWebhook", {"deliveryId": delivery_id}, "errors { code message }"
    )

    assert lists["webhookEndpoints"] == lists["webhookDeliveries"]["nodes"] == []
    assert (await theirs.run(NODE, id=delivery_id))["node"] is None
    assert again["errors"][0]["message"] == "There is no webhook delivery with this id."


async def _tell(api: Api) -> None:
    engine = api.engine
    await News(engine.database, engine.parts.dispatcher, Outbox(engine.clock), engine.clock).tell()
