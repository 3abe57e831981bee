"""What is sent to another server and what it answers: plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

#: Headers, lower-case, that the client sets by itself.
TRANSPORT_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
#: Headers, lower-case, that belong to whoever sends and not to whoever writes a request.
RESERVED_HEADERS: Final = TRANSPORT_HEADERS | {
    "idempotency-key",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
}
_RESERVED_PREFIX: Final = "proxy-"


def is_reserved(name: str) -> bool:
    """Whether a header, however its name is written, is set by the sender alone."""
    lower = name.lower()
    return lower in RESERVED_HEADERS or lower.startswith(_RESERVED_PREFIX)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. All but the method may hold secrets, so it is not shown.

    A `body` of None is no body; `url` is absolute.
    """

    method: str
    url: str = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One answer. Names of headers are lower-case; the body is unpacked."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
