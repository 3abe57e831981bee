"""GOOGLE: Gemini through Google's library, which is imported with this module.

Rules: one call is one request, streamed unless `parameters.extra` says otherwise. The library
retries nothing, continues nothing, runs no tool, reads no variable of the environment and sends
through the guard of all that goes out.
"""

from __future__ import annotations

import re
import ssl
import warnings
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Final, cast

import httpx2
from google import genai
from google.genai import errors, types
from google.genai.client import DebugConfig
from pydantic import ValidationError

from promptpilot.engine.accounts import Account
from promptpilot.engine.providers.base import ModelReply, ModelRequest, TextSink, Tokens
from promptpilot.engine.providers.failures import (
    Asked,
    Refusal,
    cut,
    filtered,
    malformed,
    refused,
    refused_midway,
    told_as_failures,
    unusable,
    usable_key,
)
from promptpilot.engine.providers.google_requests import config_of, contents_of, extra_of
from promptpilot.engine.providers.growing import GrowingReply
from promptpilot.engine.providers.transport import ProviderHttp
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.json_values import encode_json

_ADDRESS: Final = "https://generativelanguage.googleapis.com"
_VERSION: Final = "v1beta"
_OK: Final = 200
_KEY_OF_SESSIONS: Final = "auth_tokens/"
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~@:/-]{0,199}")
#: The library makes contexts from variables of the environment unless it is given one; this one
#: is never used, since everything goes through the guarded client.
_UNUSED_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_UNUSED_CLIENT: Final = httpx2.Client(verify=_UNUSED_TLS, trust_env=False)
_WITHHELD: Final = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
    }
)
#: What is no object comes out of the library as a piece without any of these.
_TELLING: Final = frozenset(
    {"candidates", "prompt_feedback", "usage_metadata", "response_id", "model_version"}
)
_BROKEN: Final = frozenset({"MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE"})


# A word that Google adds later is read all the same; nobody needs to be told of it each time.
warnings.filterwarnings("ignore", r".* is not a valid \w+$", UserWarning, r"google\.genai\._common")


class Google:
    """Sends one prompt to one of Google's models, or of a server that speaks like it."""

    def __init__(self, http: ProviderHttp) -> None:
        self._http = http

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Return the model's answer; see `Provider`."""
        asked = Asked(ModelProvider.GOOGLE, request.model, account)
        reading = _Reading(asked, GrowingReply(asked, on_text))
        with told_as_failures(asked), self._refusals(asked):
            client = _client(_usable_key(asked), account, self._http.client())
            asking = _Asking(client, request, _checked_config(asked, request))
            if (request.parameters.get("extra") or {}).get("stream") is False:
                reading.take(await asking.whole())
            else:
                await reading.read(await asking.stream())
            return reading.reply()

    @contextmanager
    def _refusals(self, asked: Asked) -> Iterator[None]:
        try:
            yield
        except errors.APIError as error:
            response = error.response
            if not isinstance(response, httpx2.Response) or response.status_code == _OK:
                raise refused_midway(asked, error.details) from None
            raise refused(asked, Refusal.of(response), self._http.clock.now()) from None


class _Asking:
    """One request, checked and ready to be sent once."""

    def __init__(
        self, client: genai.Client, request: ModelRequest, config: types.GenerateContentConfig
    ) -> None:
        self._models = client.aio.models
        self._request = request
        self._config = config
        self._contents = cast("types.ContentListUnionDict", contents_of(request))

    async def whole(self) -> types.GenerateContentResponse:
        """Return the answer in one piece."""
        return await self._models.generate_content(
            model=self._request.model, contents=self._contents, config=self._config
        )

    async def stream(self) -> AsyncGenerator[types.GenerateContentResponse]:
        """Return the answer in pieces; the request is sent when the first is read."""
        stream = await self._models.generate_content_stream(
            model=self._request.model, contents=self._contents, config=self._config
        )
        return cast("AsyncGenerator[types.GenerateContentResponse]", stream)


def _client(key: str, account: Account | None, http: httpx2.AsyncClient) -> genai.Client:
    """Return a client that knows all it would otherwise look for in its environment."""
    address = (account and account.base_url) or _ADDRESS
    return genai.Client(
        enterprise=False,
        api_key=key,
        debug_config=DebugConfig(client_mode=None, replays_directory=None, replay_id=None),
        http_options=types.HttpOptions(
            base_url=address.rstrip("/").removesuffix(f"/{_VERSION}"),
            api_version=_VERSION,
            async_client_args={"ssl": _UNUSED_TLS},
            httpx_client=_UNUSED_CLIENT,
            httpx_async_client=http,
        ),
    )


def _usable_key(asked: Asked) -> str:
    key = usable_key(asked)
    if key.startswith(_KEY_OF_SESSIONS):
        raise unusable(asked, f"a key that begins with {_KEY_OF_SESSIONS} is for live sessions.")
    return key


def _checked_config(asked: Asked, request: ModelRequest) -> types.GenerateContentConfig:
    """Return the parameters; raise `StepFailed` for what cannot be sent, before anything is."""
    if not _MODEL.fullmatch(request.model) or ".." in request.model:
        raise unusable(asked, f"{request.model[:100]!r} is no name of a model.")
    options = {
        "headers": {"Idempotency-Key": request.idempotency_key},
        "extra_body": extra_of(request),
    }
    try:
        return types.GenerateContentConfig.model_validate(
            {**config_of(request), "http_options": options}
        )
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise unusable(asked, f"{place} has a value that it does not take.") from None


class _Reading:
    """Reads one answer, piece by piece."""

    def __init__(self, asked: Asked, growing: GrowingReply) -> None:
        self._asked = asked
        self._growing = growing
        self._tools = 0
        self._blocked: str | None = None

    async def read(self, stream: AsyncGenerator[types.GenerateContentResponse]) -> None:
        """Read pieces to the end of the stream."""
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                self.take(piece)

    def take(self, piece: types.GenerateContentResponse) -> None:
        """Take a piece of the answer, or all of it."""
        growing = self._growing
        if not piece.model_fields_set & _TELLING:
            raise malformed(self._asked, "a piece of it says nothing")
        growing.request_id = growing.request_id or _request_id(piece)
        feedback = piece.prompt_feedback
        if feedback and feedback.block_reason:
            self._blocked = feedback.block_reason.value
        for candidate in (piece.candidates or [])[:1]:
            if candidate.finish_reason:
                growing.finish_reason = candidate.finish_reason.value
            for part in (candidate.content and candidate.content.parts) or []:
                self._take_part(part)
        if piece.usage_metadata:
            growing.tokens = self._tokens(piece.usage_metadata)

    def reply(self) -> ModelReply:
        """Return the whole answer. Raises `StepFailed` when it was cut or withheld."""
        reason = self._growing.finish_reason
        if self._blocked or reason in _WITHHELD:
            raise filtered(self._asked, self._blocked or str(reason))
        if reason in _BROKEN:
            raise malformed(self._asked, f"the model ended with {reason}")
        if not reason:
            raise cut(self._asked)
        return self._growing.finished()

    def _take_part(self, part: types.Part) -> None:
        if part.text and not part.thought:
            self._growing.add_text(part.text)
        if part.function_call:
            call, self._tools = part.function_call, self._tools + 1
            self._growing.add_tool(self._tools, call.id, call.name, encode_json(call.args or {}))

    def _tokens(self, usage: types.GenerateContentResponseUsageMetadata) -> Tokens:
        """Return the tokens; a model's thoughts stand beside what it said, so both are added."""
        count = self._growing.count
        asked = count(usage.prompt_token_count, "promptTokenCount")
        tools = count(usage.tool_use_prompt_token_count, "toolUsePromptTokenCount")
        said = count(usage.candidates_token_count, "candidatesTokenCount")
        thought = count(usage.thoughts_token_count, "thoughtsTokenCount")
        return Tokens(
            prompt=asked + tools,
            completion=said + thought,
            cached=count(usage.cached_content_token_count, "cachedContentTokenCount"),
            reasoning=thought,
        )


def _request_id(piece: types.GenerateContentResponse) -> str | None:
    """Return Google's name for an answer, or that of a server that speaks like it."""
    headers = (piece.sdk_http_response and piece.sdk_http_response.headers) or {}
    return piece.response_id or headers.get("x-request-id")
