"""Gathers the faults of one call, so that the caller can mend all of them in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from promptpilot.errors import CallerError, InvalidMany


def gather(*checks: Callable[[], object]) -> None:
    """Run every check; raise what the only faulty one raised, or InvalidMany of all faults."""
    faults: list[CallerError] = []
    for check in checks:
        try:
            check()
        except CallerError as fault:
            faults.extend(each(fault))
    raise_all(faults)


def raise_all(faults: Sequence[CallerError]) -> None:
    """Raise the only fault, or InvalidMany of several; return when there is none."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise InvalidMany(faults)


@contextmanager
def moved(into: tuple[str, ...]) -> Iterator[None]:
    """Let the faults of the block, whose paths begin with `input`, point below `into` instead."""
    try:
        yield
    except CallerError as fault:
        for one in each(fault):
            if one.path:
                one.path = (*into, *one.path[1:])
        raise


def each(fault: CallerError) -> tuple[CallerError, ...]:
    """Return the single faults that `fault` stands for."""
    return fault.errors if isinstance(fault, InvalidMany) else (fault,)
