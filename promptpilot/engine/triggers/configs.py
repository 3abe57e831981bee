"""What the settings of each type of trigger may be, and how they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from promptpilot.engine.definition import Definition, VariableKind
from promptpilot.engine.drafts import (
    ApiConfig,
    EventConfig,
    ManualConfig,
    ScheduledConfig,
    TriggerConfig,
    WebhookConfig,
)
from promptpilot.engine.fields import check_document, check_line
from promptpilot.engine.gathering import gather, raise_all
from promptpilot.engine.inputs import value_faults
from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.event_configs import check_event, stored_event
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.engine.triggers.mapping import check_mapping
from promptpilot.engine.triggers.schedule_configs import check_scheduled, stored_scheduled
from promptpilot.errors import CallerError, InvalidInput

Path = tuple[str, ...]

MAX_TOLERANCE_SECONDS: Final = 3600
_MAX_LABEL: Final = 100
_WEBHOOK: Final = ("input", "config", "webhook")
_API_MAPPING: Final = ("input", "config", "api", "inputMapping")
_TYPES: Final[Mapping[type[TriggerConfig], TriggerType]] = {
    ManualConfig: TriggerType.MANUAL,
    ScheduledConfig: TriggerType.SCHEDULED,
    WebhookConfig: TriggerType.WEBHOOK,
    ApiConfig: TriggerType.API,
    EventConfig: TriggerType.EVENT,
}


def type_of(config: TriggerConfig) -> TriggerType:
    """Return the type of trigger that a config belongs to."""
    return _TYPES[type(config)]


def check_config(config: TriggerConfig, definition: Definition, now: datetime) -> None:
    """Raise InvalidInput or InvalidMany for settings that a trigger cannot have from `now` on."""
    inputs = input_names(definition)
    match config:
        case ManualConfig():
            _check_label(config.button_label)
        case ScheduledConfig():
            check_scheduled(config, now)
        case WebhookConfig():
            gather(
                partial(_check_scheme, config),
                partial(_check_tolerance, config.tolerance_seconds),
                partial(check_mapping, config.input_mapping, inputs, (*_WEBHOOK, "inputMapping")),
            )
        case ApiConfig():
            check_mapping(config.input_mapping, inputs, _API_MAPPING)
        case EventConfig():
            check_event(config, inputs)


def stored_config(config: TriggerConfig) -> dict[str, Any]:
    """Return the JSON document of settings that were checked; secrets are not in it."""
    match config:
        case ManualConfig():
            return {"button_label": config.button_label}
        case ScheduledConfig():
            return stored_scheduled(config)
        case WebhookConfig():
            return {
                "scheme": config.scheme.value,
                "tolerance_seconds": config.tolerance_seconds,
                "input_mapping": dict(config.input_mapping),
            }
        case ApiConfig():
            return {"input_mapping": dict(config.input_mapping)}
        case EventConfig():
            return stored_event(config)


def check_default_input(values: Mapping[str, Any], definition: Definition, path: Path) -> None:
    """Raise InvalidInput or InvalidMany for values that the workflow's inputs cannot have.

    Inputs may be missing: the caller or the payload gives them.
    """
    check_document(values, path)
    declared = {each.name: each for each in definition.variables_of(VariableKind.INPUT)}
    faults: list[CallerError] = []
    for name, value in values.items():
        if name not in declared:
            known = ", ".join(declared) or "none"
            message = f"The workflow has no input {name!r}; its inputs are: {known}."
            faults.append(InvalidInput(message, (*path, name)))
        elif value is not None:
            faults += value_faults(declared[name], value, (*path, name))
    raise_all(faults)


def input_names(definition: Definition) -> tuple[str, ...]:
    """Return the names of a workflow's inputs, in order."""
    return tuple(each.name for each in definition.variables_of(VariableKind.INPUT))


def _check_label(label: str | None) -> None:
    if label is not None:
        check_line(label, ("input", "config", "manual", "buttonLabel"), _MAX_LABEL)


def _check_scheme(config: WebhookConfig) -> None:
    if not signatures.is_supported(config.scheme):
        known = ", ".join(signatures.SCHEMES)
        message = f"Webhook calls cannot have the scheme {config.scheme}; use one of {known}."
        raise InvalidInput(message, (*_WEBHOOK, "scheme"))
    if config.secret is not None:
        try:
            signatures.check_secret(config.scheme, config.secret)
        except InvalidInput as fault:
            raise InvalidInput(fault.message, (*_WEBHOOK, "secret")) from None


def _check_tolerance(seconds: int) -> None:
    if not 1 <= seconds <= MAX_TOLERANCE_SECONDS:
        message = f"toleranceSeconds is {seconds}; it must be 1 to {MAX_TOLERANCE_SECONDS}."
        raise InvalidInput(message, (*_WEBHOOK, "toleranceSeconds"))
