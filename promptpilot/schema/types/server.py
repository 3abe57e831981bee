"""What this server is and allows."""

from __future__ import annotations

import strawberry

from promptpilot.engine.step_configs import ModelProvider


@strawberry.type(description="Limits of this server.")
class ServerLimits:
    """Limits of this server."""

    max_page_size: int = strawberry.field(description="Largest `first` or `last`.")
    max_query_depth: int = strawberry.field(description="Deepest selection.")
    max_query_cost: int = strawberry.field(
        description="Costliest operation; its own cost is in `extensions.cost`."
    )
    max_steps: int = strawberry.field(description="Most steps in a workflow.")
    max_input_bytes: int = strawberry.field(description="Largest input of an execution.")
    max_inline_output_bytes: int = strawberry.field(description="Largest output shown inline.")


@strawberry.type(description="A provider as this server knows it.")
class ModelProviderInfo:
    """A provider as this server knows it."""

    provider: ModelProvider = strawberry.field(description="Provider.")
    name: str = strawberry.field(description="Name for people.")
    is_enabled: bool = strawberry.field(description="Allowed on this server.")
    is_configured: bool = strawberry.field(
        description=(
            "The viewer has an ACTIVE or EXPIRING credential, or the server has a key of its own."
        )
    )
    models: list[str] = strawberry.field(
        description="Models known to it; others may be named all the same."
    )


@strawberry.type(description="What this server is and allows.")
class ServerInfo:
    """What this server is and allows."""

    version: str = strawberry.field(description="Version of PromptPilot.")
    limits: ServerLimits = strawberry.field(description="Limits that clients should know.")
    providers: list[ModelProviderInfo] = strawberry.field(description="Providers.")
