"""Trying workflows out."""

from __future__ import annotations

from typing import Annotated

import strawberry

from promptpilot.schema import declare
from promptpilot.schema.arguments import ARGUMENTS
from promptpilot.schema.context import Info
from promptpilot.schema.errors import reporting
from promptpilot.schema.types.preview import PreviewWorkflowInput, PreviewWorkflowPayload


@strawberry.type
class PreviewMutations:
    """Trying workflows out."""

    @declare.mutation(description="Try a workflow without storing anything.")
    @staticmethod
    @reporting(PreviewWorkflowPayload)
    async def preview_workflow(
        info: Info, input: Annotated[PreviewWorkflowInput, ARGUMENTS]
    ) -> PreviewWorkflowPayload:
        caller = info.context.require()
        preview = await info.context.engine.previews.preview(caller, input.to_request())
        return PreviewWorkflowPayload(preview=preview)
