"""The enumerations of schedules: the engine's own, each member with its description.

Rules: importing this module describes them; a member that is not named here is not part of the
API.
"""

from __future__ import annotations

from promptpilot.engine.triggers import kinds
from promptpilot.schema.description import described

described(
    kinds.MissedRunPolicy,
    "MissedRunPolicy",
    "What happens to times that passed while the scheduler was down.",
    SKIP="They are dropped.",
    RUN_ONCE="One execution for all of them.",
    RUN_ALL="One execution each (at most 100).",
)
described(
    kinds.OverlapPolicy,
    "OverlapPolicy",
    "What happens when the previous execution of the trigger is still running.",
    ALLOW="Start anyway.",
    SKIP="Leave this one out.",
    QUEUE_ONE="Start the newest one when the other is done.",
    QUEUE_ALL="Start each one when the one before is done (at most 100 wait).",
    CANCEL_RUNNING="Cancel the other and start.",
)
described(
    kinds.GapPolicy,
    "GapPolicy",
    "What happens to a time that daylight saving skips (spring).",
    SHIFT="It fires at the first instant after the gap.",
    SKIP="It does not fire that day.",
)
described(
    kinds.FoldPolicy,
    "FoldPolicy",
    (
        "What happens to a time that daylight saving repeats (autumn), where the hour field is"
        " fixed."
    ),
    FIRST="It fires at the first of the two.",
    BOTH="It fires at both.",
)
