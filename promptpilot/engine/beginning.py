"""Decides where the repeat of an execution begins, and what it takes over from the original.

Rules: only what ended well is taken over, from the first step on without a gap, and only as far
as the definition says the same as it did. The flow goes on where it would have gone, so a step
that a branch leaves out cannot be a beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from promptpilot.engine.definition import Definition
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.plan import target_after
from promptpilot.engine.scope import Outcome
from promptpilot.errors import InvalidInput

#: Where the step to begin at stands in the caller's arguments.
STEP_PATH: Final = ("input", "fromStepName")

_MAX_NAMES = 50


@dataclass(frozen=True, slots=True)
class Record:
    """How the steps of an execution that is final ended, by their positions."""

    definition: Definition
    outcomes: Mapping[int, Outcome]

    @property
    def well_ended(self) -> int:
        """How many steps in a row, from the first, ended so that the next one could run."""
        positions = range(len(self.definition.steps))
        return next((each for each in positions if not self._has_ended_well(each)), len(positions))

    def _has_ended_well(self, position: int) -> bool:
        outcome = self.outcomes.get(position)
        if outcome is None:
            return False
        if outcome.status is StepStatus.FAILED:
            return self.definition.steps[position].continue_on_error
        return outcome.status in {StepStatus.COMPLETED, StepStatus.SKIPPED}


@dataclass(frozen=True, slots=True)
class Beginning:
    """The step to begin at.

    Steps before `taken` are taken over; those from there to `position` are left out, because a
    step that is taken over branches past them.
    """

    taken: int
    position: int


def find_beginning(record: Record, definition: Definition, step_name: str | None) -> Beginning:
    """Return where a repeat under `definition` begins: at the step, or where it went wrong.

    Without a name it begins at the first step that has no good end or is not what it was; at the
    first of all if every step ended well. Raises `InvalidInput` for a step that is unknown, was
    left out by a branch, or comes after one that has to be run again.
    """
    if step_name is not None:
        return _find_named(record, definition, step_name)
    if record.well_ended == len(record.definition.steps):
        return Beginning(0, 0)
    taken = min(record.well_ended, _equal_steps(record.definition, definition))
    position, _ = _landing(record, definition, taken)
    return Beginning(taken, position)


def _find_named(record: Record, definition: Definition, step_name: str) -> Beginning:
    wanted = definition.index.get(step_name)
    if wanted is None:
        names = ", ".join(step.name for step in definition.steps[:_MAX_NAMES]) or "none"
        raise _refused(f"There is no step {step_name!r}; the steps are: {names}.")
    equal = _equal_steps(record.definition, definition)
    taken = min(wanted, record.well_ended, equal)
    position, branch = _landing(record, definition, taken)
    if position < wanted:
        first = definition.steps[position].name
        why = "is new or was changed" if position >= equal else "did not end well"
        raise _refused(f"Step {first!r} before it {why}; begin there or at an earlier step.")
    if position > wanted:
        name = definition.steps[branch].name
        raise _refused(
            f"Step {step_name!r} is left out by the branch of step {name!r}; begin at {name!r} "
            "or at an earlier step."
        )
    return Beginning(taken, wanted)


def _landing(record: Record, definition: Definition, taken: int) -> tuple[int, int]:
    """Return where the flow goes on after the first `taken` steps, and from which step."""
    position = branch = 0
    while position < taken:
        branch = position
        position = target_after(definition, position, record.outcomes[position])
    return position, branch


def _equal_steps(before: Definition, after: Definition) -> int:
    """Return how many steps in a row, from the first, are the same in both."""
    pairs = enumerate(zip(before.steps, after.steps, strict=False))
    shorter = min(len(before.steps), len(after.steps))
    return next((position for position, (one, other) in pairs if one != other), shorter)


def _refused(message: str) -> InvalidInput:
    return InvalidInput(message, STEP_PATH)
