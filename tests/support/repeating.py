"""What it takes to let executions fail, mend their workflows and run them again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from promptpilot import ids
from promptpilot.engine.commits import Committer
from promptpilot.engine.dead_letters import DeadLetters
from promptpilot.engine.definition import Definition, digest, dump
from promptpilot.engine.launch import Launched
from promptpilot.engine.principal import Principal
from promptpilot.engine.repeats import RepeatRequest, Repeats
from promptpilot.errors import StepFailed
from promptpilot.models import Execution, StepExecution, Workflow, WorkflowVersion
from tests.support.bench import Bench
from tests.support.models import ScriptedModel

#: What a model answers to what it will never do.
NO = StepFailed("I will not.", "PROVIDER_BAD_REQUEST")


@dataclass
class Repeater:
    """Launches, runs and repeats executions of one workspace, with one model."""

    bench: Bench
    principal: Principal
    model: ScriptedModel = field(default_factory=ScriptedModel)

    @property
    def repeats(self) -> Repeats:
        """Give what is tested."""
        return self.repeats_by(self.bench.committer)

    def repeats_by(self, committer: Committer) -> Repeats:
        """Give what is tested, on another way in for writes."""
        bench = self.bench
        return Repeats(bench.database, committer, bench.launcher, bench.versions)

    @property
    def dead_letters(self) -> DeadLetters:
        """Give what resolves dead letters."""
        return DeadLetters(self.bench.database, self.bench.clock, self.repeats)

    async def run(self, definition: Definition, **request: Any) -> str:
        """Run a new execution until it is final; return its id."""
        execution_id = await self.bench.launch(definition, **request)
        await self.finish(execution_id)
        return execution_id

    async def finish(self, execution_id: str) -> Execution:
        """Run an execution until it is final."""
        tools = self.bench.tools_with(providers=self.model.providers)
        return await self.bench.finish(execution_id, self.bench.runner(tools))

    async def launch_repeat(
        self, execution_id: str, step: str | None = None, **others: Any
    ) -> Launched:
        """Store a repeat."""
        request = RepeatRequest(execution_id, step, **others)
        return await self.repeats.repeat(self.principal, request)

    async def repeat(self, execution_id: str, step: str | None = None, **others: Any) -> Execution:
        """Run a repeat until it is final."""
        launched = await self.launch_repeat(execution_id, step, **others)
        return await self.finish(launched.execution_id)

    async def change(self, execution_id: str, definition: Definition) -> WorkflowVersion:
        """Give the workflow of an execution a newest version, of revision 2."""
        execution, now = await self.bench.stored(execution_id), self.bench.clock.now()
        version = await WorkflowVersion.create(
            id=ids.new_id(ids.Kind.WORKFLOW_VERSION),
            workspace_id=execution.workspace_id,
            workflow_id=execution.workflow_id,
            number=2,
            definition=dump(definition),
            definition_hash=digest(definition),
            created_at=now,
        )
        await Workflow.create(
            id=execution.workflow_id,
            workspace_id=execution.workspace_id,
            name="W",
            is_active=False,
            tags=[],
            metadata={},
            revision=2,
            current_version_id=version.id,
            created_at=now,
            updated_at=now,
        )
        return version


async def steps_of(execution_id: str) -> list[StepExecution]:
    """Return the stored steps in order."""
    return await StepExecution.filter(execution_id=execution_id).order_by("position")


async def reused(execution_id: str) -> list[str | None]:
    """Return what each stored step was taken over from."""
    return [row.reused_from for row in await steps_of(execution_id)]
