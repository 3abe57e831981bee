"""Proves that a launch stores one execution for its key, and nothing when it is refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.commits import open_committer
from promptpilot.engine.definition import DataType, Definition, Step
from promptpilot.engine.launch import (
    FiringDraft,
    Idempotency,
    Launched,
    Launcher,
    LaunchRequest,
    Target,
    request_digest,
)
from promptpilot.engine.received import reads_trigger_data
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.errors import (
    IdempotencyMismatch,
    InvalidInput,
    InvalidMany,
    InvalidStatus,
    LimitExceeded,
    NotFound,
    PromptPilotError,
)
from promptpilot.models import Execution, Firing, Workflow
from tests.support.bench import Bench
from tests.support.drafts import prompt, transform, variable
from tests.support.ledgers import rows_of

DEFINITION = Definition(
    (transform("a"),),
    (variable("n", DataType.NUMBER, is_required=True), variable("tone", default="kind")),
)
DATA = {"headers": {"h": "1"}, "payload": {"n": 1}}


@pytest.fixture
async def target(bench: Bench) -> Target:
    """Give a workflow with a required and an optional input."""
    return await bench.target(DEFINITION)


def asked(target: Target, **others: Any) -> LaunchRequest:
    """Make a request that is accepted."""
    given: dict[str, Any] = {"input": {"n": 1}, "trigger_type": TriggerType.WEBHOOK, **others}
    return LaunchRequest(target=target, **given)


def key(text: str = "k", sha256: str = "a") -> Idempotency:
    """Make an idempotency key."""
    return Idempotency("start", text, sha256)


def firing(dedupe_key: str | None = "d1", body: str = "a") -> FiringDraft:
    """Make a firing."""
    return FiringDraft(
        id=ids.new_id(ids.Kind.FIRING),
        trigger_id="trg_1",
        dedupe_key=dedupe_key,
        body_sha256=body,
        scheme="GITHUB",
        is_verified=True,
        payload={"a": 1},
        source_ip="192.0.2.1",
    )


async def test_a_launch_is_stored_with_its_defaults(bench: Bench, target: Target) -> None:
    launched = await bench.launcher.launch(asked(target, started_by="usr_1"))

    row = await bench.stored(launched.execution_id)
    assert launched == Launched(row.id, is_new=True)
    assert (row.status, row.input) == ("PENDING", {"n": 1, "tone": "kind"})
    assert (row.workflow_version_id, row.workflow_revision) == (target.version_id, 1)
    assert (row.started_by, row.trigger_type, row.ready_at) == (
        "usr_1",
        "WEBHOOK",
        bench.clock.now(),
    )


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"input": {}}, InvalidMany),
        ({"input": {"n": "1"}}, InvalidMany),
        ({"input": {"n": 1, "x": 1}}, InvalidMany),
        ({"input": {"n": float("inf")}}, InvalidInput),
        ({"input": {"n": 1, "tone": "x" * 300_000}}, LimitExceeded),
        ({"idempotency": Idempotency("start", "", "a")}, InvalidInput),
        ({"idempotency": Idempotency("start", "k" * 256, "a")}, InvalidInput),
    ],
    ids=["missing", "type", "unknown", "not JSON", "size", "no key", "long key"],
)
async def test_a_refused_launch_stores_nothing(
    bench: Bench, target: Target, change: dict[str, Any], error: type[PromptPilotError]
) -> None:
    with pytest.raises(error):
        await bench.launcher.launch(asked(target, **{"firing": None, **change}))

    assert not any((await rows_of(bench.database)).values())


async def test_the_input_is_blamed_where_the_caller_gave_it(bench: Bench, target: Target) -> None:
    with pytest.raises(InvalidMany) as refusal:
        await bench.launcher.launch(asked(target, input={}, input_path=("payload",)))

    assert refusal.value.errors[0].path == ("payload", "n")


async def test_the_size_of_an_input_is_a_setting(bench: Bench, target: Target) -> None:
    small = Launcher(bench.database, bench.committer, bench.versions, bench.clock, 10)

    with pytest.raises(LimitExceeded):
        await small.launch(asked(target))


async def test_an_inactive_workflow_is_started_by_people_alone(
    bench: Bench, target: Target
) -> None:
    inactive = replace(target, is_active=False)

    with pytest.raises(InvalidStatus):
        await bench.launcher.launch(asked(inactive))
    launched = await bench.launcher.launch(asked(inactive, trigger_type=TriggerType.MANUAL))

    assert await Execution.filter(id=launched.execution_id).count() == 1


async def test_a_start_in_the_past_is_a_start_now(bench: Bench, target: Target) -> None:
    past = bench.clock.now() - timedelta(days=1)

    launched = await bench.launcher.launch(asked(target, start_at=past))

    assert (await bench.stored(launched.execution_id)).status == "PENDING"


async def test_a_start_in_the_future_waits(bench: Bench, target: Target) -> None:
    at = bench.clock.now() + timedelta(days=365)

    launched = await bench.launcher.launch(asked(target, start_at=at))

    row = await bench.stored(launched.execution_id)
    assert (row.status, row.wait_reason, row.ready_at) == ("WAITING", "DELAY", at)


async def test_a_start_is_at_most_a_year_ahead(bench: Bench, target: Target) -> None:
    at = bench.clock.now() + timedelta(days=365, milliseconds=1)

    with pytest.raises(InvalidInput) as refusal:
        await bench.launcher.launch(asked(target, start_at=at))

    assert refusal.value.path == ("input", "startAt")


@pytest.mark.parametrize("wait", [timedelta(0), timedelta(hours=1)], ids=["now", "later"])
async def test_the_time_of_an_execution_counts_from_its_start(
    bench: Bench, wait: timedelta
) -> None:
    start_at = bench.clock.now() + wait
    definition = replace(DEFINITION, execution_timeout_seconds=90)

    execution_id = await bench.launch(definition, input={"n": 1}, start_at=start_at)

    row = await bench.stored(execution_id)
    assert row.deadline_at == start_at + timedelta(seconds=90)


async def test_without_a_limit_an_execution_has_no_deadline(bench: Bench) -> None:
    execution_id = await bench.launch(DEFINITION, input={"n": 1})

    assert (await bench.stored(execution_id)).deadline_at is None


async def test_a_repeated_key_finds_the_first_execution(bench: Bench, target: Target) -> None:
    first = await bench.launcher.launch(asked(target, idempotency=key()))

    again = await bench.launcher.launch(asked(target, idempotency=key()))

    assert again == Launched(first.execution_id, is_new=False)
    assert await Execution.all().count() == 1


async def test_a_key_belongs_to_one_question(bench: Bench, target: Target) -> None:
    await bench.launcher.launch(asked(target, idempotency=key()))

    with pytest.raises(IdempotencyMismatch):
        await bench.launcher.launch(asked(target, idempotency=key(sha256="b")))

    assert await Execution.all().count() == 1


async def test_a_key_belongs_to_one_workspace(bench: Bench, target: Target) -> None:
    await bench.launcher.launch(asked(target, idempotency=key()))
    other = replace(target, workspace_id="ws_2")

    assert (await bench.launcher.launch(asked(other, idempotency=key()))).is_new


async def test_a_key_may_be_used_again_after_a_day(bench: Bench, target: Target) -> None:
    first = await bench.launcher.launch(asked(target, idempotency=key()))
    bench.clock.move(hours=24)

    again = await bench.launcher.launch(asked(target, idempotency=key(sha256="b")))

    assert again.is_new
    assert again.execution_id != first.execution_id


@pytest.mark.parametrize("kind", ["key", "firing"])
async def test_concurrent_launches_with_one_key_start_one_execution(
    bench: Bench, target: Target, kind: str
) -> None:
    other = await open_committer(bench.database, clock=bench.clock)
    launchers = [
        Launcher(bench.database, each, bench.versions, bench.clock)
        for each in (bench.committer, other)
    ]
    requests = enumerate(_repeat(target, kind) for _ in range(20))
    launched = await asyncio.gather(*[launchers[n % 2].launch(each) for n, each in requests])
    await other.close()

    assert len({each.execution_id for each in launched}) == 1
    assert [each.is_new for each in launched].count(True) == 1
    assert await Execution.all().count() == 1


def _repeat(target: Target, kind: str) -> LaunchRequest:
    if kind == "key":
        return asked(target, idempotency=key())
    return asked(target, firing=firing(), trigger_id="trg_1")


async def test_a_firing_is_stored_with_what_it_started(bench: Bench, target: Target) -> None:
    draft = firing()

    launched = await bench.launcher.launch(asked(target, firing=draft, trigger_id="trg_1"))

    (row,) = await Firing.all()
    assert (row.id, row.outcome, row.execution_id) == (draft.id, "STARTED", launched.execution_id)
    assert (row.payload, row.scheme, row.is_verified) == ({"a": 1}, "GITHUB", True)
    assert (row.workspace_id, row.trigger_type) == (target.workspace_id, "WEBHOOK")
    assert launched.firing_id == draft.id


async def test_a_repeated_message_is_recorded_and_starts_nothing(
    bench: Bench, target: Target
) -> None:
    first = await bench.launcher.launch(asked(target, firing=firing(), trigger_id="trg_1"))
    draft = firing()

    again = await bench.launcher.launch(asked(target, firing=draft, trigger_id="trg_1"))

    assert again == Launched(first.execution_id, is_new=False, firing_id=draft.id)
    row = await Firing.get(id=draft.id)
    assert (row.outcome, row.execution_id) == ("DUPLICATE", first.execution_id)
    assert await Execution.all().count() == 1


async def test_a_message_id_with_another_body_is_refused_and_recorded(
    bench: Bench, target: Target
) -> None:
    await bench.launcher.launch(asked(target, firing=firing(), trigger_id="trg_1"))
    draft = firing(body="b")

    with pytest.raises(IdempotencyMismatch):
        await bench.launcher.launch(asked(target, firing=draft, trigger_id="trg_1"))

    row = await Firing.get(id=draft.id)
    assert (row.outcome, row.failure_code) == ("REJECTED", "IDEMPOTENCY_MISMATCH")


async def test_messages_without_an_id_all_start(bench: Bench, target: Target) -> None:
    for _ in range(2):
        await bench.launcher.launch(asked(target, firing=firing(None), trigger_id="trg_1"))

    assert await Execution.all().count() == 2


@pytest.mark.parametrize(
    ("step", "is_read"),
    [
        (transform("a", x="trigger.payload.n"), True),
        (transform("a", x="trigger.headers"), True),
        (transform("a", x="trigger"), True),
        (transform("a", x="trigger['payload']"), True),
        (prompt("a", "{{ trigger.payload.n }}"), True),
        (transform("a", x="trigger.type"), False),
        (transform("a", x="input.payload"), False),
    ],
    ids=["a field", "headers", "all", "an index", "a template", "the type", "the input"],
)
async def test_what_the_trigger_received_is_stored_only_if_it_is_read(
    bench: Bench, step: Step, *, is_read: bool
) -> None:
    definition = Definition((step,))

    execution_id = await bench.launch(definition, trigger_data=DATA)

    assert reads_trigger_data(definition) == is_read
    assert (await bench.stored(execution_id)).trigger_data == (DATA if is_read else None)


async def test_a_workflow_is_found_by_its_workspace(bench: Bench, target: Target) -> None:
    row = await Workflow.create(
        id=target.workflow_id,
        workspace_id=bench.workspace_id,
        name="W",
        is_active=True,
        tags=[],
        metadata={},
        revision=1,
        current_version_id=target.version_id,
        created_at=bench.clock.now(),
        updated_at=bench.clock.now(),
    )

    assert await bench.launcher.target(bench.workspace_id, row.id) == target


@pytest.mark.parametrize("id", ["", "wf_1", "ex_0123456789abcdefghjkmnpqrs", "x"])
async def test_an_unknown_workflow_is_not_found(bench: Bench, id: str) -> None:
    with pytest.raises(NotFound):
        await bench.launcher.target(bench.workspace_id, id)


async def test_another_workspaces_workflow_is_not_found(bench: Bench, target: Target) -> None:
    with pytest.raises(NotFound) as refusal:
        await bench.launcher.target("ws_other", target.workflow_id)

    assert refusal.value.id == target.workflow_id


def test_equal_questions_have_equal_digests() -> None:
    assert request_digest({"a": 1, "b": 2}, "x") == request_digest({"b": 2, "a": 1}, "x")
    assert request_digest({"a": 1}) != request_digest({"a": 2})
    assert request_digest("a", "b") != request_digest("ab")
