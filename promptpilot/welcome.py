"""What `promptpilot up` tells: where everything is, and at a first start the example as it runs."""

from __future__ import annotations

import asyncio
import http.client
import json
import shlex
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from rich.console import Console
from rich.markup import escape
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from promptpilot import example
from promptpilot.clock import Clock
from promptpilot.engine.step_configs import ModelProvider, ModelTarget
from promptpilot.engine.triggers.signatures import WebhookScheme, sign
from promptpilot.front.websocket import PROTOCOL
from promptpilot.owner import Owner

_WHOLE_SECONDS = 60.0
_HTTP_SECONDS = 10.0
_MAX_SHOWN = 88


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is reached, by callers and by itself, and where its files are."""

    public_url: str
    own_url: str
    data_dir: Path


def write_files(data_dir: Path) -> Path:
    """Write the payload of the example into the data folder and return its path."""
    path = data_dir / example.PAYLOAD_FILE
    path.write_bytes(example.payload())
    return path


def show_ready(console: Console, place: Place, owner: Owner) -> None:
    """Tell where the explorer is, the token, and a ready query and subscription."""
    query, watch = example.document("executions"), example.document("watch")
    link = f"token={quote(owner.access_token)}&query={quote(query)}"
    _say(console, "\n[bold]PromptPilot is ready.[/]  Ctrl-C ends it; what runs goes on next time.")
    _say(console, f"\n[bold]GraphiQL[/]      {place.public_url}/graphql")
    _say(console, "              with token and query filled in:")
    _plain(console, f"{place.public_url}/graphql#{link}")
    _say(console, f"[bold]Access token[/]  {owner.access_token}")
    _say(console, f"[bold]Data folder[/]   {escape(str(place.data_dir))}")
    _say(console, "\n[bold]A query[/]")
    _plain(console, query.rstrip())
    _say(console, "\n[bold]A subscription[/] (variables: the id of an execution)")
    _plain(console, watch.rstrip())


def show_delivery(console: Console, place: Place, owner: Owner, clock: Clock) -> None:
    """Tell a signed call that runs the example; it may be sent as often as one likes."""
    path = write_files(place.data_dir)
    headers = _headers(owner, path.read_bytes(), clock)
    words = ["curl", "-X", "POST", f"{place.public_url}/api/webhooks/{owner.trigger_id}"]
    for name, value in headers.items():
        words += ["-H", f"{name}: {value}"]
    words += ["--data-binary", f"@{path}"]
    _say(console, "\n[bold]A signed delivery[/] that starts “Triage a GitHub issue”")
    _plain(console, _command(words))
    _say(console, "[dim]The same delivery again starts nothing and answers the same id.[/]\n")


def show_model(console: Console, target: ModelTarget) -> None:
    """Tell which model of a real provider the example asks; nothing of the simulator."""
    if target.provider is not ModelProvider.SIMULATOR:
        asked = f"{target.model} of {target.provider}, with the server's own key"
        _say(console, f"\n[bold]The example asks[/] {escape(asked)}")


async def show_first_run(console: Console, place: Place, owner: Owner, clock: Clock) -> None:
    """Send the example delivery over HTTP and tell its steps as they happen.

    What goes wrong is told and harms nobody.
    """
    _say(console, "\n[bold]The example runs once[/]")
    try:
        async with asyncio.timeout(_WHOLE_SECONDS):
            await _run_once(console, place, owner, clock)
    except Exception as error:  # noqa: BLE001 -- a demonstration must not end the server
        reason = str(error) or type(error).__name__
        _say(console, f"  [red]The example delivery did not work:[/] {escape(reason)}")


async def _run_once(console: Console, place: Place, owner: Owner, clock: Clock) -> None:
    body = example.payload()
    answer = await asyncio.to_thread(_post, place, owner, body, _headers(owner, body, clock))
    execution_id = answer["executionId"]
    _say(console, f"  delivery accepted, execution {execution_id}")
    async with aclosing(_events(place, owner, execution_id)) as events:
        async for event in events:
            for line in _lines(event):
                _say(console, f"  {line}")
            if _is_question(event):
                _show_question(console, place, owner, event["stepExecution"])
                return


def _is_question(event: dict[str, Any]) -> bool:
    step = event.get("stepExecution") or {}
    return event.get("toStepStatus") == "WAITING" and step.get("pendingDecision") is not None


def _show_question(console: Console, place: Place, owner: Owner, step: dict[str, Any]) -> None:
    """Tell the question that waits for the reader, and how to answer it."""
    query = example.document("decide")
    variables = {"stepExecutionId": step["id"], "choice": example.SEND}
    filled_in = {"token": owner.access_token, "query": query, "variables": json.dumps(variables)}
    _say(console, "\n[bold]It waits for you[/]")
    _plain(console, "  " + step["pendingDecision"]["question"].replace("\n", "\n  "))
    choices = " or ".join(step["pendingDecision"]["choices"])
    _say(console, f"  Answer {escape(choices)} in GraphiQL, with everything filled in:")
    _plain(console, f"{place.public_url}/graphql#{urlencode(filled_in, quote_via=quote)}")


def _headers(owner: Owner, body: bytes, clock: Clock) -> dict[str, str]:
    delivery = str(uuid.uuid4())
    signed = sign(WebhookScheme.GITHUB, owner.trigger_secret, body, delivery, clock.now())
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": example.EVENT,
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": signed["x-hub-signature-256"],
    }


def _post(place: Place, owner: Owner, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    parts = urlsplit(place.own_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_HTTP_SECONDS)
    try:
        connection.request("POST", f"/api/webhooks/{owner.trigger_id}", body, headers)
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise RuntimeError(f"POST /api/webhooks answered {response.status}: {text}")
    answer: dict[str, Any] = json.loads(text)
    return answer


async def _events(place: Place, owner: Owner, execution_id: str) -> AsyncGenerator[dict[str, Any]]:
    """Subscribe as any client would, and yield the events until the subscription completes."""
    url = place.own_url.replace("http", "ws", 1) + "/graphql"
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], proxy=None) as socket:
        credentials = {"authorization": f"Bearer {owner.access_token}"}
        await _send(socket, {"type": "connection_init", "payload": credentials})
        request = {
            "query": example.document("watch"),
            "variables": {"executionId": execution_id},
        }
        await _send(socket, {"type": "subscribe", "id": "1", "payload": request})
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "complete":
                return
            if message["type"] == "next":
                yield _event(message["payload"])
            elif message["type"] == "error":
                raise RuntimeError(f"the subscription failed: {message['payload']}")
    raise RuntimeError("the subscription ended before the execution")


def _event(payload: dict[str, Any]) -> dict[str, Any]:
    if payload.get("errors"):
        raise RuntimeError(f"the subscription failed: {payload['errors']}")
    event: dict[str, Any] = payload["data"]["executionEvents"]
    return event


async def _send(socket: ClientConnection, message: dict[str, Any]) -> None:
    await socket.send(json.dumps(message))


def _lines(event: dict[str, Any]) -> list[str]:
    match event["__typename"]:
        case "StepStatusChanged":
            return [_step_line(event["toStepStatus"], event["stepExecution"])]
        case "ExecutionStatusChanged":
            return [_execution_line(event["toStatus"], event["execution"])]
        case _:
            return []


def _step_line(status: str, step: dict[str, Any]) -> str:
    shown = step["error"] or (step["output"] if status == "COMPLETED" else None)
    return f"{_mark(status)} {step['stepName']:<18} {status:<10} {_shown(shown)}".rstrip()


def _execution_line(status: str, execution: dict[str, Any]) -> str:
    shown = execution["error"] or (execution["output"] if status == "COMPLETED" else None)
    return f"{_mark(status)} [bold]{'execution':<18} {status:<10}[/] {_shown(shown)}".rstrip()


def _mark(status: str) -> str:
    marks = {"COMPLETED": "[green]✓[/]", "FAILED": "[red]✗[/]", "SKIPPED": "[dim]-[/]"}
    return marks.get(status, "[dim]·[/]")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False)
    return escape(text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…")


def _command(words: list[str]) -> str:
    """Return a command for a shell, an option a line."""
    text = " ".join(shlex.quote(word) for word in words)
    return text.replace(" -H ", " \\\n  -H ").replace(" --data-binary ", " \\\n  --data-binary ")


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False)


def _plain(console: Console, text: str) -> None:
    """Print a text that people copy, as it is."""
    console.print(text, soft_wrap=True, highlight=False, markup=False)
