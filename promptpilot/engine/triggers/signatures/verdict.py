"""What is found out about a call: that it is proven, or why it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureCode(StrEnum):
    """Why a call was refused; recorded with the firing."""

    SIGNATURE_MISSING = "SIGNATURE_MISSING"
    SIGNATURE_MALFORMED = "SIGNATURE_MALFORMED"
    SIGNATURE_MISMATCH = "SIGNATURE_MISMATCH"
    TIMESTAMP_MISSING = "TIMESTAMP_MISSING"
    TIMESTAMP_MALFORMED = "TIMESTAMP_MALFORMED"
    TIMESTAMP_TOO_OLD = "TIMESTAMP_TOO_OLD"
    TIMESTAMP_TOO_NEW = "TIMESTAMP_TOO_NEW"
    MESSAGE_ID_MISSING = "MESSAGE_ID_MISSING"
    MESSAGE_ID_MALFORMED = "MESSAGE_ID_MALFORMED"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verify() found.

    `message_id` (of a header), `timestamp` and `event` are None unless the call is verified and
    its scheme has them.
    """

    is_verified: bool
    failure_code: FailureCode | None = None
    used_previous_secret: bool = False
    message_id: str | None = None
    timestamp: int | None = None
    event: str | None = None

    @property
    def is_ping(self) -> bool:
        """Whether the sender only tries out the address; nothing is to be started."""
        return self.event == "ping"


class Refused(Exception):
    """A call cannot be verified; says why."""

    def __init__(self, code: FailureCode) -> None:
        super().__init__(code)
        self.code = code
