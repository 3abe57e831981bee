"""Reads rows for a whole page at once, where a list would otherwise ask for each of its items.

Rules: what is asked for by id is looked for among the rows of the caller's workspace, in the
query itself; whatever is not there, malformed ids included, is None. Loaders remember what they
read, so they live as long as one answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any, Final, Generic, TypeAlias, TypeVar

from strawberry.dataloader import DataLoader
from tortoise.expressions import Subquery
from tortoise.functions import Max
from tortoise.queryset import QuerySet

from promptpilot import ids
from promptpilot.engine.fault import Fault
from promptpilot.engine.principal import Principal, Scope
from promptpilot.engine.progress import StepView, step_views_of
from promptpilot.engine.readiness import Readiness
from promptpilot.engine.versions import Versions
from promptpilot.models import (
    AccessToken,
    AuditEntry,
    Credential,
    DeadLetter,
    Decision,
    Execution,
    Firing,
    Prompt,
    PromptVersion,
    Trigger,
    User,
    WebhookDelivery,
    WebhookDeliveryAttempt,
    WebhookEndpoint,
    Workflow,
    WorkflowStep,
    WorkflowVariable,
)
from promptpilot.models.columns import Row
from promptpilot.models.partial import NOTHING, LeftOut, without

R = TypeVar("R", bound=Row)
V = TypeVar("V")
L = TypeVar("L")
One: TypeAlias = DataLoader[str, R | None]
Many: TypeAlias = DataLoader[str, list[R]]

#: The columns of an execution that only those read who show them.
LARGE: Final[LeftOut] = frozenset({"input", "output", "error", "trigger_data"})

_MAX_BATCH = 500


class _Lazy(Generic[L]):
    """A loader that is made when it is first asked for, because an answer needs few of them."""

    def __init__(self, make: Callable[[_Own], L]) -> None:
        self._make = make
        self._name = ""

    def __set_name__(self, owner: type[Loaders], name: str) -> None:
        self._name = name

    def __get__(self, loaders: Loaders, owner: type[Loaders]) -> L:
        loader = vars(loaders)[self._name] = self._make(loaders.own)
        return loader


class Partial(Generic[L]):
    """Loaders of one thing, one for each choice of columns that are left out."""

    def __init__(self, make: Callable[[LeftOut], L]) -> None:
        self._make = make
        self._loaders: dict[LeftOut, L] = {}

    def without(self, left_out: LeftOut) -> L:
        """Return the loader that leaves these columns out."""
        if left_out not in self._loaders:
            self._loaders[left_out] = self._make(left_out)
        return self._loaders[left_out]

    def clear_all(self) -> None:
        """Drop everything that was read."""
        self._loaders.clear()


class Loaders:
    """The loaders of one answer. Without a principal everything is None or empty."""

    faults = _Lazy(lambda own: _new(own.faults_of))
    user = _Lazy(lambda own: _one(own.users))
    access_token = _Lazy(lambda own: _one(own.access_tokens))
    audit_entry = _Lazy(lambda own: _one(own.audit_entries))
    workflow = _Lazy(lambda own: _one(own.workflows))
    prompt = _Lazy(lambda own: _one(own.prompts))
    any_prompt = _Lazy(lambda own: _one(own.all_prompts))
    prompt_version = _Lazy(lambda own: _one(own.prompt_versions))
    step = _Lazy(lambda own: _one(own.steps))
    variable = _Lazy(lambda own: _one(own.variables))
    trigger = _Lazy(lambda own: _one(own.triggers))
    firings = _Lazy(lambda own: Partial(lambda out: _one(lambda: without(own.firings(), out))))
    executions = _Lazy(
        lambda own: Partial(lambda out: _one(lambda: without(own.executions(), out)))
    )
    dead_letter = _Lazy(lambda own: _one(own.dead_letters))
    model_credential = _Lazy(lambda own: _one(own.model_credentials))
    webhook_endpoint = _Lazy(lambda own: _one(own.webhook_endpoints))
    webhook_delivery = _Lazy(lambda own: _one(own.webhook_deliveries))
    delivery_attempts = _Lazy(lambda _: _new(_delivery_attempts))
    steps = _Lazy(lambda own: _many(own.steps, "position"))
    variables = _Lazy(lambda own: _many(own.variables, "position"))
    triggers = _Lazy(lambda own: _many(own.triggers, "created_at", "id"))
    last_triggered_at = _Lazy(lambda _: _new(_last_triggered_at))
    step_views = _Lazy(
        lambda own: Partial(lambda out: _by_id(partial(own.step_views_of, left_out=out)))
    )
    decision = _Lazy(lambda _: _new(_decisions))

    def __init__(
        self, principal: Principal | None, versions: Versions, readiness: Readiness
    ) -> None:
        self.versions = versions
        self.own = _Own(principal, versions, readiness)

    @property
    def execution(self) -> One[Execution]:
        """Executions with all of their columns."""
        return self.executions.without(NOTHING)

    def forget(self) -> None:
        """Drop everything that was read, so that the next answer shows what is true then."""
        for loader in vars(self).values():
            if isinstance(loader, DataLoader | Partial):
                loader.clear_all()

    async def execution_now(self, id: str) -> Execution | None:
        """Return an execution as it is now; an earlier mutation of the request may have shown it.

        Drops everything that was read.
        """
        self.forget()
        return await self.execution.load(id)

    async def step_view(self, id: str, left_out: LeftOut = NOTHING) -> StepView | None:
        """Return the step execution with this id; the columns that are left out are empty."""
        parts = ids.split_step_execution_id(id)
        execution = await self.executions.without(LARGE).load(parts[0]) if parts else None
        if parts is None or execution is None:
            return None
        views = await self.step_views.without(left_out).load(execution)
        return next((view for view in views if view.path == parts[1]), None)

    async def step_named(self, workflow_id: str, name: str | None) -> WorkflowStep | None:
        """Return the step of a workflow that has this name now."""
        steps = await self.steps.load(workflow_id) if name else []
        return next((step for step in steps if step.name == name), None)


class _Own:
    """What the caller owns; each query is made when it is asked for, because few of them are."""

    def __init__(
        self, principal: Principal | None, versions: Versions, readiness: Readiness
    ) -> None:
        self._versions = versions
        self._readiness = readiness
        self._workspace_id = principal.workspace_id if principal else ""
        self._user_id = principal.user_id if principal else ""
        scopes = principal.scopes if principal else None
        self._may_audit = scopes is None or Scope.ACCESS in scopes

    def users(self) -> QuerySet[User]:
        return User.filter(id=self._user_id)

    def access_tokens(self) -> QuerySet[AccessToken]:
        return AccessToken.filter(user_id=self._user_id)

    def audit_entries(self) -> QuerySet[AuditEntry]:
        return AuditEntry.filter(workspace_id=self._workspace_id if self._may_audit else "")

    def workflows(self) -> QuerySet[Workflow]:
        return Workflow.filter(workspace_id=self._workspace_id)

    def prompts(self) -> QuerySet[Prompt]:
        return self.all_prompts().filter(deleted_at__isnull=True)

    def all_prompts(self) -> QuerySet[Prompt]:
        # What executions pinned is shown with its prompt, also when that was deleted since.
        return Prompt.filter(workspace_id=self._workspace_id)

    def prompt_versions(self) -> QuerySet[PromptVersion]:
        return PromptVersion.filter(prompt_id__in=Subquery(self.all_prompts().values("id")))

    def steps(self) -> QuerySet[WorkflowStep]:
        return WorkflowStep.filter(workflow_id__in=Subquery(self.workflows().values("id")))

    def variables(self) -> QuerySet[WorkflowVariable]:
        return WorkflowVariable.filter(workflow_id__in=Subquery(self.workflows().values("id")))

    def triggers(self) -> QuerySet[Trigger]:
        return Trigger.filter(workspace_id=self._workspace_id)

    def firings(self) -> QuerySet[Firing]:
        # A firing is shown with its trigger; without one it is not shown.
        known = Subquery(self.triggers().values("id"))
        return Firing.filter(workspace_id=self._workspace_id, trigger_id__in=known)

    def executions(self) -> QuerySet[Execution]:
        return Execution.filter(workspace_id=self._workspace_id)

    def model_credentials(self) -> QuerySet[Credential]:
        return Credential.filter(workspace_id=self._workspace_id)

    def webhook_endpoints(self) -> QuerySet[WebhookEndpoint]:
        return WebhookEndpoint.filter(workspace_id=self._workspace_id)

    def webhook_deliveries(self) -> QuerySet[WebhookDelivery]:
        return WebhookDelivery.filter(workspace_id=self._workspace_id)

    def dead_letters(self) -> QuerySet[DeadLetter]:
        return DeadLetter.filter(workspace_id=self._workspace_id)

    async def faults_of(self, version_ids: list[str]) -> list[list[Fault]]:
        # The versions are known to be the caller's.
        found = await self._versions.get_many(version_ids)
        definitions = [found[version_id] for version_id in version_ids]
        return await self._readiness.faults_of(self._workspace_id, definitions)

    async def step_views_of(
        self, executions: list[Execution], left_out: LeftOut
    ) -> list[list[StepView]]:
        views = await step_views_of(executions, self._versions, left_out)
        return [views[execution.id] for execution in executions]


async def _last_triggered_at(trigger_ids: list[str]) -> list[datetime | None]:
    executions = Execution.filter(trigger_id__in=trigger_ids).annotate(at=Max("created_at"))
    found = dict(await executions.group_by("trigger_id").values_list("trigger_id", "at"))
    return [found.get(trigger_id) for trigger_id in trigger_ids]


async def _delivery_attempts(delivery_ids: list[str]) -> list[list[WebhookDeliveryAttempt]]:
    """Read the attempts of deliveries that are known to be the caller's, the oldest first."""
    rows = WebhookDeliveryAttempt.filter(delivery_id__in=delivery_ids)
    found: defaultdict[str, list[WebhookDeliveryAttempt]] = defaultdict(list)
    for row in await rows.order_by("number"):
        found[row.delivery_id].append(row)
    return [found[delivery_id] for delivery_id in delivery_ids]


async def _decisions(step_ids: list[str]) -> list[Decision | None]:
    """Read what persons chose at step executions that are known to be the caller's."""
    places = [ids.split_step_execution_id(step_id) for step_id in step_ids]
    executions = sorted({place[0] for place in places if place})
    rows = await Decision.filter(execution_id__in=executions)
    found = {(row.execution_id, row.path): row for row in rows}
    return [found.get(place) if place else None for place in places]


async def if_any(loader: One[R], id: str | None) -> R | None:
    """Load a row that may not be there to load."""
    return None if id is None else await loader.load(id)


def _one(rows: Callable[[], QuerySet[R]]) -> One[R]:
    async def load(keys: list[str]) -> list[R | None]:
        known = [key for key in keys if ids.kind_of(key)]
        found: dict[Any, R] = {row.pk: row for row in await rows().filter(id__in=known)}
        return [found.get(key) for key in keys]

    return _new(load)


def _many(rows: Callable[[], QuerySet[R]], *order: str) -> Many[R]:
    """Load the rows of each workflow."""

    async def load(keys: list[str]) -> list[list[R]]:
        found: defaultdict[str, list[R]] = defaultdict(list)
        for row in await rows().filter(workflow_id__in=keys).order_by(*order):
            found[row.workflow_id].append(row)  # type: ignore[attr-defined]  # asked for by it
        return [found[key] for key in keys]

    return _new(load)


def _by_id(load: Callable[[list[R]], Awaitable[list[V]]]) -> DataLoader[R, V]:
    return DataLoader(load, _MAX_BATCH, cache_key_fn=lambda row: row.pk)


def _new(load: Callable[[list[str]], Awaitable[list[V]]]) -> DataLoader[str, V]:
    return DataLoader(load, _MAX_BATCH)
