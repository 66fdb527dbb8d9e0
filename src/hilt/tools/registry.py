"""The tools that are offered, by name."""

from msgspec import Struct

from hilt.conversation import ToolSpec
from hilt.tools.tool import Tool


class Registry(Struct, frozen=True):
    """The offered tools. Raises ValueError if two have the same name."""

    tools: tuple[Tool, ...] = ()

    def __post_init__(self) -> None:
        names = [tool.spec.name for tool in self.tools]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two tools have the same name: {', '.join(twice)}; give one of them another")

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What models are told, sorted by name, so that the same tools always make the same prompt."""
        return tuple(sorted((tool.spec for tool in self.tools), key=lambda spec: spec.name))

    @property
    def names(self) -> tuple[str, ...]:
        """The names, sorted."""
        return tuple(spec.name for spec in self.specs)

    def get(self, name: str) -> Tool | None:
        """The tool of this exact name."""
        return next((tool for tool in self.tools if tool.spec.name == name), None)
