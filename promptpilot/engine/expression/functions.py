"""The table of all functions; macros and `has`, `default` are not functions but syntax."""

from __future__ import annotations

from typing import Final

from promptpilot.engine.expression.functions_collection import COLLECTION_FUNCTIONS
from promptpilot.engine.expression.functions_number import NUMBER_FUNCTIONS
from promptpilot.engine.expression.functions_text import TEXT_FUNCTIONS
from promptpilot.engine.expression.functions_value import VALUE_FUNCTIONS
from promptpilot.engine.expression.signature import Function

#: Every function by the name it is called with.
FUNCTIONS: Final[dict[str, Function]] = {
    function.name: function
    for function in (
        *VALUE_FUNCTIONS,
        *TEXT_FUNCTIONS,
        *NUMBER_FUNCTIONS,
        *COLLECTION_FUNCTIONS,
    )
}
