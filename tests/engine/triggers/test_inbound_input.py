"""Proves what input an execution gets from a call, and what is recorded when there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptpilot.engine.api import Engine
from promptpilot.engine.definition import DataType
from promptpilot.engine.drafts import (
    TriggerDraft,
    WebhookConfig,
)
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.inbound import dedupe_key
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.errors import (
    InvalidMany,
    SignatureInvalid,
)
from promptpilot.models import Execution, Workflow
from tests.support.clock import ManualClock
from tests.support.drafts import draft, transform, variable
from tests.support.hooks import ISSUE, MAPPING, make_hook, only_firing, send


@pytest.mark.parametrize(
    ("payload", "made"),
    [
        ({"input": {"title": "t", "count": 2}}, {"title": "t", "count": 2}),
        ({"input": {"title": "t", "count": None}}, {"title": "t", "count": 1}),
    ],
)
async def test_without_a_mapping_the_body_s_input_is_taken(
    engine: Engine,
    principal: Principal,
    workflow: Workflow,
    payload: dict[str, Any],
    made: dict[str, Any],
) -> None:
    hook = await make_hook(engine, principal, workflow)

    await send(engine, hook, payload)

    assert (await Execution.get()).input == made


async def test_without_a_mapping_and_an_input_the_whole_body_is_the_payload(
    engine: Engine, principal: Principal
) -> None:
    inputs = (variable("payload", DataType.OBJECT), variable("count", DataType.NUMBER))
    taking = await engine.create_workflow(principal, draft(transform("a"), variables=inputs))
    hook = await make_hook(engine, principal, taking)

    await send(engine, hook)

    assert (await Execution.get()).input == {"count": 1, "payload": ISSUE}


async def test_a_workflow_that_takes_no_payload_is_started_without_it(
    engine: Engine, principal: Principal
) -> None:
    inputs = (variable("count", DataType.NUMBER),)
    steps = transform("a", title="trigger.payload.issue.title")
    taking = await engine.create_workflow(principal, draft(steps, variables=inputs))
    hook = await make_hook(engine, principal, taking)

    await send(engine, hook)

    execution = await Execution.get()
    assert execution.input == {"count": 1}
    assert execution.trigger_data is not None
    assert execution.trigger_data["payload"] == ISSUE


async def test_expressions_see_headers_but_no_proofs(
    engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    mapping = {"title": "join(sort(keys(headers)), ' ')"}
    hook = await make_hook(engine, principal, workflow, input_mapping=mapping)

    await send(engine, hook, authorization="Bearer x", cookie="a=b", host="h")

    title = (await Execution.get()).input["title"]
    assert title == "host x-github-delivery x-github-event"


async def test_a_standard_call_is_as_old_as_its_trigger_allows(
    engine: Engine, principal: Principal, workflow: Workflow, clock: ManualClock
) -> None:
    config = WebhookConfig(tolerance_seconds=10, input_mapping=MAPPING)
    asked = TriggerDraft(workflow_id=workflow.id, name="Standard", config=config)
    hook, secret = await engine.create_trigger(principal, asked)
    body = json.dumps(ISSUE).encode()
    headers = signatures.sign(WebhookScheme.STANDARD, secret or "", body, "m1", clock.now())

    clock.move(seconds=11)
    with pytest.raises(SignatureInvalid) as refused:
        await engine.accept_call(hook.id, headers, body, None)

    assert refused.value.failure_code == "TIMESTAMP_TOO_OLD"


def test_a_call_without_an_id_is_unique_by_its_time_and_body() -> None:
    first = dedupe_key(1, b"a")

    assert first == dedupe_key(1, b"a")
    assert first not in {dedupe_key(2, b"a"), dedupe_key(1, b"b"), dedupe_key(None, b"a")}


async def test_several_faults_are_all_recorded(
    engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    hook = await make_hook(engine, principal, workflow)

    with pytest.raises(InvalidMany):
        await send(engine, hook, {"input": {"title": 1, "count": "x", "other": 1}})

    error = (await only_firing()).error
    assert error is not None
    assert len(error["details"]["errors"]) == 3
