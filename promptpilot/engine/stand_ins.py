"""What takes the place of the world while a workflow is previewed: models, servers and secrets.

Rules: a stand-in has no way out of the process and opens nothing that is stored. In LIVE previews
models are the real ones, and the accounts to reach them with; everything else still stands in.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from promptpilot.engine.accounts import Account
from promptpilot.engine.egress.messages import HttpRequest, HttpResponse
from promptpilot.engine.ports import OpenedSecrets
from promptpilot.engine.providers.base import ModelReply, ModelRequest, Provider, TextSink
from promptpilot.engine.providers.simulator import Simulator
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.engine.tools import Tools
from promptpilot.engine.unrelayed import Unrelayed

_SIGNING_SECRET: Final = f"whsec_{b64encode(bytes(24)).decode()}"
#: What a script of the simulator may say about its time.
_WAITS: Final = frozenset({"latencyMs", "firstTokenMs", "chunkDelayMs"})


def simulated(tools: Tools) -> Tools:
    """Return tools with which nothing leaves the server and no credential is needed."""
    return replace(
        tools,
        http=StandInSender(),
        secrets=lambda _: StandInSecrets(),
        providers=MODELS,
        outputs=Unrelayed(),
    )


def live(tools: Tools) -> Tools:
    """Return tools that reach models with the workspace's accounts, and nothing else."""
    return replace(
        tools,
        http=StandInSender(),
        secrets=lambda workspace_id: OwnAccounts(tools.secrets(workspace_id)),
        outputs=Unrelayed(),
    )


class StandInSender:
    """Answers every request with 200 and an empty JSON object."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer."""
        return HttpResponse(200, {"content-type": "application/json"}, b"{}")


class StandInSecrets:
    """Holds no secret: stored ones stay sealed, and any account will do."""

    @property
    def revealed(self) -> Sequence[str]:
        """Nothing was opened."""
        return ()

    async def reveal(self, secret_ids: Sequence[str]) -> Mapping[str, str]:
        """Return a word in the place of each secret."""
        return dict.fromkeys(secret_ids, "stand-in")

    async def signing_secrets(self) -> Sequence[str]:
        """Return a key of zeros."""
        return (_SIGNING_SECRET,)

    async def account(self, provider: str, credential_id: str | None) -> Account:
        """Return an account that opens nothing."""
        return Account("")

    async def refused(self, account: Account, words: str) -> None:
        """Note nothing: a preview leaves no trace."""


class OwnAccounts(StandInSecrets):
    """Opens the workspace's accounts for models, and no other secret."""

    def __init__(self, opened: OpenedSecrets) -> None:
        self._opened = opened

    @property
    def revealed(self) -> Sequence[str]:
        """The keys that were opened so far."""
        return self._opened.revealed

    async def account(self, provider: str, credential_id: str | None) -> Account:
        """Return what to reach a provider with. Raises `StepFailed` as in an execution."""
        return await self._opened.account(provider, credential_id)


class StandInModel:
    """Answers in the place of any model."""

    def __init__(self, simulator: Provider) -> None:
        self._simulator = simulator

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Return the simulator's answer. What a provider calls `extra` is no script."""
        asked = replace(request, parameters={**request.parameters, "extra": {}})
        return await self._simulator.complete(asked, None, on_text)


class PromptSimulator:
    """The simulator without its waits."""

    def __init__(self, simulator: Provider) -> None:
        self._simulator = simulator

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Return what the simulator answers, at once. Raises the scripted `StepFailed`."""
        script = request.parameters.get("extra")
        if isinstance(script, Mapping):
            parameters = {**request.parameters, "extra": _hurried(script)}
            request = replace(request, parameters=parameters)
        return await self._simulator.complete(request, None, on_text)


def _hurried(script: Mapping[str, Any]) -> dict[str, Any]:
    """Return a script, with those of its attempts, without waits."""
    hurried = {key: value for key, value in script.items() if key not in _WAITS}
    attempts = hurried.get("attempts")
    if isinstance(attempts, list):
        hurried["attempts"] = [_hurried(e) if isinstance(e, Mapping) else e for e in attempts]
    return hurried


#: Who answers in the place of each provider.
MODELS: Final[Mapping[ModelProvider, Provider]] = {
    kind: StandInModel(Simulator()) for kind in ModelProvider
} | {ModelProvider.SIMULATOR: PromptSimulator(Simulator())}
