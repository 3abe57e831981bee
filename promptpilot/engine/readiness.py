"""Says what would keep workflows from running now: their definitions, prompts and models."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from promptpilot.clock import Clock
from promptpilot.engine import checks
from promptpilot.engine.definition import Definition
from promptpilot.engine.fault import Fault
from promptpilot.engine.model_checks import Supplies, check_models
from promptpilot.engine.prices import PriceTable
from promptpilot.engine.prompt_uses import use_faults_of
from promptpilot.engine.step_configs import ModelProvider, PromptConfig
from promptpilot.models import Credential


class Readiness:
    """Looks at many definitions at once, with a few queries for all of them."""

    def __init__(self, clock: Clock, prices: PriceTable, environment: Collection[str]) -> None:
        """`environment` are the providers that the server has keys of its own for."""
        self._clock = clock
        self._prices = prices
        self._environment = environment

    async def faults_of(
        self, workspace_id: str, definitions: Sequence[Definition]
    ) -> list[list[Fault]]:
        """Return what is wrong with each definition, in their order; empty for one that can run."""
        supplies = Supplies(
            await _credentials(workspace_id, definitions),
            self._environment,
            self._prices,
            self._clock.now(),
        )
        prompts = await use_faults_of(workspace_id, definitions)
        return [
            [*checks.check(definition), *of_prompts, *check_models(definition, supplies)]
            for definition, of_prompts in zip(definitions, prompts, strict=True)
        ]


async def _credentials(workspace_id: str, definitions: Sequence[Definition]) -> list[Credential]:
    """Return the credentials for the providers that are asked, the newest first."""
    providers = {
        target.provider.value
        for definition in definitions
        for step in definition.steps
        if isinstance(step.config, PromptConfig)
        for target in step.config.models
        if target.provider is not ModelProvider.SIMULATOR
    }
    if not providers:
        return []
    mine = Credential.filter(workspace_id=workspace_id, provider__in=sorted(providers))
    return await mine.order_by("-created_at", "-id")
