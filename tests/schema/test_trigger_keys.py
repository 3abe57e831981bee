"""Proves that the keys of API triggers are shown once, rotated, and stored nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptpilot.errors import SignatureInvalid
from tests.schema.api import Api
from tests.schema.documents import SHOWN, change_trigger, create_trigger
from tests.support.clock import ManualClock
from tests.support.stored import dump

MAPPED = {"api": {"inputMapping": {"title": "payload.name"}}}
EVERYTHING = (
    f"query ($id: ID!) {{ trigger(id: $id) {{ {SHOWN} firings {{ nodes {{ payload }} }} }} }}"
)
ROTATE = "trigger { config { ... on ApiTriggerConfig { secretPreview previousSecretValidUntil } } }"
FIRINGS = """
query ($id: ID!) { trigger(id: $id) { firings { nodes {
  outcome dedupeKey payload error { code }
  verification { scheme isVerified failureCode usedPreviousSecret }
} } } }
"""


async def call(api: Api, trigger_id: str, key: str, body: Any, once: str | None = None) -> Any:
    """Call an API trigger; return what it led to."""
    headers = {"content-type": "application/json"}
    text = json.dumps(body).encode()
    return await api.engine.call_trigger(trigger_id, key, headers, text, "127.0.0.1", once)


async def test_a_new_trigger_tells_where_to_send_and_its_key_once(api: Api) -> None:
    payload = await create_trigger(api, MAPPED)

    trigger, key = payload["trigger"], payload["secret"]
    address = f"https://pilot.example.org/api/triggers/{trigger['id']}/execute"
    assert key.startswith("pp_")
    assert trigger["config"]["receiveUrl"] == address
    preview = trigger["config"]["secretPreview"].split("…")
    assert key.startswith(preview[0])
    assert key.endswith(preview[1])
    assert key not in json.dumps(await api.run(EVERYTHING, id=trigger["id"]))


async def test_a_rotated_key_is_shown_once_and_the_old_one_works_on(
    api: Api, clock: ManualClock
) -> None:
    made = await create_trigger(api, MAPPED)
    trigger_id = made["trigger"]["id"]
    rotate = {"id": trigger_id, "graceSeconds": 60}

    rotated = await api.mutate("rotateTriggerSecret", rotate, f"secret {ROTATE}")
    await call(api, trigger_id, made["secret"], {"name": "A bug"})
    clock.move(seconds=61)

    assert rotated["secret"] != made["secret"]
    until = rotated["trigger"]["config"]["previousSecretValidUntil"]
    assert until == "2026-09-01T12:01:30Z"
    with pytest.raises(SignatureInvalid):
        await call(api, trigger_id, made["secret"], {"name": "A bug"})


async def test_a_call_is_shown_with_its_verdict(api: Api) -> None:
    made = await create_trigger(api, MAPPED)
    trigger_id = made["trigger"]["id"]

    await call(api, trigger_id, made["secret"], {"name": "A bug"}, "order-1")
    with pytest.raises(SignatureInvalid):
        await call(api, trigger_id, "pp_wrong", {"name": "secret text"})

    refused, started = (await api.run(FIRINGS, id=trigger_id))["trigger"]["firings"]["nodes"]
    verified = {"scheme": "API_KEY", "isVerified": True, "failureCode": None}
    assert started["verification"] == {**verified, "usedPreviousSecret": False}
    assert (started["outcome"], started["payload"]) == ("STARTED", {"name": "A bug"})
    assert "order-1" in started["dedupeKey"]
    assert refused["verification"]["failureCode"] == "KEY_MISMATCH"
    assert (refused["outcome"], refused["payload"]) == ("REJECTED", None)


async def test_a_trigger_that_becomes_one_with_a_key_gets_one(api: Api) -> None:
    made = await create_trigger(api, {"manual": {}})
    trigger_id = made["trigger"]["id"]

    became = await change_trigger(api, trigger_id, config={"api": {}})
    again = await change_trigger(api, trigger_id, config={"api": {}}, name="Other")
    gone = await change_trigger(api, trigger_id, config={"manual": {}})

    assert became["secret"].startswith("pp_")
    assert (again["secret"], gone["secret"]) == (None, None)
    assert again["trigger"]["config"] == became["trigger"]["config"]


async def test_a_trigger_without_a_secret_has_none_to_rotate(api: Api) -> None:
    trigger_id = (await create_trigger(api, {"manual": {}}))["trigger"]["id"]

    payload = await api.mutate(
        "rotateTriggerSecret", {"id": trigger_id}, "secret errors { code path }"
    )

    errors = [{"code": "INVALID_INPUT", "path": ["input", "id"]}]
    assert payload == {"secret": None, "errors": errors}


@pytest.mark.parametrize("grace", [-1, 2_592_001])
async def test_a_grace_that_cannot_be_is_named(grace: int, api: Api) -> None:
    trigger_id = (await create_trigger(api, MAPPED))["trigger"]["id"]
    rotate = {"id": trigger_id, "graceSeconds": grace}

    payload = await api.mutate("rotateTriggerSecret", rotate, "errors { code path }")

    errors = [{"code": "INVALID_INPUT", "path": ["input", "graceSeconds"]}]
    assert payload["errors"] == errors


@pytest.mark.parametrize(
    ("mapping", "last"),
    [({"nothing": "payload"}, "nothing"), ({"title": "event.x"}, "title"), ({"title": 1}, "title")],
)
async def test_a_wrong_mapping_is_named(mapping: dict[str, Any], last: str, api: Api) -> None:
    payload = await create_trigger(api, {"api": {"inputMapping": mapping}})

    path = ["input", "config", "api", "inputMapping", last]
    assert [each["path"] for each in payload["errors"]] == [path]
    assert payload["secret"] is None


@pytest.mark.parametrize("config", [MAPPED, {"webhook": {}}, {"webhook": {"scheme": "GITHUB"}}])
async def test_no_secret_is_stored_as_it_is(config: dict[str, Any], api: Api) -> None:
    made = await create_trigger(api, config)
    rotated = await api.mutate("rotateTriggerSecret", {"id": made["trigger"]["id"]}, "secret")

    stored = await dump(api.engine.database)

    assert made["trigger"]["id"] in stored
    assert made["secret"] not in stored
    assert rotated["secret"] not in stored
