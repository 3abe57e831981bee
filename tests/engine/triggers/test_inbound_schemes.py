"""Proves of every scheme that a delivery starts one execution, however often and when it comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from promptpilot.engine.api import Accepted, Engine
from promptpilot.engine.definition import DataType
from promptpilot.engine.drafts import TriggerDraft, WebhookConfig
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.signatures import WebhookScheme, sign
from promptpilot.errors import IdempotencyMismatch, InvalidInput, SignatureInvalid
from promptpilot.models import Execution, Firing, Trigger
from tests.support.calls import SCHEMES, secret_of
from tests.support.clock import ManualClock
from tests.support.drafts import draft, transform, variable
from tests.support.hooks import only_firing

FORM = {"content-type": "application/x-www-form-urlencoded"}
#: A body with an id, for the schemes that look for it there.
EVENT = {"id": "evt_1", "event_id": "Ev1", "text": "x"}
#: The id under which `EVENT` is known; for the other two it is a digest.
KEYS = {
    WebhookScheme.STANDARD: "m1",
    WebhookScheme.GITHUB: "m1",
    WebhookScheme.SHARED_SECRET: "m1",
    WebhookScheme.STRIPE: "evt_1",
    WebhookScheme.SLACK: "Ev1",
}


@dataclass(frozen=True)
class Sender:
    """Somebody who knows the secret of a trigger."""

    engine: Engine
    hook: Trigger
    scheme: WebhookScheme
    clock: ManualClock

    async def send(
        self,
        payload: Any = None,
        message_id: str = "m1",
        secret: str | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Accepted:
        """Send a signed call: a payload as JSON, or bytes as they are."""
        value = EVENT if payload is None else payload
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        known = secret or secret_of(self.scheme)
        headers = sign(self.scheme, known, body, message_id, self.clock.now())
        return await self.engine.accept_call(self.hook.id, {**headers, **(extra or {})}, body, None)


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> WebhookScheme:
    """Give each scheme in turn."""
    return WebhookScheme(request.param)


@pytest.fixture
async def sender(
    engine: Engine, principal: Principal, clock: ManualClock, scheme: WebhookScheme
) -> Sender:
    """Give the sender of a trigger whose workflow takes any payload."""
    inputs = (variable("payload", DataType.OBJECT),)
    workflow = await engine.create_workflow(principal, draft(transform("a"), variables=inputs))
    config = WebhookConfig(scheme=scheme, secret=secret_of(scheme))
    asked = TriggerDraft(workflow_id=workflow.id, name="Hook", config=config)
    hook, _ = await engine.create_trigger(principal, asked)
    return Sender(engine, hook, scheme, clock)


async def test_twenty_copies_at_once_start_one_execution(sender: Sender) -> None:
    answers = await asyncio.gather(*(sender.send() for _ in range(20)))

    assert len({answer.execution_id for answer in answers}) == 1
    assert sum(not answer.is_duplicate for answer in answers) == 1
    assert await Execution.all().count() == 1


async def test_the_firing_tells_how_the_call_was_verified(sender: Sender) -> None:
    await sender.send()

    firing = await only_firing()
    assert (firing.outcome, firing.scheme, firing.is_verified) == ("STARTED", sender.scheme, True)
    assert firing.dedupe_key is not None
    assert firing.dedupe_key == KEYS.get(sender.scheme, firing.dedupe_key)
    assert (await Execution.get()).input == {"payload": EVENT}


async def test_a_copy_that_is_signed_later_starts_nothing_if_it_has_an_id(sender: Sender) -> None:
    first = await sender.send()
    sender.clock.move(seconds=60)

    again = await sender.send()

    has_id = sender.scheme in KEYS
    assert again.is_duplicate is has_id
    assert (again.execution_id == first.execution_id) is has_id


async def test_another_message_starts_another_execution(sender: Sender) -> None:
    first = await sender.send()

    second = await sender.send({"id": "evt_2", "event_id": "Ev2"}, "m2")

    assert not second.is_duplicate
    assert second.execution_id != first.execution_id


async def test_both_secrets_work_while_one_follows_the_other(
    sender: Sender, principal: Principal
) -> None:
    _, fresh = await sender.engine.rotate_trigger_secret(principal, sender.hook.id, 60)

    await sender.send({"id": "a"}, "a")
    await sender.send({"id": "b"}, "b", fresh)

    used = await Firing.all().order_by("created_at", "id").values_list("used_previous_secret")
    assert sorted(used) == [(False,), (True,)]


async def test_the_old_secret_ends_with_its_grace(sender: Sender, principal: Principal) -> None:
    await sender.engine.rotate_trigger_secret(principal, sender.hook.id, 60)
    sender.clock.move(seconds=60)

    with pytest.raises(SignatureInvalid) as refused:
        await sender.send()

    assert refused.value.failure_code == "SIGNATURE_MISMATCH"
    assert (await only_firing()).outcome == "REJECTED"


@pytest.mark.parametrize("scheme", sorted(KEYS), indirect=True)
async def test_the_same_id_with_another_body_is_a_mismatch(sender: Sender) -> None:
    await sender.send()

    with pytest.raises(IdempotencyMismatch):
        await sender.send({**EVENT, "text": "y"})

    assert sorted([row.outcome for row in await Firing.all()]) == ["REJECTED", "STARTED"]


@pytest.mark.parametrize("scheme", ["SHARED_SECRET"], indirect=True)
async def test_a_message_without_any_id_is_known_by_its_body(sender: Sender) -> None:
    body = b'{"a": 1}'
    headers = {"x-webhook-secret": secret_of(sender.scheme)}

    first = await sender.engine.accept_call(sender.hook.id, headers, body, None)
    sender.clock.move(seconds=60)
    again = await sender.engine.accept_call(sender.hook.id, headers, body, None)

    assert (again.execution_id, again.is_duplicate) == (first.execution_id, True)


@pytest.mark.parametrize("scheme", ["SLACK"], indirect=True)
async def test_a_challenge_is_told_back_and_starts_nothing(sender: Sender) -> None:
    asked = {"type": "url_verification", "challenge": "3eZbrw1a", "token": "x"}

    accepted = await sender.send(asked)

    assert (accepted.challenge, accepted.execution_id) == ("3eZbrw1a", None)
    assert (await only_firing()).outcome == "FILTERED"
    assert not await Execution.exists()


@pytest.mark.parametrize("scheme", ["SLACK"], indirect=True)
async def test_a_challenge_that_is_not_signed_is_not_told_back(sender: Sender) -> None:
    body = b'{"type":"url_verification","challenge":"3eZbrw1a"}'

    with pytest.raises(SignatureInvalid):
        await sender.engine.accept_call(sender.hook.id, {}, body, None)

    assert (await only_firing()).outcome == "REJECTED"


@pytest.mark.parametrize("scheme", sorted(set(SCHEMES) - {"SLACK"}), indirect=True)
async def test_other_senders_may_send_what_looks_like_a_challenge(sender: Sender) -> None:
    accepted = await sender.send({"type": "url_verification", "challenge": "x"})

    assert (accepted.challenge, accepted.is_duplicate) == (None, False)
    assert accepted.execution_id is not None


@pytest.mark.parametrize("scheme", ["SLACK"], indirect=True)
async def test_a_slash_command_starts_once_under_its_trigger_id(sender: Sender) -> None:
    fields = {"command": "/deploy", "text": "to prod & back", "trigger_id": "13345.738.80"}
    body = urlencode(fields).encode()

    answers = await asyncio.gather(*(sender.send(body, extra=FORM) for _ in range(3)))

    execution = await Execution.get()
    assert {answer.execution_id for answer in answers} == {execution.id}
    assert execution.input == {"payload": fields}
    started = await Firing.get(outcome="STARTED")
    assert (started.dedupe_key, started.payload) == ("13345.738.80", fields)


@pytest.mark.parametrize("scheme", ["SLACK", "GITHUB"], indirect=True)
async def test_a_form_with_json_in_it_is_read_as_that_json(sender: Sender) -> None:
    value = {"type": "block_actions", "trigger_id": "1.2.3"}
    body = urlencode({"payload": json.dumps(value)}).encode()

    await sender.send(body, extra=FORM)

    assert (await Execution.get()).input == {"payload": value}
    expected = "1.2.3" if sender.scheme is WebhookScheme.SLACK else "m1"
    assert (await only_firing()).dedupe_key == expected


@pytest.mark.parametrize("scheme", ["SLACK", "GITHUB"], indirect=True)
async def test_a_spoilt_form_is_recorded_and_refused(sender: Sender) -> None:
    with pytest.raises(InvalidInput, match="the same field twice"):
        await sender.send(b"a=1&a=2", extra=FORM)

    firing = await only_firing()
    assert (firing.outcome, firing.payload) == ("REJECTED", "a=1&a=2")


@pytest.mark.parametrize("scheme", sorted(set(SCHEMES) - {"SLACK", "GITHUB"}), indirect=True)
async def test_other_senders_are_told_to_send_json(sender: Sender) -> None:
    with pytest.raises(InvalidInput, match="choose application/json instead"):
        await sender.send(b"a=1", extra=FORM)

    assert (await only_firing()).outcome == "REJECTED"
