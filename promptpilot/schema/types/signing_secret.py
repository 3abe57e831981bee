"""What signs the requests of WEBHOOK steps; its text is shown once."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.schema import declare
from promptpilot.schema.links import link
from promptpilot.schema.types.user_error import UserError


@strawberry.type(
    description=(
        "What signs the requests of the caller's WEBHOOK steps. Its text is shown once, when it is"
        " rotated."
    )
)
class SigningSecret:
    """What signs the requests of the caller's WEBHOOK steps."""

    updated_at: datetime = strawberry.field(description="When it was made.")

    @declare.field(description="Start and end of it, to recognise it by.")
    @staticmethod
    def preview(root: Parent[rows.SigningSecret]) -> str:
        return root.secret_preview

    @declare.field(description="Until then the previous secret also signs.")
    @staticmethod
    def previous_valid_until(root: Parent[rows.SigningSecret]) -> datetime | None:
        return root.previous_secret_until


@strawberry.input(description="Make a new secret that signs the requests of WEBHOOK steps.")
class RotateSigningSecretInput:
    """Make a new secret that signs the requests of WEBHOOK steps."""

    grace_seconds: int = strawberry.field(
        default=86400, description="How long the old one goes on signing beside the new one."
    )


@strawberry.type(description="Result of rotateSigningSecret.")
class RotateSigningSecretPayload:
    """Result of rotateSigningSecret."""

    secret: str | None = strawberry.field(
        default=None, description="The new secret, shown this once."
    )
    signing_secret: rows.SigningSecret | None = strawberry.field(
        default=None,
        graphql_type=link("SigningSecret") | None,
        description="What is known about it from now on.",
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )
