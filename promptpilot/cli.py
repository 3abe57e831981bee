"""The command `promptpilot`: starts processes, cares for the database, says what is wrong.

Exit codes: 0 all is well, 1 something is not, 2 the settings are wrong, 130 stopped in a hurry.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, TypeVar

import typer
import uvloop
from rich.console import Console

import promptpilot
from promptpilot import log
from promptpilot.errors import Misconfigured, Unavailable
from promptpilot.models.migrate import migrate as apply_migrations
from promptpilot.settings import Settings
from promptpilot.stopping import Stopping

T = TypeVar("T")
Process = Callable[[Settings, Stopping], Awaitable[Any]]

_EXIT_WRONG = 1
_EXIT_MISCONFIGURED = 2
_EXIT_HURRIED = 130

app = typer.Typer(
    name="promptpilot",
    help="Runs prompt workflows and loses none. Begin with `promptpilot up`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="Master keys: makes them, seals secrets anew.", no_args_is_help=True)
app.add_typer(keys, name="keys")


def main() -> None:
    """Run the command that the arguments name; what is wrong is told without a traceback."""
    try:
        app()
    except Misconfigured as error:
        _complain(*error.faults)
        sys.exit(_EXIT_MISCONFIGURED)
    except Unavailable as error:
        _complain(error.message)
        sys.exit(_EXIT_WRONG)
    except KeyboardInterrupt:
        sys.exit(_EXIT_HURRIED)


@app.command()
def up() -> None:
    """Start everything in one process: database, Redis, API and worker. Ctrl-C ends it."""
    from promptpilot.embedded import up as run  # noqa: PLC0415 -- only what a command needs

    console = Console()
    _run_process(lambda settings, stopping: run(settings, stopping, console))


@app.command()
def serve() -> None:
    """Serve GraphQL and REST of an installation."""
    from promptpilot.serving import serve as run  # noqa: PLC0415 -- only what a command needs

    _run_process(run)


@app.command()
def worker() -> None:
    """Run executions. Start as many as you like."""
    from promptpilot.processes import work as run  # noqa: PLC0415 -- only what a command needs

    _run_process(run)


@app.command()
def scheduler() -> None:
    """Fire schedules, tell triggers of events, sweep for executions. Start as many as you like."""
    from promptpilot.processes import schedule as run  # noqa: PLC0415 -- only what a command needs

    _run_process(run)


@app.command()
def migrate() -> None:
    """Bring the database up to date; any number of processes may do so at once."""
    settings = _settings()
    applied = _run(apply_migrations(settings.database_url))
    for title in applied:
        typer.echo(f"applied {title}")
    typer.echo("The database is up to date.")


@app.command()
def schema() -> None:
    """Print the GraphQL schema."""
    from promptpilot.schema.export import print_schema_text  # noqa: PLC0415 -- slow to import

    typer.echo(print_schema_text(), nl=False)


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of the REST API."""
    from promptpilot.rest.openapi import print_document  # noqa: PLC0415 -- slow to import

    typer.echo(print_document(), nl=False)


@app.command()
def doctor() -> None:
    """Check settings, data folder, database, Redis and clocks; exit with 1 if one is not well."""
    from promptpilot.doctor import examine, show  # noqa: PLC0415 -- only what a command needs

    findings = _run(examine())
    Console().print(show(findings))
    if not all(finding.is_well for finding in findings):
        raise typer.Exit(_EXIT_WRONG)


@keys.command("new")
def new_master_key() -> None:
    """Print a fresh master key, to put in front of the others in PROMPTPILOT_MASTER_KEYS."""
    from promptpilot.keys import new_key  # noqa: PLC0415 -- only what a command needs

    typer.echo(new_key())


@keys.command("rotate")
def rotate_keys(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
) -> None:
    """Seal every stored secret with the first master key; may be run again and beside workers."""
    from promptpilot.keys import is_whole, rotate, survey, told  # noqa: PLC0415 -- see above

    work, done = (survey, "with an old key") if dry_run else (rotate, "sealed anew")
    counts = _run(work(_settings()))
    for line in told(counts, done):
        typer.echo(line)
    if not is_whole(counts):
        _complain("Some secrets do not open: their key is not in the ring, or they were changed.")
        raise typer.Exit(_EXIT_WRONG)
    if dry_run is False or not any(count.old for count in counts):
        typer.echo("Nothing is sealed with an old key any more.")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(promptpilot.__version__)


@app.command(hidden=True)
def solo() -> None:
    """Run the one execution whose orders come over standard input. Workers call this."""
    from promptpilot.alone import run_alone  # noqa: PLC0415 -- only what a command needs
    from promptpilot.engine.solo import EXIT_TRY_AGAIN  # noqa: PLC0415 -- only what a command needs

    try:
        code = _run_process(run_alone)
    except (Misconfigured, Unavailable) as error:
        _complain(error.message)  # this is not the execution's fault
        code = EXIT_TRY_AGAIN
    raise typer.Exit(code)


def _run_process(process: Process) -> Any:
    """Run a process until it is told to stop."""
    settings = _settings()

    async def run() -> Any:
        stopping = Stopping()
        stopping.obey_signals()
        try:
            return await process(settings, stopping)
        finally:
            stopping.ignore_signals()

    return _run(run())


def _settings() -> Settings:
    settings = Settings.from_env()
    log.configure(settings.log_level, settings.log_format)
    return settings


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run in a loop of its own; of several failures at once tell the one that can be mended."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except BaseExceptionGroup as group:
        expected = group.subgroup((Misconfigured, Unavailable))
        if expected is None:
            raise
        raise _first(expected) from None


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _complain(*faults: str) -> None:
    for fault in faults:
        typer.echo(f"promptpilot: {fault}", err=True)
