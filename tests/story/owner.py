"""Somebody with an account of their own, who uses the server over GraphQL as people do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from tests.support.caller import Caller
from tests.support.waiting import wait_until

Event = dict[str, Any]

_PERSON = {"email": "mira@example.org", "password": "correct horse battery staple"}
_SECONDS = 30.0

_REGISTER = "mutation ($input: RegisterInput!) { register(input: $input) { token } }"
_LOGIN = "mutation ($input: LoginInput!) { login(input: $input) { token } }"
_EVENT = """
  __typename cursor sequence
  ... on ExecutionStatusChanged { toStatus }
  ... on StepStatusChanged { toStepStatus stepExecution { stepName } }
  ... on StepRetryScheduled { stepExecution { stepName } attempt { number error { code } } }
"""
_WATCH = f"""
subscription ($id: ID!, $after: String) {{
  executionEvents(executionId: $id, after: $after) {{ {_EVENT} }}
}}"""
_EVENTS = (
    f"query ($id: ID!) {{ execution(id: $id) {{ events(first: 100) {{ nodes {{ {_EVENT} }} }} }} }}"
)


@dataclass(frozen=True)
class Owner:
    """A person who is signed in. Take one from `join`."""

    caller: Caller

    async def change(self, field: str, selection: str, **input: Any) -> dict[str, Any]:
        """Call a mutation and return its payload; fail when it was refused."""
        name = f"{field[0].upper()}{field[1:]}Input"
        asked = f"{field}(input: $input) {{ {selection} errors {{ message path }} }}"
        payload: dict[str, Any] = (
            await self.caller.ask(f"mutation ($input: {name}!) {{ {asked} }}", input=input)
        )[field]
        assert payload["errors"] == [], payload["errors"]
        return payload

    async def read(self, id: str, selection: str) -> dict[str, Any]:
        """Return fields of an execution."""
        document = f"query ($id: ID!) {{ execution(id: $id) {{ {selection} }} }}"
        found: dict[str, Any] = (await self.caller.ask(document, id=id))["execution"]
        return found

    async def status_comes(self, id: str, status: str) -> None:
        """Wait until an execution has a status."""

        async def has_come() -> bool:
            return bool((await self.read(id, "status"))["status"] == status)

        await wait_until(has_come, _SECONDS)

    async def watch(self, id: str, after: str | None = None) -> AsyncIterator[Event]:
        """Yield the events of an execution as they happen."""
        async for data in self.caller.subscribe(_WATCH, id=id, after=after):
            yield data["executionEvents"]

    async def events(self, id: str) -> list[Event]:
        """Return the stored events of an execution."""
        found = (await self.caller.ask(_EVENTS, id=id))["execution"]
        events: list[Event] = found["events"]["nodes"]
        return events


async def join(caller: Caller) -> Owner:
    """Register and sign in; the caller has a token then."""
    await caller.ask(_REGISTER, input={**_PERSON, "name": "Mira"})
    caller.token = (await caller.ask(_LOGIN, input=_PERSON))["login"]["token"]
    return Owner(caller)


def told(events: list[Event]) -> list[tuple[str, str]]:
    """Return who came to which status."""
    steps = [event for event in events if event["__typename"] != "StepRetryScheduled"]
    return [
        (event.get("stepExecution", {}).get("stepName", "execution"), _status(event))
        for event in steps
    ]


def _status(event: Event) -> str:
    return str(event.get("toStatus") or event.get("toStepStatus"))
