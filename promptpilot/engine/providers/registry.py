"""Which provider is reached how on this server."""

from __future__ import annotations

from collections.abc import Mapping

from promptpilot.engine.definition import ModelProvider
from promptpilot.engine.providers.base import Provider
from promptpilot.engine.providers.simulator import Simulator

PROVIDERS: Mapping[ModelProvider, Provider] = {ModelProvider.SIMULATOR: Simulator()}
