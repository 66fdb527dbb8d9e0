"""How a run goes about its work beyond the plain loop: answering first, and looking things up first."""

import json
from collections.abc import Sequence

from hilt.conversation import Call, Message, System, ToolResult, User
from hilt.tools import Registry

ANSWER_FIRST = (
    "Answer at once, without a tool, when you know the answer for certain. Use a tool only for what you can't know or"
    " do yourself, and no more tools than needed."
)
RAG_FIRST = (
    "Passages from the knowledge base that may help come before your answer. Rely on them where they fit the question,"
    " and say so when they don't hold the answer."
)
KNOWLEDGE_TOOL = "search_knowledge"
LOOKUP_ID = "lookup_0"


def instructed(messages: Sequence[Message], instruction: str) -> tuple[Message, ...]:
    """The messages with an instruction behind those of the operator."""
    match messages:
        case [System(content), *rest]:
            return (System(f"{content}\n\n{instruction}" if content else instruction), *rest)
        case _:
            return (System(instruction), *messages)


def first_question(messages: Sequence[Message]) -> str:
    """What the user said first, which stays the same for as long as a conversation goes on."""
    return next((message.content for message in messages if isinstance(message, User)), "")


def looked_up(messages: Sequence[Message]) -> bool:
    """Whether the knowledge base was searched before the model was asked."""
    return any(
        isinstance(message, ToolResult) and message.name == KNOWLEDGE_TOOL and message.call_id.startswith(LOOKUP_ID)
        for message in messages
    )


def lookup(messages: Sequence[Message], registry: Registry) -> Call | None:
    """The search of the knowledge base for what the user has just said; None if it can't be searched."""
    if registry.get(KNOWLEDGE_TOOL) is None or not messages or not isinstance(messages[-1], User):
        return None
    return Call(LOOKUP_ID, KNOWLEDGE_TOOL, json.dumps({"query": messages[-1].content}, ensure_ascii=False))
