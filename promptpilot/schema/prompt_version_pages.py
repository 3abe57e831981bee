"""Pages of the versions of one prompt."""

from __future__ import annotations

from typing import Final

from promptpilot.models import Prompt, PromptVersion
from promptpilot.schema.paging import Page, PageRequest, Sorting, page_of

#: Numbers grow along the history, also within one millisecond.
_NUMBER: Final = (
    '("prompt_versions"."major" * 1099511627776 + "prompt_versions"."minor" * 1048576'
    ' + "prompt_versions"."patch")'
)


async def version_page(prompt: Prompt, page: PageRequest) -> Page[PromptVersion]:
    """Return a page of the versions of a prompt that the caller may see, the newest first."""
    found = PromptVersion.filter(prompt_id=prompt.id)
    sorting = Sorting("prompt_versions.NUMBER", _NUMBER, is_descending=True)
    return await page_of(found, sorting, page)
