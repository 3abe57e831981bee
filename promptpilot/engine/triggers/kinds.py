"""What triggers there are, and what can come of a firing."""

from __future__ import annotations

from enum import StrEnum


class TriggerType(StrEnum):
    """How an execution is started."""

    MANUAL = "MANUAL"  #: by a person or a program, through the API
    SCHEDULED = "SCHEDULED"  #: by the clock
    WEBHOOK = "WEBHOOK"  #: by a signed HTTP call from outside
    API = "API"  #: by an HTTP call with the trigger's own key
    EVENT = "EVENT"  #: by an event dispatched inside PromptPilot


class FiringOutcome(StrEnum):
    """What came of a firing."""

    STARTED = "STARTED"  #: an execution was started
    DUPLICATE = "DUPLICATE"  #: the same message, key or instant came before
    SKIPPED_OVERLAP = "SKIPPED_OVERLAP"  #: left out because an earlier execution still runs
    QUEUED = "QUEUED"  #: waits for an earlier execution to end
    MISSED = "MISSED"  #: passed while no scheduler ran
    FILTERED = "FILTERED"  #: nothing was to be started: the filter said no, or a mere ping
    REJECTED = "REJECTED"  #: refused: signature, key or input is wrong
    INACTIVE = "INACTIVE"  #: the trigger or the workflow is switched off
