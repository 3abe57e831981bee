"""What a model provider is reached with: an opened credential."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """A key for a provider, in the clear: for the call alone, never for a log or a table.

    `base_url` is set for providers that have many addresses. `credential_id` is None for a key of
    the server's own environment.
    """

    secret: str = field(repr=False)
    base_url: str | None = None
    credential_id: str | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """What a provider said to a key. `words` are its own, without the key, when it refused it."""

    is_accepted: bool
    latency_ms: int
    words: str = ""
