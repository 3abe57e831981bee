"""What callers ask for when they make or change a workflow or a trigger.

Rules: a draft says everything; a change says what is to become different. In a change UNSET
leaves a field as it is and None clears it, which only some fields can bear (InvalidInput for the
others). Nothing here is checked yet; the verbs do that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final, Literal

from promptpilot.engine.definition import Step, Variable
from promptpilot.engine.triggers.kinds import (
    FoldPolicy,
    GapPolicy,
    MissedRunPolicy,
    OverlapPolicy,
)
from promptpilot.engine.triggers.signatures import WebhookScheme


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


#: Stands in a change for "leave as it is".
UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowDraft:
    """A workflow to be made. Steps without an `id` are new, and in a draft all of them are."""

    name: str
    description: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    is_active: bool = True
    steps: tuple[Step, ...] | None = None
    variables: tuple[Variable, ...] | None = None
    execution_timeout_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowChange:
    """A change of a workflow; `steps` and `variables` replace the whole list."""

    id: str
    expected_revision: int | None = None
    name: str | Unset | None = UNSET
    description: str | Unset | None = UNSET
    tags: tuple[str, ...] | Unset | None = UNSET
    metadata: Mapping[str, Any] | Unset | None = UNSET
    is_active: bool | Unset | None = UNSET
    steps: tuple[Step, ...] | Unset | None = UNSET
    variables: tuple[Variable, ...] | Unset | None = UNSET
    execution_timeout_seconds: int | Unset | None = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualConfig:
    """Settings of a MANUAL trigger."""

    button_label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfig:
    """Settings of a WEBHOOK trigger.

    `secret` is the sender's; None lets the server make one, or keep the one it has.
    `input_mapping` is input name -> expression over `payload` and `headers`.
    """

    scheme: WebhookScheme = WebhookScheme.STANDARD
    secret: str | None = field(default=None, repr=False)
    tolerance_seconds: int = 300
    input_mapping: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledConfig:
    """Settings of a SCHEDULED trigger. Both bounds are inclusive.

    `pause_after_failures` is how many failures in a row switch it off; None means never.
    """

    cron: str
    time_zone: str = "UTC"
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    missed_run_policy: MissedRunPolicy = MissedRunPolicy.RUN_ONCE
    overlap_policy: OverlapPolicy = OverlapPolicy.SKIP
    gap_policy: GapPolicy = GapPolicy.SHIFT
    fold_policy: FoldPolicy = FoldPolicy.FIRST
    pause_after_failures: int | None = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiConfig:
    """Settings of an API trigger.

    `input_mapping` is input name -> expression over `payload` and `headers`.
    """

    input_mapping: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventConfig:
    """Settings of an EVENT trigger. A trailing `.*` of the type matches any suffix.

    `filter` is a condition on `event`, `input_mapping` input name -> expression over `event`.
    """

    event_type: str
    filter: str | None = None
    input_mapping: Mapping[str, Any] = field(default_factory=dict)


TriggerConfig = ManualConfig | ScheduledConfig | WebhookConfig | ApiConfig | EventConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerDraft:
    """A trigger to be made."""

    workflow_id: str
    name: str
    config: TriggerConfig
    input: Mapping[str, Any] = field(default_factory=dict)
    is_active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerChange:
    """A change of a trigger. A config of another type changes the type."""

    id: str
    expected_revision: int | None = None
    name: str | Unset | None = UNSET
    config: TriggerConfig | Unset | None = UNSET
    input: Mapping[str, Any] | Unset | None = UNSET
    is_active: bool | Unset | None = UNSET
