"""WEBHOOK steps: what is requested, as it is shown and as clients send it."""

from __future__ import annotations

import strawberry

from promptpilot.engine import step_configs
from promptpilot.engine.step_configs import HttpMethod
from promptpilot.schema.given import given
from promptpilot.schema.scalars import JSON


@strawberry.type(description="A header of an HTTP request.")
class HttpHeader:
    """A header of an HTTP request."""

    name: str = strawberry.field(description="Name.")
    value: str | None = strawberry.field(description="Value; null when it is secret.")
    is_secret: bool = strawberry.field(description="Stored encrypted and never shown.")

    @classmethod
    def of(cls, header: step_configs.RequestHeader) -> HttpHeader:
        """Show a stored header; whatever a secret one holds stays here."""
        value = None if header.is_secret else header.value
        return cls(name=header.name, value=value, is_secret=header.is_secret)


@strawberry.type(description="Calls an HTTP endpoint.")
class WebhookStepConfig:
    """Calls an HTTP endpoint."""

    url: str = strawberry.field(
        description=(
            "Template of the address; private networks are refused unless the server allows them."
        )
    )
    method: HttpMethod = strawberry.field(description="Method.")
    headers: list[HttpHeader] = strawberry.field(description="Headers.")
    body: JSON | None = strawberry.field(description="Template of the JSON body.")
    is_signed: bool = strawberry.field(
        description="Signed with Standard Webhooks headers while true."
    )

    @classmethod
    def of(cls, config: step_configs.RequestConfig) -> WebhookStepConfig:
        """Show a stored configuration without its secrets."""
        return cls(
            url=config.url,
            method=config.method,
            headers=[HttpHeader.of(header) for header in config.headers],
            body=config.body,
            is_signed=config.is_signed,
        )


@strawberry.input(description="A header of an HTTP request.")
class HttpHeaderInput:
    """A header of an HTTP request."""

    name: str = strawberry.field(description="Name.")
    value: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Value; leave out to keep a secret value that is stored.",
    )
    is_secret: bool = strawberry.field(default=False, description="Store encrypted.")

    def to_header(self) -> step_configs.RequestHeader:
        """Return the header as the engine knows it, its secret not sealed yet."""
        return step_configs.RequestHeader(
            name=self.name, value=given(self.value), is_secret=self.is_secret
        )


@strawberry.input(description="WEBHOOK step.")
class WebhookStepConfigInput:
    """WEBHOOK step."""

    url: str = strawberry.field(description="Template of the address.")
    method: HttpMethod = strawberry.field(default=HttpMethod.POST, description="Method.")
    headers: list[HttpHeaderInput] | None = strawberry.field(
        default=strawberry.UNSET, description="Headers."
    )
    body: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="Template of the JSON body."
    )
    is_signed: bool = strawberry.field(
        default=True, description="Sign with Standard Webhooks headers."
    )

    def to_config(self) -> step_configs.RequestConfig:
        """Return the configuration as the engine knows it."""
        return step_configs.RequestConfig(
            url=self.url,
            method=self.method,
            headers=tuple(header.to_header() for header in given(self.headers) or ()),
            body=given(self.body),
            is_signed=self.is_signed,
        )
