"""Reads JSON that strangers sent, and takes nothing that another reader would read differently.

Refused are NaN and infinities, keys that stand twice, invalid UTF-8, NUL, lone surrogates, numbers
that do not fit, and more than 64 levels.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from promptpilot.errors import InvalidInput
from promptpilot.json_values import check_json

Path = tuple[str, ...]


class _Refused(ValueError):
    """The text is JSON to some readers, but not to us; says why."""


def parse_json(body: bytes, path: Path = ("payload",)) -> Any:
    """Return the value of a JSON text; raise InvalidInput, which names the place, if it has none.

    The message tells what is wrong, never what stands there.
    """
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except _Refused as fault:
        raise InvalidInput(f"The body is not JSON: {fault}.", path) from None
    except UnicodeDecodeError as fault:
        message = f"The body is not UTF-8 at byte {fault.start}."
        raise InvalidInput(message, path) from None
    except json.JSONDecodeError as fault:
        message = f"The body is not JSON: {fault.msg} at character {fault.pos}."
        raise InvalidInput(message, path) from None
    except RecursionError:
        raise InvalidInput("The body has too many levels of lists and objects.", path) from None
    except ValueError:
        raise InvalidInput("The body has an integer of thousands of digits.", path) from None
    check_json(value, path)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _Refused("an object has the same key twice")
    return made


def _constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not a JSON number")


#: Reads the value that begins somewhere in a text, as strictly; `check_json` is still to follow.
DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
