"""Finds any object of the caller by its id."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from promptpilot.errors import InvalidInput
from promptpilot.ids import Kind, kind_of
from promptpilot.schema.context import Info
from promptpilot.schema.loaders import Loaders
from promptpilot.schema.selection import shown_execution, shown_firing, shown_step

MAX_NODES: Final = 100

_LOADERS: Final[Mapping[Kind, Callable[[Loaders, str], Awaitable[Any]]]] = {
    Kind.USER: lambda loaders, key: loaders.user.load(key),
    Kind.ACCESS_TOKEN: lambda loaders, key: loaders.access_token.load(key),
    Kind.AUDIT_ENTRY: lambda loaders, key: loaders.audit_entry.load(key),
    Kind.PROMPT: lambda loaders, key: loaders.prompt.load(key),
    Kind.PROMPT_VERSION: lambda loaders, key: loaders.prompt_version.load(key),
    Kind.WORKFLOW: lambda loaders, key: loaders.workflow.load(key),
    Kind.STEP: lambda loaders, key: loaders.step.load(key),
    Kind.VARIABLE: lambda loaders, key: loaders.variable.load(key),
    Kind.TRIGGER: lambda loaders, key: loaders.trigger.load(key),
    Kind.CREDENTIAL: lambda loaders, key: loaders.model_credential.load(key),
    Kind.WEBHOOK_ENDPOINT: lambda loaders, key: loaders.webhook_endpoint.load(key),
    Kind.WEBHOOK_DELIVERY: lambda loaders, key: loaders.webhook_delivery.load(key),
    Kind.DEAD_LETTER: lambda loaders, key: loaders.dead_letter.load(key),
}
_SHOWN: Final[Mapping[Kind, Callable[[Info, str], Awaitable[Any]]]] = {
    Kind.FIRING: shown_firing,
    Kind.EXECUTION: shown_execution,
    Kind.STEP_EXECUTION: shown_step,
}


async def load_node(info: Info, id: str) -> object | None:
    """Return the caller's object; None for a malformed, unknown or foreign id alike."""
    kind = kind_of(id)
    found: object | None = None
    if kind and (show := _SHOWN.get(kind)):
        found = await show(info, id)
    elif kind and (load := _LOADERS.get(kind)):
        found = await load(info.context.loaders, id)
    return found


async def load_nodes(info: Info, ids: Sequence[str]) -> list[object | None]:
    """Return the objects in the order of the ids; raise InvalidInput for too many."""
    if len(ids) > MAX_NODES:
        raise InvalidInput(f"Ask for at most {MAX_NODES} ids at once, not {len(ids)}.", ("ids",))
    return list(await asyncio.gather(*(load_node(info, each) for each in ids)))
