"""WEBHOOK: makes one HTTP request and takes its answer as the step's output.

Rules: every attempt sends the same idempotency key, as `Idempotency-Key` and as `webhook-id`, so
that a receiver can tell a repeated request. A secret is in what is sent and nowhere else: what is
shown of the request has `***` for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar

from promptpilot import __version__
from promptpilot.engine.egress.messages import HttpRequest, HttpResponse
from promptpilot.engine.http_answers import kept_headers, read_body, readable_text, retry_after
from promptpilot.engine.request_headers import header_fault
from promptpilot.engine.scrub import Scrubber
from promptpilot.engine.signing import signed_headers
from promptpilot.engine.step_configs import RequestConfig, RequestHeader
from promptpilot.engine.steps.base import Done, StepContext, resolve_inputs, scope_with
from promptpilot.engine.template import parse_template, render_json
from promptpilot.engine.urls import render_url
from promptpilot.errors import InvalidInput, StepFailed
from promptpilot.json_values import dump_json

T = TypeVar("T")
Headers = list[tuple[str, str]]

USER_AGENT: Final = f"PromptPilot/{__version__}"
#: Of the body of an answer that is no success, and of each of its headers.
MAX_SHOWN_CHARACTERS: Final = 2000

_JSON: Final = "application/json"
_HIDDEN: Final = "***"
#: Larger answers are read in a thread, so that nobody else has to wait for it.
_QUICKLY_READ_BYTES: Final = 64 * 1024
_MAY_PASS: Final = frozenset({408, 409, 425, 429})
_MAY_HAVE_ACTED: Final = frozenset({408})


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A request before its secrets are put in; a value of None stands for a secret."""

    url: str
    method: str
    headers: tuple[tuple[RequestHeader, str | None], ...]
    body: Any
    content: bytes | None

    def shown(self) -> dict[str, Any]:
        """Return what readers see of the request."""
        shown: dict[str, str] = {}
        for header, value in self.headers:
            text = _HIDDEN if value is None else value
            shown[header.name] = f"{shown[header.name]}, {text}" if header.name in shown else text
        return {"url": self.url, "method": self.method, "headers": shown, "body": self.body}


class WebhookStep:
    """Sends the request that the step describes, signed and with an idempotency key."""

    async def run(self, context: StepContext) -> Done:
        """Return `{"status", "headers", "body"}` of an answer with a status of 200 to 299.

        Raises `StepFailed` for every other answer, for none, and for a request that is none.
        """
        config = context.step.config
        assert isinstance(config, RequestConfig)  # noqa: S101 -- the registry pairs them
        rendered = _render(config, scope_with(context, resolve_inputs(context)), context)
        context.shown.input = rendered.shown()
        secrets = await _reveal(config, context)
        headers = await _headers(config, rendered, secrets, context)
        request = HttpRequest(rendered.method, rendered.url, headers, rendered.content)
        response = await context.http.send(request)
        hidden = [*secrets.values()]
        if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
            raise await _read(response, lambda answer: _refusal(answer, context, hidden))
        output = await _read(response, _output)
        is_large = len(response.body) > _QUICKLY_READ_BYTES
        return Done(output, input=context.shown.input, is_large=is_large)


def _render(config: RequestConfig, scope: Mapping[str, Any], context: StepContext) -> _Rendered:
    with_values = tuple((each, _value(each, scope, context)) for each in config.headers)
    url = render_url(config.url, scope, context.now)
    body, content = None, None
    if config.body is not None:
        body = render_json(config.body, scope, context.now)
        content = _content(body)
    return _Rendered(url, config.method.value, with_values, body, content)


def _value(header: RequestHeader, scope: Mapping[str, Any], context: StepContext) -> str | None:
    """Return the rendered value of a header; None of a secret one."""
    if header.is_secret:
        return None
    try:
        value = parse_template(header.value or "").render_text(scope, context.now).strip(" \t")
    except StepFailed as failure:
        message = f"Header {header.name!r}: {failure.message}"
        raise StepFailed(message, failure.error_code, details=failure.details) from failure
    if fault := header_fault(value):
        raise StepFailed(f"Header {header.name!r} {fault}.", "REQUEST_INVALID")
    return value


def _content(body: Any) -> bytes:
    try:
        return dump_json(body, ("body",)).encode()
    except InvalidInput as fault:
        raise StepFailed(
            f"The request has no JSON body: {fault.message}", "REQUEST_INVALID"
        ) from None


async def _reveal(config: RequestConfig, context: StepContext) -> Mapping[str, str]:
    needed = [header.secret_id for header in config.headers if header.secret_id is not None]
    return await context.secrets.reveal(needed) if needed else {}


async def _headers(
    config: RequestConfig, rendered: _Rendered, secrets: Mapping[str, str], context: StepContext
) -> Headers:
    """Return all headers of the request: those of the step, then those that prove what it is."""
    headers = [
        (header.name, secrets[header.secret_id or ""] if value is None else value)
        for header, value in rendered.headers
    ]
    given = {name.lower() for name, _ in headers}
    defaults = [("User-Agent", USER_AGENT)]
    if rendered.content is not None:
        defaults.append(("Content-Type", _JSON))
    headers += [each for each in defaults if each[0].lower() not in given]
    headers.append(("Idempotency-Key", context.idempotency_key))
    if config.is_signed:
        keys = await context.secrets.signing_secrets()
        content = rendered.content or b""
        headers += signed_headers(keys, context.idempotency_key, context.now, content)
    return headers


async def _read(response: HttpResponse, read: Callable[[HttpResponse], T]) -> T:
    if len(response.body) <= _QUICKLY_READ_BYTES:
        return read(response)
    return await asyncio.to_thread(read, response)


def _output(response: HttpResponse) -> dict[str, Any]:
    body = read_body(response)
    return {"status": response.status, "headers": kept_headers(response.headers), "body": body}


def _refusal(response: HttpResponse, context: StepContext, hidden: list[str]) -> StepFailed:
    """Return the failure that a status other than success means."""
    status = response.status
    # A secret that is cut in two would not be recognised any more by whoever stores this.
    shown = Scrubber(hidden).text
    text = shown(readable_text(response))[:MAX_SHOWN_CHARACTERS]
    kept = kept_headers(response.headers).items()
    headers = {name: shown(value)[:MAX_SHOWN_CHARACTERS] for name, value in kept}
    is_server_fault = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return StepFailed(
        f"The server answered {_named(status)}.{_advice(status)}",
        _code(status),
        is_retryable=is_server_fault or status in _MAY_PASS,
        details={"status": status, "body": text, "headers": headers},
        retry_after=retry_after(response.headers.get("retry-after"), context.now),
        is_outcome_unknown=is_server_fault or status in _MAY_HAVE_ACTED,
    )


def _code(status: int) -> str:
    if status < HTTPStatus.BAD_REQUEST:
        return "HTTP_REDIRECT"
    return "HTTP_4XX" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "HTTP_5XX"


def _named(status: int) -> str:
    known = {each.value: each.phrase for each in HTTPStatus}
    return f"{status} {known[status]}" if status in known else str(status)


def _advice(status: int) -> str:
    if status >= HTTPStatus.BAD_REQUEST:
        return ""
    return " Redirects are not followed; write the address that it leads to into the step."
