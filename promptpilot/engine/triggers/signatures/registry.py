"""Every scheme that a webhook trigger may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from promptpilot.engine.triggers.signatures.github import GITHUB
from promptpilot.engine.triggers.signatures.scheme import Scheme, WebhookScheme
from promptpilot.engine.triggers.signatures.shared_secret import SHARED_SECRET
from promptpilot.engine.triggers.signatures.slack import SLACK
from promptpilot.engine.triggers.signatures.standard import STANDARD
from promptpilot.engine.triggers.signatures.stripe import STRIPE
from promptpilot.engine.triggers.signatures.timestamped import HMAC_SHA256
from promptpilot.errors import InvalidInput

SCHEMES: Final[Mapping[WebhookScheme, Scheme]] = {
    WebhookScheme.STANDARD: STANDARD,
    WebhookScheme.GITHUB: GITHUB,
    WebhookScheme.STRIPE: STRIPE,
    WebhookScheme.SLACK: SLACK,
    WebhookScheme.HMAC_SHA256: HMAC_SHA256,
    WebhookScheme.SHARED_SECRET: SHARED_SECRET,
}


def scheme_of(name: WebhookScheme) -> Scheme:
    """Return the scheme with this name. Raises InvalidInput for one that is not of webhooks."""
    if name not in SCHEMES:
        message = f"Webhook calls cannot have the scheme {name}; use one of {', '.join(SCHEMES)}."
        raise InvalidInput(message, ("scheme",))
    return SCHEMES[name]
