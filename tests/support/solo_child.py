"""A child process for tests of solo runs: `python -m tests.support.solo_child MODE URL FIFO`.

MODE says how it ends: `work` does the work, in which a model that is asked says so through the FIFO
and never answers, until the child is told to stop; `deaf` is not told anything; `die` is killed,
`again` and `odd` exit with a code.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from promptpilot.engine.accounts import Account
from promptpilot.engine.commits import open_committer
from promptpilot.engine.providers.base import ModelReply, ModelRequest, TextSink
from promptpilot.engine.solo import EXIT_TRY_AGAIN, Orders, work
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.models.database import connect
from tests.support.fakes import FakeFeed
from tests.support.tools import make_tools

_ODD = 3


class WaitingModel:
    """Tells that it was asked, and never answers."""

    def __init__(self, fifo: Path) -> None:
        self._fifo = fifo

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Wait for ever."""
        self._fifo.write_text("asked")
        await asyncio.Event().wait()
        raise AssertionError


async def _work(orders: Orders, url: str, fifo: Path) -> None:
    database = await connect(url)
    committer = await open_committer(database)
    providers = {ModelProvider.SIMULATOR: WaitingModel(fifo)}
    tools = make_tools(database, committer, FakeFeed(), providers=providers)
    working = asyncio.create_task(work(orders, tools, lambda: False))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.cancel)
    await asyncio.wait([working])
    await committer.close()
    await database.close()


def main() -> None:
    """Do as told."""
    mode, url, fifo = sys.argv[1:]
    orders = Orders.from_json(sys.stdin.buffer.read())
    match mode:
        case "work":
            asyncio.run(_work(orders, url, Path(fifo)))
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            Path(fifo).write_text("here")
            signal.pause()
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "again":
            sys.exit(EXIT_TRY_AGAIN)
        case _:
            sys.exit(_ODD)


if __name__ == "__main__":
    main()
