"""Finds any object of the caller by its id."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from promptpilot.errors import InvalidInput
from promptpilot.ids import Kind, kind_of
from promptpilot.schema.loaders import Loaders

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
    Kind.FIRING: lambda loaders, key: loaders.firing.load(key),
    Kind.EXECUTION: lambda loaders, key: loaders.execution.load(key),
    Kind.CREDENTIAL: lambda loaders, key: loaders.model_credential.load(key),
    Kind.WEBHOOK_ENDPOINT: lambda loaders, key: loaders.webhook_endpoint.load(key),
    Kind.WEBHOOK_DELIVERY: lambda loaders, key: loaders.webhook_delivery.load(key),
    Kind.DEAD_LETTER: lambda loaders, key: loaders.dead_letter.load(key),
    Kind.STEP_EXECUTION: lambda loaders, key: loaders.step_view(key),
}


async def load_node(loaders: Loaders, id: str) -> object | None:
    """Return the caller's object; None for a malformed, unknown or foreign id alike."""
    kind = kind_of(id)
    load = _LOADERS.get(kind) if kind else None
    return await load(loaders, id) if load else None


async def load_nodes(loaders: Loaders, ids: Sequence[str]) -> list[object | None]:
    """Return the objects in the order of the ids; raise InvalidInput for too many."""
    if len(ids) > MAX_NODES:
        raise InvalidInput(f"Ask for at most {MAX_NODES} ids at once, not {len(ids)}.", ("ids",))
    return list(await asyncio.gather(*(load_node(loaders, each) for each in ids)))
