"""Proves who sent an inbound call, over the raw bytes and before anything is parsed.

Rules: a scheme is one row of `SCHEMES`; verify() knows none of them. Texts are compared in
constant time and in their encoded form, so that a signature has one spelling only. What an
unproven call says about itself (its id, its event) is not handed on.
Units: timestamps are whole seconds since the epoch.
"""

from promptpilot.engine.triggers.signatures.judge import (
    challenge_in,
    check_secret,
    is_supported,
    message_id_in,
    new_secret,
    preview,
    reads_forms,
    sign,
    verify,
)
from promptpilot.engine.triggers.signatures.registry import SCHEMES
from promptpilot.engine.triggers.signatures.scheme import WebhookScheme
from promptpilot.engine.triggers.signatures.verdict import FailureCode, Verdict

__all__ = [
    "SCHEMES",
    "FailureCode",
    "Verdict",
    "WebhookScheme",
    "challenge_in",
    "check_secret",
    "is_supported",
    "message_id_in",
    "new_secret",
    "preview",
    "reads_forms",
    "sign",
    "verify",
]
