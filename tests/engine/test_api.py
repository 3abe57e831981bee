"""Proves that the Engine stores before it rings, and that what is asked twice happens once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.api import Engine, EngineSettings
from promptpilot.engine.assembly import Foundation, assemble
from promptpilot.engine.definition import DataType
from promptpilot.engine.drafts import ManualConfig, TriggerDraft, WebhookConfig
from promptpilot.engine.principal import Principal
from promptpilot.errors import (
    CallerError,
    IdempotencyMismatch,
    LimitExceeded,
    NotFound,
    PermissionDenied,
)
from promptpilot.models import Execution, Firing, Trigger, User, Workflow
from tests.support.clock import ManualClock
from tests.support.drafts import draft, transform, variable
from tests.support.fakes import FakeFeed, FakeWaker

PASSWORD = "correct horse battery"
INPUT = {"title": "It crashes"}


@pytest.fixture
async def workflow(engine: Engine, principal: Principal) -> Workflow:
    """Give a switched-off workflow with a required title and a count of 7 by default."""
    inputs = (
        variable("title", is_required=True),
        variable("count", DataType.NUMBER, default=7),
    )
    asked = draft(transform("a"), variables=inputs, is_active=False)
    return await engine.create_workflow(principal, asked)


@pytest.fixture
async def button(engine: Engine, principal: Principal, workflow: Workflow) -> Trigger:
    """Give a switched-off MANUAL trigger with a count of 1 by default."""
    asked = TriggerDraft(
        workflow_id=workflow.id,
        name="Button",
        config=ManualConfig(),
        input={"count": 1},
        is_active=False,
    )
    return (await engine.create_trigger(principal, asked))[0]


async def test_registration_can_be_closed(foundation: Foundation) -> None:
    closed = assemble(replace(foundation, settings=EngineSettings(registration_open=False)))

    with pytest.raises(PermissionDenied):
        await closed.register("ada@example.org", PASSWORD)

    assert not await User.exists()


async def test_who_registers_is_identified_by_session_and_token(engine: Engine) -> None:
    registered = await engine.register("ada@example.org", PASSWORD, "Ada")
    principal = await engine.identify((await engine.login("ada@example.org", PASSWORD)).token)

    row, text = await engine.create_access_token(principal, "ci")

    assert principal.user_id == registered.user.id
    assert (await engine.identify(text)).workspace_id == principal.workspace_id
    assert (await engine.revoke_access_token(principal, row.id)).revoked_at is not None


async def test_a_start_is_stored_with_its_defaults_and_rings(
    engine: Engine, principal: Principal, workflow: Workflow, waker: FakeWaker
) -> None:
    launched = await engine.start_execution(principal, workflow.id, INPUT)

    execution = await Execution.get(id=launched.execution_id)
    assert execution.input == {"title": "It crashes", "count": 7}
    assert (execution.status, execution.trigger_type) == ("PENDING", "MANUAL")
    assert (execution.started_by, waker.count) == (principal.user_id, 1)


async def test_the_same_key_starts_once_and_rings_once(
    engine: Engine, principal: Principal, workflow: Workflow, waker: FakeWaker
) -> None:
    first = await engine.start_execution(principal, workflow.id, {"title": "t", "count": 1}, "k")
    again = await engine.start_execution(principal, workflow.id, {"count": 1, "title": "t"}, "k")

    assert (first.is_new, again.is_new) == (True, False)
    assert (first.execution_id, waker.count) == (again.execution_id, 1)


async def test_the_same_key_with_other_input_is_a_mismatch(
    engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    await engine.start_execution(principal, workflow.id, INPUT, "k")

    with pytest.raises(IdempotencyMismatch):
        await engine.start_execution(principal, workflow.id, {"title": "Other"}, "k")


@pytest.mark.parametrize(
    ("given", "key", "path"),
    [
        ({}, None, ("input", "input", "title")),
        ({"title": 1}, None, ("input", "input", "title")),
        ({"title": "t", "other": 1}, None, ("input", "input", "other")),
        ({"title": "\ud800"}, None, ("input", "input", "title")),
        ({"title": "\x00"}, "k", ("input", "input", "title")),
        ([1], None, ("input", "input")),
        (INPUT, "", ("input", "idempotencyKey")),
        (INPUT, "two words", ("input", "idempotencyKey")),
        (INPUT, "k" * 256, ("input", "idempotencyKey")),
    ],
)
@pytest.mark.parametrize("verb", ["start_execution", "run_trigger"])
async def test_bad_input_is_named_and_nothing_is_stored(  # noqa: PLR0913, PLR0917 -- two tables of cases
    engine: Engine,
    principal: Principal,
    workflow: Workflow,
    button: Trigger,
    verb: str,
    given: Any,
    key: str | None,
    path: tuple[str, ...],
) -> None:
    subject = workflow.id if verb == "start_execution" else button.id

    with pytest.raises(CallerError) as refused:
        await getattr(engine, verb)(principal, subject, given, key)

    fault = refused.value
    assert path in {each.path for each in getattr(fault, "errors", (fault,))}
    assert (await Execution.exists(), await Firing.exists()) == (False, False)


async def test_integers_beyond_64_bits_have_a_digest_too(
    engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    given = {"title": "t", "count": 2**70}

    await engine.start_execution(principal, workflow.id, given, "k")

    assert (await Execution.get()).input["count"] == 2**70


async def test_input_over_the_limit_is_refused(
    foundation: Foundation, engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    small = assemble(replace(foundation, settings=EngineSettings(max_input_bytes=20)))

    with pytest.raises(LimitExceeded):
        await small.start_execution(principal, workflow.id, {"title": "x" * 20})


async def test_a_start_may_wait(
    engine: Engine, principal: Principal, workflow: Workflow, clock: ManualClock
) -> None:
    later = clock.now() + timedelta(hours=1)

    await engine.start_execution(principal, workflow.id, INPUT, None, later)

    execution = await Execution.get()
    assert (execution.status, execution.ready_at) == ("WAITING", later)


async def test_a_trigger_that_is_off_can_be_fired_by_hand(
    engine: Engine, principal: Principal, button: Trigger, waker: FakeWaker
) -> None:
    launched = await engine.run_trigger(principal, button.id, INPUT)

    execution, firing = await Execution.get(), await Firing.get()
    assert execution.input == {"title": "It crashes", "count": 1}
    assert (execution.trigger_id, execution.firing_id) == (button.id, firing.id)
    assert (firing.outcome, firing.actor_id) == ("STARTED", principal.user_id)
    assert (firing.execution_id, firing.payload) == (launched.execution_id, INPUT)
    assert waker.count == 1


async def test_a_webhook_can_be_fired_by_hand(
    engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    asked = TriggerDraft(workflow_id=workflow.id, name="Hook", config=WebhookConfig())
    hook, _ = await engine.create_trigger(principal, asked)

    launched = await engine.run_trigger(principal, hook.id, INPUT)

    assert (await Execution.get(id=launched.execution_id)).trigger_type == "MANUAL"


async def test_firing_twice_with_one_key_starts_once(
    engine: Engine, principal: Principal, button: Trigger, waker: FakeWaker
) -> None:
    first = await engine.run_trigger(principal, button.id, INPUT, "k")
    again = await engine.run_trigger(principal, button.id, INPUT, "k")

    assert (first.execution_id, again.is_new, waker.count) == (again.execution_id, False, 1)
    rows = await Firing.all()
    assert sorted((row.outcome, row.dedupe_key) for row in rows) == [
        ("DUPLICATE", "key k"),
        ("STARTED", "key k"),
    ]


async def test_firing_twice_with_one_key_and_other_input_is_a_mismatch(
    engine: Engine, principal: Principal, button: Trigger
) -> None:
    await engine.run_trigger(principal, button.id, INPUT, "k")

    with pytest.raises(IdempotencyMismatch, match="take a new key") as refused:
        await engine.run_trigger(principal, button.id, {"title": "Other"}, "k")

    assert refused.value.path == ("input", "idempotencyKey")


async def test_a_key_of_a_firing_by_hand_is_free_again_after_24_hours(
    engine: Engine, principal: Principal, button: Trigger, clock: ManualClock
) -> None:
    first = await engine.run_trigger(principal, button.id, INPUT, "k")
    clock.move(hours=24)

    again = await engine.run_trigger(principal, button.id, {"title": "Next day"}, "k")

    assert again.is_new
    assert again.execution_id != first.execution_id


async def test_a_large_input_by_hand_is_kept_cut(
    engine: Engine, principal: Principal, button: Trigger
) -> None:
    await engine.run_trigger(principal, button.id, {"title": "x" * 70_000})

    assert isinstance((await Firing.get()).payload, str)


@pytest.mark.parametrize("verb", ["start_execution", "run_trigger", "cancel_execution"])
@pytest.mark.parametrize("is_foreign", [True, False])
async def test_what_is_not_the_callers_is_not_found(  # noqa: PLR0913, PLR0917 -- two tables of cases
    engine: Engine,
    principal: Principal,
    stranger: Principal,
    workflow: Workflow,
    button: Trigger,
    verb: str,
    is_foreign: bool,  # noqa: FBT001 -- a case
) -> None:
    launched = await engine.start_execution(principal, workflow.id, INPUT)
    own = {
        "start_execution": workflow.id,
        "run_trigger": button.id,
        "cancel_execution": launched.execution_id,
    }

    with pytest.raises(NotFound):
        await getattr(engine, verb)(stranger, own[verb] if is_foreign else "\x00")

    assert await Execution.all().count() == 1


async def test_cancelling_rings_for_the_execution(
    engine: Engine, principal: Principal, workflow: Workflow, feed: FakeFeed
) -> None:
    launched = await engine.start_execution(principal, workflow.id, INPUT)

    await engine.cancel_execution(principal, launched.execution_id, "enough")

    assert feed.rung == [launched.execution_id]
    assert (await Execution.get()).status == "CANCELLED"


async def test_deleting_a_workflow_cancels_its_executions_and_rings_for_them(
    engine: Engine, principal: Principal, workflow: Workflow, feed: FakeFeed
) -> None:
    launched = await engine.start_execution(principal, workflow.id, INPUT)

    assert await engine.delete_workflow(principal, workflow.id, cancel_running=True) == workflow.id

    assert launched.execution_id in feed.rung
    assert (await Execution.get()).status == "CANCELLED"


async def test_a_deleted_workflow_cannot_be_started(
    engine: Engine, principal: Principal, workflow: Workflow, button: Trigger
) -> None:
    await engine.delete_workflow(principal, workflow.id)

    with pytest.raises(NotFound):
        await engine.start_execution(principal, workflow.id, INPUT)
    with pytest.raises(NotFound):
        await engine.run_trigger(principal, button.id, INPUT)
