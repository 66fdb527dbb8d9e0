"""The calls of a turn at work: reads together, everything else alone and in order."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from hilt.agent.state import INTERRUPTED, Work, batches, reads_strangers
from hilt.conversation import Outcome, ToolFinished, ToolStarted
from hilt.tools import ApprovalRequest, Runtime, Situation, Waiting, run_tool


class CallsAtWork:
    """Calls that are being run. `outcomes` holds how they ended, by their place in `work`, and `waiting` what is asked
    about those that need an answer first; nothing is begun behind one of these.

    `untrusted` says that the run has read what strangers may have written, before this turn; `left_s` gives the seconds
    that are left for tools.
    """

    def __init__(
        self,
        work: Work,
        outcomes: Mapping[int, Outcome],
        runtime: Runtime,
        *,
        run_id: str,
        untrusted: bool,
        left_s: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self.work = work
        self.outcomes = dict(outcomes)
        self.waiting: dict[int, ApprovalRequest] = {}
        self._runtime = runtime
        self._run_id = run_id
        # Before a pause, calls of this turn may have read what strangers wrote.
        ended = [work.calls[place] for place in outcomes if 0 <= place < len(work.calls)]
        self._untrusted = untrusted or reads_strangers(ended, runtime.registry)
        self._left_s = left_s
        self._clock = clock

    async def stream(self) -> AsyncGenerator[ToolStarted | ToolFinished]:
        """Run what has not ended yet. Closing it cancels what runs."""
        for places in batches(self.work, self.outcomes, self._runtime.registry):
            async with aclosing(self._batch(places)) as events:
                async for event in events:
                    yield event
            ran = [self.work.calls[place] for place in places]
            self._untrusted = self._untrusted or reads_strangers(ran, self._runtime.registry)
            if self.waiting:
                return

    async def _batch(self, places: tuple[int, ...]) -> AsyncGenerator[ToolStarted | ToolFinished]:
        """Run calls together: all of them start, and each is told of when it ends."""
        for place in places:
            yield ToolStarted(self.work.calls[place])
        tasks = [asyncio.create_task(self._run(place)) for place in places]
        running = set(tasks)
        try:
            while running:
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task in ended and (event := task.result()) is not None:
                        yield event
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, place: int) -> ToolFinished | None:
        call = self.work.calls[place]
        situation = Situation(
            run_id=self._run_id,
            untrusted=self._untrusted,
            repaired=call.id in self.work.repaired,
            left_s=self._left_s(),
        )
        began_s = self._clock()
        self.outcomes[place] = INTERRUPTED
        match await run_tool(call, self._runtime, situation):
            case Waiting(request):
                del self.outcomes[place]
                self.waiting[place] = request
                return None
            case outcome:
                self.outcomes[place] = outcome
                return ToolFinished(call, outcome, self._clock() - began_s)
