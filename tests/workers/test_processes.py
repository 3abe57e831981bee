"""Workers take over from one another, and stop well, whichever command started them."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from promptpilot.backbone import Backbone, open_backbone
from promptpilot.engine.definition import Step
from promptpilot.engine.drafts import WorkflowDraft
from promptpilot.engine.principal import Principal
from promptpilot.engine.step_configs import ModelProvider, ModelTarget, PromptConfig
from promptpilot.models import Execution, Firing, Trigger
from tests.support.backbones import settings_for
from tests.support.children import start_child, stop_child
from tests.support.drafts import draft, prompt, transform
from tests.support.people import make_principal
from tests.support.processes import Command, Commands, environment
from tests.support.redis import RedisServer
from tests.support.schedules import store_trigger
from tests.support.waiting import wait_until


class Site:
    """An engine without a worker of its own, and processes that are."""

    def __init__(self, backbone: Backbone, principal: Principal, commands: Commands) -> None:
        self._backbone = backbone
        self._principal = principal
        self._commands = commands
        settings = backbone.settings
        self.settings = {
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "MASTER_KEYS": settings.master_keys.get_secret_value(),
        }
        self.engine = backbone.engine()

    async def start_worker(self) -> Command:
        """Start `promptpilot worker` and wait until it works."""
        worker = self._commands.start("worker", **self.settings)
        await worker.says("worker.ready")
        return worker

    async def launch(self) -> str:
        """Start a workflow of two steps and return the execution's id."""
        workflow = await self.engine.create_workflow(self._principal, _quick())
        return (await self.engine.start_execution(self._principal, workflow.id)).execution_id

    async def launch_slow(self) -> str:
        """Start a workflow whose only step takes half a minute."""
        script = {"extra": {"latencyMs": 30_000}}
        model = ModelTarget(ModelProvider.SIMULATOR, "slow", parameters=script)
        step = Step("slow", PromptConfig((model,), content="Wait."))
        draft = WorkflowDraft(name="Slow", steps=(step,))
        workflow = await self.engine.create_workflow(self._principal, draft)
        return (await self.engine.start_execution(self._principal, workflow.id)).execution_id

    async def schedule(self) -> Trigger:
        """Store a trigger that was due at the last full minute."""
        workflow = await self.engine.create_workflow(self._principal, _quick())
        now = self._backbone.clock.now()
        before = now - timedelta(minutes=1)
        return await store_trigger(workflow, before, "* * * * *")


def _quick() -> WorkflowDraft:
    """Draft a workflow that ends at once."""
    return draft(prompt("ask"), transform("tell", text="steps.ask.output"))


async def wait_status(execution_id: str, status: str) -> None:
    """Wait until an execution has a status."""

    async def has_status() -> bool:
        return (await Execution.get(id=execution_id)).status == status

    await wait_until(has_status, 30)


async def _has_completed(trigger: Trigger) -> bool:
    return await Execution.filter(trigger_id=trigger.id, status="COMPLETED").exists()


async def finish(execution_id: str) -> None:
    """Wait until an execution is COMPLETED."""
    await wait_status(execution_id, "COMPLETED")


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    """Give a starter of commands."""
    starter = Commands(tmp_path)
    yield starter
    starter.end_all()


@pytest.fixture
async def site(
    database_url: str, redis_server: RedisServer, commands: Commands
) -> AsyncIterator[Site]:
    """Give an installation without a worker yet."""
    async with open_backbone(settings_for(database_url, redis_server.url), []) as backbone:
        yield Site(backbone, await make_principal("owner", backbone.clock), commands)


async def test_a_worker_runs_what_another_process_started(site: Site) -> None:
    await site.start_worker()

    await finish(await site.launch())


async def test_a_worker_runs_what_was_started_before_it(site: Site) -> None:
    execution_id = await site.launch()

    await site.start_worker()

    await finish(execution_id)


@pytest.mark.parametrize("loss", ["kill", "restart", "pause"])
async def test_a_worker_goes_on_when_redis_is_lost(
    site: Site, redis_server: RedisServer, loss: str
) -> None:
    worker = await site.start_worker()

    getattr(redis_server, loss)()

    await finish(await site.launch())
    assert worker.child.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_drains_and_ends_well(site: Site, number: signal.Signals) -> None:
    worker = await site.start_worker()

    assert await worker.stop(number) == 0, worker.output

    assert "worker.drained" in worker.output


async def test_a_scheduler_ends_well(site: Site, commands: Commands) -> None:
    scheduler = commands.start("scheduler", **site.settings)
    await scheduler.says("scheduler.ready")

    assert await scheduler.stop() == 0


async def test_a_scheduler_fires_what_is_due_and_rings_for_a_worker(
    site: Site, commands: Commands
) -> None:
    await site.start_worker()
    scheduler = commands.start("scheduler", **site.settings)
    await scheduler.says("scheduler.ready")

    trigger = await site.schedule()

    await wait_until(lambda: _has_completed(trigger), 30)
    firing = await Firing.filter(trigger_id=trigger.id).order_by("scheduled_for").first()
    assert firing is not None
    assert firing.outcome == "STARTED"
    assert await scheduler.stop() == 0


async def test_arq_itself_can_start_a_worker(site: Site, tmp_path: Path) -> None:
    program = [str(Path(sys.executable).with_name("arq")), "workers.settings.WorkerSettings"]
    child = start_child(program, tmp_path / "arq.log", env=environment(site.settings))

    try:
        await finish(await site.launch())
    finally:
        stop_child(child, signal.SIGTERM)

    assert "Traceback" not in (tmp_path / "arq.log").read_text()


async def test_a_second_signal_gives_everything_back_at_once(site: Site) -> None:
    worker = await site.start_worker()
    execution_id = await site.launch_slow()
    await wait_status(execution_id, "RUNNING")

    worker.child.send_signal(signal.SIGTERM)
    await worker.says("is_urgent=False")
    assert await worker.stop() == 0, worker.output

    assert (await Execution.get(id=execution_id)).owner is None
