"""The tables. A row says what is true; it does not know how to change it."""

from promptpilot.models.access import (
    AccessToken,
    AuditEntry,
    LoginFailure,
    Session,
    User,
    Workspace,
)
from promptpilot.models.execution import (
    DeadLetter,
    Decision,
    Execution,
    ExecutionEvent,
    FeedEntry,
    IdempotencyKey,
    LargeOutput,
    StepAttempt,
    StepExecution,
)
from promptpilot.models.prompt import Credential, Prompt, PromptVersion
from promptpilot.models.secret import SigningSecret, StepSecret
from promptpilot.models.trigger import Firing, PlatformEvent, Trigger
from promptpilot.models.webhook import WebhookDelivery, WebhookDeliveryAttempt, WebhookEndpoint
from promptpilot.models.workflow import Workflow, WorkflowStep, WorkflowVariable, WorkflowVersion

__all__ = [
    "AccessToken",
    "AuditEntry",
    "Credential",
    "DeadLetter",
    "Decision",
    "Execution",
    "ExecutionEvent",
    "FeedEntry",
    "Firing",
    "IdempotencyKey",
    "LargeOutput",
    "LoginFailure",
    "PlatformEvent",
    "Prompt",
    "PromptVersion",
    "Session",
    "SigningSecret",
    "StepAttempt",
    "StepExecution",
    "StepSecret",
    "Trigger",
    "User",
    "WebhookDelivery",
    "WebhookDeliveryAttempt",
    "WebhookEndpoint",
    "Workflow",
    "WorkflowStep",
    "WorkflowVariable",
    "WorkflowVersion",
    "Workspace",
]
