"""Conversations as text, exactly as chat_template.jinja writes them, only faster."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Conversation:
    """The offered tools (OpenAI tool objects) and the messages (OpenAI shape, arguments as objects)."""

    tools: tuple[dict[str, Any], ...]
    messages: tuple[Message, ...]


def as_json(value: Any) -> str:
    """JSON as tools and models write it."""
    return json.dumps(value, ensure_ascii=False)


def call_text(name: str, arguments: dict[str, Any]) -> str:
    """One call in Hermes form."""
    return f'<tool_call>\n{{"name": {as_json(name)}, "arguments": {as_json(arguments)}}}\n</tool_call>'


def assistant_text(message: Message) -> str:
    """What the model writes for an assistant message, without the end marker."""
    blocks = [message["content"]] if message.get("content") else []
    blocks += [
        call_text(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", ())
    ]
    return "\n".join(blocks)


def rendered(conversation: Conversation, ask: bool = False) -> str:
    """The whole conversation; with `ask` it ends where the model begins to write."""
    messages = list(conversation.messages)
    system = messages.pop(0)["content"] if messages and messages[0]["role"] == "system" else ""
    parts: list[str] = []
    if system or conversation.tools:
        parts.append(f"<|im_start|>system\n{system}")
        if conversation.tools:
            parts.append("\n\n<tools>\n" if system else "<tools>\n")
            parts.extend(f"{as_json(tool)}\n" for tool in conversation.tools)
            parts.append("</tools>")
        parts.append("<|im_end|>\n")
    parts.extend(_turns(messages))
    if ask:
        parts.append("<|im_start|>assistant\n")
    return "".join(parts)


def _turns(messages: Sequence[Message]) -> list[str]:
    parts: list[str] = []
    for at, message in enumerate(messages):
        match message["role"]:
            case "tool":
                if at == 0 or messages[at - 1]["role"] != "tool":
                    parts.append("<|im_start|>user")
                parts.append(f"\n<tool_response>\n{message['content']}\n</tool_response>")
                if at + 1 == len(messages) or messages[at + 1]["role"] != "tool":
                    parts.append("<|im_end|>\n")
            case "assistant":
                parts.append(f"<|im_start|>assistant\n{assistant_text(message)}<|im_end|>\n")
            case role:
                parts.append(f"<|im_start|>{role}\n{message['content']}<|im_end|>\n")
    return parts
