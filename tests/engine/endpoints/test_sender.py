"""Proves against a hostile server how a delivery is sent, judged, repeated and given up."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import structlog

from promptpilot.clock import SystemClock
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.endpoints.queue import LEASE, Queue
from promptpilot.engine.endpoints.retries import DELAYS
from promptpilot.engine.endpoints.secrets import EndpointSecrets
from promptpilot.engine.endpoints.sender import Sender
from promptpilot.engine.endpoints.tries import Taken, Try, Verdict
from promptpilot.models import WebhookDelivery, WebhookEndpoint
from tests.support.dying import Killed
from tests.support.endpoints import LOOPBACK, Post, attempts_of, verified
from tests.support.stored import dump
from tests.support.tools import VAULT

CLIENT = HttpClient(LOOPBACK)
SECRETS = EndpointSecrets(VAULT)


class DyingQueue(Queue):
    """A queue whose process is killed between sending and recording."""

    async def record(self, taken: Taken, tried: Try, verdict: Verdict) -> bool:
        """Be killed."""
        raise Killed


async def test_what_arrives_is_signed_as_the_reference_library_wants(post: Post) -> None:
    post.clock.at = SystemClock().now()
    endpoint, secret = await post.endpoint("/json")
    delivery = await post.due(endpoint)

    await post.send_due()

    (seen,) = post.server.journal.at("/json")
    assert verified(secret, seen) == {"type": "execution.completed", "data": {"a": "ä"}}
    assert (seen.headers["webhook-id"], seen.method) == (delivery.id, "POST")
    assert seen.headers["content-type"] == "application/json"
    row = await WebhookDelivery.get(id=delivery.id)
    assert (row.status, row.ready_at, row.owner) == ("SUCCEEDED", None, None)


@pytest.mark.parametrize("path", ["/status/204", "/status/299", "/no-content"])
async def test_every_2xx_is_success(path: str, post: Post) -> None:
    endpoint, _ = await post.endpoint(path)
    delivery = await post.due(endpoint)

    assert await post.send_due() == 1

    assert (await WebhookDelivery.get(id=delivery.id)).status == "SUCCEEDED"


@pytest.mark.parametrize("path", ["/status/404", "/status/500", "/redirect/302?to=/json", "/reset"])
async def test_everything_else_is_tried_again(path: str, post: Post) -> None:
    endpoint, _ = await post.endpoint(path)
    delivery = await post.due(endpoint)

    await post.send_due()

    row = await WebhookDelivery.get(id=delivery.id)
    assert (row.status, row.error, row.tries) == ("PENDING", None, 1)
    assert row.ready_at is not None
    assert DELAYS[0] <= row.ready_at - post.clock.at <= DELAYS[0] * 1.1
    assert len(post.server.journal.requests) == 1


async def test_a_server_that_mends_itself_is_told_after_all(post: Post) -> None:
    endpoint, _ = await post.endpoint("/flaky/2/a")
    delivery = await post.due(endpoint)

    for _ in range(3):
        await post.send_due()
        await post.skip_to(delivery)

    assert [each.response_status for each in await attempts_of(delivery)] == [503, 503, 200]
    seen = post.server.journal.at("/flaky/2/a")
    assert {each.headers["webhook-id"] for each in seen} == {delivery.id}
    assert (await WebhookEndpoint.get(id=endpoint.id)).failing_since is None


async def test_after_ten_tries_it_is_given_up(post: Post) -> None:
    endpoint, _ = await post.endpoint("/status/500")
    delivery = await post.due(endpoint)

    for _ in range(12):
        await post.send_due()
        await post.skip_to(delivery)

    row = await WebhookDelivery.get(id=delivery.id)
    assert (row.status, row.ready_at, row.attempt_count) == ("FAILED", None, 10)
    assert row.error is not None
    assert (row.error["code"], row.error["details"]) == ("HTTP_5XX", {"status": 500})
    assert len(await attempts_of(delivery)) == 10


async def test_retry_after_is_heeded(post: Post) -> None:
    endpoint, _ = await post.endpoint("/status/429?retry-after=600")
    delivery = await post.due(endpoint)

    await post.send_due()

    row = await WebhookDelivery.get(id=delivery.id)
    assert row.ready_at == post.clock.at + timedelta(minutes=10)


async def test_410_switches_the_endpoint_off_for_good(post: Post) -> None:
    endpoint, _ = await post.endpoint("/status/410")
    later = await post.due(endpoint, ready_at=post.clock.at + timedelta(hours=1))
    delivery = await post.due(endpoint)

    await post.send_due()

    row = await WebhookEndpoint.get(id=endpoint.id)
    assert (row.is_active, row.disabled_reason) == (False, "GONE")
    assert (await WebhookDelivery.get(id=delivery.id)).status == "FAILED"
    waiting = await WebhookDelivery.get(id=later.id)
    assert (waiting.status, waiting.ready_at) == ("PENDING", None)


async def test_five_days_of_failures_switch_it_off(post: Post) -> None:
    endpoint, _ = await post.endpoint("/status/500")
    for days in (0, 4.9):
        post.clock.move(days=days)
        await post.due(endpoint)
        await post.send_due()
    before = await WebhookEndpoint.get(id=endpoint.id)
    post.clock.move(days=0.2)

    await post.send_due()

    after = await WebhookEndpoint.get(id=endpoint.id)
    assert (before.is_active, after.is_active) == (True, False)
    assert after.disabled_reason == "FAILING"
    assert not await WebhookDelivery.filter(ready_at__isnull=False).exists()


async def test_one_success_in_between_forgives_the_failures(post: Post) -> None:
    endpoint, _ = await post.endpoint("/flaky/1/a")
    await post.due(endpoint)
    for days in (0, 4, 4):
        post.clock.move(days=days)
        await post.due(endpoint)
        await post.send_due()

    assert (await WebhookEndpoint.get(id=endpoint.id)).is_active


async def test_a_sender_that_dies_leaves_it_to_others_under_the_same_id(post: Post) -> None:
    endpoint, _ = await post.endpoint("/json")
    delivery = await post.due(endpoint)
    dying = Sender(DyingQueue(post.database, post.clock), CLIENT, SECRETS, post.clock)
    (taken,) = await dying.take(endpoint.id, 1)
    with pytest.raises(Killed):
        await dying.send(taken)
    early = await post.send_due()
    post.clock.move(seconds=LEASE.total_seconds())

    assert (early, await post.send_due()) == (0, 1)

    seen = post.server.journal.at("/json")
    assert [each.headers["webhook-id"] for each in seen] == [delivery.id] * 2
    assert [each.number for each in await attempts_of(delivery)] == [1]


async def test_whoever_lost_the_lease_records_nothing(post: Post) -> None:
    endpoint, _ = await post.endpoint("/json")
    delivery = await post.due(endpoint)
    slow = post.sender()
    (taken,) = await slow.take(endpoint.id, 1)
    post.clock.move(seconds=LEASE.total_seconds())
    await post.send_due()

    await slow.send(taken)

    row = await WebhookDelivery.get(id=delivery.id)
    assert (row.status, row.attempt_count) == ("SUCCEEDED", 1)


async def test_senders_at_once_send_each_delivery_once(post: Post) -> None:
    endpoint, _ = await post.endpoint("/json")
    made = [await post.due(endpoint) for _ in range(20)]

    await asyncio.gather(*(post.send_due() for _ in range(4)))
    await post.send_due()

    seen = [each.headers["webhook-id"] for each in post.server.journal.at("/json")]
    assert sorted(seen) == sorted(each.id for each in made)


async def test_a_private_address_is_refused_and_told(post: Post) -> None:
    endpoint, _ = await post.endpoint("/json")
    delivery = await post.due(endpoint)

    await post.send_due(post.sender(AllowList()))

    (attempt,) = await attempts_of(delivery)
    assert attempt.error is not None
    assert (attempt.error["code"], attempt.response_status) == ("SSRF_BLOCKED", None)
    assert post.server.journal.requests == []


async def test_two_kilobytes_of_an_answer_are_kept(post: Post) -> None:
    endpoint, _ = await post.endpoint("/echo")
    delivery = await post.due(endpoint, body='"' + 5000 * "x" + '"')

    await post.send_due()

    (attempt,) = await attempts_of(delivery)
    assert len(attempt.response_body or "") == 2048


async def test_a_secret_that_does_not_open_is_told(post: Post) -> None:
    endpoint, _ = await post.endpoint("/json")
    other, _ = await post.endpoint("/json")
    await WebhookEndpoint.filter(id=endpoint.id).update(secret_sealed=other.secret_sealed)
    delivery = await post.due(endpoint)

    await post.send_due()

    (attempt,) = await attempts_of(delivery)
    assert attempt.error is not None
    assert attempt.error["code"] == "CREDENTIAL_MISSING"
    assert post.server.journal.requests == []


@pytest.mark.parametrize("bare", [False, True])
async def test_a_secret_that_comes_back_is_stored_nowhere(bare: bool, post: Post) -> None:  # noqa: FBT001
    endpoint, secret = await post.endpoint("/json")
    shown = secret.removeprefix("whsec_") if bare else secret
    url = post.server.url(f"/echo?key={shown.replace('+', '%2B')}")
    await WebhookEndpoint.filter(id=endpoint.id).update(url=url)
    delivery = await post.due(endpoint)

    with structlog.testing.capture_logs() as logged:
        await post.send_due()

    (attempt,) = await attempts_of(delivery)
    assert "***" in (attempt.response_body or "")
    kept = await WebhookEndpoint.filter(id=endpoint.id).update(url="")
    assert kept == 1
    assert shown not in await dump(post.database) + repr(logged)
