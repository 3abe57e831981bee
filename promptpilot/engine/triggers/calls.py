"""What signed calls and calls with a key have in common: how they come in, and their input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from promptpilot.engine.triggers.configs import input_names
from promptpilot.engine.triggers.mapping import map_input
from promptpilot.engine.triggers.receiver import Receiver
from promptpilot.engine.versions import Versions
from promptpilot.errors import PayloadTooLarge

#: Headers that prove something; workflows do not get to see them.
_PROOFS: Final = ("authorization", "cookie", "signature", "secret", "token", "api-key")


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came in. Names of headers are in lower case."""

    trigger_id: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    source_ip: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a call led to. No execution: the sender only tried out the address.

    `challenge` is what the sender wants to hear back then.
    """

    execution_id: str | None
    is_duplicate: bool
    message: str
    challenge: str | None = None


def check_size(body: bytes, most: int) -> None:
    """Raise PayloadTooLarge for a body of more than `most` bytes."""
    if len(body) > most:
        raise PayloadTooLarge(f"The body may have at most {most} bytes.", most)


async def input_of(
    versions: Versions,
    receiver: Receiver,
    payload: Any,
    headers: Mapping[str, str],
    now: datetime,
) -> Mapping[str, Any]:
    """Return the values that a call gives: by the mapping, else its `input`, else the payload.

    Raises InvalidInput or InvalidMany for a mapping that makes nothing of this call.
    """
    mapping = receiver.config["input_mapping"]
    if mapping:
        return map_input(mapping, payload, headers, now)
    if isinstance(payload, dict) and isinstance(payload.get("input"), dict):
        given: dict[str, Any] = payload["input"]
        return given
    definition = await versions.get(receiver.target.version_id)
    return {"payload": payload} if "payload" in input_names(definition) else {}


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that expressions may read: no proofs, and nothing that JSON cannot say."""
    return {
        name: value
        for name, value in headers.items()
        if value.isprintable() and not any(proof in name for proof in _PROOFS)
    }
