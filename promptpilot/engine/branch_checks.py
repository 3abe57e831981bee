"""Checks the steps that branch, CONDITION and DECISION: their choices and where they lead."""

from __future__ import annotations

from collections.abc import Iterator

from promptpilot.engine.definition import END, Definition
from promptpilot.engine.fault import Fault
from promptpilot.engine.step_configs import Choice, ConditionConfig, DecisionConfig, DecisionMode

MAX_WAIT_SECONDS = 31_536_000
MAX_CHOICES = 20
MAX_CHOICE_NAME = 100
MAX_QUESTION = 10_000
_PLACE = ("config", "decision")

Path = tuple[str, ...]


def check_condition(
    definition: Definition, position: int, config: ConditionConfig
) -> Iterator[Fault]:
    """Yield the faults of the CONDITION step at `position`."""
    targets = {"thenStepName": config.then_step, "elseStepName": config.else_step}
    for field, name in targets.items():
        yield from _check_target(definition, position, name, ("config", "condition", field))


def check_decision(
    definition: Definition, position: int, config: DecisionConfig
) -> Iterator[Fault]:
    """Yield the faults of the DECISION step at `position`."""
    yield from _check_choices(config)
    for number, choice in enumerate(config.choices):
        path = (*_PLACE, "choices", str(number), "nextStepName")
        yield from _check_target(definition, position, choice.next_step, path)
    if config.mode is DecisionMode.MANUAL:
        yield from _check_manual(config)
    else:
        yield from _check_rules(config)


def _check_target(
    definition: Definition, position: int, name: str | None, path: Path
) -> Iterator[Fault]:
    if name is None or name == END:
        return
    target = definition.index.get(name)
    if target is None:
        message = f"There is no step {name!r}; name a later step or {END}."
        yield Fault("UNKNOWN_STEP", message, path)
    elif target <= position:
        message = f"Step {name!r} does not come later; a workflow only goes forward."
        yield Fault("BACKWARD_TARGET", message, path)


def _check_choices(config: DecisionConfig) -> Iterator[Fault]:
    count = len(config.choices)
    if count < 2:  # noqa: PLR2004 -- one way is no choice
        yield Fault("REQUIRED", "A decision needs at least two choices.", (*_PLACE, "choices"))
    if count > MAX_CHOICES:
        message = f"A decision has at most {MAX_CHOICES} choices; this one has {count}."
        yield Fault("TOO_MANY_CHOICES", message, (*_PLACE, "choices"))
    seen: set[str] = set()
    for number, choice in enumerate(config.choices):
        yield from _check_name(choice.name, seen, (*_PLACE, "choices", str(number), "name"))
        seen.add(choice.name)
    default = config.default_choice
    if default is not None and default not in seen:
        known = ", ".join(repr(choice.name) for choice in config.choices)
        message = f"There is no choice {default!r}; the choices are: {known or 'none'}."
        yield Fault("UNKNOWN_CHOICE", message, (*_PLACE, "defaultChoice"))


def _check_name(name: str, seen: set[str], path: Path) -> Iterator[Fault]:
    is_one_line = all(ord(each) >= ord(" ") and each != "\x7f" for each in name)
    if not 1 <= len(name) <= MAX_CHOICE_NAME or name != name.strip() or not is_one_line:
        message = (
            f"{name!r} is not the name of a choice: give one line of 1 to {MAX_CHOICE_NAME} "
            "characters without spaces around it."
        )
        yield Fault("INVALID_NAME", message, path)
    elif name in seen:
        yield Fault("NOT_UNIQUE", f"The choice {name!r} is there twice; rename one.", path)


def _check_rules(config: DecisionConfig) -> Iterator[Fault]:
    for number, choice in enumerate(config.choices):
        if choice.condition is None and choice.name != config.default_choice:
            message = (
                f"The choice {choice.name!r} can never be taken: give it a condition, or make it "
                "the `defaultChoice`."
            )
            yield Fault("REQUIRED", message, _condition_path(number))
    only_manual = {
        "decisionTimeoutSeconds": config.decision_timeout_seconds,
        "question": config.question,
    }
    for field, value in only_manual.items():
        if value is not None:
            message = f"{field} is for a person; leave it out or set the mode to MANUAL."
            yield Fault("NOT_APPLICABLE", message, (*_PLACE, field))


def _check_manual(config: DecisionConfig) -> Iterator[Fault]:
    for number, choice in enumerate(config.choices):
        yield from _refuse_condition(choice, number)
    if config.question is not None and len(config.question) > MAX_QUESTION:
        message = f"question has {len(config.question)} characters; {MAX_QUESTION} are allowed."
        yield Fault("OUT_OF_RANGE", message, (*_PLACE, "question"))
    seconds, path = config.decision_timeout_seconds, (*_PLACE, "decisionTimeoutSeconds")
    if seconds is None:
        return
    if not 1 <= seconds <= MAX_WAIT_SECONDS:
        message = f"decisionTimeoutSeconds is {seconds}; it must be from 1 to {MAX_WAIT_SECONDS}."
        yield Fault("OUT_OF_RANGE", message, path)
    elif config.default_choice is None:
        message = (
            "When nobody has decided in time, the step fails; name a `defaultChoice` if it is to "
            "go on."
        )
        yield Fault("MAY_TIME_OUT", message, path, severity="WARNING")


def _refuse_condition(choice: Choice, number: int) -> Iterator[Fault]:
    if choice.condition is not None:
        message = (
            f"A person chooses {choice.name!r}, so it takes no condition; leave it out or set the "
            "mode to RULES."
        )
        yield Fault("NOT_APPLICABLE", message, _condition_path(number))


def _condition_path(number: int) -> Path:
    return (*_PLACE, "choices", str(number), "condition")
