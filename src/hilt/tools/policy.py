"""Whether a call may run, decided from values alone: deny before ask, ask before allow."""

import json
import re
import unicodedata
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, TypeAlias, cast, get_args

from msgspec import Struct

from hilt.conversation import InvalidRequest
from hilt.settings import PolicyOptions
from hilt.tools.tool import Effect, Tool

_RULE = re.compile(r"\s*(?:effect:(?P<effect>\w+)|(?P<tool>[^\s():]+))\s*(?:\((?P<arguments>.*)\))?\s*", re.DOTALL)
_NEXT_ARGUMENT = re.compile(r",\s*(?=\w+=)")
_EFFECTS: tuple[Effect, ...] = get_args(Effect)


class Rule(Struct, frozen=True):
    """Calls of tools whose name, or an alias of it, fits the pattern `tool`; of this `effect` only, if one is given;
    and whose `arguments` fit, each a name and a pattern. In a pattern `*` stands for anything and `?` for one
    character."""

    tool: str = "*"
    effect: Effect | None = None
    arguments: tuple[tuple[str, str], ...] = ()


class Policy(Struct, frozen=True):
    """The rules. What none of them names runs if it only reads, and else asks. `local_only` refuses whatever reaches
    beyond this machine, whatever the rules say."""

    deny: tuple[Rule, ...] = ()
    ask: tuple[Rule, ...] = ()
    allow: tuple[Rule, ...] = ()
    local_only: bool = False


class Situation(Struct, frozen=True):
    """What is known of a call beside itself: the run that it belongs to; `untrusted` says that the run has read what
    strangers may have written, `repaired` that the model's text had to be mended to be read as this call. The call may
    take `left_s` seconds, or as long as its tool may if that is None."""

    run_id: str = ""
    untrusted: bool = False
    repaired: bool = False
    left_s: float | None = None


class Allow(Struct, frozen=True, tag="allow"):
    """Run it at once."""


class Ask(Struct, frozen=True, tag="ask"):
    """Run it if somebody says so; `why` is the reason where it isn't the effect of the tool alone."""

    why: str = ""


class Deny(Struct, frozen=True, tag="deny"):
    """Do not run it; `text` is the sentence that the model reads."""

    text: str


NOBODY_HERE = "nobody is here to allow this call"

Verdict: TypeAlias = Allow | Ask | Deny


def policy_of(options: PolicyOptions) -> Policy:
    """The policy that the options write down. Raises InvalidRequest for a rule that can't be read."""
    return Policy(
        deny=tuple(map(rule_of, options.deny)),
        ask=tuple(map(rule_of, options.ask)),
        allow=tuple(map(rule_of, options.allow)),
        local_only=options.local_only,
    )


def rule_of(text: str) -> Rule:
    """A rule such as `create_file`, `notes_*`, `effect:write` or `web_fetch(url=https://docs.*)`."""
    match = _RULE.fullmatch(text)
    arguments = _arguments(match["arguments"]) if match is not None else None
    if match is None or arguments is None:
        raise InvalidRequest(
            f"the rule {text!r} can't be read; write a tool as create_file, an effect as effect:write, and patterns of"
            " arguments behind them as web_fetch(url=https://docs.*)"
        )
    effect = match["effect"]
    if effect is not None and effect not in _EFFECTS:
        raise InvalidRequest(f"the rule {text!r} names no effect; there are {', '.join(_EFFECTS)}")
    return Rule(match["tool"] or "*", effect, arguments)


def _arguments(text: str | None) -> tuple[tuple[str, str], ...] | None:
    pairs = [piece.partition("=") for piece in _NEXT_ARGUMENT.split(text)] if text else []
    if any(not equals or not name.strip() for name, equals, _ in pairs):
        return None
    return tuple((name.strip(), pattern) for name, _, pattern in pairs)


def decide(
    policy: Policy, tool: Tool, arguments: Mapping[str, Any], situation: Situation, *, attended: bool
) -> Verdict:
    """The verdict on a call with these validated `arguments`, as JSON has them. `attended` says that somebody can
    answer a question, now or later."""
    verdict = _verdict(policy, tool, arguments, situation)
    if isinstance(verdict, Ask) and not attended:
        return Deny(f"{NOBODY_HERE}: {verdict.why}" if verdict.why else NOBODY_HERE)
    return verdict


def _verdict(policy: Policy, tool: Tool, arguments: Mapping[str, Any], situation: Situation) -> Verdict:
    if policy.local_only and tool.effect == "external":
        return Deny("this tool reaches beyond this machine, and only local work is allowed")
    if any(_fits(rule, tool, arguments, strictly=False) for rule in policy.deny):
        return Deny("the rules forbid this call")
    if any(_fits(rule, tool, arguments, strictly=False) for rule in policy.ask):
        return Ask("the rules want this call to be asked about")
    changes = tool.effect != "read"
    if situation.untrusted and tool.effect in ("destructive", "external"):
        return Ask(f"its effect is {tool.effect}, and the run has read text that strangers may have written")
    if situation.repaired and changes:
        return Ask(f"its effect is {tool.effect}, and the model's text had to be mended to be read as this call")
    if any(_fits(rule, tool, arguments, strictly=True) for rule in policy.allow):
        return Allow()
    return Ask() if changes else Allow()


def _fits(rule: Rule, tool: Tool, arguments: Mapping[str, Any], *, strictly: bool) -> bool:
    """Whether the rule names the call. Not `strictly`, letters of another case or another Unicode form are the same,
    and one fitting part of a list is enough; strictly, all must fit."""
    if not names(rule, tool, strictly=strictly):
        return False
    among = all if strictly else any
    return all(
        name in arguments
        and (leaves := _leaves(arguments[name]))
        and among(_like(leaf, pattern, strictly=strictly) for leaf in leaves)
        for name, pattern in rule.arguments
    )


def names(rule: Rule, tool: Tool, *, strictly: bool = True) -> bool:
    """Whether the rule is about calls of this tool, with whatever arguments."""
    if rule.effect is not None and rule.effect != tool.effect:
        return False
    return any(_like(name, rule.tool, strictly=strictly) for name in (tool.name, *tool.aliases))


def _leaves(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [leaf for member in cast("list[Any]", value) for leaf in _leaves(member)]
        case dict():
            return [leaf for member in cast("dict[str, Any]", value).values() for leaf in _leaves(member)]
        case _:
            return [json.dumps(value)]


def _like(text: str, pattern: str, *, strictly: bool) -> bool:
    return fnmatchcase(text, pattern) if strictly else fnmatchcase(_folded(text), _folded(pattern))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
