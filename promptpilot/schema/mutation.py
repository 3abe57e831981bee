"""Writing: all mutations under one root."""

from __future__ import annotations

import strawberry

from promptpilot.schema.mutations.access import AccessMutations
from promptpilot.schema.mutations.control import ControlMutations
from promptpilot.schema.mutations.dead_letter import DeadLetterMutations
from promptpilot.schema.mutations.execution import ExecutionMutations
from promptpilot.schema.mutations.model_credential import ModelCredentialMutations
from promptpilot.schema.mutations.preview import PreviewMutations
from promptpilot.schema.mutations.prompt import PromptMutations
from promptpilot.schema.mutations.signing_secret import SigningSecretMutations
from promptpilot.schema.mutations.trigger import TriggerMutations
from promptpilot.schema.mutations.webhook_endpoint import WebhookEndpointMutations
from promptpilot.schema.mutations.workflow import WorkflowMutations


@strawberry.type(
    description="Writing. Everything a mutation reports is stored before the answer is sent."
)
class Mutation(
    AccessMutations,
    PromptMutations,
    WorkflowMutations,
    TriggerMutations,
    ExecutionMutations,
    ControlMutations,
    DeadLetterMutations,
    SigningSecretMutations,
    ModelCredentialMutations,
    WebhookEndpointMutations,
    PreviewMutations,
):
    """All mutations."""
