"""A call that is being read: what it has said so far, and how it ends."""

from collections.abc import Callable, Mapping
from typing import Any

from hilt.conversation import BadCall, BadCallReason, Call, CallFinished, CallRejected, CallStarted, ToolSpec
from hilt.dialects.event_log import EventLog
from hilt.dialects.repairs import Repair
from hilt.dialects.strict_json import Malformed, load_object


class OpenCall:
    """Announces itself when its tool is known to be one of those offered, and then tells its arguments.

    `tools` are the tools that may be called; None stands for any. Pieces of the arguments concatenate to JSON. With
    `keeps_wire_id`, an id that the model writes before its call is announced is the call's id.
    """

    def __init__(
        self,
        log: EventLog,
        index: int,
        new_id: Callable[[], str],
        tools: Mapping[str, ToolSpec] | None,
        *,
        keeps_wire_id: bool,
    ) -> None:
        self._log = log
        self._index = index
        self._new_id = new_id
        self._keeps_wire_id = keeps_wire_id
        self._id = ""
        self._announced = False
        self._pieces: list[str] = []
        self._arguments = ""
        self.tools = tools
        self.name: str | None = None
        self.wire_id: str | None = None
        self.repairs: set[Repair] = set()

    def named(self, name: str) -> None:
        """The tool's name is known. Malformed if it is empty or the second one."""
        if self.name is not None:
            raise Malformed(f"the call names two tools, {self.name!r} and {name!r}")
        if not name:
            raise Malformed("the call has an empty name")
        head, dot, leaf = name.partition(".")
        if dot and head == leaf and self.tools is not None and name not in self.tools:
            self.repairs.add("doubled_name")
            name = leaf
        self.name = name
        if self.tools is None or name in self.tools:
            self._announced = True
            self._log.add(CallStarted(self._index, self._call_id(), name))
            for piece in self._pieces:
                self._log.arguments(self._index, piece)

    def identified(self, wire_id: str) -> None:
        """The model wrote an id for the call."""
        self.wire_id = wire_id or None

    def arguments(self, piece: str) -> None:
        """A piece of the arguments has been read."""
        self._pieces.append(piece)
        if self._announced:
            self._log.arguments(self._index, piece)

    def parameters(self) -> dict[str, Any] | None:
        """The JSON Schema of the named tool's arguments, if the tool is known."""
        tool = None if self.name is None else (self.tools or {}).get(self.name)
        return None if tool is None else tool.parameters

    def check(self) -> None:
        """Malformed unless a name was given and the arguments are one JSON object."""
        if self.name is None:
            raise Malformed("the call names no tool")
        if not self._pieces:
            self.arguments("{}")
        self._arguments = "".join(self._pieces)
        load_object(self._arguments)

    def fault(self) -> Malformed | None:
        """What is wrong with the call as a whole, if something is."""
        try:
            self.check()
        except Malformed as problem:
            return problem
        return None

    def finish(self, raw: str) -> bool:
        """Report the call; whether it can be run."""
        name, repairs = self.name or "", tuple(sorted(self.repairs))
        if not self._announced:
            offered = ", ".join(sorted(self.tools or {}))
            detail = f"there is no tool {name!r}" + (f"; the tools are: {offered}" if offered else " in this turn")
            bad = BadCall(self._call_id(), name, "unknown_tool", detail, raw, self._arguments, self.wire_id)
            self._log.add(CallRejected(self._index, bad, repairs))
            return False
        call = Call(self._id, name, self._arguments)
        self._log.add(CallFinished(self._index, call, repairs, raw, self.wire_id))
        return True

    def reject(self, reason: BadCallReason, detail: str, raw: str) -> None:
        """Report that the call can't be run."""
        bad = BadCall(self._call_id(), self.name, reason, detail, raw, None, self.wire_id)
        self._log.add(CallRejected(self._index, bad))

    def _call_id(self) -> str:
        if not self._id:
            self._id = (self._keeps_wire_id and self.wire_id) or self._new_id()
        return self._id
