"""The part of the settings that GraphQL obeys: what one request, one caller and one document may.

Rules: as in `promptpilot.settings`, of which this is a part.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from promptpilot.setting_values import Count, Seconds

_MIB = 1024 * 1024


def _check_trusted(text: str) -> str:
    if text and not Path(text).exists():
        raise ValueError("it must be a folder or a file that is there")
    return text


class GraphqlSettings(BaseModel):
    """What GraphQL accepts."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    graphql_max_body_bytes: Count = Field(
        default=256 * 1024,
        alias="PROMPTPILOT_GRAPHQL_MAX_BODY_BYTES",
        ge=1024,
        le=16 * _MIB,
        description="Largest body of a GraphQL request in bytes, 1024 to 16777216.",
    )
    graphql_max_tokens: Count = Field(
        default=2000,
        alias="PROMPTPILOT_GRAPHQL_MAX_TOKENS",
        ge=100,
        le=20_000,
        description="Most tokens of a GraphQL document, 100 to 20000.",
    )
    graphql_max_depth: Count = Field(
        default=12,
        alias="PROMPTPILOT_GRAPHQL_MAX_DEPTH",
        ge=3,
        le=50,
        description="Deepest selection of a GraphQL operation, 3 to 50.",
    )
    graphql_max_aliases: Count = Field(
        default=30,
        alias="PROMPTPILOT_GRAPHQL_MAX_ALIASES",
        ge=1,
        le=1000,
        description="Most aliases of a GraphQL operation, 1 to 1000.",
    )
    graphql_max_directives: Count = Field(
        default=50,
        alias="PROMPTPILOT_GRAPHQL_MAX_DIRECTIVES",
        ge=1,
        le=1000,
        description="Most directives of a GraphQL operation, 1 to 1000.",
    )
    graphql_max_root_fields: Count = Field(
        default=20,
        alias="PROMPTPILOT_GRAPHQL_MAX_ROOT_FIELDS",
        ge=1,
        le=200,
        description="Most root fields of a GraphQL operation, 1 to 200.",
    )
    graphql_max_cost: Count = Field(
        default=5000,
        alias="PROMPTPILOT_GRAPHQL_MAX_COST",
        ge=100,
        le=10_000_000,
        description="Most objects that a GraphQL operation may ask for, 100 to 10000000.",
    )
    graphql_max_json_depth: Count = Field(
        default=128,
        alias="PROMPTPILOT_GRAPHQL_MAX_JSON_DEPTH",
        ge=8,
        le=200,
        description="Deepest nesting of the JSON of a GraphQL request, 8 to 200.",
    )
    graphql_max_list: Count = Field(
        default=10_000,
        alias="PROMPTPILOT_GRAPHQL_MAX_LIST",
        ge=100,
        le=1_000_000,
        description="Most items of a list in GraphQL variables, 100 to 1000000.",
    )
    graphql_max_errors: Count = Field(
        default=50,
        alias="PROMPTPILOT_GRAPHQL_MAX_ERRORS",
        ge=2,
        le=1000,
        description="Most errors of a GraphQL answer, 2 to 1000.",
    )
    graphql_timeout: Seconds = Field(
        default=timedelta(seconds=30),
        alias="PROMPTPILOT_GRAPHQL_TIMEOUT_SECONDS",
        ge=timedelta(seconds=0.1),
        le=timedelta(seconds=600),
        description="Seconds after which a GraphQL operation is stopped, 0.1 to 600.",
    )
    graphql_rate: Count = Field(
        default=60_000,
        alias="PROMPTPILOT_GRAPHQL_RATE",
        le=100_000_000,
        description="GraphQL operations of one signed-in caller a minute; 0 for no limit.",
    )
    graphql_anonymous_rate: Count = Field(
        default=6000,
        alias="PROMPTPILOT_GRAPHQL_ANONYMOUS_RATE",
        le=100_000_000,
        description="GraphQL operations a minute from one address without a token; 0 for no limit.",
    )
    graphql_sockets: Count = Field(
        default=100,
        alias="PROMPTPILOT_GRAPHQL_SOCKETS",
        le=1_000_000,
        description="GraphQL sockets of one caller at one server; 0 for no limit.",
    )
    graphql_strangers: Count = Field(
        default=200,
        alias="PROMPTPILOT_GRAPHQL_STRANGERS",
        le=1_000_000,
        description="GraphQL sockets of one address at one server that have not introduced "
        "themselves yet; 0 for no limit.",
    )
    graphql_subscriptions: Count = Field(
        default=500,
        alias="PROMPTPILOT_GRAPHQL_SUBSCRIPTIONS",
        le=1_000_000,
        description="GraphQL subscriptions of one caller at one server; 0 for no limit.",
    )
    graphql_subscriptions_per_socket: Count = Field(
        default=50,
        alias="PROMPTPILOT_GRAPHQL_SUBSCRIPTIONS_PER_SOCKET",
        ge=1,
        le=10_000,
        description="GraphQL operations that run on one socket at a time, 1 to 10000.",
    )
    graphql_suggestions: bool = Field(
        default=False,
        alias="PROMPTPILOT_GRAPHQL_SUGGESTIONS",
        description="Whether errors of GraphQL suggest names of the schema: `true` or `false`.",
    )
    graphql_fast_executor: bool = Field(
        default=True,
        alias="PROMPTPILOT_GRAPHQL_FAST_EXECUTOR",
        description="Whether plain fields are read without graphql-core's general machinery: "
        "`true` or `false`.",
    )
    trusted_documents: Annotated[str, AfterValidator(_check_trusted)] = Field(
        default="",
        alias="PROMPTPILOT_TRUSTED_DOCUMENTS",
        description="Folder of `.graphql` files, or a manifest in JSON, with the documents that "
        "clients may name by their hash.",
    )
    only_trusted_documents: bool = Field(
        default=False,
        alias="PROMPTPILOT_ONLY_TRUSTED_DOCUMENTS",
        description="Whether no other documents than the trusted ones are executed: `true` or "
        "`false`.",
    )

    @field_validator("only_trusted_documents")
    @classmethod
    def _has_documents_to_trust(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 -- pydantic's own signature
        if value and info.data.get("trusted_documents") == "":
            raise ValueError("PROMPTPILOT_TRUSTED_DOCUMENTS is not set, so nothing could be asked")
        return value
