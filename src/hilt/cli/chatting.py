"""A conversation at the terminal: its history, its commands, and what each answer cost."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory
from rich.console import Console
from rich.text import Text

from hilt.agent import AgentRun, new_run_id
from hilt.backends import Backend
from hilt.cli.screen import View
from hilt.conversation import (
    ArgumentsDelta,
    CallStarted,
    ContentDelta,
    Event,
    HiltError,
    Message,
    PromptRead,
    Request,
    Sampling,
    ThinkingDelta,
    TurnFinished,
    Usage,
    User,
)
from hilt.settings import AgentOptions
from hilt.tools import Runtime

HELP = """/tools   the tools that the model may call
/clear   forget the conversation
/exit    leave (Ctrl-D does the same)
Ctrl-C stops a reply; everything else is said to the model."""


class Chat:
    """A conversation with a model that has tools. `tips` are shown once, the cost with each answer; None: neither."""

    def __init__(
        self,
        *,
        backend: Backend,
        runtime: Runtime,
        instructions: tuple[Message, ...],
        sampling: Sampling,
        options: AgentOptions,
        view: View,
        activity: Console,
        tips: list[str] | None,
    ) -> None:
        self.backend = backend
        self.runtime = runtime
        self._instructions = instructions
        self._sampling = sampling
        self._options = options
        self._view = view
        self._activity = activity
        self._tips = tips
        self._messages = instructions

    def clear(self) -> None:
        """Forget what was said."""
        self._messages = self._instructions

    async def say(self, text: str) -> AgentRun:
        """Say something and show the answer; the run. Cancelling stops it, and what was said of it is remembered."""
        run = AgentRun(
            self.backend,
            self.runtime,
            Request(self.backend.card.id, (*self._messages, User(text)), sampling=self._sampling),
            clock=time.monotonic,
            run_id=new_run_id(),
            options=self._options,
        )
        stopwatch = Stopwatch(time.monotonic)
        try:
            async with aclosing(run.stream()) as events:
                async for event in events:
                    stopwatch.see(event)
                    self._view.show(event)
        finally:
            self._view.close()
            self._messages = run.messages
        if self._tips is not None:
            self._activity.print(Text(f"{stopwatch.report()} · {self.backend.card.device}", "dim"))
            for tip in self._tips:
                self._activity.print(Text(f"- {tip}", "dim"))
            self._tips = []
        return run


class Stopwatch:
    """How long an answer took, read off its events."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began_s = clock()
        self._first_s: float | None = None
        self._turn_began_s = self._began_s
        self._writing_s = 0.0
        self._usage = Usage()

    def see(self, event: Event) -> None:
        """Take note of an event that has just come."""
        if isinstance(event, PromptRead):
            self._turn_began_s = self._clock()
        elif isinstance(event, ContentDelta | ThinkingDelta | CallStarted | ArgumentsDelta):
            self._first_s = self._first_s or self._clock() - self._began_s
        elif isinstance(event, TurnFinished):
            self._writing_s += self._clock() - self._turn_began_s
            self._usage += event.usage

    def report(self) -> str:
        """One line: tokens a second while writing, seconds to the first token, tokens of the prompts and the reply."""
        usage = self._usage
        speed = usage.completion_tokens / self._writing_s if self._writing_s else 0.0
        first = "none" if self._first_s is None else f"{self._first_s:.2f} s"
        return (
            f"{speed:.1f} tokens/s · first token after {first} · {usage.completion_tokens} tokens written, "
            f"{usage.prompt_tokens} read ({usage.cached_tokens} cached)"
        )


async def chat(talk: Chat, history: Path) -> None:
    """Talk until the user leaves. Ctrl-C stops the reply that is being written and nothing else."""
    card = talk.backend.card
    print(f"{card.id} on {card.device}. /help tells the commands, Ctrl-D leaves.")
    history.parent.mkdir(parents=True, exist_ok=True)
    session: PromptSession[str] = PromptSession(history=FileHistory(str(history)))
    while True:
        try:
            line = (await session.prompt_async(">>> ")).strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        match line:
            case "":
                continue
            case "/exit" | "/quit" | "/bye":
                return
            case "/help" | "/?":
                print(HELP)
            case "/clear":
                talk.clear()
                print("Forgotten.")
            case "/tools":
                for tool in talk.runtime.registry.tools:
                    print(f"{tool.spec.name:14} {tool.effect:6} {tool.spec.description}")
            case _ if line.startswith("/"):
                print(f"There is no command {line.split()[0]}; /help tells them.")
            case _:
                await _answer(talk, line)


async def _answer(talk: Chat, line: str) -> None:
    reply = asyncio.create_task(talk.say(line))
    async with _interrupts_to(reply.cancel):
        try:
            await reply
        except asyncio.CancelledError:
            if not reply.cancelled():
                raise
            print("(stopped)")
        except HiltError as error:
            print(f"hilt: {error.message}")


@asynccontextmanager
async def _interrupts_to(act: Callable[[], object]) -> AsyncGenerator[None]:
    """While the block runs, Ctrl-C does `act` and does not end the program."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, act)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
