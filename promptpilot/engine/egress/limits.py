"""How long another server may take and how much it may send."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """The limits of one request.

    Units: seconds and bytes. `connect_seconds` holds for each of looking a name up, connecting and
    the TLS handshake; `idle_seconds` between two pieces of data; `total_seconds` for everything,
    None when the caller keeps the time. `max_body_bytes` counts the unpacked body.
    """

    connect_seconds: float = 5.0
    idle_seconds: float = 30.0
    total_seconds: float | None = None
    max_body_bytes: int = 10_000_000
    max_header_bytes: int = 64_000
