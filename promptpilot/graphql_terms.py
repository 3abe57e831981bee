"""Translates the settings into the terms under which the schema is served over GraphQL."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from limits.aio.storage import Storage

from promptpilot.clock import Clock
from promptpilot.engine.checks import MAX_STEPS
from promptpilot.front.cost import Sizes
from promptpilot.front.limits import Limits
from promptpilot.front.persisted import PersistedDocuments, read_trusted
from promptpilot.front.quotas import Rates
from promptpilot.front.terms import Customs, Terms
from promptpilot.rates import CallerRates, memory_storage
from promptpilot.schema import schema
from promptpilot.schema.paging import DEFAULT_SIZE, MAX_SIZE
from promptpilot.settings import Settings

#: The kinds of caller whose operations are counted.
SIGNED_IN: Final = "user"
ANONYMOUS: Final = "address"

#: How long the lists of the schema may be that have no pages.
_LISTS: Final = {"Workflow.steps": MAX_STEPS, "WorkflowVersion.steps": MAX_STEPS}


def graphql_terms(settings: Settings, clock: Clock, counted_in: Storage | None) -> Terms:
    """Return the terms; operations are counted in this process when nothing is given for that.

    Raises Misconfigured when the trusted documents cannot be read.
    """
    customs = Customs(
        limits_of(settings),
        Sizes(page=DEFAULT_SIZE, max_page=MAX_SIZE, known=_LISTS),
        _persisted(settings),
        _rates(settings, clock, counted_in or memory_storage()),
        clock,
    )
    return Terms.of(schema, customs)


def limits_of(settings: Settings) -> Limits:
    """Return what one request and one caller may do."""
    return Limits(
        max_body=settings.graphql_max_body_bytes,
        max_tokens=settings.graphql_max_tokens,
        max_depth=settings.graphql_max_depth,
        max_aliases=settings.graphql_max_aliases,
        max_directives=settings.graphql_max_directives,
        max_root_fields=settings.graphql_max_root_fields,
        max_cost=settings.graphql_max_cost,
        max_json_depth=settings.graphql_max_json_depth,
        max_list=settings.graphql_max_list,
        max_errors=settings.graphql_max_errors,
        timeout=settings.graphql_timeout,
        patience={"previewWorkflow": settings.preview + settings.graphql_timeout},
        max_subscriptions=settings.graphql_subscriptions_per_socket,
        max_caller_sockets=settings.graphql_sockets,
        max_strangers=settings.graphql_strangers,
        max_caller_streams=settings.graphql_subscriptions,
        is_introspection_allowed=settings.introspection,
        hides_suggestions=not settings.graphql_suggestions,
        is_fast=settings.graphql_fast_executor,
    )


def _persisted(settings: Settings) -> PersistedDocuments:
    place = settings.trusted_documents
    trusted = read_trusted(Path(place)) if place else []
    return PersistedDocuments(trusted, only_trusted=settings.only_trusted_documents)


def _rates(settings: Settings, clock: Clock, storage: Storage) -> Rates:
    per_minute = {SIGNED_IN: settings.graphql_rate, ANONYMOUS: settings.graphql_anonymous_rate}
    return CallerRates(storage, per_minute, clock)
