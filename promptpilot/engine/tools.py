"""What driving executions needs: the same for every execution of a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from promptpilot.engine.commits import Committer
from promptpilot.engine.ports import Feed, HttpSender, OpenedSecrets, OutputRelay
from promptpilot.engine.prices import PriceTable, shipped_prices
from promptpilot.engine.prompt_library import PromptTexts
from promptpilot.engine.providers.base import Provider
from promptpilot.engine.providers.registry import PROVIDERS
from promptpilot.engine.step_configs import ModelProvider, StepType
from promptpilot.engine.steps.base import StepExecutor
from promptpilot.engine.steps.registry import EXECUTORS
from promptpilot.engine.unrelayed import Unrelayed
from promptpilot.engine.versions import Versions
from promptpilot.models.database import Database


@dataclass(frozen=True, slots=True)
class Tools:
    """What driving needs. `secrets` opens those of a workspace, by its id, for one attempt."""

    database: Database
    committer: Committer
    versions: Versions
    feed: Feed
    http: HttpSender
    secrets: Callable[[str], OpenedSecrets]
    executors: Mapping[StepType, StepExecutor] = field(default_factory=lambda: EXECUTORS)
    providers: Mapping[ModelProvider, Provider] = field(default_factory=lambda: PROVIDERS)
    prices: PriceTable = field(default_factory=shipped_prices)
    prompts: PromptTexts = field(default_factory=PromptTexts)
    outputs: OutputRelay = field(default_factory=Unrelayed)
