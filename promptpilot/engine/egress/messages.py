"""What is sent to another server and what it answers: plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

#: Headers, lower-case, that belong to whoever sends and not to whoever writes a request.
RESERVED_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "idempotency-key",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    }
)
_RESERVED_PREFIX: Final = "proxy-"


def is_reserved(name: str) -> bool:
    """Whether a header, however its name is written, is set by the sender alone."""
    lower = name.lower()
    return lower in RESERVED_HEADERS or lower.startswith(_RESERVED_PREFIX)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `headers` and `body` may hold secrets, so they are not shown."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One answer. Names of headers are lower-case; the body is unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes
