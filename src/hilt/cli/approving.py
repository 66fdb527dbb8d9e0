"""The user at the terminal, asked whether a call may run."""

import sys

from prompt_toolkit import PromptSession
from rich.console import Console
from rich.text import Text

from hilt.cli.screen import safe
from hilt.tools import Approval, ApprovalRequest, Approved, Refused

_MAX_DETAIL_CHARS = 2000


class Terminal:
    """Asks on the terminal, where there is one."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @property
    def attended(self) -> bool:
        return sys.stdin.isatty() and sys.stderr.isatty()

    async def approve(self, request: ApprovalRequest) -> Approval:
        self._console.print(
            Text.assemble(
                ("? ", "bold yellow"), (request.tool, "bold"), f" ({request.effect}) ", safe(request.arguments)
            )
        )
        if request.why:
            self._console.print(Text(f"  {safe(request.why)}", "yellow"))
        for change in request.changes:
            self._console.print(Text(f"  {change.kind} {safe(change.target)}", "yellow"))
            if change.detail:
                self._console.print(Text(safe(change.detail)[:_MAX_DETAIL_CHARS], "dim"))
        session: PromptSession[str] = PromptSession()
        try:
            answer = await session.prompt_async("  Allow it? [y/N] ")
        except (EOFError, KeyboardInterrupt):
            return Refused()
        return Approved(request.fingerprint) if answer.strip().lower() in ("y", "yes") else Refused()
