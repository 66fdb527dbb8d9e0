"""The user at the terminal, asked whether a call may run."""

import sys

from prompt_toolkit import PromptSession
from rich.console import Console
from rich.text import Text

from hilt.conversation import Call
from hilt.tools import Approval, Approved, Effect, Refused


class Terminal:
    """Asks on the terminal, where there is one."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @property
    def attended(self) -> bool:
        return sys.stdin.isatty() and sys.stderr.isatty()

    async def approve(self, call: Call, effect: Effect) -> Approval:
        self._console.print(Text.assemble(("? ", "bold yellow"), (call.name, "bold"), f" ({effect}) ", call.arguments))
        session: PromptSession[str] = PromptSession()
        try:
            answer = await session.prompt_async("  Allow it? [y/N] ")
        except (EOFError, KeyboardInterrupt):
            return Refused()
        return Approved() if answer.strip().lower() in ("y", "yes") else Refused()
