"""How long an operator lets the providers of models take."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, Field

from promptpilot.setting_values import Seconds

_LEAST = timedelta(seconds=0.1)
_MOST = timedelta(seconds=3600)


class ProviderSettings(BaseModel):
    """The settings of calls to models; the whole of a call has the time of its step."""

    provider_connect: Seconds = Field(
        default=timedelta(seconds=10),
        alias="PROMPTPILOT_PROVIDER_CONNECT_SECONDS",
        ge=_LEAST,
        le=timedelta(seconds=300),
        description="Seconds that connecting to a provider of models may take, 0.1 to 300.",
    )
    provider_first_token: Seconds = Field(
        default=timedelta(seconds=60),
        alias="PROMPTPILOT_PROVIDER_FIRST_TOKEN_SECONDS",
        ge=_LEAST,
        le=_MOST,
        description="Seconds until a model must begin to answer, 0.1 to 3600; what is not streamed "
        "begins when it is complete.",
    )
    provider_idle: Seconds = Field(
        default=timedelta(seconds=30),
        alias="PROMPTPILOT_PROVIDER_IDLE_SECONDS",
        ge=_LEAST,
        le=_MOST,
        description="Seconds that may lie between two pieces of a model's answer, 0.1 to 3600.",
    )
