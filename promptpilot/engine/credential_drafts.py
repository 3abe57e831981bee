"""What callers ask for when they make or change a credential, and what may stand in it.

Rules: a change says what is to become different; UNSET leaves a field as it is. The secret is in
no message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from promptpilot.engine.drafts import UNSET, Unset
from promptpilot.engine.egress.addresses import AllowList, may_dial
from promptpilot.engine.egress.urls import Target, parse_url
from promptpilot.engine.fields import check_document, check_given, check_line
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import InvalidInput, LimitExceeded, Required, StepFailed

MAX_LABEL: Final = 100
MAX_SECRET_BYTES: Final = 8 * 1024

_SECRET: Final = re.compile(r"[!-~]+")
_SECRET_PATH: Final = ("input", "secret")
_URL_PATH: Final = ("input", "baseUrl")
#: Providers that have no address of their own.
_HOSTED_BY_OTHERS: Final = frozenset({ModelProvider.AZURE_OPENAI, ModelProvider.OPENAI_COMPATIBLE})
_OWN_NAMES: Final = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialDraft:
    """A credential to be made."""

    provider: ModelProvider
    label: str
    secret: str = field(repr=False)
    base_url: str | None = None
    expires_at: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialChange:
    """A change of a credential. `secret` is given anew for an address at another server."""

    id: str
    label: str | Unset | None = UNSET
    base_url: str | Unset | None = UNSET
    expires_at: datetime | Unset | None = UNSET
    metadata: Mapping[str, Any] | Unset | None = UNSET
    secret: str | Unset | None = field(default=UNSET, repr=False)

    @property
    def new_secret(self) -> str | None:
        """The secret that is given anew, if one is."""
        return None if self.secret is UNSET else self.secret or None


def draft_checks(
    draft: CredentialDraft, allowed: AllowList, now: datetime
) -> Iterator[Callable[[], None]]:
    """Yield a check for every field; each raises what is wrong with its field."""
    yield partial(check_line, draft.label, ("input", "label"), MAX_LABEL)
    yield partial(check_secret, draft.secret)
    yield partial(_check_base_url, draft.provider, draft.base_url, allowed)
    yield partial(_check_expiry, draft.expires_at, now)
    yield partial(check_document, draft.metadata, ("input", "metadata"))


def change_checks(
    change: CredentialChange, provider: ModelProvider, allowed: AllowList, now: datetime
) -> Iterator[Callable[[], None]]:
    """Yield a check for every field that is given."""
    if change.label is not UNSET:
        yield partial(check_line, change.label, ("input", "label"), MAX_LABEL)
    if change.base_url is not UNSET:
        yield partial(_check_base_url, provider, change.base_url, allowed)
    if change.expires_at is not UNSET:
        yield partial(_check_expiry, change.expires_at, now)
    if change.metadata is not UNSET:
        yield partial(_check_metadata, change.metadata)
    if change.secret is not UNSET:
        yield partial(check_secret, change.secret or "")


def check_secret_is_given(change: CredentialChange, base_url: str | None) -> None:
    """Raise Required for a change that would show the stored secret to another server."""
    if change.base_url is UNSET or change.new_secret is not None:
        return
    if _server_of(change.base_url) != _server_of(base_url):
        message = "baseUrl leads to another server: give the secret again, which is for that one."
        raise Required(message, _SECRET_PATH)


def _server_of(url: str | None) -> tuple[str, str, int | None] | None:
    if url is None:
        return None
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, parts.hostname or "", port


def columns_of(change: CredentialChange) -> dict[str, Any]:
    """Return the columns that the given fields set."""
    columns: dict[str, Any] = {}
    if change.label is not UNSET:
        columns["label"] = change.label
    if change.base_url is not UNSET:
        columns["base_url"] = change.base_url
    if change.expires_at is not UNSET:
        columns["expires_at"] = change.expires_at
    if change.metadata is not UNSET:
        columns["metadata"] = dict(change.metadata or {})
    return columns


def check_secret(secret: str) -> None:
    """Raise Required without a secret, InvalidInput unless it is visible ASCII of at most 8 KiB."""
    if not secret:
        raise Required("secret must not be empty.", _SECRET_PATH)
    if len(secret) > MAX_SECRET_BYTES:
        message = f"secret may have at most {MAX_SECRET_BYTES} bytes."
        raise LimitExceeded(message, MAX_SECRET_BYTES, _SECRET_PATH)
    if any(character.isspace() for character in secret):
        message = (
            "secret has a space or a line break in it, perhaps pasted with it; give the key alone."
        )
        raise InvalidInput(message, _SECRET_PATH)
    if not _SECRET.fullmatch(secret):
        message = "secret must be visible ASCII characters; this is not a key of a provider."
        raise InvalidInput(message, _SECRET_PATH)


def _check_metadata(metadata: Mapping[str, Any] | None) -> None:
    check_given(metadata, ("input", "metadata"))
    check_document(metadata or {}, ("input", "metadata"))


def _check_expiry(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        message = "expiresAt must be in the future; to withdraw a credential, revoke it."
        raise InvalidInput(message, ("input", "expiresAt"))


def _check_base_url(provider: ModelProvider, url: str | None, allowed: AllowList) -> None:
    if url is None:
        if provider in _HOSTED_BY_OTHERS:
            raise Required(f"{provider} needs a baseUrl: where it is reached.", _URL_PATH)
        return
    if provider is ModelProvider.SIMULATOR:
        raise InvalidInput("SIMULATOR is part of this server; leave baseUrl out.", _URL_PATH)
    try:
        target = parse_url(url)
    except StepFailed as fault:
        raise InvalidInput(f"baseUrl cannot be called. {fault.message}", _URL_PATH) from None
    if cause := _address_fault(url, target, allowed):
        raise InvalidInput(f"baseUrl {cause}", _URL_PATH)


def _address_fault(url: str, target: Target, allowed: AllowList) -> str | None:
    if "?" in url or "#" in url:
        return "must end with its path; leave out what follows ? or #."
    if _is_refused(target, allowed):
        return (
            f"leads to {target.host} at port {target.port}, which this server may not call; its "
            "operator can allow the address with PROMPTPILOT_EGRESS_ALLOW."
        )
    if not target.is_secure and not _is_near(target, allowed):
        return "must begin with https://, so that nobody on the way reads the key."
    return None


def _is_refused(target: Target, allowed: AllowList) -> bool:
    """Whether the host is an address that may not be dialled; names are looked up when called."""
    try:
        return not may_dial(ip_address(target.host), target.port, allowed)
    except ValueError:
        return False


def _is_near(target: Target, allowed: AllowList) -> bool:
    """Whether the host is one that the operator allows, so that the key stays in their network.

    A name without a dot is no public one; where it leads is checked when it is dialled.
    """
    if target.host == "localhost":
        return any(allowed.includes(ip_address(each), target.port) for each in _OWN_NAMES)
    try:
        return allowed.includes(ip_address(target.host), target.port)
    except ValueError:
        return "." not in target.host and bool(allowed.ranges)
