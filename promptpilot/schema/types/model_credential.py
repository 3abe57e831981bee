"""Keys for model providers. A secret goes in and never comes out."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine.credential_drafts import CredentialChange, CredentialDraft
from promptpilot.engine.credential_status import CredentialStatus, status_of
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.given import changed, given
from promptpilot.schema.links import link
from promptpilot.schema.scalars import URL, JSONObject, SafeInt
from promptpilot.schema.types.relay import Node
from promptpilot.schema.types.user_error import UserError


@strawberry.type(
    description=(
        "A key for a model provider. The secret is stored encrypted and can never be read back."
    )
)
class ModelCredential(Node):
    """A key for a model provider."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    provider: ModelProvider = strawberry.field(description="Provider.")
    label: str = strawberry.field(description="Name, unique per owner and provider.")
    secret_preview: str = strawberry.field(description="Start and end of the secret.")
    base_url: URL | None = strawberry.field(
        description="Address for AZURE_OPENAI and OPENAI_COMPATIBLE."
    )
    metadata: JSONObject = strawberry.field(description="Free data of the user.")
    last_used_at: datetime | None = strawberry.field(description="Last use, to the minute.")
    last_rotated_at: datetime | None = strawberry.field(description="When the secret last changed.")
    expires_at: datetime | None = strawberry.field(
        description="When the provider will stop taking it, if the owner said so."
    )
    revoked_at: datetime | None = strawberry.field(description="When it was revoked.")
    created_at: datetime = strawberry.field(description="When it was made.")
    updated_at: datetime = strawberry.field(description="When it last changed.")
    refusal: str | None = strawberry.field(
        description="What the provider said when it refused it, while it is REJECTED."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.Credential)

    @declare.field(description="Whether it can be used.")
    @staticmethod
    def status(root: Parent[rows.Credential], info: Info) -> CredentialStatus:
        return status_of(root, info.context.engine.clock.now())

    @declare.field(description="Owner.", graphql_type=link("User"))
    @staticmethod
    async def owner(root: Parent[rows.Credential], info: Info) -> rows.User | None:
        return await info.context.loaders.user.load(info.context.require().user_id)


@strawberry.input(description="New model credential.")
class CreateModelCredentialInput:
    """New model credential."""

    provider: ModelProvider = strawberry.field(description="Provider.")
    label: str = strawberry.field(description="Name.")
    secret: str = strawberry.field(description="The key.")
    base_url: URL | None = strawberry.field(
        default=strawberry.UNSET, description="Address for AZURE_OPENAI and OPENAI_COMPATIBLE."
    )
    expires_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When the provider will stop taking it."
    )
    metadata: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="Free data."
    )

    def __repr__(self) -> str:
        """Show the credential without its secret."""
        return f"CreateModelCredentialInput(label={self.label!r})"

    def to_draft(self) -> CredentialDraft:
        """Return the draft as the engine knows it."""
        return CredentialDraft(
            provider=self.provider,
            label=self.label,
            secret=self.secret,
            base_url=given(self.base_url),
            expires_at=given(self.expires_at),
            metadata=given(self.metadata) or {},
        )


@strawberry.input(description="Change of a model credential.")
class UpdateModelCredentialInput:
    """Change of a model credential."""

    id: strawberry.ID = strawberry.field(description="The credential.")
    label: str | None = strawberry.field(default=strawberry.UNSET, description="New name.")
    base_url: URL | None = strawberry.field(default=strawberry.UNSET, description="New address.")
    expires_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="New expiry; null clears it."
    )
    metadata: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="New free data."
    )
    secret: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The key for the new address; needed if `baseUrl` leads to another server.",
    )

    def __repr__(self) -> str:
        """Show the credential without its secret."""
        return f"UpdateModelCredentialInput(id={self.id!r})"

    def to_change(self) -> CredentialChange:
        """Return the change as the engine knows it."""
        return CredentialChange(
            id=self.id,
            label=changed(self.label),
            base_url=changed(self.base_url),
            expires_at=changed(self.expires_at),
            metadata=changed(self.metadata),
            secret=changed(self.secret),
        )


@strawberry.input(description="New secret for a model credential.")
class RotateModelCredentialInput:
    """New secret for a model credential."""

    id: strawberry.ID = strawberry.field(description="The credential.")
    secret: str = strawberry.field(description="The new key.")

    def __repr__(self) -> str:
        """Show the credential without its secret."""
        return f"RotateModelCredentialInput(id={self.id!r})"


@strawberry.input(description="Withdraw a model credential for good.")
class RevokeModelCredentialInput:
    """Withdraw a model credential for good."""

    id: strawberry.ID = strawberry.field(description="The credential.")


@strawberry.input(description="Ask the provider whether it takes the key.")
class TestModelCredentialInput:
    """Ask the provider whether it takes the key."""

    id: strawberry.ID = strawberry.field(description="The credential.")


@strawberry.type(description="Result of createModelCredential.")
class CreateModelCredentialPayload:
    """Result of createModelCredential."""

    model_credential: rows.Credential | None = strawberry.field(
        default=None,
        graphql_type=link("ModelCredential") | None,
        description="The new credential.",
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of updateModelCredential.")
class UpdateModelCredentialPayload:
    """Result of updateModelCredential."""

    model_credential: rows.Credential | None = strawberry.field(
        default=None, graphql_type=link("ModelCredential") | None, description="The credential."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of rotateModelCredential.")
class RotateModelCredentialPayload:
    """Result of rotateModelCredential."""

    model_credential: rows.Credential | None = strawberry.field(
        default=None, graphql_type=link("ModelCredential") | None, description="The credential."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of revokeModelCredential.")
class RevokeModelCredentialPayload:
    """Result of revokeModelCredential."""

    model_credential: rows.Credential | None = strawberry.field(
        default=None, graphql_type=link("ModelCredential") | None, description="The credential."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of testModelCredential.")
class TestModelCredentialPayload:
    """Result of testModelCredential."""

    model_credential: rows.Credential | None = strawberry.field(
        default=None,
        graphql_type=link("ModelCredential") | None,
        description="The credential, its status brought up to date.",
    )
    is_accepted: bool = strawberry.field(default=False, description="The provider took it.")
    latency_ms: SafeInt | None = strawberry.field(
        default=None, description="Time the provider took."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty when the test could be made."
    )
