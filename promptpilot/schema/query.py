"""Reading: every query hands over to rows of the caller alone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from promptpilot import models as rows
from promptpilot.engine.principal import Scope
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.schema import audits, declare, filters
from promptpilot.schema.context import Info
from promptpilot.schema.given import given
from promptpilot.schema.links import link, links
from promptpilot.schema.nodes import load_node, load_nodes
from promptpilot.schema.paging import Page, PageRequest
from promptpilot.schema.prompt_query import PromptQuery
from promptpilot.schema.scalars import CronExpression, TimeZone
from promptpilot.schema.schedules import Window, preview
from promptpilot.schema.selection import EXECUTION, for_nodes, shown_execution
from promptpilot.schema.server import describe_server
from promptpilot.schema.types.audit import AuditFilter
from promptpilot.schema.types.dead_letter import DeadLetterFilter
from promptpilot.schema.types.execution_input import WorkflowExecutionFilter, WorkflowExecutionOrder
from promptpilot.schema.types.relay import Node
from promptpilot.schema.types.server import ServerInfo
from promptpilot.schema.types.workflow_input import WorkflowFilter, WorkflowOrder
from promptpilot.schema.webhook_query import WebhookQuery


@strawberry.type(
    description=(
        "Reading. A null single object means that it does not exist or may not be seen; nobody"
        " can tell which."
    )
)
class Query(PromptQuery, WebhookQuery):
    """Reading."""

    @declare.field(description="Any object by its id.", graphql_type=Node | None)
    @staticmethod
    async def node(
        info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]
    ) -> object | None:
        return await load_node(info, id)

    @declare.field(
        description="Several objects, in the order of the ids (at most 100).",
        graphql_type=list[Node | None],
    )
    @staticmethod
    async def nodes(
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="Their ids.")],
    ) -> list[object | None]:
        return await load_nodes(info, ids)

    @declare.field(
        description="The caller; null when not signed in.", graphql_type=link("User") | None
    )
    @staticmethod
    async def viewer(info: Info) -> rows.User | None:
        caller = info.context.principal
        return await info.context.loaders.user.load(caller.user_id) if caller else None

    @declare.field(description="The caller's access tokens.", graphql_type=links("AccessToken"))
    @staticmethod
    async def access_tokens(info: Info) -> list[rows.AccessToken]:
        tokens = rows.AccessToken.filter(user_id=info.context.require().user_id)
        return await tokens.order_by("-created_at", "-id").limit(1000)

    @declare.field(description="A workflow.", graphql_type=link("Workflow") | None)
    @staticmethod
    async def workflow(
        info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]
    ) -> rows.Workflow | None:
        info.context.require()
        return await info.context.loaders.workflow.load(id)

    @declare.connection("WorkflowConnection", "Workflows the caller may see.")
    @staticmethod
    async def workflows(
        info: Info,
        page: PageRequest,
        where: Annotated[
            WorkflowFilter | None, strawberry.argument(description="Filter.")
        ] = strawberry.UNSET,
        order_by: Annotated[
            WorkflowOrder | None, strawberry.argument(description="Order.")
        ] = strawberry.UNSET,
    ) -> Page[rows.Workflow]:
        database, caller = info.context.engine.database, info.context.require()
        found = await filters.workflows(database, caller, where)
        return await filters.workflow_page(found, order_by, page)

    @declare.field(description="A trigger.", graphql_type=link("WorkflowTrigger") | None)
    @staticmethod
    async def trigger(
        info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]
    ) -> rows.Trigger | None:
        info.context.require()
        return await info.context.loaders.trigger.load(id)

    @declare.field(description="An execution.", graphql_type=link("WorkflowExecution") | None)
    @staticmethod
    async def execution(
        info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]
    ) -> rows.Execution | None:
        info.context.require()
        return await shown_execution(info, id)

    @declare.connection("WorkflowExecutionConnection", "Executions the caller may see.")
    @staticmethod
    async def executions(
        info: Info,
        page: PageRequest,
        where: Annotated[
            WorkflowExecutionFilter | None, strawberry.argument(description="Filter.")
        ] = strawberry.UNSET,
        order_by: Annotated[
            WorkflowExecutionOrder | None, strawberry.argument(description="Order.")
        ] = strawberry.UNSET,
    ) -> Page[rows.Execution]:
        found = filters.executions(info.context.require(), where)
        return await filters.execution_page(found, order_by, for_nodes(page, EXECUTION, info))

    @declare.connection("DeadLetterConnection", "Dead letters the caller may see, newest first.")
    @staticmethod
    async def dead_letters(
        info: Info,
        page: PageRequest,
        where: Annotated[
            DeadLetterFilter | None, strawberry.argument(description="Filter.")
        ] = strawberry.UNSET,
    ) -> Page[rows.DeadLetter]:
        found = filters.dead_letters(info.context.require(), where)
        return await filters.dead_letter_page(found, page)

    @declare.connection(
        "AuditEntryConnection",
        "Changes of secrets, triggers and access by the caller, newest first. An access token needs"
        " the scope ACCESS.",
    )
    @staticmethod
    async def audit_log(
        info: Info,
        page: PageRequest,
        where: Annotated[
            AuditFilter | None, strawberry.argument(description="Filter.")
        ] = strawberry.UNSET,
    ) -> Page[rows.AuditEntry]:
        found = audits.audit_entries(info.context.require(Scope.ACCESS), where)
        return await audits.audit_page(found, page)

    @declare.field(
        description=(
            "What signs the requests of the caller's WEBHOOK steps; null before the first one is"
            " made."
        ),
        graphql_type=link("SigningSecret") | None,
    )
    @staticmethod
    async def signing_secret(info: Info) -> rows.SigningSecret | None:
        workspace_id = info.context.require().workspace_id
        return await rows.SigningSecret.get_or_none(workspace_id=workspace_id)

    @declare.field(
        description="The caller's model credentials.", graphql_type=links("ModelCredential")
    )
    @staticmethod
    async def model_credentials(
        info: Info,
        providers: Annotated[
            list[ModelProvider] | None, strawberry.argument(description="Any of these.")
        ] = strawberry.UNSET,
    ) -> list[rows.Credential]:
        asked = given(providers)
        chosen = None if asked is None else frozenset(asked)
        return await info.context.engine.credentials.mine(info.context.require(), chosen)

    @declare.field(description="The next times a schedule would fire.")
    @staticmethod
    def preview_schedule(
        info: Info,
        cron: Annotated[CronExpression, strawberry.argument(description="When.")],
        time_zone: Annotated[
            TimeZone, strawberry.argument(description="In which zone.")
        ] = TimeZone("UTC"),  # noqa: B008 -- a constant
        from_: Annotated[
            datetime | None,
            strawberry.argument(name="from", description="Starting point; now if not given."),
        ] = strawberry.UNSET,
        count: Annotated[int, strawberry.argument(description="How many, at most 100.")] = 5,
    ) -> list[datetime]:
        info.context.require()
        start = given(from_) or info.context.engine.clock.now()
        return preview(cron, time_zone, Window(start, count))

    @declare.field(description="About the server.")
    @staticmethod
    async def server_info(info: Info) -> ServerInfo:
        engine, caller = info.context.engine, info.context.principal
        configured = await engine.credentials.configured(caller.workspace_id if caller else None)
        return describe_server(engine.settings, info.context.limits, configured)
