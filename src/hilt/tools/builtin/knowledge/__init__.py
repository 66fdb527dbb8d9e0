"""The user's own documents: taken in, cut into passages, and found again by words and by likeness."""

from hilt.tools.builtin.knowledge.embedding import Embedder, ServerEmbedder, WordEmbedder, embeddings_address
from hilt.tools.builtin.knowledge.ingesting import Ingested, Knowledge, add_text, ingest
from hilt.tools.builtin.knowledge.searching import FoundPassage, Search, search
from hilt.tools.builtin.knowledge.store import SourceRecord, Store, rebuild, remove, sources
from hilt.tools.builtin.knowledge.tools import knowledge_tools

__all__ = [
    "Embedder",
    "FoundPassage",
    "Ingested",
    "Knowledge",
    "Search",
    "ServerEmbedder",
    "SourceRecord",
    "Store",
    "WordEmbedder",
    "add_text",
    "embeddings_address",
    "ingest",
    "knowledge_tools",
    "rebuild",
    "remove",
    "search",
    "sources",
]
