"""Marks that a message only spells: what of a text must be cut so that a tokenizer reads no mark in it.

A tokenizer takes the text of an added token for the token itself, whoever wrote it. A tool's output that spells
`<|im_end|>` would end its message. So each such text is cut behind its first character, and the pieces are encoded
one by one. The cuts are found before the chat template is applied, where it is still known who wrote what, and travel
through the template as a word that occurs nowhere else.

A mark may also come about at an edge, where the end of a message and the template's text behind it make one; so a text
that ends as a mark begins is cut off there, and one that begins as a mark ends; and so is a name that is the middle of
a mark, because templates write names between brackets. And a tokenizer may normalise a text
before it looks for marks: where that makes marks, each character that it changes is cut off from its neighbours.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, Literal, TypeAlias, cast

from msgspec import Struct
from msgspec.structs import replace

from hilt.conversation import Assistant, Call, Message, System, ToolResult, ToolSpec, User
from hilt.dialects import Dialect

Normalise: TypeAlias = Callable[[str], str]

_SHORTEST = 4  # characters of a dialect's mark that is no token; shorter ones, such as brackets, are words of any text
_TAG = re.compile(r"<[^<>{}\s]+>|\[[^\[\]{}\s]+\]")
_JSON_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?', re.DOTALL)
_UNIT = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)
# Templates ask for these words of a schema.
_SCHEMA_WORDS = frozenset(
    (
        *("type", "string", "number", "integer", "boolean", "array", "object", "null", "properties", "required"),
        *("items", "enum", "const", "description", "title", "default", "format", "nullable", "anyOf", "oneOf"),
        *("allOf", "not", "$ref", "$defs", "definitions", "additionalProperties", "pattern", "minimum"),
        *("maximum", "minLength", "maxLength", "minItems", "maxItems"),
    )
)
_NEVER = re.compile(r"(?!)")


class Marks(Struct, frozen=True):
    """The marks to look for: their `texts`, the characters that they start with, and their lengths by the first two.

    `heads` are the beginnings of added tokens and `tails` their ends, up to the length `reach`; `tokens` holds
    all of them. `thoughts` are the marks around thinking, which templates themselves look for in past turns of the
    model. `normalise` is what the tokenizer does to a text before it looks for marks.
    """

    texts: frozenset[str]
    starts: re.Pattern[str]
    lengths: Mapping[str, tuple[int, ...]]
    heads: frozenset[str]
    tails: frozenset[str]
    reach: int
    tokens: str
    thoughts: frozenset[str]
    normalise: Normalise | None = None


def read_marks(added: Iterable[str], dialect: Dialect, normalise: Normalise | None = None) -> Marks:
    """The texts of a tokenizer's added tokens and the marks of its model's dialect.

    White space is no mark: tokenizers have runs of it among their tokens. Nor is a single character, which nothing can
    cut.
    """
    tokens = [text for text in added if len(text) > 1 and text.strip(" \t\r\n▁")]
    texts = frozenset((*tokens, *_dialect_marks(dialect)))
    lengths: dict[str, set[int]] = {}
    for text in texts:
        lengths.setdefault(text[:2], set()).add(len(text))
    thoughts = [span for span in (dialect.thought, *dialect.thoughts) if span is not None]
    firsts = "".join(sorted({re.escape(text[0]) for text in texts}))
    return Marks(
        texts=texts,
        starts=re.compile(f"[{firsts}]") if firsts else _NEVER,
        lengths={start: tuple(found) for start, found in lengths.items()},
        heads=frozenset(text[:size] for text in tokens for size in range(1, len(text))),
        tails=frozenset(text[size:] for text in tokens for size in range(1, len(text))),
        reach=max(map(len, tokens), default=1) - 1,
        tokens="\0".join(tokens),
        thoughts=frozenset(mark for span in thoughts for mark in (span.open, span.close) if mark),
        normalise=normalise,
    )


def cut_places(text: str, marks: Marks, spared: frozenset[str] = frozenset()) -> list[int]:
    """Where to cut the text, in order, so that no piece of it holds a mark, but for those that are `spared`."""
    places = _inside(text, marks, spared) | _edges(text, marks)
    if marks.normalise is None or not text:
        return sorted(places)
    if not _reads_mark(_pieces(text, sorted(places)), marks, spared):
        return sorted(places)
    changed = {c for c in set(text) if marks.normalise(f"a{c}") != f"{marks.normalise('a')}{c}"}
    for place, character in enumerate(text):
        if character in changed:
            places |= {place, place + 1}
    if _reads_mark(_pieces(text, sorted(places)), marks, spared):
        return list(range(len(text) + 1))
    return sorted(places)


def with_cuts(
    messages: Sequence[Message], tools: Sequence[ToolSpec], marks: Marks
) -> tuple[list[Message], list[ToolSpec], str]:
    """The messages and tools with a word at each place to cut, and that word; "" where nothing is to be cut."""
    pieces: dict[tuple[str, _Part], list[str]] = {}

    def split(text: str, part: _Part) -> list[str]:
        key = (text, part)
        if key not in pieces:
            spared = marks.thoughts if part == "turn" and _may_spare(text, marks) else frozenset[str]()
            places = cut_places(text, marks, spared)
            if part == "name" and len(text) not in places and _is_middle(text, marks):
                places.append(len(text))
            pieces[key] = _pieces(text, places)
        return pieces[key]

    def rewritten(word: str) -> tuple[list[Message], list[ToolSpec]]:
        rewriting = _Rewriting(word, split)
        return [rewriting.message(message) for message in messages], [rewriting.tool(tool) for tool in tools]

    rewritten("")
    if all(len(found) == 1 for found in pieces.values()):
        return list(messages), list(tools), ""
    word = _unused_word([text for text, _ in pieces])
    return *rewritten(word), word


def _dialect_marks(dialect: Dialect) -> list[str]:
    spans = [*dialect.blocks, dialect.call, *dialect.aliases, *dialect.sections, dialect.thought, *dialect.thoughts]
    spans += [dialect.answer, dialect.results.around]
    marks = [mark for span in spans if span is not None for mark in (span.open, span.close)]
    marks += [*dialect.frames, *dialect.ends]
    if dialect.channels is not None:
        channels = dialect.channels
        marks += [channels.start, channels.message, channels.channel, channels.follows, *channels.ends]
    marks += _TAG.findall(dialect.results.each)
    return [mark for mark in marks if len(mark) >= _SHORTEST and not mark.isalnum()]


def _inside(text: str, marks: Marks, spared: frozenset[str]) -> set[int]:
    """A place in each mark that stands in the text, overlapping ones too."""
    places: set[int] = set()
    for found in marks.starts.finditer(text):
        at = found.start()
        for length in marks.lengths.get(text[at : at + 2], ()):
            mark = text[at : at + length]
            if mark in marks.texts and mark not in spared:
                places.add(at + 1)
    return places


def _edges(text: str, marks: Marks) -> set[int]:
    """The ends of the text where a mark may go on beyond it, with and without the white space there."""
    places: set[int] = set()
    bare_start, bare_end = len(text) - len(text.lstrip()), len(text.rstrip())
    for end in {len(text), bare_end}:
        if any(text[end - size : end] in marks.heads for size in range(1, min(marks.reach, end) + 1)):
            places.add(end)
    for start in {0, bare_start}:
        most = min(marks.reach, len(text) - start)
        if any(text[start : start + size] in marks.tails for size in range(1, most + 1)):
            places.add(start)
    return places


def _is_middle(name: str, marks: Marks) -> bool:
    """Whether a token holds the name as a word of its own."""
    if not 0 < len(name) < marks.reach or name not in marks.tokens:
        return False
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", marks.tokens) is not None


def _reads_mark(pieces: Sequence[str], marks: Marks, spared: frozenset[str]) -> bool:
    """Whether a piece holds a mark once it is normalised."""
    normalise = marks.normalise
    return normalise is not None and any(_inside(normalise(piece), marks, spared) for piece in pieces)


def _may_spare(text: str, marks: Marks) -> bool:
    """Whether no mark comes about where a template takes the marks of thinking out of the text."""
    without = text
    for mark in marks.thoughts:
        without = without.replace(mark, "")
    return len(_inside(without, marks, marks.thoughts)) <= len(_inside(text, marks, marks.thoughts))


def _pieces(text: str, places: Sequence[int]) -> list[str]:
    bounds = [0, *places, len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


def _unused_word(texts: Sequence[str]) -> str:
    """A word that occurs in none of the texts, in small letters or great ones. It can't overlap with itself."""
    everything = "\n".join(texts).casefold()
    word = "q7305918264z"
    while word in everything:
        digest = hashlib.sha256(everything.encode("utf-8", "surrogatepass") + word.encode()).digest()
        word = f"q{int.from_bytes(digest[:12])}z"
    return word


# Every text of a request

_Part: TypeAlias = Literal["text", "turn", "name"]  # a turn is what the model said, and it may hold its thoughts
_Split: TypeAlias = Callable[[str, _Part], Sequence[str]]


class _Rewriting(Struct, frozen=True):
    """Joins the pieces into which `split` cuts each text by `word`."""

    word: str
    split: _Split

    def message(self, message: Message) -> Message:
        match message:
            case System(content):
                return System(self.text(content))
            case User(content):
                return User(self.text(content))
            case ToolResult(call_id, name, content):
                return ToolResult(self.name(call_id), self.name(name), self.text(content))
            case Assistant(content, thinking, calls):
                said = self.word.join(self.split(content, "turn"))
                return Assistant(said, self.text(thinking), tuple(map(self.call, calls)))

    def call(self, call: Call) -> Call:
        return Call(self.name(call.id), self.name(call.name), self.json_text(call.arguments))

    def tool(self, tool: ToolSpec) -> ToolSpec:
        return replace(
            tool,
            name=self.name(tool.name),
            description=self.text(tool.description),
            parameters=cast("dict[str, Any]", self.value(tool.parameters)),
            examples=tuple(
                replace(e, request=self.text(e.request), arguments=self.json_text(e.arguments)) for e in tool.examples
            ),
        )

    def text(self, text: str) -> str:
        return self.word.join(self.split(text, "text"))

    def name(self, text: str) -> str:
        return self.word.join(self.split(text, "name"))

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value if value in _SCHEMA_WORDS else self.name(value)
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            return {self.value(name): self.value(member) for name, member in members.items()}
        if isinstance(value, list):
            return [self.value(member) for member in cast("list[Any]", value)]
        return value

    def json_text(self, text: str) -> str:
        """JSON text with the words in its strings, which stay written as they were: a mark may hide in escapes."""
        return _JSON_STRING.sub(self._json_string, text)

    def _json_string(self, found: re.Match[str]) -> str:
        written, colon = found[1], found[2] or ""
        pieces = self.split(_decoded(written), "name" if colon else "text")
        units = iter(_UNIT.findall(written))
        return f'"{self.word.join("".join(islice(units, len(piece))) for piece in pieces)}"{colon}'


def _decoded(written: str) -> str:
    """What stands in a JSON string; a text that is none stands as it is."""
    if "\\" not in written:
        return written
    try:
        return json.loads(f'"{written}"', strict=False)
    except ValueError:
        return written
