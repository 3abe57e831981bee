"""Names of GraphQL types across files.

Rows are shown as they are: a resolver returns a row, and the field says which GraphQL type shows
it. A link says so by name, because the types of a graph refer to one another in circles and their
files must not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import strawberry

_PACKAGE: Final = "promptpilot.schema.types"
_HOMES: Final[Mapping[str, str]] = {
    "User": "access",
    "AccessToken": "access",
    "AuditEntry": "audit",
    "AuditEntryConnection": "audit",
    "Workflow": "workflow",
    "WorkflowIssue": "workflow",
    "Prompt": "prompt",
    "PromptVersion": "prompt",
    "PromptVersionChange": "prompt",
    "PromptVersionComparison": "prompt",
    "PromptConnection": "prompt_connections",
    "PromptVersionConnection": "prompt_connections",
    "WorkflowStep": "step",
    "WorkflowVariable": "variable",
    "WorkflowTrigger": "trigger",
    "TriggerFiring": "firing",
    "WorkflowExecution": "execution",
    "WorkflowStepExecution": "step_execution",
    "StepDecision": "decision",
    "DeadLetter": "dead_letter",
    "SigningSecret": "signing_secret",
    "ModelCredential": "model_credential",
    "WebhookEndpoint": "webhook_endpoint",
    "WebhookDelivery": "webhook_delivery",
    "WebhookDeliveryConnection": "webhook_delivery",
    "ExecutionEvent": "event",
    "ExecutionStatusChanged": "event",
    "WorkflowConnection": "connections",
    "WorkflowExecutionConnection": "connections",
    "DeadLetterConnection": "connections",
    "TriggerFiringConnection": "connections",
    "ExecutionEventConnection": "connections",
}


def link(name: str) -> Any:
    """Return the type called `name`, wherever its file is."""
    return Annotated[name, strawberry.lazy(f"{_PACKAGE}.{_HOMES[name]}")]


def links(name: str) -> Any:
    """Return a list of the type called `name`."""
    return list[link(name)]  # type: ignore[misc]  # a type made at run time
