"""Starts the product's real processes for a measurement, and a workflow of three trivial steps."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_STEPS = [
    {"name": "extract", "config": {"transform": {"set": {"title": "input.payload.title"}}}},
    {
        "name": "decide",
        "config": {"condition": {"condition": 'contains(steps.extract.output.title, "crash")'}},
    },
    {
        "name": "answer",
        "config": {
            "prompt": {
                "content": "About {{steps.extract.output.title}}",
                "models": [{"provider": "SIMULATOR", "model": "bench"}],
            }
        },
    },
]
_VARIABLES = [{"name": "payload", "dataType": "OBJECT", "isRequired": True}]


@dataclass
class Target:
    """A running product with a signed webhook trigger."""

    base: str
    webhook: str
    secret: str
    token: str
    workflow_id: str
    processes: list[subprocess.Popen]

    def memory_mib(self) -> list[float]:
        """Return the resident memory of each process."""
        return [psutil.Process(each.pid).memory_info().rss / 2**20 for each in self.processes]


@contextmanager
def running(commands: list[str], env: dict[str, str], log: Path) -> Iterator[Target]:
    """Run `promptpilot <command>` for each command, the first one serving HTTP, until the end."""
    port = _free_port()
    base = f"http://127.0.0.1:{port}"
    full = {**os.environ, **env, "PROMPTPILOT_PORT": str(port), "PROMPTPILOT_LOG_LEVEL": "WARNING"}
    with log.open("ab") as out:
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "promptpilot", command], env=full, stdout=out, stderr=out
            )
            for command in commands
        ]
        try:
            _wait_ready(base, started)
            token = ask(base, None, _REGISTER, {})["register"]["token"]
            made = _make_trigger(base, token)
            yield Target(base, *made, started)
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
            for process in started:
                process.wait(30)


_REGISTER = """mutation { register(input: {
    email: "bench@example.com", password: "correct horse battery staple"
}) { token errors { message } } }"""
_CREATE_WORKFLOW = """mutation ($input: CreateWorkflowInput!) { createWorkflow(input: $input) {
    workflow { id } errors { message path } } }"""
_CREATE_TRIGGER = """mutation ($input: CreateTriggerInput!) { createTrigger(input: $input) {
    trigger { id } secret errors { message path } } }"""


def _make_trigger(base: str, token: str) -> tuple[str, str, str, str]:
    made = ask(
        base,
        token,
        _CREATE_WORKFLOW,
        {"input": {"name": "Bench", "steps": _STEPS, "variables": _VARIABLES}},
    )["createWorkflow"]
    trigger = ask(
        base,
        token,
        _CREATE_TRIGGER,
        {
            "input": {
                "workflowId": made["workflow"]["id"],
                "name": "bench",
                "config": {"webhook": {"scheme": "GITHUB"}},
            }
        },
    )["createTrigger"]
    webhook = f"{base}/api/webhooks/{trigger['trigger']['id']}"
    return webhook, trigger["secret"], token, made["workflow"]["id"]


def ask(base: str, token: str | None, query: str, variables: dict) -> dict:
    """Return the data of the answer to a GraphQL request; raise RuntimeError on its errors."""
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{base}/graphql", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        document = json.load(answer)
    if document.get("errors"):
        raise RuntimeError(document["errors"])
    return document["data"]


def _wait_ready(base: str, processes: list[subprocess.Popen]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if any(process.poll() is not None for process in processes):
            raise RuntimeError("a process has ended; read the log")
        try:
            with urllib.request.urlopen(f"{base}/readyz", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError("the server does not become ready")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
