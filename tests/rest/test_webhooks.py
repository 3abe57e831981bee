"""A signed call starts one execution, and nothing else starts any."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from promptpilot.engine.drafts import TriggerChange, WorkflowChange
from promptpilot.example import payload
from promptpilot.models import Execution
from tests.rest.conftest import Site, count_executions
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


async def test_a_form_is_refused_with_the_way_out(site: Site) -> None:
    response = await site.deliver(
        b"payload=%7B%7D", content_type="application/x-www-form-urlencoded"
    )

    assert response.status_code == 400
    assert "choose application/json" in _error(response)["message"]


async def test_an_address_with_a_slash_too_many_is_not_there(site: Site) -> None:
    response = await site.client.get("/healthz/")

    assert response.status_code == 404
