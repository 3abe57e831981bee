"""Which version of a stored prompt each step of an execution runs with.

Rules: a step that follows a prompt gets the version that is current when the execution is stored,
and keeps it; a version that the definition names needs no pin. A definition that follows no prompt
costs no query.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from promptpilot.engine.definition import Definition
from promptpilot.engine.step_configs import PromptConfig, StepConfig
from promptpilot.models import Prompt
from promptpilot.models.columns import encode_json, load_json

Pins = Mapping[str, str]


async def current_pins(
    workspace_id: str, definition: Definition, known: Pins | None = None
) -> dict[str, str]:
    """Return the version by the name of each step that follows a prompt; `known` ones stay.

    A step whose prompt does not exist gets none.
    """
    pins = dict(known or {})
    followed = {
        name: prompt_id
        for name, prompt_id in definition.followed_prompts.items()
        if name not in pins
    }
    if not followed:
        return pins
    current = await _current_versions(workspace_id, followed.values())
    pins |= {name: current[each] for name, each in followed.items() if each in current}
    return pins


def stored_pins(pins: Pins) -> str | None:
    """Return the JSON text that an execution stores; None when there are no pins."""
    return encode_json(dict(pins)) if pins else None


def read_pins(text: str | None) -> dict[str, str]:
    """Return the pins that an execution has stored."""
    return {} if text is None else dict(load_json(text))


def pinned_version(config: StepConfig, step_name: str, pins: Pins) -> str | None:
    """Return the version that a step runs with; None for a step without a stored prompt."""
    if not isinstance(config, PromptConfig) or config.prompt_id is None:
        return None
    return config.prompt_version_id or pins.get(step_name)


async def _current_versions(workspace_id: str, prompt_ids: Iterable[str]) -> dict[str, str]:
    mine = Prompt.filter(workspace_id=workspace_id, id__in=sorted(set(prompt_ids)))
    found = await mine.exclude(current_version_id=None).values_list("id", "current_version_id")
    return dict(found)
