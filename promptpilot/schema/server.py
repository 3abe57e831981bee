"""What clients can know about this server."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import promptpilot
from promptpilot.engine.api import EngineSettings
from promptpilot.engine.checks import MAX_STEPS
from promptpilot.engine.previews import INLINE_BYTES
from promptpilot.engine.prices import PriceTable
from promptpilot.engine.providers.registry import ADAPTERS, PROVIDERS
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.front.limits import Limits
from promptpilot.schema.paging import MAX_SIZE
from promptpilot.schema.types.server import ModelProviderInfo, ServerInfo, ServerLimits

_NAMES: Final[Mapping[ModelProvider, str]] = {
    ModelProvider.OPENAI: "OpenAI",
    ModelProvider.AZURE_OPENAI: "Azure OpenAI",
    ModelProvider.ANTHROPIC: "Anthropic",
    ModelProvider.GOOGLE: "Google Gemini",
    ModelProvider.OPENAI_COMPATIBLE: "OpenAI-compatible",
    ModelProvider.SIMULATOR: "Simulator",
}


def describe_server(
    settings: EngineSettings, front: Limits, configured: Collection[str]
) -> ServerInfo:
    """Return what this server is and allows; `configured` are the providers with a usable key."""
    limits = ServerLimits(
        max_page_size=MAX_SIZE,
        max_query_depth=front.max_depth,
        max_query_cost=front.max_cost,
        max_steps=MAX_STEPS,
        max_input_bytes=settings.max_input_bytes,
        max_inline_output_bytes=INLINE_BYTES,
    )
    providers = [_describe(each, settings.prices, configured) for each in ModelProvider]
    return ServerInfo(version=promptpilot.__version__, limits=limits, providers=providers)


def _describe(
    provider: ModelProvider, prices: PriceTable, configured: Collection[str]
) -> ModelProviderInfo:
    return ModelProviderInfo(
        provider=provider,
        name=_NAMES[provider],
        is_enabled=provider in PROVIDERS or provider in ADAPTERS,
        # The simulator alone needs no credential.
        is_configured=provider is ModelProvider.SIMULATOR or provider.value in configured,
        models=prices.models(provider),
    )
