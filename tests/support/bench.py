"""A bench on which tests of the engine launch, run and look at executions, without any edge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from promptpilot import ids
from promptpilot.engine.advance import advance
from promptpilot.engine.commits import Committer
from promptpilot.engine.commits.items import Claimed
from promptpilot.engine.control import Control
from promptpilot.engine.decisions import Decisions
from promptpilot.engine.definition import Definition, digest, dump
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.launch import Launcher, LaunchRequest, Target
from promptpilot.engine.lease import Lease
from promptpilot.engine.ports import HttpSender
from promptpilot.engine.providers.base import Provider
from promptpilot.engine.runner import Runner, RunnerSettings
from promptpilot.engine.step_configs import ModelProvider, StepType
from promptpilot.engine.step_secrets import SecretStore
from promptpilot.engine.steps.base import StepExecutor
from promptpilot.engine.tools import Tools
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.engine.versions import Versions
from promptpilot.models import Execution, ExecutionEvent, WorkflowVersion
from promptpilot.models.database import Database
from tests.support.clock import ManualClock
from tests.support.fakes import FakeFeed, FakeWaker
from tests.support.legality import assert_legal
from tests.support.tools import VAULT, make_tools

#: Nobody waits that long when what is tested works.
PATIENCE_SECONDS = 20.0


@dataclass
class Bench:
    """Everything a runner needs, on one database, with a clock that the test moves."""

    database: Database
    committer: Committer
    clock: ManualClock
    workspace_id: str
    versions: Versions = field(default_factory=Versions)
    feed: FakeFeed = field(default_factory=FakeFeed)
    waker: FakeWaker = field(default_factory=FakeWaker)
    http: HttpSender = field(default_factory=HttpClient)

    @property
    def launcher(self) -> Launcher:
        """Give what starts executions."""
        return Launcher(self.database, self.committer, self.versions, self.clock)

    @property
    def control(self) -> Control:
        """Give what cancels executions."""
        return Control(self.database, self.clock)

    @property
    def tools(self) -> Tools:
        """Give what driving needs, with the real executors and providers."""
        return make_tools(
            self.database,
            self.committer,
            self.feed,
            clock=self.clock,
            versions=self.versions,
            http=self.http,
        )

    @property
    def secret_store(self) -> SecretStore:
        """Give what seals and opens the secrets of steps."""
        return SecretStore(self.database, VAULT, self.clock)

    @property
    def decisions(self) -> Decisions:
        """Give what takes people's answers."""
        return Decisions(self.database, self.clock)

    def tools_with(
        self,
        providers: Mapping[ModelProvider, Provider] | None = None,
        executors: Mapping[StepType, StepExecutor] | None = None,
    ) -> Tools:
        """Give what driving needs, with some of it replaced."""
        tools = self.tools
        tools = replace(tools, providers=providers) if providers else tools
        return replace(tools, executors={**tools.executors, **executors}) if executors else tools

    async def target(self, definition: Definition, *, is_active: bool = True) -> Target:
        """Store a version of a workflow, and return the workflow as launching sees it."""
        row = await WorkflowVersion.create(
            id=ids.new_id(ids.Kind.WORKFLOW_VERSION),
            workspace_id=self.workspace_id,
            workflow_id=ids.new_id(ids.Kind.WORKFLOW),
            number=1,
            definition=dump(definition),
            definition_hash=digest(definition),
            created_at=self.clock.now(),
        )
        return Target(self.workspace_id, row.workflow_id, row.id, 1, is_active)

    async def launch(self, definition: Definition, **request: Any) -> str:
        """Start an execution of the definition, by a webhook unless told otherwise."""
        given: dict[str, Any] = {"input": {}, "trigger_type": TriggerType.WEBHOOK, **request}
        asked = LaunchRequest(target=await self.target(definition), **given)
        return (await self.launcher.launch(asked)).execution_id

    async def claim(self, owner: str = "w1", lease_ms: int = 15_000) -> Claimed:
        """Claim the one execution that is due."""
        (claimed,) = await self.committer.claim(owner, 10, lease_ms)
        return claimed

    async def drive(self, claimed: Claimed, lease: Lease, tools: Tools | None = None) -> None:
        """Drive a claimed execution in this task, as a worker does that is not told to stop."""
        await advance(claimed, lease, tools or self.tools, lambda: False)

    def runner(self, tools: Tools | None = None, **settings: Any) -> Runner:
        """Make a runner that looks for work when it is woken, and hardly on its own."""
        chosen = {"owner": "w1", "poll": timedelta(minutes=10), **settings}
        runner = Runner(tools or self.tools, self.waker, RunnerSettings(**chosen))
        self.waker.call(runner.wake)
        return runner

    @asynccontextmanager
    async def running(self, runner: Runner | None = None) -> AsyncIterator[Runner]:
        """Run a runner for a while, then drain it."""
        runner = runner or self.runner()
        task = asyncio.create_task(runner.run())
        try:
            yield runner
        finally:
            await runner.drain(timedelta(0))
            await task

    async def finish(self, execution_id: str, runner: Runner | None = None) -> Execution:
        """Run until the execution is final."""
        async with self.running(runner):
            return await self.until(execution_id, is_final)

    async def until(self, execution_id: str, condition: Callable[[Execution], bool]) -> Execution:
        """Return the execution as soon as the condition holds; look again at every ring."""
        async with asyncio.timeout(PATIENCE_SECONDS), self.feed.listen(execution_id) as ear:
            while not condition(row := await self.stored(execution_id)):
                await ear.wait(0.1)
        return row

    async def stored(self, execution_id: str) -> Execution:
        """Return the execution as it is stored now."""
        return await Execution.get(id=execution_id)

    async def story(self, execution_id: str) -> list[str]:
        """Return the events as short texts; fail unless they are legal and without a gap."""
        rows = await ExecutionEvent.filter(execution_id=execution_id).order_by("seq")
        assert_legal(rows)
        assert (await self.stored(execution_id)).last_seq == len(rows)
        return [told(row) for row in rows]


def told(event: ExecutionEvent) -> str:
    """Return an event as one short text, such as `0#1 RUNNING` or `COMPLETED`."""
    what = event.to_status or "RETRY"
    return what if event.path is None else f"{event.path}#{event.attempt} {what}"


def is_final(row: Execution) -> bool:
    """Whether the execution has ended."""
    return row.finished_at is not None


def is_waiting(row: Execution) -> bool:
    """Whether the execution waits without a worker."""
    return row.status == "WAITING"


def is_running(row: Execution) -> bool:
    """Whether a step of the execution is being run."""
    return row.status == "RUNNING" and row.current_path is not None
