"""Proves whom an event is told to, that each is told once, and what is kept where nothing ran."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from promptpilot.engine.api import Engine, EventDraft
from promptpilot.engine.assembly import Foundation, assemble
from promptpilot.engine.drafts import TriggerChange, WorkflowChange
from promptpilot.engine.launch import Launched, Launcher, LaunchRequest
from promptpilot.engine.principal import Principal
from promptpilot.engine.versions import Versions
from promptpilot.errors import (
    CallerError,
    IdempotencyMismatch,
    InvalidInput,
    InvalidMany,
    LimitExceeded,
    NotFound,
    Unavailable,
)
from promptpilot.models import Execution, Firing, PlatformEvent, Workflow, WorkflowVersion
from tests.support.clock import ManualClock
from tests.support.drafts import draft, transform, variable
from tests.support.fakes import FakeWaker
from tests.support.listeners import ORDER, dispatch, make_listener, outcomes


@pytest.fixture
async def other(engine: Engine, principal: Principal) -> Workflow:
    """Give another workflow, which needs no input."""
    inputs = (variable("title"),)
    asked = draft(transform("a"), name="Other", variables=inputs)
    return await engine.create_workflow(principal, asked)


async def test_an_event_starts_one_execution_for_each_trigger_that_listens(
    engine: Engine, principal: Principal, workflow: Workflow, waker: FakeWaker
) -> None:
    listeners = [await make_listener(engine, principal, workflow) for _ in range(3)]
    await make_listener(engine, principal, workflow, "order.deleted")

    done = await dispatch(engine, principal)

    rows = await Execution.filter(id__in=done.execution_ids)
    assert {row.trigger_id for row in rows} == {each.id for each in listeners}
    assert await Execution.all().count() == len(done.execution_ids) == len(listeners)
    assert {(row.trigger_type, row.depth) for row in rows} == {("EVENT", 0)}
    assert (done.is_new, waker.count) == (True, 1)


async def test_an_event_is_stored_and_marked_as_dispatched(
    engine: Engine, principal: Principal, clock: ManualClock
) -> None:
    done = await dispatch(engine, principal)

    event = await PlatformEvent.get(id=done.event_id)
    assert (event.type, event.payload, event.actor_id) == (
        "order.created",
        ORDER,
        principal.user_id,
    )
    assert (event.created_at, event.dispatched_at) == (clock.now(), clock.now())
    assert done.execution_ids == ()


@pytest.mark.parametrize(
    ("pattern", "event_type", "count"),
    [
        ("order.created", "order.created", 1),
        ("order.created", "order.created.twice", 0),
        ("order.*", "order.created", 1),
        ("order.*", "order.line.added", 1),
        ("order.*", "order", 0),
        ("order.*", "orders.created", 0),
        ("Order.created", "order.created", 0),
    ],
)
async def test_a_pattern_tells_which_events_a_trigger_hears(
    pattern: str,
    event_type: str,
    count: int,
    engine: Engine,
    principal: Principal,
    other: Workflow,
) -> None:
    await make_listener(engine, principal, other, pattern)

    done = await dispatch(engine, principal, event_type)

    assert len(done.execution_ids) == count


async def test_an_event_for_one_workflow_is_told_to_its_triggers_alone(
    engine: Engine, principal: Principal, workflow: Workflow, other: Workflow
) -> None:
    meant = await make_listener(engine, principal, other)
    left_out = await make_listener(engine, principal, workflow)

    done = await dispatch(engine, principal, workflow_id=other.id)

    assert len(done.execution_ids) == 1
    assert (await outcomes(meant), await outcomes(left_out)) == (["STARTED"], [])


async def test_nobody_of_another_workspace_is_told(
    engine: Engine, principal: Principal, stranger: Principal, workflow: Workflow
) -> None:
    await make_listener(engine, principal, workflow)

    done = await dispatch(engine, stranger)

    assert (done.execution_ids, await Firing.exists()) == ((), False)


async def test_the_payload_is_an_input_of_its_name_and_the_default_input_stays(
    engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    await make_listener(engine, principal, workflow)

    await dispatch(engine, principal)

    assert (await Execution.get()).input == {"title": "Default", "payload": ORDER}


async def test_a_mapping_makes_the_input_of_the_event(
    engine: Engine, principal: Principal, workflow: Workflow, clock: ManualClock
) -> None:
    mapping = {
        "title": "event.type + ' ' + event.payload.title + ' ' + event.createdAt + event.source",
        "count": "event.payload.total / 2",
    }
    await make_listener(engine, principal, workflow, input_mapping=mapping)

    await dispatch(engine, principal)

    title = "order.created Two chairs 2026-09-01T12:00:30.000Zuser"
    assert (await Execution.get()).input == {"title": title, "count": 60}


@pytest.mark.parametrize(
    ("test", "outcome", "code"),
    [
        ("event.payload.total > 100", "STARTED", None),
        ("event.payload.total > 200", "FILTERED", None),
        ("event.payload.missing > 1", "FILTERED", "EXPRESSION_ERROR"),
        ("event.payload.total", "FILTERED", "EXPRESSION_TYPE"),
    ],
)
async def test_a_filter_decides_and_its_failure_is_kept(
    test: str,
    outcome: str,
    code: str | None,
    engine: Engine,
    principal: Principal,
    workflow: Workflow,
) -> None:
    await make_listener(engine, principal, workflow, filter=test)

    done = await dispatch(engine, principal)

    firing = await Firing.get()
    assert (firing.outcome, firing.dedupe_key) == (outcome, done.event_id)
    assert (firing.error or {}).get("code") == code
    assert bool(done.execution_ids) is (outcome == "STARTED")
    assert (firing.payload, firing.actor_id) == (ORDER, principal.user_id)


async def test_input_that_does_not_fit_is_rejected_and_keeps_nobody_from_being_told(
    engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    bad = await make_listener(engine, principal, workflow, input_mapping={"count": "'seven'"})
    worse = await make_listener(engine, principal, workflow, input_mapping={"title": "event.no.no"})
    good = await make_listener(engine, principal, workflow)

    await dispatch(engine, principal)

    assert [await outcomes(each) for each in (bad, worse, good)] == [
        ["REJECTED"],
        ["REJECTED"],
        ["STARTED"],
    ]
    errors = [(await Firing.get(trigger_id=each.id)).error or {} for each in (bad, worse)]
    paths = [each["details"]["errors"][0]["path"] for each in errors]
    assert paths == [["input", "count"], ["input", "title"]]


async def test_what_is_switched_off_starts_nothing_and_says_so(
    engine: Engine, principal: Principal, workflow: Workflow, other: Workflow
) -> None:
    off = await make_listener(engine, principal, workflow)
    await engine.update_trigger(principal, TriggerChange(id=off.id, is_active=False))
    idle = await make_listener(engine, principal, other)
    await engine.update_workflow(principal, WorkflowChange(id=other.id, is_active=False))

    done = await dispatch(engine, principal)

    assert done.execution_ids == ()
    assert (await outcomes(off), await outcomes(idle)) == (["INACTIVE"], ["INACTIVE"])


async def test_the_same_key_and_event_return_the_same_executions(
    engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    await make_listener(engine, principal, workflow)
    first = await dispatch(engine, principal, idempotency_key="k1")
    await make_listener(engine, principal, workflow)

    again = await dispatch(engine, principal, idempotency_key="k1")

    assert (again.execution_ids, again.event_id) == (first.execution_ids, first.event_id)
    assert (first.is_new, again.is_new) == (True, False)
    assert await PlatformEvent.all().count() == 1


@pytest.mark.parametrize(
    "others", [{"payload": {"id": 8}}, {"event_type": "order.changed"}], ids=["payload", "type"]
)
async def test_the_same_key_with_another_event_is_a_mismatch(
    others: Mapping[str, Any], engine: Engine, principal: Principal
) -> None:
    await dispatch(engine, principal, idempotency_key="k1")

    with pytest.raises(IdempotencyMismatch) as refused:
        await dispatch(engine, principal, **{"idempotency_key": "k1", **others})

    assert refused.value.path == ("input", "idempotencyKey")
    assert await PlatformEvent.all().count() == 1


async def test_a_key_is_free_again_after_a_day_and_for_other_workspaces(
    engine: Engine, principal: Principal, stranger: Principal, clock: ManualClock
) -> None:
    first = await dispatch(engine, principal, idempotency_key="k1")
    foreign = await dispatch(engine, stranger, idempotency_key="k1")
    clock.move(hours=24)

    later = await dispatch(engine, principal, idempotency_key="k1")

    assert (foreign.is_new, later.is_new) == (True, True)
    assert len({first.event_id, foreign.event_id, later.event_id}) == 3


async def test_without_a_key_every_dispatch_is_an_event(
    engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    await make_listener(engine, principal, workflow)

    first, second = await dispatch(engine, principal), await dispatch(engine, principal)

    assert first.execution_ids != second.execution_ids
    assert await Execution.all().count() == 2


async def test_fifty_equal_dispatches_at_once_are_one_event(
    engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    started = [await make_listener(engine, principal, workflow) for _ in range(3)]
    filtered = await make_listener(engine, principal, workflow, filter="false")

    done = await asyncio.gather(
        *(dispatch(engine, principal, idempotency_key="k1") for _ in range(50))
    )

    assert await PlatformEvent.all().count() == 1
    assert await Execution.all().count() == len(started)
    assert [await outcomes(each) for each in started] == [["STARTED"]] * 3
    assert await outcomes(filtered) == ["FILTERED"]
    assert (len({each.execution_ids for each in done}), sum(each.is_new for each in done)) == (1, 1)


@pytest.mark.parametrize(
    ("given", "error", "path"),
    [
        ({"event_type": ""}, InvalidInput, ("input", "eventType")),
        ({"event_type": "order.*"}, InvalidInput, ("input", "eventType")),
        ({"event_type": "order..x"}, InvalidInput, ("input", "eventType")),
        ({"event_type": "execution.failed"}, InvalidInput, ("input", "eventType")),
        ({"payload": [1]}, InvalidInput, ("input", "payload")),
        ({"payload": {"a": "\x00"}}, InvalidInput, ("input", "payload", "a")),
        ({"payload": {"a": "x" * 300_000}}, LimitExceeded, ("input", "payload")),
        ({"idempotency_key": "two words"}, InvalidInput, ("input", "idempotencyKey")),
        ({"workflow_id": "wf_nothing"}, NotFound, ("input", "workflowId")),
    ],
)
async def test_what_cannot_be_an_event_is_refused_and_not_stored(
    given: Mapping[str, Any],
    error: type[CallerError],
    path: tuple[str, ...],
    engine: Engine,
    principal: Principal,
) -> None:
    with pytest.raises(error) as refused:
        await dispatch(engine, principal, **given)

    assert refused.value.path == path
    assert not await PlatformEvent.exists()


async def test_several_faults_of_an_event_are_told_at_once(
    engine: Engine, principal: Principal
) -> None:
    with pytest.raises(InvalidMany) as refused:
        await engine.dispatch_event(principal, EventDraft("", [], idempotency_key=""))  # type: ignore[arg-type]  # what a program may send

    assert [each.path[1] for each in refused.value.errors] == [
        "eventType",
        "payload",
        "idempotencyKey",
    ]


async def test_the_workflow_of_somebody_else_is_not_found(
    engine: Engine, stranger: Principal, workflow: Workflow
) -> None:
    with pytest.raises(NotFound):
        await dispatch(engine, stranger, workflow_id=workflow.id)

    assert not await PlatformEvent.exists()


async def test_what_the_trigger_received_is_there_for_steps_that_read_it(
    engine: Engine, principal: Principal
) -> None:
    step = transform("a", total="trigger.payload.total", headers="trigger.headers")
    reader = await engine.create_workflow(principal, draft(step, variables=(variable("title"),)))
    await make_listener(engine, principal, reader)

    await dispatch(engine, principal)

    assert (await Execution.get()).trigger_data == {"headers": {}, "payload": ORDER}


async def test_a_trigger_that_cannot_be_started_for_a_fault_of_ours_hinders_no_other(
    foundation: Foundation,
    engine: Engine,
    principal: Principal,
    workflow: Workflow,
    other: Workflow,
) -> None:
    broken = await make_listener(engine, principal, other)
    whole = await make_listener(engine, principal, workflow)
    await WorkflowVersion.filter(workflow_id=other.id).update(definition={"steps": 7})
    restarted = assemble(replace(foundation, versions=Versions()))

    done = await dispatch(restarted, principal)

    assert (await outcomes(broken), await outcomes(whole)) == (["REJECTED"], ["STARTED"])
    assert ((await Firing.get(trigger_id=broken.id)).error or {})["code"] == "INTERNAL"
    assert (await PlatformEvent.get(id=done.event_id)).dispatched_at is not None


async def test_a_trigger_that_the_database_cut_off_is_told_later(
    engine: Engine, principal: Principal, workflow: Workflow, clock: ManualClock
) -> None:
    listeners = [await make_listener(engine, principal, workflow) for _ in range(3)]
    dispatcher = engine.parts.dispatcher
    whole = dispatcher._launcher
    dispatcher._launcher = _Unreachable(engine, at=2)
    with pytest.raises(Unavailable):
        await dispatch(engine, principal)

    dispatcher._launcher = whole
    clock.move(seconds=6)
    await dispatcher.finish_pending()

    assert [await outcomes(each) for each in listeners] == [["STARTED"]] * 3
    assert (await PlatformEvent.get()).dispatched_at == clock.now()


class _Unreachable(Launcher):
    """Does not reach the database at one of its launches."""

    def __init__(self, engine: Engine, at: int) -> None:
        parts = engine.parts
        committer = parts.launcher._committer
        super().__init__(engine.database, committer, parts.versions, engine.clock)
        self._left = at

    async def launch(self, request: LaunchRequest) -> Launched:
        """Launch, or not."""
        self._left -= 1
        if self._left == 0:
            raise Unavailable("The database does not answer.")
        return await super().launch(request)
