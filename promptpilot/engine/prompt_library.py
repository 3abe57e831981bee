"""What the pinned versions of stored prompts say. A version never changes: it is read once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from promptpilot.engine.definition import Step
from promptpilot.engine.pins import Pins, pinned_version
from promptpilot.engine.prompt_documents import text_of
from promptpilot.engine.prompt_texts import PromptText
from promptpilot.engine.step_configs import PromptConfig
from promptpilot.errors import StepFailed
from promptpilot.models import PromptVersion

PROMPT_MISSING: Final = "PROMPT_MISSING"
_MAX_KEPT: Final = 1000
_MAX_CHARACTERS: Final = 16 * 1024 * 1024


class PromptTexts:
    """Reads what versions say and keeps the ones used last, up to a number and a size."""

    def __init__(self, max_kept: int = _MAX_KEPT, max_characters: int = _MAX_CHARACTERS) -> None:
        self._kept: OrderedDict[str, PromptText] = OrderedDict()
        self._max_kept = max_kept
        self._room = max_characters

    async def get(self, version_id: str) -> PromptText | None:
        """Return what a version says; None if there is no such version."""
        kept = self._kept.get(version_id)
        if kept is not None:
            self._kept.move_to_end(version_id)
            return kept
        row = await PromptVersion.get_or_none(id=version_id)
        return None if row is None else self._keep(row)

    async def of_step(self, step: Step, pins: Pins) -> PromptText | None:
        """Return the stored prompt that a step runs with; None for a step without one.

        Raises StepFailed when the version does not exist.
        """
        if not isinstance(step.config, PromptConfig) or step.config.prompt_id is None:
            return None
        version_id = pinned_version(step.config, step.name, pins)
        text = None if version_id is None else await self.get(version_id)
        if text is None:
            message = f"The prompt {step.config.prompt_id} of this step does not exist any more."
            raise StepFailed(message, PROMPT_MISSING)
        return text

    def _keep(self, row: PromptVersion) -> PromptText:
        loaded = text_of(row)
        if row.id not in self._kept:  # another task may have read it meanwhile
            self._kept[row.id] = loaded
            self._room -= _size(loaded)
        while len(self._kept) > self._max_kept or (self._room < 0 and len(self._kept) > 1):
            self._room += _size(self._kept.popitem(last=False)[1])
        return loaded


def _size(text: PromptText) -> int:
    turns = sum(len(turn.content) for turn in text.turns)
    return len(text.content) + len(text.instructions or "") + turns
