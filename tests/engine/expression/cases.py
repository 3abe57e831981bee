"""Short ways to evaluate a source and to catch how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import settings

from promptpilot.engine.expression import ExpressionFailed, ExpressionSyntaxError, parse

#: For laws: a busy machine makes an example slow, not wrong.
unhurried: Final = settings(deadline=None)
NOW: Final = datetime(2026, 3, 8, 9, 30, 0, 5, tzinfo=UTC)


def value_of(source: str, scope: Mapping[str, Any] | None = None) -> Any:
    """Evaluate a source."""
    return parse(source).evaluate(scope or {}, NOW)


def failure_of(source: str, scope: Mapping[str, Any] | None = None) -> ExpressionFailed:
    """Evaluate a source that must fail."""
    with pytest.raises(ExpressionFailed) as caught:
        value_of(source, scope)
    return caught.value


def fault_of(source: str) -> ExpressionSyntaxError:
    """Parse a source that is no expression."""
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(source)
    return caught.value
