"""Users and their access tokens."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine.principal import Role, Scope
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.links import link
from promptpilot.schema.types.relay import Node
from promptpilot.schema.types.user_error import UserError


@strawberry.type(description="A person with an account.")
class User(Node):
    """A person with an account."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    name: str | None = strawberry.field(description="Display name.")
    role: Role = strawberry.field(description="Role.")
    created_at: datetime = strawberry.field(description="When the account was made.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.User)

    @declare.field(description="Sign-in name; visible to the user and to admins only.")
    @staticmethod
    def email(root: Parent[rows.User], info: Info) -> str | None:
        caller = info.context.principal  # None only in the answer to a sign-in, to that very user
        is_shown = caller is None or caller.user_id == root.id or caller.role is Role.ADMIN
        return root.email if is_shown else None


@strawberry.type(description="A token for programs. Its text is shown once, when it is created.")
class AccessToken(Node):
    """A token for programs. Its text is shown once, when it is created."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    label: str = strawberry.field(description="Name given by the owner.")
    preview: str = strawberry.field(description="First characters, to recognise it by.")
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(
        description="When it stops working; null means never."
    )
    last_used_at: datetime | None = strawberry.field(description="Last use, to the minute.")
    revoked_at: datetime | None = strawberry.field(description="When it was revoked.")

    @declare.field(description="What it is good for; null means everything that its user may do.")
    @staticmethod
    def scopes(root: Parent[rows.AccessToken]) -> list[Scope] | None:
        return None if root.scopes is None else [Scope(each) for each in root.scopes]

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.AccessToken)


@strawberry.input(description="New account.")
class RegisterInput:
    """New account."""

    email: str = strawberry.field(description="Sign-in name.")
    password: str = strawberry.field(description="At least 12 characters.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Display name.")


@strawberry.input(description="Sign-in.")
class LoginInput:
    """Sign-in."""

    email: str = strawberry.field(description="Sign-in name.")
    password: str = strawberry.field(description="Password.")


@strawberry.input(description="New access token.")
class CreateAccessTokenInput:
    """New access token."""

    label: str = strawberry.field(description="Name.")
    expires_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When it stops working."
    )
    scopes: list[Scope] | None = strawberry.field(
        default=strawberry.UNSET,
        description="What it is good for; as much as the caller's own proof if not given.",
    )


@strawberry.input(description="Revoke an access token.")
class RevokeAccessTokenInput:
    """Revoke an access token."""

    id: strawberry.ID = strawberry.field(description="The token.")


@strawberry.type(description="Result of signing up or in.")
class AuthPayload:
    """Result of signing up or in."""

    token: str | None = strawberry.field(default=None, description="Bearer token; null on failure.")
    expires_at: datetime | None = strawberry.field(
        default=None, description="When it stops working."
    )
    refresh_token: str | None = strawberry.field(
        default=None,
        description="Gets the next tokens from `refreshSession`, once; null on failure.",
    )
    refresh_expires_at: datetime | None = strawberry.field(
        default=None, description="Until when the refresh token can be used."
    )
    user: rows.User | None = strawberry.field(
        default=None,
        graphql_type=link("User") | None,
        description="Who signed in; null on failure.",
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of createAccessToken.")
class CreateAccessTokenPayload:
    """Result of createAccessToken."""

    access_token: rows.AccessToken | None = strawberry.field(
        default=None, graphql_type=link("AccessToken") | None, description="The token object."
    )
    token: str | None = strawberry.field(default=None, description="Its text, shown this once.")
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of revokeAccessToken.")
class RevokeAccessTokenPayload:
    """Result of revokeAccessToken."""

    access_token: rows.AccessToken | None = strawberry.field(
        default=None, graphql_type=link("AccessToken") | None, description="The token object."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.input(description="Renew a session.")
class RefreshSessionInput:
    """Renew a session."""

    refresh_token: str = strawberry.field(
        description="The refresh token of the last sign-in or renewal; it is good once."
    )


@strawberry.input(description="Sign out.")
class LogoutInput:
    """Sign out."""

    everywhere: bool = strawberry.field(
        default=False, description="End every session of the caller, not only this one."
    )


@strawberry.type(description="Result of logout.")
class LogoutPayload:
    """Result of logout."""

    ended_count: int = strawberry.field(
        default=0, description="How many sessions were ended; 0 for an access token."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )
