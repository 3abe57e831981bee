"""Proves what a call with a trigger's key starts, and that no other key starts anything."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.api import Accepted, Engine
from promptpilot.engine.drafts import ApiConfig, TriggerChange, TriggerDraft, WorkflowChange
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.keyed import KEY_MISMATCH, KEY_MISSING
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
from promptpilot.models.database import Database
from tests.support.clock import ManualClock
from tests.support.fakes import FakeWaker
from tests.support.stored import dump

BODY = {"input": {"title": "Called"}}


@dataclass(frozen=True)
class Door:
    """An API trigger with its key."""

    engine: Engine
    trigger: Trigger
    key: str

    async def call(self, body: Any = BODY, **others: Any) -> Accepted:
        """Call with a JSON body, or with bytes as they are."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        given: dict[str, Any] = {"key": self.key, "headers": {}, "source_ip": "192.0.2.1", **others}
        return await self.engine.call_trigger(self.trigger.id, body=sent, **given)

    async def refused(self, **others: Any) -> CallerError:
        """Call, and return the refusal."""
        with pytest.raises(CallerError) as refused:
            await self.call(**others)
        return refused.value


async def make_door(
    engine: Engine, principal: Principal, workflow: Workflow, **config: Any
) -> Door:
    """Store an API trigger."""
    settings = ApiConfig(**config)
    asked = TriggerDraft(workflow_id=workflow.id, name="Door", config=settings, input={"count": 1})
    trigger, key = await engine.create_trigger(principal, asked)
    assert key is not None
    return Door(engine, trigger, key)


@pytest.fixture
async def door(engine: Engine, principal: Principal, workflow: Workflow) -> Door:
    """Give an API trigger with the default input `count` = 1."""
    return await make_door(engine, principal, workflow)


async def test_a_call_with_the_key_starts_an_execution_and_rings_once(
    door: Door, waker: FakeWaker
) -> None:
    accepted = await door.call()

    execution = await Execution.get()
    assert accepted == Accepted(execution.id, is_duplicate=False, message="Execution started.")
    assert (execution.trigger_type, execution.trigger_id) == ("API", door.trigger.id)
    assert execution.input == {"title": "Called", "count": 1}
    assert waker.count == 1


async def test_the_firing_tells_how_the_call_was_verified_and_nothing_of_the_key(
    door: Door, database: Database
) -> None:
    await door.call(headers={"x-api-key": door.key, "x-other": "1"})

    firing = await Firing.get()
    assert (firing.outcome, firing.trigger_type, firing.scheme) == ("STARTED", "API", "API_KEY")
    assert (firing.is_verified, firing.used_previous_secret) == (True, False)
    assert (firing.payload, firing.source_ip, firing.dedupe_key) == (BODY, "192.0.2.1", None)
    assert door.key not in await dump(database)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda _: None, KEY_MISSING),
        (lambda _: "", KEY_MISSING),
        (lambda key: key + "a", KEY_MISMATCH),
        (lambda key: key[:-1] + ("a" if key[-1] != "a" else "b"), KEY_MISMATCH),
        (lambda key: key.upper(), KEY_MISMATCH),
        (lambda _: "\ud800é", KEY_MISMATCH),
    ],
    ids=["none", "empty", "longer", "one off", "upper case", "no text"],
)
async def test_without_the_key_nothing_starts_and_the_attempt_is_on_record(
    change: Any, code: str, door: Door
) -> None:
    refused = await door.refused(key=change(door.key))

    assert isinstance(refused, SignatureInvalid)
    assert refused.failure_code == code
    firing = await Firing.get()
    assert (firing.outcome, firing.failure_code, firing.is_verified) == ("REJECTED", code, False)
    assert (firing.payload, firing.scheme, await Execution.exists()) == (None, "API_KEY", False)


async def test_another_triggers_key_opens_nothing(
    door: Door, engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    other = await make_door(engine, principal, workflow)

    assert isinstance(await door.refused(key=other.key), SignatureInvalid)


async def test_the_old_key_works_within_its_grace_and_says_so(
    door: Door, engine: Engine, principal: Principal, clock: ManualClock
) -> None:
    _, key = await engine.rotate_trigger_secret(principal, door.trigger.id, 60)

    await door.call()
    await door.call(key=key)
    clock.move(seconds=60)
    refused = await door.refused()

    assert isinstance(refused, SignatureInvalid)
    rows = await Firing.filter(outcome="STARTED")
    assert sorted([bool(row.used_previous_secret) for row in rows]) == [False, True]


async def test_a_key_rotated_without_grace_is_revoked_at_once(
    door: Door, engine: Engine, principal: Principal
) -> None:
    _, key = await engine.rotate_trigger_secret(principal, door.trigger.id, 0)

    refused = await door.refused()
    accepted = await door.call(key=key)

    assert isinstance(refused, SignatureInvalid)
    assert accepted.execution_id is not None


@pytest.mark.parametrize("which", ["trigger", "workflow"])
async def test_what_is_switched_off_is_there_for_nobody_without_the_key(
    which: str, door: Door, engine: Engine, principal: Principal
) -> None:
    if which == "trigger":
        await engine.update_trigger(principal, TriggerChange(id=door.trigger.id, is_active=False))
    else:
        change = WorkflowChange(id=door.trigger.workflow_id, is_active=False)
        await engine.update_workflow(principal, change)

    wrong, right = await door.refused(key="pp_x"), await door.refused()

    assert (type(wrong), type(right)) == (NotFound, InvalidStatus)
    rows = await Firing.all().order_by("created_at", "id")
    assert [row.outcome for row in rows] == ["REJECTED", "INACTIVE"]


async def test_what_is_not_there_looks_like_what_is_switched_off(
    door: Door, engine: Engine, principal: Principal, stranger: Principal
) -> None:
    await engine.update_trigger(principal, TriggerChange(id=door.trigger.id, is_active=False))
    off = await door.refused(key="pp_x")

    unknown = Door(engine, Trigger(id=ids.new_id(ids.Kind.TRIGGER)), door.key)
    gone = await unknown.refused()

    assert (type(off), off.message, off.path) == (type(gone), gone.message, gone.path)
    await engine.delete_trigger(principal, door.trigger.id)
    assert isinstance(await door.refused(), NotFound)


async def test_a_trigger_of_another_type_takes_no_key(
    door: Door, engine: Engine, hook: Trigger
) -> None:
    assert isinstance(await Door(engine, hook, door.key).refused(), NotFound)


async def test_a_body_is_the_input_by_a_mapping(
    engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    mapping = {"title": "payload.name + headers['x-from']", "count": "payload.n"}
    door = await make_door(engine, principal, workflow, input_mapping=mapping)

    await door.call({"name": "a", "n": 3}, headers={"x-from": "b"})

    assert (await Execution.get()).input == {"title": "ab", "count": 3}


async def test_a_body_without_an_input_is_the_payload(
    engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    door = await make_door(engine, principal, workflow)
    change = TriggerChange(id=door.trigger.id, input={"title": "Default"})
    await engine.update_trigger(principal, change)

    await door.call({"n": 3})
    await door.call(b"")

    inputs = [row.input["payload"] for row in await Execution.all().order_by("created_at", "id")]
    assert inputs == [{"n": 3}, {}]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"{", ("payload",)),
        (b'{"a": 1, "a": 2}', ("payload",)),
        (b'{"a": NaN}', ("payload",)),
        (b'{"input": {}}', ("input", "title")),
        (b'{"input": {"title": 7}}', ("input", "title")),
        (b'{"input": {"title": "t", "other": 1}}', ("input", "other")),
    ],
)
async def test_a_body_that_cannot_be_used_is_refused_with_its_place_and_recorded(
    body: bytes, path: tuple[str, ...], door: Door
) -> None:
    refused = await door.refused(body=body)

    faults = getattr(refused, "errors", (refused,))
    assert faults[0].path == path
    firing = await Firing.get()
    assert (firing.outcome, firing.is_verified) == ("REJECTED", True)
    assert (firing.error or {})["details"]["errors"][0]["path"] == list(path)


async def test_a_body_over_the_limit_is_refused_before_anything_else(door: Door) -> None:
    refused = await door.refused(body=b" " * (1024 * 1024 + 1), key="pp_x")

    assert isinstance(refused, PayloadTooLarge)
    assert not await Firing.exists()


async def test_the_same_idempotency_key_answers_the_first_execution(
    door: Door, waker: FakeWaker
) -> None:
    first = await door.call(idempotency_key="k1")

    again = await door.call(idempotency_key="k1")

    assert (again.execution_id, again.is_duplicate) == (first.execution_id, True)
    outcomes = sorted([row.outcome for row in await Firing.filter(dedupe_key="k1")])
    assert (outcomes, waker.count) == (["DUPLICATE", "STARTED"], 1)


async def test_the_same_idempotency_key_with_another_body_is_a_mismatch(door: Door) -> None:
    await door.call(idempotency_key="k1")

    refused = await door.refused(body={"input": {"title": "Other"}}, idempotency_key="k1")

    assert isinstance(refused, IdempotencyMismatch)
    assert refused.path == ("headers", "idempotency-key")
    assert "take a new key" in refused.message
    assert await Execution.all().count() == 1


async def test_without_an_idempotency_key_nothing_is_a_repetition(door: Door) -> None:
    first, second = await door.call(), await door.call()

    assert first.execution_id != second.execution_id
    assert not second.is_duplicate


async def test_many_calls_at_once_with_one_idempotency_key_start_one_execution(door: Door) -> None:
    answers = await asyncio.gather(*(door.call(idempotency_key="k1") for _ in range(20)))

    assert len({each.execution_id for each in answers}) == 1
    assert sum(not each.is_duplicate for each in answers) == 1


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "é"])
async def test_an_idempotency_key_that_cannot_be_one_is_refused(key: str, door: Door) -> None:
    refused = await door.refused(idempotency_key=key)

    assert isinstance(refused, InvalidInput)
    assert refused.path == ("headers", "idempotency-key")
    assert (await Firing.get()).dedupe_key is None


async def test_who_fires_by_hand_is_on_record_with_firing_and_execution(
    door: Door, engine: Engine, principal: Principal
) -> None:
    await engine.run_trigger(principal, door.trigger.id, {"title": "By hand"}, "k1")

    firing, execution = await Firing.get(), await Execution.get()
    assert (firing.trigger_type, firing.actor_id) == ("MANUAL", principal.user_id)
    assert (execution.trigger_type, execution.started_by) == ("MANUAL", principal.user_id)
    assert (await door.call(idempotency_key="k1")).is_duplicate is False


async def test_a_key_is_free_again_after_24_hours(door: Door, clock: ManualClock) -> None:
    first = await door.call(idempotency_key="k1")
    clock.move(hours=24)

    again = await door.call({"input": {"title": "Next day"}}, idempotency_key="k1")
    repeat = await door.call({"input": {"title": "Next day"}}, idempotency_key="k1")

    assert (again.is_duplicate, repeat.is_duplicate) == (False, True)
    assert repeat.execution_id == again.execution_id != first.execution_id


async def test_a_key_that_is_free_again_starts_one_of_twenty_calls(
    door: Door, clock: ManualClock
) -> None:
    await door.call(idempotency_key="k1")
    clock.move(hours=24)

    answers = await asyncio.gather(*(door.call(idempotency_key="k1") for _ in range(20)))

    assert len({answer.execution_id for answer in answers}) == 1
    assert [answer.is_duplicate for answer in answers].count(False) == 1
    assert await Execution.all().count() == 2
