"""An arq worker that looks at its queue when the door bell rings, and that nothing ends.

After a crash: a job that was under way expires; the execution it would have woken for is swept.
"""

from __future__ import annotations

import asyncio

import orjson
import structlog
from arq.worker import Worker

from promptpilot.bells import HEALTH_KEY, QUEUE, RedisBells, connect
from promptpilot.cancelling import raise_if_cancelled
from workers.tasks import Wakeable, wake_function

_ANSWER_SECONDS = 2.0
_LOOK_SECONDS = 0.5
_HEALTH_SECONDS = 5
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_STEADY_SECONDS = 10.0

log = structlog.get_logger(__name__)


class EngineWorker(Worker):
    """Takes jobs while the runner has room, at the latest half a second after they were laid."""

    def __init__(self, runner: Wakeable, url: str, bell: asyncio.Event) -> None:
        super().__init__(
            [wake_function()],
            ctx={"runner": runner},
            queue_name=QUEUE,
            redis_pool=connect(url, _ANSWER_SECONDS),
            handle_signals=False,
            poll_delay=0,  # the bell paces it
            keep_result=0,
            health_check_interval=_HEALTH_SECONDS,
            health_check_key=HEALTH_KEY,
            log_results=False,
            job_serializer=orjson.dumps,
            job_deserializer=orjson.loads,
        )
        self._runner = runner
        self._bell = bell

    async def _poll_iteration(self) -> None:
        self._bell.clear()
        self.allow_pick_jobs = self._runner.free_slots > 0 and not self._runner.is_draining
        await super()._poll_iteration()
        raise_if_cancelled()
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._bell.wait()
        except TimeoutError:
            return

    async def dispose(self) -> None:
        """Let the jobs under way end and close the connection, whatever condition it is in.

        They are not cancelled: they take no time unless Redis is away, and then they fail in time.
        """
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        await self.pool.aclose()


async def take_jobs(runner: Wakeable, bells: RedisBells) -> None:
    """Let an arq worker take jobs, a new one whenever it ends, until cancelled.

    arq's worker ends when Redis restarts, forgets or breaks a transaction; none of this may end
    the process.
    """
    bell = asyncio.Event()
    bells.call_door(bell.set)
    pause = _FIRST_PAUSE_SECONDS
    while True:
        started_at = asyncio.get_running_loop().time()
        await _take_jobs_once(runner, bells.url, bell)
        raise_if_cancelled()
        if asyncio.get_running_loop().time() - started_at > _STEADY_SECONDS:
            pause = _FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


async def _take_jobs_once(runner: Wakeable, url: str, bell: asyncio.Event) -> None:
    worker = EngineWorker(runner, url, bell)
    try:
        await worker.async_run()
    except Exception as error:  # noqa: BLE001 -- whatever it was, another worker takes over
        log.warning("queue.lost", reason=str(error) or type(error).__name__)
    finally:
        await worker.dispose()
