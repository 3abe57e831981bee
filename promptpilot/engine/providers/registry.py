"""Which provider is reached how on this server."""

from __future__ import annotations

from collections.abc import Mapping

from promptpilot.engine.providers.base import Provider
from promptpilot.engine.providers.simulator import Simulator
from promptpilot.engine.step_configs import ModelProvider

PROVIDERS: Mapping[ModelProvider, Provider] = {ModelProvider.SIMULATOR: Simulator()}
