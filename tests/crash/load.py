"""Executions to run while processes are killed, and what has become of them."""

from __future__ import annotations

from collections.abc import Sequence

from promptpilot.clock import SystemClock
from promptpilot.engine.commits import Committer
from promptpilot.engine.definition import Step
from promptpilot.engine.launch import Launcher, LaunchRequest, Target
from promptpilot.engine.principal import Principal
from promptpilot.engine.step_secrets import SecretStore
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.engine.vault import Vault
from promptpilot.engine.versions import Versions
from promptpilot.engine.workflows import Workflows
from promptpilot.models import Execution
from promptpilot.models.database import Database
from tests.crash.answers import Answers
from tests.support.drafts import draft, variable
from tests.support.effects import Manner
from tests.support.executions import CountedExecutions
from tests.support.people import make_principal
from tests.support.waiting import wait_until

_UNFINISHED = "SELECT count(*) AS count FROM executions WHERE finished_at IS NULL"
_HELD = """
SELECT owner, count(*) AS count FROM executions WHERE status = 'RUNNING' GROUP BY owner
"""


class Load:
    """Launches executions of one workflow, past the API. Take one from `make_load`."""

    def __init__(
        self, database: Database, launcher: Launcher, target: Target, principal: Principal
    ) -> None:
        self._database = database
        self._launcher = launcher
        self._target = target
        self.principal = principal
        self._answers = Answers(database, principal)

    @property
    def workflow_id(self) -> str:
        """Return the workflow that is launched."""
        return self._target.workflow_id

    async def launch(self, count: int, manner: str = Manner.QUICK) -> list[str]:
        """Start so many executions, as an API trigger would, and return their ids."""
        request = LaunchRequest(
            target=self._target, input={"manner": str(manner)}, trigger_type=TriggerType.API
        )
        launched = [await self._launcher.launch(request) for _ in range(count)]
        return [each.execution_id for each in launched]

    async def fill_up(self, count: int) -> None:
        """Start as many as it takes to have `count` unfinished ones; decide what waits for it."""
        await self.answer()
        await self.launch(max(0, count - await self.unfinished()))

    async def answer(self) -> None:
        """Decide what waits for it, and is not left to its time-out."""
        await self._answers.give()

    async def unfinished(self) -> int:
        """Count the executions that are not final."""
        return int((await self._database.fetch(_UNFINISHED))[0]["count"])

    async def is_done(self) -> bool:
        """Decide what waits for it, and tell whether every execution is final."""
        await self.answer()
        return await self.unfinished() == 0

    async def held(self) -> dict[int, int]:
        """Return how many executions each process holds, by its id."""
        rows = await self._database.fetch(_HELD)
        return {int(row["owner"].split(":")[1]): int(row["count"]) for row in rows}

    async def held_by(self, pids: Sequence[int]) -> int:
        """Count the executions that these processes hold."""
        held = await self.held()
        return sum(held.get(pid, 0) for pid in pids)

    async def finish(self, within: float) -> None:
        """Wait until every execution is final."""
        await wait_until(self.is_done, within)

    async def statuses(self) -> dict[str, str]:
        """Return the status of every execution by its id."""
        rows = await Execution.all().values_list("id", "status")
        return {str(key): str(status) for key, status in rows}


async def make_load(database: Database, committer: Committer, steps: Sequence[Step]) -> Load:
    """Store somebody with a workflow of these steps and return what launches it."""
    clock = SystemClock()
    principal = await make_principal("ada", clock)
    asked = draft(*steps, variables=(variable("manner", default="quick"),))
    secrets = SecretStore(database, Vault([("k1", bytes(32))]), clock)
    workflows = Workflows(database, clock, CountedExecutions(), secrets)
    workflow = await workflows.create(principal, asked)
    launcher = Launcher(database, committer, Versions(), clock)
    target = await launcher.target(principal.workspace_id, workflow.id)
    return Load(database, launcher, target, principal)
