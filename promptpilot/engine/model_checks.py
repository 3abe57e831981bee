"""Checks whether the models of a definition could be called now: only what is stored knows.

Rules: what makes a step fail is an ERROR; what leaves it another model, or cannot be known before
the call, is a WARNING. The simulator needs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from promptpilot.engine.credential_status import CredentialStatus, status_of
from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.fault import Fault
from promptpilot.engine.prices import PriceTable
from promptpilot.engine.step_configs import (
    ModelErrorPolicy,
    ModelProvider,
    ModelTarget,
    PromptConfig,
    RoutingMode,
)
from promptpilot.models import Credential

Severity = Literal["ERROR", "WARNING"]

_CODES = {
    CredentialStatus.REVOKED: "CREDENTIAL_REVOKED",
    CredentialStatus.EXPIRED: "CREDENTIAL_EXPIRED",
}
_WAY_OUT = "make one with createModelCredential"
_RENEW = "give it a later expiresAt with updateModelCredential, and a new secret if it needs one"


@dataclass(frozen=True, slots=True)
class _Finding:
    """What is wrong with a model."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Supplies:
    """What there is to call models with: credentials, newest first, the server's keys, prices."""

    credentials: Sequence[Credential]
    environment: Collection[str]
    prices: PriceTable
    now: datetime


def check_models(definition: Definition, supplies: Supplies) -> Iterator[Fault]:
    """Yield what is wrong with the accounts and prices of the definition's models."""
    for position, step in enumerate(definition.steps):
        if isinstance(step.config, PromptConfig):
            yield from _check_step(position, step, step.config, supplies)


def _check_step(
    position: int, step: Step, config: PromptConfig, supplies: Supplies
) -> Iterator[Fault]:
    asked = [
        (number, target)
        for number, target in enumerate(config.models)
        if not target.is_disabled and target.provider is not ModelProvider.SIMULATOR
    ]
    unusable = {number: _refusal(target, supplies) for number, target in asked}
    severity = _severity(config, sum(found is not None for found in unusable.values()))
    for number, target in asked:
        place = ("steps", str(position), "config", "prompt", "models", str(number))
        if found := unusable[number]:
            field = "credentialId" if target.credential_id else "provider"
            yield Fault(found.code, found.message, (*place, field), step.name, severity)
        elif found := _warning(target, supplies):
            path = (*place, "provider")
            yield Fault(found.code, found.message, path, step.name, severity="WARNING")
        if supplies.prices.price_of(target.provider, target.model) is None:
            message = (
                f"The price of {target.model!r} of {target.provider} is not known, so the costs "
                "of its calls are null; the operator can add it to the price table."
            )
            path = (*place, "model")
            yield Fault("UNKNOWN_PRICE", message, path, step.name, severity="WARNING")


def _severity(config: PromptConfig, unusable: int) -> Severity:
    """Return how bad it is that so many models of a step cannot be called."""
    enabled = sum(not target.is_disabled for target in config.models)
    routing = config.routing
    goes_on = routing.mode is RoutingMode.FALLBACK or routing.on_error is ModelErrorPolicy.CONTINUE
    return "WARNING" if goes_on and unusable < enabled else "ERROR"


def _refusal(target: ModelTarget, supplies: Supplies) -> _Finding | None:
    """Return why a model cannot be called; None if it can."""
    rows = _candidates(target, supplies)
    statuses = [status_of(row, supplies.now) for row in rows]
    if any(status not in _CODES for status in statuses):
        return None
    provider = target.provider.value
    if target.credential_id is None and provider in supplies.environment:
        return None
    if not rows:
        whose = "This credential" if target.credential_id else f"A credential for {provider}"
        return _Finding("CREDENTIAL_MISSING", f"{whose} is not stored; {_WAY_OUT}.")
    is_expired = CredentialStatus.EXPIRED in statuses
    status = CredentialStatus.EXPIRED if is_expired else CredentialStatus.REVOKED
    what = "expired" if is_expired else "was revoked"
    way_out = _RENEW if is_expired else _WAY_OUT
    row = rows[statuses.index(status)]
    message = f"The credential {row.label!r} for {provider} {what}; {way_out}."
    return _Finding(_CODES[status], message)


def _warning(target: ModelTarget, supplies: Supplies) -> _Finding | None:
    """Return what may keep a model from answering although it can be called."""
    rows = _candidates(target, supplies)
    usable = [row for row in rows if status_of(row, supplies.now) not in _CODES]
    refused = [row for row in usable if status_of(row, supplies.now) is CredentialStatus.REJECTED]
    if not usable or len(refused) < len(usable):
        return None
    provider = target.provider.value
    message = (
        f"{provider} refused the credential {refused[0].label!r} when it was last used; test it "
        "with testModelCredential, or give it another secret with rotateModelCredential."
    )
    return _Finding("CREDENTIAL_REJECTED", message)


def _candidates(target: ModelTarget, supplies: Supplies) -> list[Credential]:
    """Return the credentials that a model may be called with, the newest first."""
    return [
        row
        for row in supplies.credentials
        if row.provider == target.provider.value and target.credential_id in {None, row.id}
    ]
