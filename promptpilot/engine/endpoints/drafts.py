"""What callers ask for when they make or change an endpoint, and the checks of each field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from promptpilot.engine.drafts import UNSET, Unset
from promptpilot.engine.egress.urls import parse_url
from promptpilot.engine.endpoints.kinds import WebhookEventType
from promptpilot.engine.fields import check_given, check_text
from promptpilot.errors import InvalidInput, LimitExceeded, Required, StepFailed

MAX_WORKFLOWS: Final = 200

_URL: Final = ("input", "url")
_TYPES: Final = ("input", "eventTypes")
_DESCRIPTION: Final = ("input", "description")
WORKFLOWS: Final = ("input", "workflowIds")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDraft:
    """An endpoint to be made. Without `workflow_ids` it is told of all workflows."""

    url: str
    event_types: tuple[WebhookEventType, ...]
    description: str | None = None
    workflow_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointChange:
    """A change of an endpoint; its secret never changes."""

    id: str
    url: str | Unset | None = UNSET
    description: str | Unset | None = UNSET
    event_types: tuple[WebhookEventType, ...] | Unset | None = UNSET
    workflow_ids: tuple[str, ...] | Unset | None = UNSET
    is_active: bool | Unset | None = UNSET


def draft_checks(draft: EndpointDraft) -> Iterator[Callable[[], None]]:
    """Yield a check for every field; each raises what is wrong with its field."""
    yield partial(_check_url, draft.url)
    yield partial(check_text, draft.description, _DESCRIPTION)
    yield partial(_check_types, draft.event_types)
    yield partial(_check_count, draft.workflow_ids)


def change_checks(change: EndpointChange) -> Iterator[Callable[[], None]]:
    """Yield a check for every field that is given."""
    if change.url is not UNSET:
        yield partial(_check_url, change.url)
    if change.description is not UNSET:
        yield partial(check_text, change.description, _DESCRIPTION)
    if change.event_types is not UNSET:
        yield partial(_check_types, change.event_types)
    if change.workflow_ids is not UNSET:
        yield partial(_check_count, change.workflow_ids or ())
    if change.is_active is not UNSET:
        yield partial(check_given, change.is_active, ("input", "isActive"))


def columns_of(change: EndpointChange) -> dict[str, Any]:
    """Return the columns that the given fields set."""
    columns: dict[str, Any] = {}
    if change.url is not UNSET:
        columns["url"] = change.url
    if change.description is not UNSET:
        columns["description"] = change.description
    if change.event_types is not UNSET:
        columns["event_types"] = stored_types(change.event_types or ())
    if change.workflow_ids is not UNSET:
        columns["workflow_ids"] = list(dict.fromkeys(change.workflow_ids or ()))
    if change.is_active is not UNSET:
        columns["is_active"] = change.is_active
    return columns


def stored_types(types: Sequence[WebhookEventType]) -> list[str]:
    """Return the types as they are stored: each once, in the order of the enumeration."""
    return [each.value for each in WebhookEventType if each in types]


def _check_url(url: str | None) -> None:
    if not url:
        raise Required("url must not be empty.", _URL)
    try:
        parse_url(url)
    except StepFailed as fault:
        raise InvalidInput(f"url cannot be called. {fault.message}.", _URL) from None


def _check_types(types: Sequence[WebhookEventType] | None) -> None:
    if not types:
        raise Required("eventTypes must name at least one type of event.", _TYPES)


def _check_count(workflow_ids: Sequence[str]) -> None:
    if len(workflow_ids) > MAX_WORKFLOWS:
        message = f"workflowIds may name at most {MAX_WORKFLOWS} workflows; leave it out for all."
        raise LimitExceeded(message, MAX_WORKFLOWS, WORKFLOWS)
