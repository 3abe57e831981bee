"""The scalars of the API: how each is read from a client and shown to one.

Rules: a reader raises ValueError with a message that names the value and the way out; graphql-core
puts it before the client. What JSON cannot carry never gets in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NewType

import strawberry
from graphql import (
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    value_from_ast_untyped,
)
from strawberry.types.scalar import ScalarDefinition

from promptpilot import instants
from promptpilot.errors import InvalidInput
from promptpilot.models.columns import check_json

JSON = NewType("JSON", object)
JSONObject = NewType("JSONObject", dict[str, Any])
SafeInt = NewType("SafeInt", int)
Expression = NewType("Expression", str)
URL = NewType("URL", str)
TimeZone = NewType("TimeZone", str)
CronExpression = NewType("CronExpression", str)

_MAX_SAFE: Final = 2**53 - 1
_SHOWN_LENGTH: Final = 40


def read_instant(value: object) -> datetime:
    """Return the UTC instant that an RFC 3339 text with an offset names."""
    try:
        return instants.read_instant(value if isinstance(value, str) else "")
    except ValueError as fault:
        raise ValueError(f"{shown(value)} {fault}") from None


def show_instant(instant: datetime) -> str:
    """Return RFC 3339 in UTC with a Z; raise ValueError for an instant without a zone."""
    if instant.tzinfo is None:
        raise ValueError("An instant without a zone cannot be shown.")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_safe_int(value: object) -> int:
    """Return an integer that JavaScript keeps exactly."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refusal(value, "an integer")
    if abs(value) > _MAX_SAFE:
        raise ValueError(
            f"{shown(value)} is not between -{_MAX_SAFE} and {_MAX_SAFE}; larger numbers lose"
            " digits in JSON, send them as text."
        )
    return value


def read_json(value: object) -> object:
    """Return a JSON value that can be stored and read by everybody."""
    try:
        check_json(value)
    except InvalidInput as error:
        raise ValueError(f"This JSON cannot be stored: {error.message}.") from None
    return value


def read_json_object(value: object) -> object:
    """Return a JSON object; refuse lists and bare values."""
    if not isinstance(value, dict):
        raise _refusal(value, "a JSON object; write it like {}")
    return read_json(value)


def read_json_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> object:
    """Return the JSON value of a literal; one with variables is judged when they are known."""
    value: object = value_from_ast_untyped(node, variables)
    return value if variables is None and _has_variable(node) else read_json(value)


def read_json_object_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> object:
    """Return the JSON object of a literal; its variables are judged when they are known."""
    value: object = value_from_ast_untyped(node, variables)
    return value if variables is None and _has_variable(node) else read_json_object(value)


def read_text(value: object) -> str:
    """Return a text that can be stored and read by everybody."""
    if not isinstance(value, str):
        raise _refusal(value, "a text")
    return str(read_json(value))


def read_url(value: object) -> str:
    """Return an absolute http or https URL."""
    text = read_text(value)
    if not re.match(r"https?://[^\s/]", text):
        raise _refusal(value, "an absolute http or https URL")
    return text


def read_decimal(value: object) -> Decimal:
    """Return the exact number of a decimal text."""
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,30}(\.\d{1,30})?", value):
        raise _refusal(value, 'a decimal number; write it like "0.000315"')
    return Decimal(value)


def show_decimal(value: Decimal) -> str:
    """Return the number without an exponent."""
    return format(value, "f")


def shown(value: object) -> str:
    """Return a value as a message may repeat it: short, and such that any client can read it."""
    text = f'"{value}"' if isinstance(value, str) else type(value).__name__
    if isinstance(value, int | float) and abs(value) < 10**30:
        text = str(value)
    text = text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
    return text.encode("utf-8", "backslashreplace").decode()


def _refusal(value: object, wanted: str) -> ValueError:
    return ValueError(f"{shown(value)} is not {wanted}.")


def _has_variable(node: ValueNode) -> bool:
    match node:
        case VariableNode():
            return True
        case ListValueNode(values=values):
            return any(_has_variable(value) for value in values)
        case ObjectValueNode(fields=fields):
            return any(_has_variable(field.value) for field in fields)
        case _:
            return False


def _scalar(name: str, description: str, url: str, **functions: Any) -> ScalarDefinition:
    scalar: ScalarDefinition = strawberry.scalar(
        name=name, description=description, specified_by_url=url, **functions
    )
    return scalar


_RFC_8259: Final = "https://www.rfc-editor.org/rfc/rfc8259"

#: Which Python type stands for which scalar.
SCALARS: Mapping[object, ScalarDefinition] = MappingProxyType(
    {
        datetime: _scalar(
            "DateTime",
            "A point in time as RFC 3339 in UTC with a trailing Z, e.g."
            " `2026-11-23T04:00:00.123456Z`. Input needs an offset; a value without one is"
            " refused.",
            "https://scalars.graphql.org/andimarek/date-time.html",
            serialize=show_instant,
            parse_value=read_instant,
        ),
        JSON: _scalar(
            "JSON",
            "Any JSON value. Used only where the shape belongs to the user (inputs, outputs,"
            " payloads), never for things the server interprets.",
            _RFC_8259,
            parse_value=read_json,
            parse_literal=read_json_literal,
        ),
        JSONObject: _scalar(
            "JSONObject",
            "A JSON object (never an array or a bare scalar).",
            _RFC_8259,
            parse_value=read_json_object,
            parse_literal=read_json_object_literal,
        ),
        SafeInt: _scalar(
            "SafeInt",
            "An integer that JavaScript keeps exactly (|n| < 2^53): tokens, milliseconds,"
            " sequence numbers. `Int` stops at 24.8 days of milliseconds.",
            "https://the-guild.dev/graphql/scalars/docs/scalars/safe-int",
            serialize=read_safe_int,
            parse_value=read_safe_int,
        ),
        Decimal: _scalar(
            "Decimal",
            'An exact decimal number as a string, e.g. `"0.000315"`.',
            "https://speleotrove.com/decimal/daconvs.html",
            serialize=show_decimal,
            parse_value=read_decimal,
        ),
        Expression: _scalar(
            "Expression",
            "An expression in the CEL subset of `semantics.md` (one number type, bounded cost),"
            ' e.g. `steps.classify.output.json.label == "refund"`; parsed and checked when it is'
            " saved.",
            "https://github.com/google/cel-spec",
            parse_value=read_text,
        ),
        URL: _scalar(
            "URL",
            "An absolute http or https URL.",
            "https://url.spec.whatwg.org/",
            parse_value=read_url,
        ),
        TimeZone: _scalar(
            "TimeZone",
            "An IANA time zone name, e.g. `America/New_York`.",
            "https://www.iana.org/time-zones",
            parse_value=read_text,
        ),
        CronExpression: _scalar(
            "CronExpression",
            "A five-field cron expression (minute hour day-of-month month day-of-week); checked"
            " when it is saved.",
            "https://pubs.opengroup.org/onlinepubs/9799919799/utilities/crontab.html",
            parse_value=read_text,
        ),
    }
)
