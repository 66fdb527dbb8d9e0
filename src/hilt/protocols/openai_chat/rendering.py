"""Events become chunks of a stream, or all of them one completion; both tell the same turn."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from hilt.conversation import (
    AnswerRejected,
    ArgumentsDelta,
    Call,
    CallFinished,
    CallRejected,
    CallStarted,
    ContentDelta,
    FinishReason,
    HiltError,
    ModelEvent,
    PromptRead,
    ThinkingDelta,
    TurnFinished,
    Usage,
    merge,
)
from hilt.protocols import sse
from hilt.protocols.model_faults import ModelFault, model_fault
from hilt.protocols.openai_chat.places import in_wire_terms
from hilt.protocols.openai_errors import fault_body, fault_reply, model_fault_body, model_fault_reply
from hilt.protocols.replies import Reply


class ReplyHead(Struct, frozen=True):
    """What every chunk of one reply repeats: its id, the model that writes, and when (seconds since 1970)."""

    id: str
    model: str
    created_s: int


class ChatStream:
    """Renders one turn as server-sent events, event by event.

    The chunks are: the role; content, thinking (`reasoning_content`) and calls as they come; an empty delta with the
    finish reason; the usage, if asked; `[DONE]`. A failure, ours or the model's, ends the stream with an error event
    and `[DONE]`. Once `finished` is true there is nothing more to send.
    """

    def __init__(self, head: ReplyHead, *, include_usage: bool = False) -> None:
        fields = msgspec.json.encode(
            {"id": head.id, "object": "chat.completion.chunk", "created": head.created_s, "model": head.model}
        )
        # All chunks of a stream differ only in delta and finish reason, so the rest is encoded once.
        self._before = fields.removesuffix(b"}") + b',"choices":'
        self._include_usage = include_usage
        self._opened = False
        self._truncated = False
        self._encode = msgspec.json.Encoder().encode
        self.finished = False

    def feed(self, event: ModelEvent) -> bytes:
        """The bytes that `event` adds to the stream; often none."""
        if self.finished:
            return b""
        match event:
            case PromptRead():
                return self._opening()
            case ContentDelta(text):
                return self._opening() + self._chunk({"content": text}) if text else b""
            case ThinkingDelta(text):
                return self._opening() + self._chunk({"reasoning_content": text}) if text else b""
            case CallStarted(index, call_id, name):
                function = {"name": name, "arguments": ""}
                call = {"index": index, "id": call_id, "type": "function", "function": function}
                return self._opening() + self._chunk({"tool_calls": [call]})
            case ArgumentsDelta(index, text):
                return self._chunk({"tool_calls": [{"index": index, "function": {"arguments": text}}]}) if text else b""
            case CallFinished():
                return b""
            case CallRejected() | AnswerRejected():
                return self._rejected(model_fault(event))
            case TurnFinished(reason, usage):
                return self._ending("length" if self._truncated else reason, usage)

    def fail(self, error: HiltError) -> bytes:
        """The end of a stream that can't go on: the error, then `[DONE]`."""
        return self._broken_off(fault_body(in_wire_terms(error)))

    def _opening(self) -> bytes:
        if self._opened:
            return b""
        self._opened = True
        return self._chunk({"role": "assistant", "content": ""})

    def _chunk(self, delta: Mapping[str, Any], finish_reason: FinishReason | None = None) -> bytes:
        choices = self._encode([{"index": 0, "delta": delta, "finish_reason": finish_reason}])
        return sse.event(self._before + choices + b"}")

    def _rejected(self, fault: ModelFault | None) -> bytes:
        if fault is None:
            self._truncated = True
            return b""
        return self._broken_off(model_fault_body(fault))

    def _ending(self, reason: FinishReason, usage: Usage) -> bytes:
        last = self._opening() + self._chunk({}, reason)
        if self._include_usage:
            last += sse.event(self._before + b'[],"usage":' + self._encode(_usage(usage)) + b"}")
        self.finished = True
        return last + sse.DONE

    def _broken_off(self, error: bytes) -> bytes:
        if self.finished:
            return b""
        self.finished = True
        return sse.event(error) + sse.DONE


def completion(events: Sequence[ModelEvent], head: ReplyHead) -> Reply:
    """The whole answer of one turn, told by all its events, or the 502 that a fault of the model makes of it.

    ValueError if the events break off before `TurnFinished`.
    """
    for event in events:
        if fault := model_fault(event):
            return model_fault_reply(fault)
    turn = merge(events)
    said: dict[str, Any] = {"role": "assistant", "content": turn.message.content, "refusal": None}
    if turn.message.thinking:
        said["reasoning_content"] = turn.message.thinking
    if turn.message.calls:
        said["content"] = turn.message.content or None
        said["tool_calls"] = [_call(call) for call in turn.message.calls]
    # What is left in `rejected` was cut, whatever the backend gave as the reason.
    reason = "length" if turn.rejected else turn.reason
    body = {
        "id": head.id,
        "object": "chat.completion",
        "created": head.created_s,
        "model": head.model,
        "choices": [{"index": 0, "message": said, "logprobs": None, "finish_reason": reason}],
        "usage": _usage(turn.usage),
    }
    return Reply(status=200, body=msgspec.json.encode(body))


def failure(error: HiltError) -> Reply:
    """The whole answer that tells of `error`, which a room behind the codec may have raised."""
    return fault_reply(in_wire_terms(error))


def _call(call: Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
