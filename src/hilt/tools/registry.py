"""The tools that are offered, found by name, by alias, and by what they can do."""

import json
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from hilt.conversation import Call, ToolSpec
from hilt.tools.decoding import decode_arguments
from hilt.tools.tool import Capability, Effect, Tool, unavailable

CALL_TOOL = ToolSpec(
    name="call_tool",
    description="Call a tool that find_tools has found.",
    parameters={
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "The name of the tool."},
            "arguments": {"type": "object", "description": "Its arguments, as its parameters say."},
        },
        "required": ["name", "arguments"],
    },
)


class Registry(Struct, frozen=True):
    """The offered tools; those that are `hidden` may be called as well, but a model has to find them first. For those
    that were `withheld`, by name, why.

    Raises ValueError if a name or an alias would mean two of them.
    """

    tools: tuple[Tool, ...] = ()
    withheld: Mapping[str, str] = {}
    hidden: tuple[Tool, ...] = ()

    def __post_init__(self) -> None:
        spoken = [name for tool in self._all for name in {tool.name, *tool.aliases}]
        if self.hidden:
            spoken.append(CALL_TOOL.name)
        twice = sorted({name for name in spoken if spoken.count(name) > 1})
        if twice:
            raise ValueError(f"two tools have the same name: {', '.join(twice)}; give one of them another")

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What models are told, sorted by name, so that the same tools always make the same prompt."""
        specs = [tool.spec for tool in self.tools]
        return tuple(sorted([*specs, CALL_TOOL] if self.hidden else specs, key=lambda spec: spec.name))

    @property
    def names(self) -> tuple[str, ...]:
        """The names, sorted."""
        return tuple(spec.name for spec in self.specs)

    def get(self, name: str) -> Tool | None:
        """The tool that a model means by `name`: its name, an alias, or one of these in another spelling
        (`ReadFile`, `read-file`) if only one tool can be meant."""
        known = self._all
        exact = next((tool for tool in known if name == tool.name or name in tool.aliases), None)
        if exact is not None:
            return exact
        folded = _folded(name)
        like = [tool for tool in known if any(_folded(n) == folded for n in (tool.name, *tool.aliases))]
        return like[0] if len(like) == 1 else None

    def meant(self, call: Call) -> Call:
        """The call that is to run: the one inside a call of `call_tool`, or the call itself. Raises ValueError, in
        words for the model, if there is none inside."""
        if call.name != CALL_TOOL.name or not self.hidden:
            return call
        arguments = decode_arguments(call.arguments)
        name, inner = arguments.get("name"), arguments.get("arguments", {})
        if not isinstance(name, str) or not isinstance(inner, str | dict):
            raise ValueError('call_tool takes a name and arguments, as {"name": "x", "arguments": {}}')  # noqa: TRY004
        return Call(call.id, name, inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False))

    def tool_of(self, call: Call) -> Tool | None:
        """The tool that a call would run."""
        try:
            return self.get(self.meant(call).name)
        except ValueError:
            return None

    @property
    def _all(self) -> tuple[Tool, ...]:
        return (*self.tools, *self.hidden)

    def where(
        self, *, effect: Effect | None = None, domain: str | None = None, permission: str | None = None
    ) -> tuple[Tool, ...]:
        """The tools with all of these properties, in order."""
        return tuple(
            tool
            for tool in self.tools
            if effect in (None, tool.effect) and domain in (None, tool.domain) and permission in (None, tool.permission)
        )

    def matching(self, words: str) -> tuple[Tool, ...]:
        """The tools that have to do with any of the words, best first."""
        asked = set(_words(words))
        ranked = [(-_score(tool, asked), tool.name, tool) for tool in self.tools]
        return tuple(tool for score, _, tool in sorted(ranked, key=lambda entry: entry[:2]) if score < 0)


def offer(tools: Iterable[Tool], capability: Capability, only: Sequence[str] = ()) -> Registry:
    """A registry of what can run here; of the tools named in `only` alone, unless it is empty."""
    named = Registry(tuple(tools))
    wanted = {found.name for name in only if (found := named.get(name)) is not None}
    offered: list[Tool] = []
    withheld: dict[str, str] = {}
    for tool in named.tools:
        why = unavailable(tool, capability)
        if only and tool.name not in wanted:
            why = "it is not among the tools that were chosen"
        if why is None:
            offered.append(tool)
        else:
            withheld[tool.name] = why
    return Registry(tuple(offered), withheld)


def _score(tool: Tool, asked: set[str]) -> int:
    """How much a tool has to do with the words; its name and keywords count more than its description."""
    strong = {*_words(tool.name), *(word for keyword in tool.keywords for word in _words(keyword)), tool.domain}
    weak = set(_words(tool.spec.description))
    return 3 * len(asked & strong) + len(asked & weak)


def _words(text: str) -> list[str]:
    spaced = "".join(character if character.isalnum() else " " for character in text)
    return [word.casefold() for word in spaced.split()]


def _folded(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
