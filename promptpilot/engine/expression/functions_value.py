"""Functions that measure, name and convert values."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from promptpilot.engine.expression.arithmetic import finite, within_range
from promptpilot.engine.expression.failures import ExpressionFailed, Unfit, over_budget
from promptpilot.engine.expression.limits import MAX_VALUE_DEPTH
from promptpilot.engine.expression.moment import moment_text
from promptpilot.engine.expression.run import Run
from promptpilot.engine.expression.signature import Function, want_number, want_text
from promptpilot.engine.expression.values import (
    described,
    display_text,
    is_number,
    json_text,
    kind_of,
    node_count,
    settled,
)

_NUMBER: Final = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,4})?")
_LONGEST_INTEGER: Final = 20
_LONGEST_NUMBER: Final = 1000
_PARSING_FACTOR: Final = 4


def _size(run: Run, value: Any) -> int:
    if kind_of(value) not in {"string", "list", "map"}:
        raise Unfit(f"a string, list or map has a size, {described(value)} has none")
    return len(value)


def _type(run: Run, value: Any) -> str:
    return kind_of(value)


def _json(run: Run, value: Any) -> str:
    run.charge(node_count(value))
    text = json_text(value)
    run.charge_text(len(text))
    return text


def _string(run: Run, value: Any) -> str:
    run.charge(node_count(value))
    text = display_text(value)
    run.charge_text(len(text))
    return text


def _number(run: Run, value: Any) -> int | float:
    if is_number(value):
        return want_number(value)
    if kind_of(value) != "string":
        raise Unfit(f"a number or a string is needed, not {described(value)}")
    text = value.strip() if len(value) < _LONGEST_NUMBER else ""
    if _NUMBER.fullmatch(text) is None:
        raise Unfit("the string is not a number")
    return _read_number(text)


def _read_number(text: str) -> int | float:
    if text.lstrip("-").isdigit():
        return _read_integer(text)
    return finite(float(text))


def _read_integer(text: str) -> int:
    digits = text.lstrip("-").lstrip("0")
    if len(digits) > _LONGEST_INTEGER:
        raise Unfit("the integer does not fit in 64 bits")
    return within_range(int(text))


def _int(run: Run, value: Any) -> int:
    return within_range(int(_number(run, value)))


def _bool(run: Run, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if kind_of(value) == "string" and value in {"true", "false"}:
        return bool(value == "true")
    raise Unfit('only a bool, "true" or "false" can be made a bool')


def _parse_json(run: Run, text: Any) -> Any:
    source = want_text(text)
    run.charge_text(_PARSING_FACTOR * len(source))
    try:
        value = json.loads(
            source, parse_int=_read_integer, parse_float=_read_float, parse_constant=_refuse
        )
        _refuse_surrogates(source, value)
    except ValueError:
        raise Unfit("the string is not JSON") from None
    except RecursionError:
        raise over_budget(f"the JSON is nested deeper than {MAX_VALUE_DEPTH} levels") from None
    return settled(value)


def _read_float(text: str) -> float:
    return finite(float(text))


def _refuse(constant: str) -> NoReturn:
    raise Unfit(f"{constant} is not JSON")


def _refuse_surrogates(source: str, value: Any) -> None:
    if "\\u" in source:
        json.dumps(value, ensure_ascii=False).encode()


def _now(run: Run) -> str:
    if run.now is None:
        raise ExpressionFailed("now is not known here")
    return moment_text(run.now)


VALUE_FUNCTIONS: Final = (
    Function("size(value)", 1, 1, _size),
    Function("type(value)", 1, 1, _type),
    Function("json(value)", 1, 1, _json),
    Function("parseJson(text)", 1, 1, _parse_json),
    Function("string(value)", 1, 1, _string),
    Function("number(value)", 1, 1, _number),
    Function("int(value)", 1, 1, _int),
    Function("bool(value)", 1, 1, _bool),
    Function("now()", 0, 0, _now),
)
