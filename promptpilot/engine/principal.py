"""Who calls: what every verb is given, and the only thing that ownership is checked against."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a user may do."""

    USER = "USER"  #: works with own objects
    ADMIN = "ADMIN"  #: also sees and manages everybody's


@dataclass(frozen=True, slots=True)
class Principal:
    """A user who proved who they are, and the workspace they work in (their personal one).

    `expires_at` is the instant from which the proof is no longer good; None means never.
    """

    user_id: str
    workspace_id: str
    role: Role
    expires_at: datetime | None = None
