"""Reading prompts."""

from __future__ import annotations

from typing import Annotated

import strawberry

from promptpilot import models as rows
from promptpilot.engine.prompt_trials import tried
from promptpilot.engine.prompts import Comparison
from promptpilot.schema import declare, prompt_lists
from promptpilot.schema.context import Info
from promptpilot.schema.links import link
from promptpilot.schema.paging import Page, PageRequest
from promptpilot.schema.scalars import JSONObject
from promptpilot.schema.types.prompt import RenderedPrompt
from promptpilot.schema.types.prompt_input import PromptFilter, PromptOrder


@strawberry.type
class PromptQuery:
    """Reading prompts."""

    @declare.field(description="A prompt.", graphql_type=link("Prompt") | None)
    @staticmethod
    async def prompt(
        info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]
    ) -> rows.Prompt | None:
        info.context.require()
        return await info.context.loaders.prompt.load(id)

    @declare.connection("PromptConnection", "Prompts the caller may see.")
    @staticmethod
    async def prompts(
        info: Info,
        page: PageRequest,
        where: Annotated[
            PromptFilter | None, strawberry.argument(description="Filter.")
        ] = strawberry.UNSET,
        order_by: Annotated[
            PromptOrder | None, strawberry.argument(description="Order.")
        ] = strawberry.UNSET,
    ) -> Page[rows.Prompt]:
        database, caller = info.context.engine.database, info.context.require()
        found = await prompt_lists.prompts(database, caller, where)
        return await prompt_lists.prompt_page(found, order_by, page)

    @declare.field(
        description="Differences between two versions of one prompt.",
        graphql_type=link("PromptVersionComparison") | None,
    )
    @staticmethod
    async def compare_prompt_versions(
        info: Info,
        base_id: Annotated[strawberry.ID, strawberry.argument(description="First version.")],
        head_id: Annotated[strawberry.ID, strawberry.argument(description="Second version.")],
    ) -> Comparison | None:
        return await info.context.engine.prompts.compare(info.context.require(), base_id, head_id)

    @declare.field(description="Fills in a prompt without calling a model.")
    @staticmethod
    async def render_prompt(
        info: Info,
        content: Annotated[str, strawberry.argument(description="Text with `{{variables}}`.")],
        variables: Annotated[JSONObject, strawberry.argument(description="Values.")],
    ) -> RenderedPrompt:
        info.context.require()
        trial = tried(content, variables)
        return RenderedPrompt(
            text=trial.text,
            missing_variables=list(trial.missing),
            unused_variables=list(trial.unused),
            estimated_tokens=trial.estimated_tokens,
        )
