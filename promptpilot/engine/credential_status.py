"""Whether a credential can be used: told by its instants whenever it is read, never by a clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from promptpilot.models import Credential

#: How long before its end a credential is shown as EXPIRING.
NEAR: Final = timedelta(days=14)


class CredentialStatus(StrEnum):
    """Whether a credential can be used. Only REVOKED is final."""

    ACTIVE = "ACTIVE"
    EXPIRING = "EXPIRING"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    REVOKED = "REVOKED"


#: A credential with one of these is taken for calls.
USABLE: Final = frozenset({CredentialStatus.ACTIVE, CredentialStatus.EXPIRING})


def status_of(row: Credential, now: datetime) -> CredentialStatus:
    """Return the status of a credential at `now`."""
    if row.revoked_at is not None:
        return CredentialStatus.REVOKED
    if row.expires_at is not None and row.expires_at <= now:
        return CredentialStatus.EXPIRED
    if row.refused_at is not None:
        return CredentialStatus.REJECTED
    if row.expires_at is not None and row.expires_at - now <= NEAR:
        return CredentialStatus.EXPIRING
    return CredentialStatus.ACTIVE


def providers_with_usable(rows: Iterable[Credential], now: datetime) -> frozenset[str]:
    """Return the providers for which one of the credentials can be used."""
    return frozenset(row.provider for row in rows if status_of(row, now) in USABLE)
