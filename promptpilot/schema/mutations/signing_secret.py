"""Making a new secret that signs the requests of WEBHOOK steps."""

from __future__ import annotations

from typing import Annotated

import strawberry

from promptpilot.schema import declare
from promptpilot.schema.arguments import ARGUMENTS
from promptpilot.schema.context import Info
from promptpilot.schema.errors import reporting
from promptpilot.schema.types.signing_secret import (
    RotateSigningSecretInput,
    RotateSigningSecretPayload,
)


@strawberry.type
class SigningSecretMutations:
    """Making a new secret that signs the requests of WEBHOOK steps."""

    @declare.mutation(description="Make a new secret that signs the requests of WEBHOOK steps.")
    @staticmethod
    @reporting(RotateSigningSecretPayload)
    async def rotate_signing_secret(
        info: Info, input: Annotated[RotateSigningSecretInput, ARGUMENTS]
    ) -> RotateSigningSecretPayload:
        row, secret = await info.context.engine.rotate_signing_secret(
            info.context.require(), input.grace_seconds
        )
        return RotateSigningSecretPayload(secret=secret, signing_secret=row)
