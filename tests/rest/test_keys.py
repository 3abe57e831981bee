"""A key starts the executions of its API trigger, each once, and is known to its holder alone."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from promptpilot.engine.drafts import ApiConfig, ManualConfig, TriggerChange, TriggerDraft
from promptpilot.models import Execution, Firing
from tests.rest.conftest import Site, count_executions
from tests.support.stored import dump

_WRONG = "pp_00000000_wrongwrongwrongwrongwrongwrongwrongwrongwro"
_CALL = {"payload": {"issue": 1}}
PATHS = pytest.mark.parametrize("verb", ["execute", "invoke"])


async def make_key(site: Site, **config: Any) -> tuple[str, str]:
    """Make an API trigger of the example; return its id and key."""
    mapping = {"input_mapping": {"payload": "payload"}, **config}
    draft = TriggerDraft(workflow_id=site.workflow_id, name="Key", config=ApiConfig(**mapping))
    trigger, key = await site.engine.create_trigger(site.principal, draft)
    return trigger.id, key or ""


async def call(
    site: Site, trigger_id: str, key: str, body: Any = _CALL, **headers: str
) -> httpx2.Response:
    """POST with a key and without a token; `_` in a header's name stands for `-`."""
    path = f"/api/triggers/{trigger_id}/{headers.pop('verb', 'execute')}"
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await site.client.post(path, json=body, headers={"x-api-key": key, **sent})


def _code(response: httpx2.Response) -> str:
    return str(response.json()["error"]["code"])


@PATHS
async def test_a_key_starts_an_execution(site: Site, verb: str) -> None:
    trigger_id, key = await make_key(site)

    response = await call(site, trigger_id, key, verb=verb)

    answer = response.json()
    assert (response.status_code, answer["duplicate"]) == (200, False)
    execution = await Execution.get(id=answer["executionId"])
    assert (execution.trigger_type, execution.trigger_id) == ("API", trigger_id)
    assert execution.input == {"payload": _CALL}


async def test_the_input_may_be_said_as_everywhere_else(site: Site) -> None:
    trigger_id, key = await make_key(site, input_mapping={})

    response = await call(site, trigger_id, key, {"input": {"payload": {"n": 1}}})

    execution = await Execution.get(id=response.json()["executionId"])
    assert execution.input == {"payload": {"n": 1}}


async def test_the_verdict_of_a_call_is_on_its_firing(site: Site) -> None:
    trigger_id, key = await make_key(site)

    await call(site, trigger_id, key)
    await call(site, trigger_id, _WRONG)

    firings = await Firing.filter(trigger_id=trigger_id).order_by("created_at", "id")
    told = [(each.outcome, each.scheme, each.is_verified) for each in firings]
    assert told == [("STARTED", "API_KEY", True), ("REJECTED", "API_KEY", False)]
    assert firings[1].failure_code == "KEY_MISMATCH"


async def test_the_same_idempotency_key_starts_once(site: Site) -> None:
    trigger_id, key = await make_key(site)

    answers = [
        (await call(site, trigger_id, key, idempotency_key="order-1")).json() for _ in range(2)
    ]

    assert [answer["duplicate"] for answer in answers] == [False, True]
    assert answers[0]["executionId"] == answers[1]["executionId"]
    assert await count_executions() == 1


async def test_another_body_under_the_same_idempotency_key_is_a_conflict(site: Site) -> None:
    trigger_id, key = await make_key(site)
    await call(site, trigger_id, key, idempotency_key="order-1")

    response = await call(site, trigger_id, key, {"other": 1}, idempotency_key="order-1")

    assert (response.status_code, _code(response)) == (409, "IDEMPOTENCY_MISMATCH")


@PATHS
@pytest.mark.parametrize("key", ["", "x", _WRONG, "pp_"])
async def test_a_wrong_key_starts_nothing(site: Site, verb: str, key: str) -> None:
    trigger_id, _ = await make_key(site)

    response = await call(site, trigger_id, key, verb=verb)

    assert (response.status_code, _code(response)) == (401, "SIGNATURE_INVALID")
    assert await count_executions() == 0


async def test_a_token_does_not_make_up_for_a_wrong_key(site: Site) -> None:
    trigger_id, _ = await make_key(site)

    response = await call(site, trigger_id, _WRONG, **site.authorization)

    assert response.status_code == 401


async def test_a_rotated_key_works_on_for_its_grace_only(site: Site) -> None:
    trigger_id, first = await make_key(site)

    _, second = await site.engine.rotate_trigger_secret(site.principal, trigger_id, 60)
    with_grace = [(await call(site, trigger_id, key)).status_code for key in (first, second)]
    _, third = await site.engine.rotate_trigger_secret(site.principal, trigger_id, 0)
    without = [(await call(site, trigger_id, key)).status_code for key in (first, second, third)]

    assert with_grace == [200, 200]
    assert without == [401, 401, 200]


async def test_nobody_without_a_key_can_tell_which_triggers_there_are(site: Site) -> None:
    gone, _ = await make_key(site)
    off, _ = await make_key(site)
    manual = TriggerDraft(workflow_id=site.workflow_id, name="By hand", config=ManualConfig())
    other, _ = await site.engine.create_trigger(site.principal, manual)
    await site.engine.delete_trigger(site.principal, gone)
    await site.engine.update_trigger(site.principal, TriggerChange(id=off, is_active=False))

    ids = [gone, off, other.id, site.owner.trigger_id, "trg_00000000000000000000000000", "%00"]
    answers = {(await call(site, each, _WRONG)).content for each in ids}

    assert len(answers) == 1
    assert b"NOT_FOUND" in answers.pop()


async def test_the_holder_of_the_key_learns_that_the_trigger_is_off(site: Site) -> None:
    trigger_id, key = await make_key(site)
    await site.engine.update_trigger(site.principal, TriggerChange(id=trigger_id, is_active=False))

    response = await call(site, trigger_id, key)

    assert (response.status_code, _code(response)) == (403, "FORBIDDEN")
    assert (await Firing.get()).outcome == "INACTIVE"


@pytest.mark.parametrize(
    ("body", "path"),
    [(b"{", "payload"), (b"\xff", "payload"), (b"{}", "input.payload"), (b"", "input.payload")],
)
async def test_a_body_that_makes_no_input_is_refused(site: Site, body: bytes, path: str) -> None:
    trigger_id, key = await make_key(site, input_mapping={"payload": "payload.data"})

    response = await site.client.post(
        f"/api/triggers/{trigger_id}/execute", content=body, headers={"x-api-key": key}
    )

    assert response.status_code == 400
    assert [each["path"] for each in response.json()["error"]["details"]] == [path]
    assert (await Firing.get()).outcome == "REJECTED"


async def test_a_body_over_the_limit_is_refused_before_it_is_read(site: Site) -> None:
    trigger_id, key = await make_key(site)

    response = await call(site, trigger_id, key, content_length="104857600")

    assert (response.status_code, _code(response)) == (413, "PAYLOAD_TOO_LARGE")


async def test_no_key_is_stored_or_shown_again(site: Site) -> None:
    trigger_id, first = await make_key(site)
    _, second = await site.engine.rotate_trigger_secret(site.principal, trigger_id)
    for key in (first, second):
        await call(site, trigger_id, key, {"echo": "x"})

    stored = await dump(site.backbone.database)

    assert "API_KEY" in stored
    assert first not in stored
    assert second not in stored
