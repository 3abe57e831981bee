"""Which version of a stored prompt a step of an execution runs with."""

from __future__ import annotations

from promptpilot import models as rows
from promptpilot.engine.pins import pinned_version
from promptpilot.engine.progress import StepView
from promptpilot.engine.step_configs import StepType
from promptpilot.schema.loaders import LARGE, Loaders, if_any


async def shown_version(view: StepView, loaders: Loaders) -> rows.PromptVersion | None:
    """Return the version; None for a step that uses no stored prompt."""
    if view.type is not StepType.PROMPT:
        return None
    execution = await loaders.executions.without(LARGE).load(view.execution_id)
    if execution is None:
        return None
    definition = await loaders.versions.get(execution.workflow_version_id)
    config = definition.steps[view.position].config
    version_id = pinned_version(config, view.name, execution.prompt_versions or {})
    return await if_any(loaders.prompt_version, version_id)
