"""The enumerations of the API: the engine's own, each member with its description.

The ones that definitions are made of are in `step_enums`.

Rules: importing this module describes the engine's enumerations; a member that is not named here
is not part of the API.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from promptpilot.engine import lifecycle
from promptpilot.engine.audit import AuditAction
from promptpilot.engine.credential_status import CredentialStatus
from promptpilot.engine.dead_letters import DeadLetterStatus
from promptpilot.engine.principal import Role, Scope
from promptpilot.engine.triggers.kinds import FiringOutcome, TriggerType
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.schema.description import described


class OrderDirection(StrEnum):
    """Sort direction."""

    ASC = "ASC"
    DESC = "DESC"


class WorkflowOrderField(StrEnum):
    """What workflows are sorted by."""

    NAME = "NAME"
    CREATED_AT = "CREATED_AT"
    UPDATED_AT = "UPDATED_AT"
    LAST_EXECUTED_AT = "LAST_EXECUTED_AT"


class WorkflowExecutionOrderField(StrEnum):
    """What executions are sorted by."""

    CREATED_AT = "CREATED_AT"
    FINISHED_AT = "FINISHED_AT"


class IssueSeverity(StrEnum):
    """How bad a finding of the workflow check is."""

    ERROR = "ERROR"
    WARNING = "WARNING"


class ResponseFormat(StrEnum):
    """Form of a model's answer."""

    TEXT = "TEXT"
    JSON_OBJECT = "JSON_OBJECT"
    JSON_SCHEMA = "JSON_SCHEMA"


class UserErrorCode(StrEnum):
    """What went wrong with a mutation, for programs."""

    INVALID_INPUT = "INVALID_INPUT"
    REQUIRED = "REQUIRED"
    NOT_UNIQUE = "NOT_UNIQUE"
    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    CONFLICT = "CONFLICT"
    INVALID_STATE = "INVALID_STATE"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    CREDENTIAL_UNAVAILABLE = "CREDENTIAL_UNAVAILABLE"
    BAD_CREDENTIALS = "BAD_CREDENTIALS"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"


#: Kept from clients: a handover between workers is still RUNNING to them.
HIDDEN: Final = frozenset({lifecycle.WaitReason.HANDOVER})

described(
    OrderDirection,
    "OrderDirection",
    "Sort direction.",
    ASC="Smallest first.",
    DESC="Largest first.",
)
described(
    WorkflowOrderField,
    "WorkflowOrderField",
    "What workflows are sorted by.",
    NAME="Name.",
    CREATED_AT="Time made.",
    UPDATED_AT="Time of the last change.",
    LAST_EXECUTED_AT="Start of the newest execution.",
)
described(
    WorkflowExecutionOrderField,
    "WorkflowExecutionOrderField",
    "What executions are sorted by.",
    CREATED_AT="Time accepted.",
    FINISHED_AT="Time finished; unfinished ones count as newest.",
)
described(
    IssueSeverity,
    "IssueSeverity",
    "How bad an issue is.",
    ERROR="Executions will fail.",
    WARNING="Executions may do something unintended.",
)
described(
    ResponseFormat,
    "ResponseFormat",
    "Form of a model's answer.",
    TEXT="Text.",
    JSON_OBJECT="Any JSON object.",
    JSON_SCHEMA="JSON that satisfies `responseSchema`.",
)
described(
    UserErrorCode,
    "UserErrorCode",
    (
        "What went wrong with a mutation, for programs. New values may be added: clients"
        " must have a default branch."
    ),
    INVALID_INPUT="A value is not acceptable; `path` says which.",
    REQUIRED="A required value is missing.",
    NOT_UNIQUE="The value is taken already.",
    NOT_FOUND="There is no such object, or the caller may not see it.",
    FORBIDDEN="The caller can see the object but may not do this.",
    CONFLICT="Somebody changed the object since `expectedRevision`.",
    INVALID_STATE="The object's state does not allow it (e.g. cancelling a finished execution).",
    LIMIT_EXCEEDED="A quota or size limit would be passed.",
    CREDENTIAL_UNAVAILABLE="Model credentials are missing, revoked or refused by the provider.",
    BAD_CREDENTIALS="E-mail or password is wrong.",
    IDEMPOTENCY_MISMATCH="The idempotency key was used before with different arguments.",
)
described(
    Role,
    "UserRole",
    "What a user may do.",
    USER="Works with own objects.",
    ADMIN="Also sees and manages everybody's.",
)
described(
    AuditAction,
    "AuditAction",
    "What was done. New values may be added.",
    USER_REGISTERED="An account was made.",
    SESSION_ENDED="Somebody signed out.",
    REFRESH_TOKEN_REUSED="A refresh token came twice; its session was ended.",  # noqa: S106 -- a description
    ACCESS_TOKEN_CREATED="An access token was made.",  # noqa: S106 -- a description
    ACCESS_TOKEN_REVOKED="An access token was revoked.",  # noqa: S106 -- a description
    TRIGGER_CREATED="A trigger was made.",
    TRIGGER_UPDATED="A trigger was changed.",
    TRIGGER_SECRET_ROTATED="A trigger got a new secret or key.",  # noqa: S106 -- a description
    TRIGGER_DELETED="A trigger was deleted.",
    SIGNING_SECRET_ROTATED="The workspace got a new signing secret.",  # noqa: S106 -- a description
    CREDENTIAL_CREATED="A model credential was stored.",
    CREDENTIAL_UPDATED="A model credential was changed.",
    CREDENTIAL_ROTATED="A model credential got a new secret.",
    CREDENTIAL_REVOKED="A model credential was withdrawn.",
    ENDPOINT_CREATED="A webhook endpoint was made.",
    ENDPOINT_UPDATED="A webhook endpoint was changed.",
    ENDPOINT_DELETED="A webhook endpoint was deleted.",
)
described(
    Scope,
    "AccessScope",
    "What an access token is good for. Every scope includes READ.",
    READ="Reads everything that its user may see.",
    RUN="Starts, steers and answers executions, runs triggers, dispatches events.",
    WRITE="Makes and changes prompts, workflows and triggers.",
    SECRETS="Makes and changes model credentials, signing secrets and secrets of triggers.",
    ACCESS="Makes and revokes access tokens and reads the audit log.",
)
described(
    lifecycle.ExecutionStatus,
    "ExecutionStatus",
    (
        "Where an execution is. PENDING -> RUNNING <-> WAITING -> COMPLETED | FAILED |"
        " CANCELLED; any of the first three <-> PAUSED; the last three are final."
    ),
    PENDING="Accepted and stored, not started.",
    RUNNING="A worker is on it.",
    WAITING="Suspended without a worker: a delay, a retry or a person's decision.",
    PAUSED="Held by a person; goes on with `resumeExecution`.",
    COMPLETED="Done.",
    FAILED="Gave up.",
    CANCELLED="Stopped on request.",
)
described(
    lifecycle.WaitReason,
    "WaitReason",
    "What a WAITING execution waits for.",
    DELAY="A DELAY step, or `startAt`.",
    DECISION="A person's decision.",
    RETRY="The next attempt of a failed step.",
)
described(
    lifecycle.StepStatus,
    "StepExecutionStatus",
    "Where a step execution is.",
    PENDING="Not reached yet.",
    RUNNING="Running.",
    WAITING="Delay, retry or decision pending.",
    COMPLETED="Done.",
    FAILED="Failed for good.",
    SKIPPED="Left out by a condition.",
    CANCELLED="Stopped on request.",
)
described(
    TriggerType,
    "TriggerType",
    "What starts an execution.",
    MANUAL="A person or program, through the API.",
    SCHEDULED="The clock.",
    WEBHOOK="An HTTP call from outside, signed.",
    API="An HTTP call with the trigger's own key.",
    EVENT="An event dispatched inside PromptPilot.",
)
described(
    DeadLetterStatus,
    "DeadLetterStatus",
    "What became of a dead letter.",
    OPEN="Somebody has to look at it.",
    REPLAYED="Run again; `replay` is the new execution.",
    DISCARDED="Put aside.",
)
described(
    CredentialStatus,
    "CredentialStatus",
    "Whether a credential can be used.",
    ACTIVE="Works.",
    EXPIRING="`expiresAt` is near.",
    EXPIRED="`expiresAt` has passed.",
    REJECTED="The provider refused it.",
    REVOKED="Withdrawn by its owner.",
)
described(
    FiringOutcome,
    "FiringOutcome",
    "What came of a firing.",
    STARTED="An execution was started.",
    DUPLICATE="The same message, key or instant came before; its execution is linked.",
    SKIPPED_OVERLAP="Left out because an earlier execution still runs.",
    QUEUED="Waits for an earlier execution to end.",
    MISSED="Passed while no scheduler ran and left out by `missedRunPolicy`.",
    FILTERED="The filter said no.",
    REJECTED="Refused: signature, key or input is wrong.",
    INACTIVE="The trigger or the workflow is switched off.",
)
described(
    WebhookScheme,
    "WebhookScheme",
    (
        "How an inbound call proves who sent it. `semantics.md` D9 has headers, signed"
        " text and tolerance of each."
    ),
    STANDARD="Standard Webhooks (and Svix).",
    GITHUB="GitHub: `X-Hub-Signature-256`.",
    STRIPE="Stripe: `Stripe-Signature`.",
    SLACK="Slack: `X-Slack-Signature`.",
    HMAC_SHA256="`X-Signature` (hex HMAC-SHA256 of `<timestamp>.<body>`) with `X-Timestamp`.",
    SHARED_SECRET="A shared secret in the header `X-Webhook-Secret`.",  # noqa: S106 -- a text
    API_KEY="`X-API-Key` of an API trigger.",
)
