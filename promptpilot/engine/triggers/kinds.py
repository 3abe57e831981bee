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


class MissedRunPolicy(StrEnum):
    """What happens to times that passed while no scheduler ran."""

    SKIP = "SKIP"  #: they are dropped
    RUN_ONCE = "RUN_ONCE"  #: one execution for all of them
    RUN_ALL = "RUN_ALL"  #: one execution each, at most 100


class OverlapPolicy(StrEnum):
    """What happens when the previous execution of a trigger has not ended."""

    ALLOW = "ALLOW"  #: start anyway
    SKIP = "SKIP"  #: leave this one out
    QUEUE_ONE = "QUEUE_ONE"  #: start the newest one when the other has ended
    QUEUE_ALL = "QUEUE_ALL"  #: start each one when the one before has ended, at most 100 wait
    CANCEL_RUNNING = "CANCEL_RUNNING"  #: cancel the other and start


class GapPolicy(StrEnum):
    """What happens to a fixed time that daylight saving leaves out."""

    SHIFT = "SHIFT"  #: it fires at the first instant after the gap
    SKIP = "SKIP"  #: it does not fire that day


class FoldPolicy(StrEnum):
    """What happens to a fixed time that daylight saving repeats."""

    FIRST = "FIRST"  #: it fires at the first of the two
    BOTH = "BOTH"  #: it fires at both
