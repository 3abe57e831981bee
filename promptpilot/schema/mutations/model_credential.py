"""Keeping keys for model providers."""

from __future__ import annotations

from typing import Annotated

import strawberry

from promptpilot.schema import declare
from promptpilot.schema.arguments import ARGUMENTS
from promptpilot.schema.context import Info
from promptpilot.schema.errors import reporting
from promptpilot.schema.scalars import SafeInt
from promptpilot.schema.types.model_credential import (
    CreateModelCredentialInput,
    CreateModelCredentialPayload,
    RevokeModelCredentialInput,
    RevokeModelCredentialPayload,
    RotateModelCredentialInput,
    RotateModelCredentialPayload,
    TestModelCredentialInput,
    TestModelCredentialPayload,
    UpdateModelCredentialInput,
    UpdateModelCredentialPayload,
)


@strawberry.type
class ModelCredentialMutations:
    """Keeping keys for model providers."""

    @declare.mutation(description="Store a key for a model provider.")
    @staticmethod
    @reporting(CreateModelCredentialPayload)
    async def create_model_credential(
        info: Info, input: Annotated[CreateModelCredentialInput, ARGUMENTS]
    ) -> CreateModelCredentialPayload:
        credentials = info.context.engine.credentials
        row = await credentials.create(info.context.require(), input.to_draft())
        return CreateModelCredentialPayload(model_credential=row)

    @declare.mutation(description="Change a credential's label, address or data.")
    @staticmethod
    @reporting(UpdateModelCredentialPayload)
    async def update_model_credential(
        info: Info, input: Annotated[UpdateModelCredentialInput, ARGUMENTS]
    ) -> UpdateModelCredentialPayload:
        credentials = info.context.engine.credentials
        row = await credentials.update(info.context.require(), input.to_change())
        return UpdateModelCredentialPayload(model_credential=row)

    @declare.mutation(description="Replace a credential's secret.")
    @staticmethod
    @reporting(RotateModelCredentialPayload)
    async def rotate_model_credential(
        info: Info, input: Annotated[RotateModelCredentialInput, ARGUMENTS]
    ) -> RotateModelCredentialPayload:
        credentials = info.context.engine.credentials
        row = await credentials.rotate(info.context.require(), input.id, input.secret)
        return RotateModelCredentialPayload(model_credential=row)

    @declare.mutation(description="Withdraw a credential.")
    @staticmethod
    @reporting(RevokeModelCredentialPayload)
    async def revoke_model_credential(
        info: Info, input: Annotated[RevokeModelCredentialInput, ARGUMENTS]
    ) -> RevokeModelCredentialPayload:
        credentials = info.context.engine.credentials
        row = await credentials.revoke(info.context.require(), input.id)
        return RevokeModelCredentialPayload(model_credential=row)

    @declare.mutation(description="Ask the provider whether it takes a credential.")
    @staticmethod
    @reporting(TestModelCredentialPayload)
    async def test_model_credential(
        info: Info, input: Annotated[TestModelCredentialInput, ARGUMENTS]
    ) -> TestModelCredentialPayload:
        tested = await info.context.engine.credentials.test(info.context.require(), input.id)
        return TestModelCredentialPayload(
            model_credential=tested.row,
            is_accepted=tested.probed.is_accepted,
            latency_ms=SafeInt(tested.probed.latency_ms),
        )
