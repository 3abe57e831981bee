"""Proves that progress read back from the tables is the progress that was made."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptpilot.engine import story
from promptpilot.engine.commits import open_committer
from promptpilot.engine.commits.items import Claimed
from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.scope import SkipReason
from promptpilot.engine.step_configs import StepType
from promptpilot.engine.steps.base import Done, StepContext, Waiting
from promptpilot.engine.steps.registry import EXECUTORS
from promptpilot.engine.story import load_story
from promptpilot.models import StepExecution
from promptpilot.models.database import connect
from tests.support import database as databases
from tests.support.bench import Bench
from tests.support.clock import ManualClock
from tests.support.drafts import transform
from tests.support.ledgers import made_claimed
from tests.support.models import workflow
from tests.support.people import make_principal


@dataclass
class Watching:
    """Runs steps as they are, and remembers what each of them saw."""

    seen: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    async def run(self, context: StepContext) -> Done | Waiting:
        """Remember the scope and do the work."""
        self.seen[context.step.name] = context.scope
        return await EXECUTORS[context.step.type].run(context)


async def watch(bench: Bench, definition: Definition) -> tuple[str, Watching]:
    """Run an execution to its end; return what its steps saw."""
    watching = Watching()
    tools = bench.tools_with(executors=dict.fromkeys(StepType, watching))
    execution_id = await bench.launch(definition)
    await bench.finish(execution_id, bench.runner(tools))
    return execution_id, watching


async def claimed_of(bench: Bench, execution_id: str) -> Claimed:
    """Return a claim of the execution as it stands now."""
    row = await bench.stored(execution_id)
    return made_claimed(
        id=row.id,
        workflow_id=row.workflow_id,
        position=row.position or 1,
        created_at=int(row.created_at.timestamp() * 1000),
    )


@asynccontextmanager
async def fresh_bench(template: Path) -> AsyncIterator[Bench]:
    """Give a bench on a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        database = await connect(databases.copy_sqlite(template, Path(folder)))
        clock = ManualClock()
        committer = await open_committer(database, clock=clock)
        principal = await make_principal("ada", clock)
        yield Bench(database, committer, clock, principal.workspace_id)
        await committer.close()
        await database.close()


@st.composite
def computing(draw: st.DrawFn) -> Definition:
    """Draw steps that compute values of every kind, some of them left out or failing."""
    count = draw(st.integers(1, 5))
    return Definition(tuple(draw(_steps(position)) for position in range(count)))


@st.composite
def _steps(draw: st.DrawFn, position: int) -> Step:
    values = ["1", "1.0", "1/3", "'ä'", "null", "[1, 2.5, 'x']", "{'a': {'b': [true]}}", "now"]
    config = transform(f"s{position}", x=draw(st.sampled_from(values)), y="output.x").config
    return Step(
        f"s{position}",
        config,
        id=f"st_{position}",
        outputs={f"v{position}": draw(st.sampled_from(["output.x", "now", "output", "nope"]))},
        run_if=draw(st.sampled_from([None, "true", "false", "previous == null", "1"])),
        continue_on_error=True,
    )


@given(computing())
@settings(max_examples=25, deadline=None)
def test_what_is_read_back_is_what_the_steps_saw(
    sqlite_template: Path, definition: Definition
) -> None:
    async def compare() -> None:
        async with fresh_bench(sqlite_template) as bench:
            execution_id, watching = await watch(bench, definition)
            claimed = await claimed_of(bench, execution_id)
            for position in reversed(range(len(definition.steps))):
                await StepExecution.filter(position__gte=position).delete()
                name = definition.steps[position].name
                scope = (await load_story(claimed, definition)).progress.scope()
                if name in watching.seen:
                    assert _own(scope) == _own(watching.seen[name])

    asyncio.run(compare())


def _own(scope: Mapping[str, Any]) -> dict[str, Any]:
    return {name: scope[name] for name in ("steps", "vars", "previous")}


async def test_at_the_first_claim_nothing_is_read(bench: Bench) -> None:
    progress = (await load_story(made_claimed(input='{"n":1}'), Definition())).progress

    assert (progress.input, progress.results) == ({"n": 1}, {})


async def test_a_row_says_how_its_step_ended(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(transform("a"), Step("b", transform("b").config,
        run_if="false")))  # fmt: skip
    await bench.finish(execution_id)

    rows = await StepExecution.all().order_by("position")
    ended, skipped = map(story.outcome_of, rows)

    assert (ended.status, ended.output) == (StepStatus.COMPLETED, {"value": 2})
    assert (skipped.status, skipped.skip_reason) == (StepStatus.SKIPPED, SkipReason.GUARD)


@pytest.mark.parametrize("data", [None, '{"headers":{"h":"1"},"payload":[1]}'])
def test_the_facts_of_an_execution(data: str | None) -> None:
    claimed = made_claimed(trigger_id="trg_1", trigger_data=data, created_at=1_000)

    facts = story.facts(claimed)

    assert facts["trigger"] == {
        "type": "WEBHOOK",
        "id": "trg_1",
        "scheduledFor": None,
        "headers": {"h": "1"} if data else None,
        "payload": [1] if data else None,
    }
    assert facts["execution"] == {"id": "ex_1", "createdAt": "1970-01-01T00:00:01.000Z"}
    assert facts["workflow"] == {"id": "wf_1", "revision": 1}
