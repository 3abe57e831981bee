"""Proves that the status of a credential follows from its instants alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from promptpilot.engine.credential_status import (
    CredentialStatus,
    providers_with_usable,
    status_of,
)
from promptpilot.models import Credential
from tests.support.clock import BEGINNING

DAY = timedelta(days=1)


def credential(**instants: timedelta | None) -> Credential:
    """Make a credential whose instants lie so far from now."""
    at = {name: None if off is None else BEGINNING + off for name, off in instants.items()}
    return Credential(provider="OPENAI", **at)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (credential(), CredentialStatus.ACTIVE),
        (credential(expires_at=14 * DAY + timedelta(seconds=1)), CredentialStatus.ACTIVE),
        (credential(expires_at=14 * DAY), CredentialStatus.EXPIRING),
        (credential(expires_at=timedelta(milliseconds=1)), CredentialStatus.EXPIRING),
        (credential(expires_at=timedelta(0)), CredentialStatus.EXPIRED),
        (credential(refused_at=-DAY), CredentialStatus.REJECTED),
        (credential(refused_at=-DAY, expires_at=DAY), CredentialStatus.REJECTED),
        (credential(refused_at=-DAY, expires_at=-DAY), CredentialStatus.EXPIRED),
        (credential(revoked_at=-DAY, expires_at=-DAY), CredentialStatus.REVOKED),
    ],
)
def test_the_status_follows_from_the_instants(row: Credential, expected: CredentialStatus) -> None:
    assert status_of(row, BEGINNING) is expected


def test_only_active_and_expiring_ones_make_a_provider_usable() -> None:
    rows = [credential(expires_at=DAY), credential(revoked_at=-DAY)]

    assert providers_with_usable(rows, BEGINNING) == {"OPENAI"}
    assert providers_with_usable(rows[1:], BEGINNING) == frozenset()
