"""Which provider is reached how on this server.

Rules: the libraries of providers are large, so each adapter is loaded when it is first asked, in a
thread, and a process that asks no model never loads one.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from typing import Final, cast

from promptpilot.engine.accounts import Account
from promptpilot.engine.providers.base import ModelReply, ModelRequest, Provider, TextSink
from promptpilot.engine.providers.circuit import CircuitProvider, Circuits
from promptpilot.engine.providers.simulator import Simulator
from promptpilot.engine.providers.transport import ProviderHttp
from promptpilot.engine.step_configs import ModelProvider

#: What a server without a way out has.
PROVIDERS: Mapping[ModelProvider, Provider] = {ModelProvider.SIMULATOR: Simulator()}

_PACKAGE: Final = "promptpilot.engine.providers"
#: Module and class of each adapter; the class takes the ProviderHttp of the process.
ADAPTERS: Final[Mapping[ModelProvider, tuple[str, str]]] = {
    ModelProvider.OPENAI: ("openai_wire", "OpenAi"),
    ModelProvider.AZURE_OPENAI: ("openai_wire", "AzureOpenAi"),
    ModelProvider.OPENAI_COMPATIBLE: ("openai_wire", "OpenAiCompatible"),
    ModelProvider.ANTHROPIC: ("anthropic_wire", "Anthropic"),
    ModelProvider.GOOGLE: ("google_wire", "Google"),
}


def open_providers(http: ProviderHttp) -> Mapping[ModelProvider, Provider]:
    """Return every provider of this server; those outside are reached through `http`."""
    circuits = Circuits(http.clock)
    outside = {
        kind: CircuitProvider(kind, _LazyProvider(*place, http), circuits)
        for kind, place in ADAPTERS.items()
    }
    return {**PROVIDERS, **outside}


class _LazyProvider:
    """An adapter that is loaded with its library by the first call."""

    def __init__(self, module: str, name: str, http: ProviderHttp) -> None:
        self._module = module
        self._name = name
        self._http = http
        self._adapter: Provider | None = None

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Return the model's answer. Raises `StepFailed`."""
        if self._adapter is None:
            self._adapter = await asyncio.to_thread(self._load)
        return await self._adapter.complete(request, account, on_text)

    def _load(self) -> Provider:
        module = importlib.import_module(f"{_PACKAGE}.{self._module}")
        return cast("Provider", getattr(module, self._name)(self._http))
