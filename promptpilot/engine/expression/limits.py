"""The limits that keep every expression cheap, whatever its source and its data are.

Units: a *step* is about a tenth of a microsecond of work. Each node of the source costs one, each
turn of a macro costs the nodes of its body, each item or field that a function or a comparison
touches costs one, and text costs one for every `CHARACTERS_PER_STEP` characters.
"""

from __future__ import annotations

from typing import Final

#: UTF-8 bytes of one expression's source.
MAX_SOURCE_BYTES: Final = 4096
#: Levels of nesting in a source, brackets and calls alike.
MAX_DEPTH: Final = 64
#: Steps of one evaluation.
MAX_STEPS: Final = 100_000
#: UTF-8 bytes of one string that an expression or a template makes.
MAX_TEXT_BYTES: Final = 1024 * 1024
#: Items of one list or fields of one map that an expression makes.
MAX_ITEMS: Final = 100_000
#: Values in a result, all levels together.
MAX_RESULT_NODES: Final = 100_000
#: Characters in a result, all its strings and field names together.
MAX_RESULT_CHARACTERS: Final = 4 * 1024 * 1024
#: Levels of nesting in a result, and in what `json()` and `parseJson()` take.
MAX_VALUE_DEPTH: Final = 128
#: How much text one step pays for.
CHARACTERS_PER_STEP: Final = 256

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1
