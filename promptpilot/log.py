"""Writes every log line of a process, ours and the libraries', in one form and without secrets.

Rules: what has the name or the shape of a secret is replaced by `***` in the last step before a
line is written, so that a careless call leaks nothing.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from pydantic import SecretBytes, SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from promptpilot.setting_values import LogFormat, LogLevel

_QUIET_LIBRARIES = ("uvicorn", "uvicorn.access", "uvicorn.error", "arq", "tortoise", "asyncio")
_HIDDEN = "***"
_MAX_DEPTH = 6
_NOT_A_LETTER = re.compile(r"[^a-z0-9]")
_SECRET_NAME = re.compile(
    r"secret|token|passw|authorization|cookie|(api|master|private|access|signing|jwt)keys?|^keys?$"
)
# What only tells of a secret may be seen: `token_id`, `keyPreview`, `secret_rotated_at`.
_HARMLESS_NAME = re.compile(r"_(id|preview|at)$|[a-z](Id|Preview|At)$")
_SECRET_SHAPE = re.compile(
    r"(?<=://)[^/\s@]+(?=@)"
    r"|\bpp_[0-9a-z]{8}_[A-Za-z0-9_-]{43}"
    r"|\bwhsec_[A-Za-z0-9+/=]+"
    r"|\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
    r"|(?<=Bearer )\S+"
)


def configure(level: LogLevel, form: LogFormat, stream: TextIO | None = None) -> None:
    """Send all logging of this process to `stream` (None: standard error).

    Call it once, before anything is logged; a second call replaces the first.
    """
    target = stream or sys.stderr
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_handler(target, form)]
    root.setLevel(level)
    for name in _QUIET_LIBRARIES:
        _quieten(logging.getLogger(name))


def redact(value: Any, depth: int = 0) -> Any:
    """Return `value` (JSON or what a log line holds) with `***` in the place of every secret."""
    if depth > _MAX_DEPTH:
        return _HIDDEN
    if isinstance(value, str):
        return _SECRET_SHAPE.sub(_HIDDEN, value)
    if isinstance(value, SecretStr | SecretBytes):
        return _HIDDEN
    if isinstance(value, Mapping):
        return {name: _redact_named(str(name), item, depth) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth + 1) for item in value]
    return value


def _redact_named(name: str, value: Any, depth: int) -> Any:
    is_number = value is None or isinstance(value, bool | int | float)
    return _HIDDEN if _is_secret(name) and not is_number else redact(value, depth + 1)


def _is_secret(name: str) -> bool:
    plain = _NOT_A_LETTER.sub("", name.lower())
    return bool(_SECRET_NAME.search(plain)) and not _HARMLESS_NAME.search(name)


def _redact_event(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    kept = {name: event[name] for name in ("_record", "_from_structlog") if name in event}
    clean: dict[str, Any] = redact({name: event[name] for name in event if name not in kept})
    return {**clean, **kept}


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _handler(stream: TextIO, form: LogFormat) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(),
            processors=[
                structlog.processors.format_exc_info,
                _redact_event,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(stream, form),
            ],
        )
    )
    return handler


def _renderer(stream: TextIO, form: LogFormat) -> Processor:
    if form is LogFormat.JSON:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(),
        # The pretty tracebacks show local variables, and with them secrets.
        exception_formatter=structlog.dev.plain_traceback,
    )


def _quieten(library: logging.Logger) -> None:
    library.handlers = []
    library.propagate = True
    library.setLevel(max(logging.WARNING, logging.getLogger().level))
