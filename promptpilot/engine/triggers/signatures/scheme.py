"""What a way of signing is made of, and the names of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Headers = Mapping[str, str]


class WebhookScheme(StrEnum):
    """How an inbound call proves who sent it."""

    STANDARD = "STANDARD"
    GITHUB = "GITHUB"
    STRIPE = "STRIPE"
    SLACK = "SLACK"
    HMAC_SHA256 = "HMAC_SHA256"
    SHARED_SECRET = "SHARED_SECRET"  # noqa: S105 -- the name of a scheme
    API_KEY = "API_KEY"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a call says about itself: its signatures in their encoded form, and what they cover.

    The signatures are ASCII. `message_id` is that of a header.
    """

    signatures: tuple[str, ...]
    message_id: str | None = None
    timestamp: int | None = None
    event: str | None = None


def nothing_in(payload: Any) -> None:
    """Find nothing: for schemes whose payloads say nothing about the call."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way of signing.

    `read` finds the claim in the headers or raises Refused; `sign` encodes the signature of
    (key, claim, body); `write` makes the headers of a claim; `key` decodes and checks the text of
    a secret or raises InvalidInput; `new_secret` makes such a text. Of the payload of a verified
    call, `message_id_in` tells its id, unless a header has it, and `challenge_in` what the sender
    wants to hear back to trust the address.
    """

    read: Callable[[Headers], Claim]
    sign: Callable[[bytes, Claim, bytes], str]
    write: Callable[[Claim], dict[str, str]]
    key: Callable[[str], bytes]
    new_secret: Callable[[], str]
    has_timestamp: bool
    has_forms: bool = False
    message_id_in: Callable[[Any], str | None] = nothing_in
    challenge_in: Callable[[Any], str | None] = nothing_in
