"""Fills in a text with values that somebody tries out, and tells what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from promptpilot.engine.prompt_checks import MAX_TEXT_BYTES, bare_template
from promptpilot.errors import InvalidInput, LimitExceeded, StepFailed
from promptpilot.models.columns import check_json

_CHARACTERS_PER_TOKEN: Final = 4
_CONTENT: Final = ("content",)


@dataclass(frozen=True, slots=True)
class PromptTrial:
    """A text with values in place; where one is missing, the placeholder stays."""

    text: str
    missing: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def estimated_tokens(self) -> int:
        """Roughly how many tokens the text has."""
        return -(-len(self.text) // _CHARACTERS_PER_TOKEN)


def tried(content: str, values: Mapping[str, Any]) -> PromptTrial:
    """Fill in a text; a value of null counts as none.

    Raises InvalidInput for a text that is no prompt or becomes too long, and for values that are
    not JSON, and LimitExceeded for a text that is too long already.
    """
    check_json(content, _CONTENT)
    check_json(dict(values), ("variables",))
    if len(content.encode()) > MAX_TEXT_BYTES:
        message = f"content may have at most {MAX_TEXT_BYTES} bytes."
        raise LimitExceeded(message, MAX_TEXT_BYTES, _CONTENT)
    template = bare_template(content, _CONTENT)
    missing = sorted(name for name in template.bare_names if values.get(name) is None)
    shown = {**values, **{name: f"{{{{{name}}}}}" for name in missing}}
    try:
        text = template.render_text({"vars": shown})
    except StepFailed as failure:
        raise InvalidInput(failure.message, _CONTENT) from failure
    unused = sorted(name for name in values if name not in template.bare_names)
    return PromptTrial(text, tuple(missing), tuple(unused))
