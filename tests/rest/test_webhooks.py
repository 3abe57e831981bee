"""A signed call starts one execution, and nothing else starts any."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from promptpilot.clock import SystemClock
from promptpilot.engine.drafts import TriggerChange, TriggerDraft, WebhookConfig, WorkflowChange
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.example import payload
from promptpilot.models import Execution, Trigger
from tests.rest.conftest import Site, count_executions
from tests.support.calls import SCHEMES, SIGNATURE_HEADERS, secret_of, sign_call
from tests.support.redis import RedisServer

_WRONG = "sha256=" + "0" * 64


def _error(response: Any) -> dict[str, Any]:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details"}
    error: dict[str, Any] = body["error"]
    return error


async def test_a_signed_call_starts_an_execution(site: Site) -> None:
    response = await site.deliver(payload())

    assert response.status_code == 200
    answer = response.json()
    assert answer["duplicate"] is False
    execution = await Execution.get(id=answer["executionId"])
    assert execution.input == {"payload": json.loads(payload())}


async def test_the_same_delivery_again_starts_nothing(site: Site) -> None:
    first = (await site.deliver(payload())).json()

    second = await site.deliver(payload())

    assert second.status_code == 200
    assert second.json()["executionId"] == first["executionId"]
    assert second.json()["duplicate"] is True
    assert await count_executions() == 1


async def test_another_body_under_the_same_delivery_is_a_conflict(site: Site) -> None:
    await site.deliver(payload())

    response = await site.deliver(b'{"issue": {"title": "other"}}')

    assert response.status_code == 409
    assert _error(response)["code"] == "IDEMPOTENCY_MISMATCH"


@pytest.mark.parametrize("signature", [_WRONG, "", "sha1=abc", b"sha256=\xfc"])
async def test_a_call_with_a_wrong_signature_starts_nothing(
    site: Site, signature: str | bytes
) -> None:
    response = await site.deliver(payload(), x_hub_signature_256=signature)

    assert response.status_code == 401
    assert _error(response)["code"] == "SIGNATURE_INVALID"
    assert await count_executions() == 0


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"NaN", b"[" * 100_000, b'"\\u0000"'])
async def test_a_signed_body_that_cannot_be_read_is_refused(site: Site, body: bytes) -> None:
    response = await site.deliver(body)

    assert response.status_code == 400
    assert _error(response)["details"]
    assert await count_executions() == 0


async def test_a_body_over_the_limit_is_refused_before_it_is_read(site: Site) -> None:
    announced = {"content_length": "104857600"}

    response = await site.deliver(b"{}", **announced)

    assert response.status_code == 413
    assert _error(response)["code"] == "PAYLOAD_TOO_LARGE"


@pytest.mark.parametrize(
    "trigger_id", ["nothing", "trg_00000000000000000000000000", "%00", "a" * 5000, "../x"]
)
async def test_an_unknown_trigger_is_not_found(site: Site, trigger_id: str) -> None:
    response = await site.client.post(f"/api/webhooks/{trigger_id}", content=b"{}")

    assert response.status_code == 404
    assert _error(response)["code"] == "NOT_FOUND"


async def test_a_trigger_that_is_off_is_forbidden_to_its_sender_only(site: Site) -> None:
    change = TriggerChange(id=site.owner.trigger_id, is_active=False)
    await site.engine.update_trigger(site.principal, change)

    signed = await site.deliver(payload())
    unsigned = await site.deliver(payload(), x_hub_signature_256=_WRONG)

    assert (signed.status_code, unsigned.status_code) == (403, 404)


async def test_a_workflow_that_is_off_takes_no_calls(site: Site) -> None:
    change = WorkflowChange(id=site.workflow_id, is_active=False)
    await site.engine.update_workflow(site.principal, change)

    response = await site.deliver(payload())

    assert response.status_code == 403
    assert await count_executions() == 0


async def test_a_ping_starts_nothing_and_is_answered(site: Site) -> None:
    response = await site.deliver(b'{"zen": "Keep it simple."}', x_github_event="ping")

    assert response.status_code == 200
    assert response.json()["executionId"] is None


@pytest.mark.parametrize("loss", ["kill", "pause"])
async def test_a_lost_redis_neither_fails_nor_slows_a_call(
    site: Site, redis_server: RedisServer, loss: str
) -> None:
    await site.deliver(payload(), "before")
    getattr(redis_server, loss)()

    seconds = [await _seconds(site, f"after-{number}") for number in range(5)]

    assert max(seconds) < 0.3
    assert await count_executions() == 6


async def _seconds(site: Site, delivery: str) -> float:
    started_at = time.perf_counter()
    assert (await site.deliver(payload(), delivery)).status_code == 200
    return time.perf_counter() - started_at


async def test_a_form_of_github_is_read_as_the_json_in_it(site: Site) -> None:
    form = urlencode({"payload": payload()}).encode()

    response = await site.deliver(form, content_type="application/x-www-form-urlencoded")

    assert response.status_code == 200
    assert (await Execution.get()).input == {"payload": json.loads(payload())}


async def test_a_form_is_refused_with_the_way_out_to_who_cannot_mean_it(site: Site) -> None:
    body = b"payload=%7B%7D"
    hook = await _hook(site, WebhookScheme.HMAC_SHA256)

    response = await _call(site, hook, body, {"content-type": "application/x-www-form-urlencoded"})

    assert response.status_code == 400
    assert "choose application/json" in _error(response)["message"]


async def test_the_challenge_of_slack_is_all_it_hears(site: Site) -> None:
    hook = await _hook(site, WebhookScheme.SLACK)

    response = await _call(site, hook, b'{"type":"url_verification","challenge":"3eZbrw1a"}')

    assert (response.status_code, response.json()) == (200, {"challenge": "3eZbrw1a"})
    assert await count_executions() == 0


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_calls_of_every_scheme_start_an_execution(site: Site, scheme: WebhookScheme) -> None:
    hook = await _hook(site, scheme)

    signed = _signed(scheme, payload())
    answers = [(await _call(site, hook, payload(), signed)).json() for _ in range(2)]

    assert [answer["duplicate"] for answer in answers] == [False, True]
    assert len({answer["executionId"] for answer in answers}) == 1
    assert await count_executions() == 1


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_signature_that_comes_twice_with_another_one_is_refused(
    site: Site, scheme: WebhookScheme
) -> None:
    hook = await _hook(site, scheme)
    name = SIGNATURE_HEADERS[scheme]
    doubled = [(name, "0" * 64), *_signed(scheme, payload()).items(), (name, "0" * 64)]

    response = await site.client.post(f"/api/webhooks/{hook}", content=payload(), headers=doubled)

    assert response.status_code == 401
    assert await count_executions() == 0


async def _hook(site: Site, scheme: WebhookScheme) -> str:
    """Store a trigger with a known secret and return its id."""
    config = WebhookConfig(
        scheme=scheme, secret=secret_of(scheme), input_mapping={"payload": "payload"}
    )
    asked = TriggerDraft(workflow_id=site.workflow_id, name="Hook", config=config)
    return (await site.engine.create_trigger(site.principal, asked))[0].id


async def _call(
    site: Site, hook: str, body: bytes, extra: dict[str, str] | None = None
) -> httpx2.Response:
    scheme = WebhookScheme((await Trigger.get(id=hook)).config["scheme"])
    headers = {**_signed(scheme, body), **(extra or {})}
    return await site.client.post(f"/api/webhooks/{hook}", content=body, headers=headers)


def _signed(scheme: WebhookScheme, body: bytes) -> dict[str, str]:
    return sign_call(scheme, body, at=SystemClock().now())


async def test_an_address_with_a_slash_too_many_is_not_there(site: Site) -> None:
    response = await site.client.get("/healthz/")

    assert response.status_code == 404
