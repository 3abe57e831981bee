"""Takes people's answers at DECISION steps: each step has one answer, whoever is first.

Rules: the execution's row is locked before anything is looked at, so an answer, a cancellation
and the end of the time have exactly one outcome. An answer that was given before may be given
again; another one is refused.
"""

from __future__ import annotations

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.interventions import Choosing, Found, Interventions
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.principal import Principal
from promptpilot.engine.step_configs import StepType
from promptpilot.errors import InvalidInput, InvalidStatus, NotFound
from promptpilot.models import Decision, StepExecution
from promptpilot.models.columns import check_json
from promptpilot.models.database import Database

_MAX_COMMENT_LENGTH = 2000
_ID_PATH = ("input", "stepExecutionId")


class Decisions:
    """The verb of DECISION steps."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._moves = Interventions(database, clock)

    async def submit(
        self, principal: Principal, step_execution_id: str, choice: str, comment: str | None
    ) -> str:
        """Store an answer; the execution goes on with it. Returns the execution's id.

        Raises `NotFound`, also for another workspace's, `InvalidInput` for a choice or a comment
        that cannot be, and `InvalidStatus` when nothing waits for a decision, it was decided
        otherwise or its time is up; nothing was changed then.
        """
        _check_comment(comment)
        place = ids.split_step_execution_id(step_execution_id)
        if place is None:
            raise _not_found(step_execution_id)
        choosing = Choosing(*place, choice, comment, principal.user_id)
        await self._database.retry(lambda: self._submit(principal, step_execution_id, choosing))
        return choosing.execution_id

    async def _submit(self, principal: Principal, id: str, choosing: Choosing) -> None:
        async with self._database.transaction():
            found = await self._moves.lock(principal.workspace_id, choosing.execution_id)
            where = {"execution_id": choosing.execution_id, "path": choosing.path}
            step = await StepExecution.filter(**where).first()
            if found is None or step is None:
                raise _not_found(id)
            if step.step_type != StepType.DECISION:
                raise InvalidStatus("This step is no DECISION.", step.status, _ID_PATH)
            earlier = await Decision.filter(**where).first()
            if earlier is not None:
                _refuse_another(earlier, choosing)
                return
            _check_open(found, step)
            _check_choice(step, choosing.choice)
            await self._moves.decide(found, choosing)


def _check_open(found: Found, step: StepExecution) -> None:
    if not found.is_undecided or step.status != StepStatus.WAITING:
        message = f"The execution is {found.status} and does not wait for a decision here."
        raise InvalidStatus(message, found.status, _ID_PATH)
    if found.due_at is not None and found.due_at <= found.now:
        raise InvalidStatus("The time for this decision is up.", found.status, _ID_PATH)


def _check_choice(step: StepExecution, choice: str) -> None:
    choices = step.input["choices"]
    if choice not in choices:
        known = ", ".join(repr(each) for each in choices)
        message = f"{choice!r} is not one of the choices: {known}."
        raise InvalidInput(message, ("input", "choice"))


def _refuse_another(earlier: Decision, choosing: Choosing) -> None:
    if earlier.choice != choosing.choice:
        message = f"The decision was made already: {earlier.choice!r}."
        raise InvalidStatus(message, StepStatus.COMPLETED, _ID_PATH)


def _check_comment(comment: str | None) -> None:
    check_json(comment, ("input", "comment"))
    if comment is not None and len(comment) > _MAX_COMMENT_LENGTH:
        message = f"A comment has at most {_MAX_COMMENT_LENGTH} characters."
        raise InvalidInput(message, ("input", "comment"))


def _not_found(id: str) -> NotFound:
    return NotFound("There is no such step execution.", id, _ID_PATH)
