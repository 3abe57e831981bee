"""Proves what becomes of a webhook call: which one starts what, and what is kept of the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from promptpilot import ids
from promptpilot.engine.api import Accepted, Engine, EngineSettings
from promptpilot.engine.assembly import Foundation, assemble
from promptpilot.engine.drafts import (
    ManualConfig,
    TriggerChange,
    TriggerDraft,
    WorkflowChange,
)
from promptpilot.engine.principal import Principal
from promptpilot.errors import (
    CallerError,
    IdempotencyMismatch,
    InvalidInput,
    InvalidStatus,
    NotFound,
    PayloadTooLarge,
    SignatureInvalid,
)
from promptpilot.models import Execution, Firing, Trigger, Workflow
from tests.support.clock import ManualClock
from tests.support.fakes import FakeWaker
from tests.support.hooks import ISSUE, only_firing, send, signed


async def test_a_signed_call_starts_an_execution_and_rings_once(
    engine: Engine, hook: Trigger, waker: FakeWaker
) -> None:
    accepted = await send(engine, hook)

    execution = await Execution.get()
    assert (accepted.execution_id, accepted.is_duplicate) == (execution.id, False)
    assert execution.input == {"title": "It crashes", "count": 1}
    assert (execution.trigger_type, execution.trigger_id) == ("WEBHOOK", hook.id)
    assert waker.count == 1


async def test_the_firing_of_a_start_tells_how_it_was_verified(
    engine: Engine, hook: Trigger
) -> None:
    accepted = await send(engine, hook)

    firing = await only_firing()
    assert (firing.outcome, firing.execution_id) == ("STARTED", accepted.execution_id)
    assert (firing.is_verified, firing.scheme, firing.dedupe_key) == (True, "GITHUB", "d1")
    assert (firing.payload, firing.source_ip) == (ISSUE, "192.0.2.1")


async def test_a_repeated_delivery_answers_the_first_execution_and_rings_nobody(
    engine: Engine, hook: Trigger, waker: FakeWaker
) -> None:
    first = await send(engine, hook)

    again = await send(engine, hook)

    assert (again.execution_id, again.is_duplicate) == (first.execution_id, True)
    outcomes = sorted([row.outcome for row in await Firing.all()])
    assert (outcomes, waker.count) == (["DUPLICATE", "STARTED"], 1)


async def test_the_same_delivery_many_times_at_once_starts_one_execution(
    engine: Engine, hook: Trigger
) -> None:
    answers = await asyncio.gather(*(send(engine, hook) for _ in range(8)))

    assert len({answer.execution_id for answer in answers}) == 1
    assert sum(not answer.is_duplicate for answer in answers) == 1
    assert await Execution.all().count() == 1


async def test_the_same_delivery_with_another_body_is_a_mismatch(
    engine: Engine, hook: Trigger
) -> None:
    await send(engine, hook)

    with pytest.raises(IdempotencyMismatch):
        await send(engine, hook, {"issue": {"title": "Other"}})

    assert sorted([row.outcome for row in await Firing.all()]) == ["REJECTED", "STARTED"]


async def test_another_delivery_with_the_same_body_starts_again(
    engine: Engine, hook: Trigger
) -> None:
    first, second = await send(engine, hook), await send(engine, hook, delivery="d2")

    assert first.execution_id != second.execution_id


async def test_a_ping_is_answered_and_starts_nothing(engine: Engine, hook: Trigger) -> None:
    body = b'{"zen":"Keep it logically awesome."}'
    headers = {**signed(body), "x-github-event": "ping"}

    accepted = await engine.accept_call(hook.id, headers, body, None)

    assert accepted == Accepted(None, is_duplicate=False, message="pong")
    assert (await only_firing()).outcome == "FILTERED"
    assert not await Execution.exists()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "SIGNATURE_MISSING"),
        ({"x-hub-signature-256": "sha256=zz"}, "SIGNATURE_MALFORMED"),
        (
            {"x-hub-signature-256": f"sha256={'0' * 64}", "x-github-delivery": "d1"},
            "SIGNATURE_MISMATCH",
        ),
        ({"x-hub-signature-256": "\xff\u2603"}, "SIGNATURE_MALFORMED"),
    ],
)
async def test_a_call_that_proves_nothing_is_refused_and_nothing_of_it_is_kept(
    engine: Engine, hook: Trigger, headers: Mapping[str, str], code: str
) -> None:
    with pytest.raises(SignatureInvalid) as refused:
        await engine.accept_call(hook.id, headers, b'{"title": "x"}', "192.0.2.1")

    firing = await only_firing()
    assert (refused.value.failure_code, firing.failure_code) == (code, code)
    assert (firing.outcome, firing.is_verified) == ("REJECTED", False)
    assert (firing.payload, firing.body_sha256, firing.dedupe_key) == (None, None, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"a":NaN}',
        b'{"a":1,"a":2}',
        b'{"a":"\\u0000"}',
        b'{"a":"\\ud800"}',
        b"\xff",
        b"[" * 100_000,
        b"1e999",
    ],
)
async def test_a_body_that_is_not_strict_json_is_recorded_and_refused(
    engine: Engine, hook: Trigger, body: bytes
) -> None:
    with pytest.raises(InvalidInput):
        await send(engine, hook, body)

    firing = await only_firing()
    assert (firing.outcome, firing.error and firing.error["code"]) == ("REJECTED", "INVALID_INPUT")
    assert firing.is_verified is True


async def test_input_that_does_not_fit_is_recorded_with_its_paths(
    engine: Engine, hook: Trigger
) -> None:
    with pytest.raises(CallerError):
        await send(engine, hook, {"issue": {"title": 5}})

    firing = await only_firing()
    assert firing.error is not None
    assert firing.error["details"]["errors"][0]["path"] == ["input", "title"]
    assert (firing.outcome, firing.payload) == ("REJECTED", {"issue": {"title": 5}})
    assert not await Execution.exists()


async def test_a_refused_delivery_may_come_again_when_it_is_mended(
    engine: Engine, hook: Trigger
) -> None:
    with pytest.raises(CallerError):
        await send(engine, hook, {"issue": {}})

    assert (await send(engine, hook)).is_duplicate is False


async def test_an_expression_without_a_value_names_its_input(engine: Engine, hook: Trigger) -> None:
    with pytest.raises(InvalidInput) as refused:
        await send(engine, hook, {"other": 1})

    assert refused.value.path == ("input", "title")


@pytest.mark.parametrize("part", ["trigger", "workflow"])
async def test_what_is_switched_off_says_so_to_who_proves_to_be_the_sender(
    engine: Engine, principal: Principal, workflow: Workflow, hook: Trigger, part: str
) -> None:
    await switch_off(engine, principal, workflow, hook, part)

    with pytest.raises(InvalidStatus):
        await send(engine, hook)

    assert (await only_firing()).outcome == "INACTIVE"
    assert not await Execution.exists()


@pytest.mark.parametrize("part", ["trigger", "workflow"])
async def test_what_is_switched_off_looks_like_nothing_to_all_others(
    engine: Engine, principal: Principal, workflow: Workflow, hook: Trigger, part: str
) -> None:
    await switch_off(engine, principal, workflow, hook, part)

    with pytest.raises(NotFound) as refused:
        await engine.accept_call(hook.id, {}, b"{}", None)

    with pytest.raises(NotFound) as unknown:
        await engine.accept_call(ids.new_id(ids.Kind.TRIGGER), {}, b"{}", None)
    assert refused.value.message == unknown.value.message


async def switch_off(
    engine: Engine, principal: Principal, workflow: Workflow, hook: Trigger, part: str
) -> None:
    if part == "trigger":
        await engine.update_trigger(principal, TriggerChange(id=hook.id, is_active=False))
    else:
        await engine.update_workflow(principal, WorkflowChange(id=workflow.id, is_active=False))


@pytest.mark.parametrize("id", ["", "\x00", "trg_x", "trg_" + 26 * "0"])
async def test_for_an_unknown_trigger_nothing_is_stored(engine: Engine, id: str) -> None:
    body = b"{}"

    with pytest.raises(NotFound):
        await engine.accept_call(id, signed(body), body, None)

    assert not await Firing.exists()


async def test_a_trigger_of_another_type_takes_no_calls(
    engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    asked = TriggerDraft(workflow_id=workflow.id, name="Button", config=ManualConfig())
    button, _ = await engine.create_trigger(principal, asked)

    with pytest.raises(NotFound):
        await send(engine, button)

    assert not await Firing.exists()


async def test_a_body_over_the_limit_is_refused_before_anything_else(
    foundation: Foundation, hook: Trigger
) -> None:
    engine = assemble(replace(foundation, settings=EngineSettings(max_webhook_bytes=10)))

    with pytest.raises(PayloadTooLarge) as refused:
        await engine.accept_call(hook.id, {}, b"x" * 11, None)

    assert refused.value.limit == 10
    assert not await Firing.exists()


async def test_a_large_body_starts_its_execution_and_is_kept_cut(
    engine: Engine, hook: Trigger
) -> None:
    body = json.dumps({**ISSUE, "text": "ä" * 50_000}, ensure_ascii=False).encode()

    await send(engine, hook, body)

    kept = (await only_firing()).payload
    assert isinstance(kept, str)
    assert kept.endswith(f"… (cut; {len(body)} bytes in all)")
    assert len(kept.encode()) < 66_000


async def test_both_secrets_work_while_one_follows_the_other(
    engine: Engine, principal: Principal, hook: Trigger, clock: ManualClock
) -> None:
    await engine.rotate_trigger_secret(principal, hook.id, 60)

    await send(engine, hook)

    assert (await only_firing()).used_previous_secret is True
    clock.move(seconds=60)
    with pytest.raises(SignatureInvalid):
        await send(engine, hook, delivery="d2")
