"""Signing up and in, and tokens for programs."""

from __future__ import annotations

from typing import Annotated

import strawberry

from promptpilot.engine.api import SignedIn
from promptpilot.schema import declare
from promptpilot.schema.arguments import ARGUMENTS
from promptpilot.schema.context import Info
from promptpilot.schema.errors import reporting
from promptpilot.schema.given import given
from promptpilot.schema.types.access import (
    AuthPayload,
    CreateAccessTokenInput,
    CreateAccessTokenPayload,
    LoginInput,
    LogoutInput,
    LogoutPayload,
    RefreshSessionInput,
    RegisterInput,
    RevokeAccessTokenInput,
    RevokeAccessTokenPayload,
)


@strawberry.type
class AccessMutations:
    """Signing up and in, and tokens for programs."""

    @declare.mutation(description="Make an account and sign in.")
    @staticmethod
    @reporting(AuthPayload)
    async def register(info: Info, input: Annotated[RegisterInput, ARGUMENTS]) -> AuthPayload:
        engine = info.context.engine
        address = info.context.address
        signed_in = await engine.register(input.email, input.password, given(input.name), address)
        return _welcome(signed_in)

    @declare.mutation(description="Sign in.")
    @staticmethod
    @reporting(AuthPayload)
    async def login(info: Info, input: Annotated[LoginInput, ARGUMENTS]) -> AuthPayload:
        engine, address = info.context.engine, info.context.address
        return _welcome(await engine.login(input.email, input.password, address))

    @declare.mutation(
        description="Exchange a refresh token for fresh tokens; nobody has to be signed in."
    )
    @staticmethod
    @reporting(AuthPayload)
    async def refresh_session(
        info: Info, input: Annotated[RefreshSessionInput, ARGUMENTS]
    ) -> AuthPayload:
        return _welcome(await info.context.engine.refresh_session(input.refresh_token))

    @declare.mutation(description="Sign out: tokens of the session end at once.")
    @staticmethod
    @reporting(LogoutPayload)
    async def logout(info: Info, input: Annotated[LogoutInput, ARGUMENTS]) -> LogoutPayload:
        caller = info.context.require()
        count = await info.context.engine.end_sessions(caller, everywhere=input.everywhere)
        return LogoutPayload(ended_count=count)

    @declare.mutation(description="Make a token for programs.")
    @staticmethod
    @reporting(CreateAccessTokenPayload)
    async def create_access_token(
        info: Info, input: Annotated[CreateAccessTokenInput, ARGUMENTS]
    ) -> CreateAccessTokenPayload:
        caller, expires_at = info.context.require(), given(input.expires_at)
        token, text = await info.context.engine.create_access_token(
            caller, input.label, expires_at, given(input.scopes)
        )
        return CreateAccessTokenPayload(access_token=token, token=text)

    @declare.mutation(description="Revoke a token.")
    @staticmethod
    @reporting(RevokeAccessTokenPayload)
    async def revoke_access_token(
        info: Info, input: Annotated[RevokeAccessTokenInput, ARGUMENTS]
    ) -> RevokeAccessTokenPayload:
        caller = info.context.require()
        token = await info.context.engine.revoke_access_token(caller, input.id)
        return RevokeAccessTokenPayload(access_token=token)


def _welcome(signed_in: SignedIn) -> AuthPayload:
    return AuthPayload(
        token=signed_in.token,
        expires_at=signed_in.expires_at,
        refresh_token=signed_in.refresh_token,
        refresh_expires_at=signed_in.refresh_expires_at,
        user=signed_in.user,
    )
