"""A scene in which executions end, triggers hear of it, and start others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from promptpilot.engine.api import Engine
from promptpilot.engine.definition import Step
from promptpilot.engine.endpoints.outbox import Outbox
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.news import News
from promptpilot.models import Execution, PlatformEvent, Trigger, Workflow
from tests.support.bench import Bench, is_final, is_waiting
from tests.support.drafts import draft, transform, variable
from tests.support.listeners import make_listener


@dataclass
class Scene:
    """Everything it takes to make news and to tell them."""

    engine: Engine
    principal: Principal
    bench: Bench

    def new_news(self) -> News:
        """Make something that tells news, as another process would have."""
        return News(
            self.engine.database,
            self.engine.parts.dispatcher,
            Outbox(self.engine.clock),
            self.engine.clock,
        )

    async def listen(self, pattern: str, **config: Any) -> Trigger:
        """Store a trigger that hears of events and starts a workflow that completes."""
        inputs = (variable("title"),)
        made = draft(transform("a"), variables=inputs, name="Listening")
        workflow = await self.engine.create_workflow(self.principal, made)
        return await make_listener(self.engine, self.principal, workflow, pattern, **config)

    async def workflow(self, *steps: Step) -> Workflow:
        """Store a workflow called "Told"."""
        return await self.engine.create_workflow(self.principal, draft(*steps, name="Told"))

    async def start(self, *steps: Step) -> Execution:
        """Start a workflow of these steps by hand."""
        workflow = await self.workflow(*steps)
        launched = await self.engine.start_execution(self.principal, workflow.id)
        return await Execution.get(id=launched.execution_id)

    async def play(self, *steps: Step) -> Execution:
        """Start a workflow of these steps, and run it until it ends or waits."""
        execution = await self.start(*steps)
        await self.run_all()
        return await Execution.get(id=execution.id)

    async def run_all(self) -> int:
        """Run every execution that is new until it ends or waits; return how many there were."""
        rows = await Execution.filter(status="PENDING")
        async with self.bench.running():
            for row in rows:
                await self.bench.until(row.id, lambda each: is_final(each) or is_waiting(each))
        return len(rows)

    async def settle(self) -> None:
        """Run executions and tell their news until nothing happens any more."""
        news = self.new_news()
        while await self.run_all() + await news.tell():
            pass


async def told() -> list[PlatformEvent]:
    """Return the events that were made, in order."""
    return await PlatformEvent.all().order_by("id")
