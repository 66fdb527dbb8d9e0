"""What a request demands of a reply: the grammar that it is written under, and the checks that come behind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from hilt.conversation import (
    Auto,
    FreeText,
    InvalidRequest,
    JsonObject,
    JsonSchema,
    Named,
    NoTools,
    Request,
    Required,
    ToolSpec,
    callable_tools,
)
from hilt.dialects import Dialect, HeadedJson, JsonCall, LiteralCall, TaggedCall
from hilt.grammar import Check, Prepared, Unenforced, prepare, prepare_arguments
from hilt.grammar.narrowing import narrowed
from hilt.grammar.offers import Offer, offer
from hilt.grammar.replies import Demand, ForcedCalls, FreeReply, JsonAnswer, NoCalls
from hilt.grammar.values import unenforced

ANSWER = "response_format.schema"
_ANY_OBJECT = {"type": "object"}
_MAX_LISTED = 3


class Checked(Struct, frozen=True, eq=False):
    """A schema made ready, what its grammar leaves `unenforced`, and its check, compiled once."""

    prepared: Prepared
    unenforced: tuple[Unenforced, ...]
    check: Check

    @property
    def enforced(self) -> bool:
        """Whether a grammar alone holds a model to all that the check asks for."""
        return all(part.remark for part in self.unenforced)


class Terms(Struct, frozen=True, eq=False):
    """What a reply is held to.

    `demand` is what a grammar makes of it, for the tools that may be called: `offers` in their order, `tools` by their
    names. `answer` is the schema of an answer, if it must have one.
    """

    demand: Demand
    offers: tuple[Offer, ...]
    tools: Mapping[str, Checked]
    answer: Checked | None

    @property
    def calls(self) -> bool:
        """Whether the reply must call a tool."""
        return isinstance(self.demand, ForcedCalls)

    @property
    def forced(self) -> bool:
        """Whether nothing but a grammar can bring about what is demanded."""
        return isinstance(self.demand, ForcedCalls | JsonAnswer)


Preparing: TypeAlias = Callable[[ToolSpec, str], Checked]

FREE = Terms(FreeReply(), (), {}, None)


def is_free(request: Request) -> bool:
    """Whether a reply may be any text, and no tools are in question."""
    forced = isinstance(request.tool_choice, Required | Named)
    return not (request.tools or forced) and isinstance(request.response_format, FreeText)


def known_tools(request: Request) -> tuple[ToolSpec, ...]:
    """The tools whose calls a reply is searched for: those that may be called, or, where none may, all."""
    return request.tools if isinstance(request.tool_choice, NoTools) else callable_tools(request)


def read_terms(request: Request, preparing: Preparing) -> Terms:
    """What a request demands; `preparing` makes the parameters of a tool ready, which stand at a place.

    Raises InvalidRequest, `param` naming the place, for tools without names of their own, for schemas that can't be
    used, and for a `strict` schema that can't be enforced in every part.
    """
    _check_names(request.tools)
    allowed = {tool.name for tool in callable_tools(request)}
    offers: list[Offer] = []
    tools: dict[str, Checked] = {}
    for position, tool in enumerate(request.tools):
        if tool.name not in allowed:
            continue
        where = f"tools[{position}].parameters"
        checked = tools[tool.name] = preparing(tool, where)
        offers.append(offer(tool, checked.prepared))
        if tool.strict:
            _refuse_unenforced(checked.unenforced, where)
    answer = _answer(request)
    demand = _demand(request, tools, answer)
    return Terms(demand, tuple(offers), tools, answer if isinstance(demand, JsonAnswer) else None)


def prepared_tool(tool: ToolSpec, where: str, dialect: Dialect) -> Checked:
    """The parameters of a tool made ready for calls in a dialect. Raises InvalidRequest for what can't be used."""
    prepared = prepare_arguments(tool.parameters, where)
    found = [*prepared.unenforced]
    for payload in dialect.payloads:
        match payload:
            case JsonCall() | HeadedJson():
                pass
            case LiteralCall(notation=notation):
                found += unenforced(prepared.grammar, "python" if notation.kind == "python" else "marked")
            case TaggedCall(nested=nested):
                found += unenforced(prepared.grammar, "elements" if nested else "raw")
    return Checked(prepared, tuple(dict.fromkeys(found)), Check(prepared.schema))


def _check_names(tools: Sequence[ToolSpec]) -> None:
    seen: dict[str, int] = {}
    for position, tool in enumerate(tools):
        param = f"tools[{position}].name"
        if not tool.name:
            raise InvalidRequest(f"`{param}` is empty; every tool needs a name.", param=param)
        first = seen.setdefault(tool.name, position)
        if first != position:
            raise InvalidRequest(
                f"`{param}` is the name of tools[{first}] already; give every tool a name of its own.", param=param
            )


def _answer(request: Request) -> Checked | None:
    match request.response_format:
        case FreeText():
            return None
        case JsonObject():
            return _checked_answer(Prepared(_ANY_OBJECT, _ANY_OBJECT, ()))
        case JsonSchema(schema=schema, strict=strict):
            prepared = prepare(schema, ANSWER)
            if strict:
                _refuse_unenforced(prepared.unenforced, ANSWER)
            return _checked_answer(prepared)


def _checked_answer(prepared: Prepared) -> Checked:
    return Checked(prepared, prepared.unenforced, Check(prepared.schema, "the answer"))


def _demand(request: Request, tools: Mapping[str, Checked], answer: Checked | None) -> Demand:
    match request.tool_choice:
        case Required():
            _need(tools, "it requires a call, but none of the tools that it allows is offered")
            return ForcedCalls(several=request.parallel_calls)
        case Named(name):
            _need(tools, f"it names the tool {name!r}, which is not offered")
            return ForcedCalls(several=False)
        case Auto() | NoTools():
            if answer is not None:
                schema = narrowed(answer.prepared.grammar, answer.unenforced)
                return JsonAnswer(schema, several=request.parallel_calls)
            return FreeReply(several=request.parallel_calls) if tools else NoCalls()


def _need(tools: Mapping[str, Checked], fault: str) -> None:
    if not tools:
        raise InvalidRequest(
            f"`tool_choice` can't be kept: {fault}. Offer the tool in `tools`, or leave `tool_choice` out.",
            param="tool_choice",
        )


def _refuse_unenforced(parts: Sequence[Unenforced], where: str) -> None:
    """`strict` promises that nothing else can be written, and what a grammar doesn't hold can't be promised."""
    if not parts:
        return
    first, *others = parts
    param = f"{where}{first.path}"
    more = ", ".join(f"{u.keyword} at {u.path}" for u in others[:_MAX_LISTED])
    more += f" and {len(others) - _MAX_LISTED} more" if len(others) > _MAX_LISTED else ""
    raise InvalidRequest(
        f"`{param}` can't be enforced while the model writes: {first.reason}."
        + (f" The same is true of {more}." if more else "")
        + f" Take {first.keyword} out of the schema, or leave `strict` out"
        + ("." if first.remark else ": then it is checked at the end."),
        param=param,
        code="unsupported_schema",
    )


def key_of(*parts: Any) -> bytes:
    """A text that differs wherever the parts of a request differ."""
    return msgspec.json.encode(parts)
