"""Checks the script of a simulated model, so that a slip of the pen is no silent success.

Only what the simulator would leave out of account is refused. Names that it does not know are left
alone: `extra` may hold what is for another provider.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from promptpilot.engine.fault import Fault

Path = tuple[str, ...]

_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


def check_script(script: Any, path: Path) -> Iterator[Fault]:
    """Yield what is wrong with the `extra` of a model of the simulator; None is no script."""
    if not isinstance(script, Mapping):
        return
    yield from _check(script, _FIELDS, path)
    if isinstance(script.get("error"), Mapping):
        yield from _check(script["error"], _ERROR, (*path, "error"))
    if isinstance(script.get("usage"), Mapping):
        yield from _check(script["usage"], _USAGE, (*path, "usage"))
    if isinstance(script.get("attempts"), list):
        for position, own in enumerate(script["attempts"]):
            yield from check_script(own, (*path, "attempts", str(position)))


def _check(given: Mapping[str, Any], fields: Mapping[str, _Rule], path: Path) -> Iterator[Fault]:
    for name, (is_sound, wanted) in fields.items():
        if name in given and not is_sound(given[name]):
            message = f"{name} of a simulator's script must be {wanted}."
            yield Fault("INVALID_SCRIPT", message, (*path, name))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and _is_number(value)


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_object, value))


def _are_calls(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, Mapping) and _is_text(each.get("name")) for each in value
    )


_Rule = tuple[Callable[[Any], bool], str]
_MILLISECONDS: Final[_Rule] = (_is_number, "a number of milliseconds, 0 or more")
_TOKENS: Final[_Rule] = (_is_whole, "a whole number, 0 or more")

_FIELDS: Final[Mapping[str, _Rule]] = {
    "text": (_is_text, "a text; `json` takes other values"),
    "chunks": (_are_texts, "a list of texts"),
    "chunkDelayMs": _MILLISECONDS,
    "firstTokenMs": _MILLISECONDS,
    "latencyMs": _MILLISECONDS,
    "error": (_is_object, "an object, such as { code, message, isRetryable }"),
    "failAttempts": (_is_whole, "a whole number, 0 or more"),
    "toolCalls": (_are_calls, "a list of objects, each with a name"),
    "usage": (_is_object, "an object, such as { prompt, completion }"),
    "finishReason": (_is_text, "a text"),
    "attempts": (_are_objects, "a list of scripts, one for each attempt"),
}
_ERROR: Final[Mapping[str, _Rule]] = {
    "code": (_is_code, "an error code, such as PROVIDER_UNAVAILABLE"),
    "message": (_is_text, "a text"),
    "isRetryable": (lambda value: isinstance(value, bool), "true or false"),
    "retryAfterSeconds": (_is_number, "a number of seconds, 0 or more"),
}
_USAGE: Final[Mapping[str, _Rule]] = dict.fromkeys(
    ("prompt", "completion", "cached", "cacheWrite", "reasoning"), _TOKENS
)
