"""The knowledge base as tools: search it, add a text to it, list what is in it."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Struct
from pydantic import Field

from hilt.conversation import HiltError, Source, Unavailable
from hilt.tools.builtin.knowledge.ingesting import Knowledge, add_text, text_name
from hilt.tools.builtin.knowledge.searching import search
from hilt.tools.builtin.knowledge.store import SourceRecord, digest_of, is_empty, sources
from hilt.tools.tool import Change, Tool, tool

_MAX_LISTED = 100
# Below the runtime's cap, so that whole passages are left out here and none is cut in the middle of its JSON.
_MAX_RESULT_CHARS = 12_000
_MEMBER_CHARS = 60
_MAX_QUERY_CHARS = 500
_EMPTY = "the knowledge base is empty; add documents with `hilt kb add PATH`"


class Passage(Struct, frozen=True):
    """A passage, the title of its source, and its place there."""

    text: str
    title: str
    place: str


class Passages(Struct, frozen=True):
    """What was found, best first, as much as fits into a result; `notice` says what the search could not do."""

    query: str
    passages: tuple[Passage, ...]
    notice: str | msgspec.UnsetType = msgspec.UNSET


class Added(Struct, frozen=True):
    """A text that is in the base now; `outcome` is "unchanged" if it was there before."""

    title: str
    outcome: str
    passages: int


class Listed(Struct, frozen=True):
    """A source in the base; `added` is local time to the minute."""

    title: str
    source: str
    passages: int
    added: str


class Sources(Struct, frozen=True):
    """The sources by name; `omitted` counts those beyond the first 100, or fewer if they are long."""

    sources: tuple[Listed, ...]
    omitted: int | msgspec.UnsetType = msgspec.UNSET


def knowledge_tools(knowledge: Knowledge) -> tuple[Tool, ...]:
    """The tools of one knowledge base."""
    store = knowledge.store

    def nothing_in_it() -> str | None:
        try:
            return _EMPTY if is_empty(store) else None
        except Unavailable as fault:
            return fault.message

    @tool(
        effect="read",
        untrusted=True,
        permission="knowledge:read",
        domain="knowledge",
        aliases=(
            "queryKnowledgeBase",
            "query_knowledge_base",
            "knowledge_search",
            "kb_search",
            "search_knowledge_base",
        ),
        keywords=("documents", "knowledge base", "look up", "manual", "cite", "sources", "RAG"),
        examples=(("What does our handbook say about parental leave?", {"query": "parental leave"}),),
        missing=nothing_in_it,
        sources=_cited,
    )
    def search_knowledge(
        query: Annotated[str, Field(description="What to look for: words or a question.")],
        limit: Annotated[int, Field(description="The most passages to return.")] = 5,
    ) -> Passages:
        """Search the user's own documents for passages that answer a question."""
        try:
            found = search(store, query, limit)
        except HiltError as fault:
            raise ValueError(fault.message) from fault
        passages = [Passage(one.text, one.title, one.place) for one in found.passages]
        shown = _fitting([len(one.text) + len(one.title) + len(one.place) for one in passages])
        return Passages(query[:_MAX_QUERY_CHARS], tuple(passages[:shown]), found.notice or msgspec.UNSET)

    def plan_adding(text: str, title: str) -> Sequence[Change]:
        try:
            known = digest_of(store, text_name(title)) is not None
        except Unavailable as fault:
            raise ValueError(fault.message) from fault
        detail = f"{len(text)} characters" + ("; there is a text of this title already" if known else "")
        return (Change("create", f"knowledge base: {text_name(title)}", detail),)

    @tool(
        effect="write",
        permission="knowledge:write",
        domain="knowledge",
        keywords=("remember", "document", "knowledge base", "store"),
        examples=(
            (
                "Put this into the knowledge base: the office closes at 6 pm.",
                {"text": "The office closes at 6 pm.", "title": "Office hours"},
            ),
        ),
        plan=plan_adding,
    )
    def add_to_knowledge(
        text: Annotated[str, Field(description="The text to add.")],
        title: Annotated[str, Field(description="A title that says what it is about.")],
    ) -> Added:
        """Add a text to the user's knowledge base."""
        try:
            record, outcome = add_text(knowledge, text, title)
        except HiltError as fault:
            raise ValueError(fault.message) from fault
        return Added(record.title, outcome, record.passages)

    @tool(
        effect="read",
        untrusted=True,
        permission="knowledge:read",
        domain="knowledge",
        keywords=("documents", "knowledge base", "sources", "contents"),
        missing=nothing_in_it,
    )
    def list_knowledge() -> Sources:
        """List the documents in the user's knowledge base."""
        try:
            known = sources(store)
        except HiltError as fault:
            raise ValueError(fault.message) from fault
        shown = min(_MAX_LISTED, _fitting([len(one.title) + len(one.name) for one in known]))
        left_out = len(known) - shown
        return Sources(tuple(_listed(one) for one in known[:shown]), left_out if left_out > 0 else msgspec.UNSET)

    return search_knowledge, add_to_knowledge, list_knowledge


def _fitting(sizes: Sequence[int]) -> int:
    """How many of the first fit into a result: at least one."""
    room = _MAX_RESULT_CHARS
    for place, size in enumerate(sizes):
        room -= size + _MEMBER_CHARS
        if room < 0:
            return max(1, place)
    return len(sizes)


def _cited(found: Passages) -> Sequence[Source]:
    return tuple(Source(one.title, one.place) for one in found.passages)


def _listed(record: SourceRecord) -> Listed:
    return Listed(record.title, record.name, record.passages, record.added)
