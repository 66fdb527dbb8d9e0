"""OpenAI Chat Completions: bodies to requests, events to chunks or to one completion."""

from hilt.protocols.openai_chat.parsing import ChatRequest, parse
from hilt.protocols.openai_chat.rendering import ChatStream, ReplyHead, completion, failure

__all__ = ["ChatRequest", "ChatStream", "ReplyHead", "completion", "failure", "parse"]
