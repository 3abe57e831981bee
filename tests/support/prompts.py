"""Stored prompts for tests, and steps that use them."""

from __future__ import annotations

from typing import Any

from promptpilot.engine.definition import Step
from promptpilot.engine.prompt_drafts import PromptDraft
from promptpilot.engine.step_configs import ModelProvider, ModelTarget, PromptConfig
from promptpilot.models import Prompt, PromptVersion

SIMULATED = (ModelTarget(ModelProvider.SIMULATOR, "echo"),)


def prompt_draft(content: str = "Say hello.", **others: Any) -> PromptDraft:
    """Make the draft of a prompt called "Greeting"."""
    return PromptDraft(**{"name": "Greeting", "content": content, **others})


def using(prompt: Prompt | str, version_id: str | None = None, **others: Any) -> Step:
    """Make a step that asks the simulator with a stored prompt."""
    prompt_id = prompt if isinstance(prompt, str) else prompt.id
    config = PromptConfig(SIMULATED, prompt_id=prompt_id, prompt_version_id=version_id)
    return Step(**{"name": "ask", "config": config, **others})


async def numbers_of(prompt: Prompt) -> list[str]:
    """Return the numbers of a prompt's stored versions, oldest first."""
    rows = await PromptVersion.filter(prompt_id=prompt.id).order_by("id")
    return [f"{row.major}.{row.minor}.{row.patch}" for row in rows]
