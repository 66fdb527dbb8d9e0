"""What a scheduled task may do: frozen when it is made, and from then on only narrowed."""

from collections.abc import Iterable

from msgspec import Struct

from hilt.settings import PolicyOptions
from hilt.tools.tool import Tool


class Grant(Struct, frozen=True):
    """The tools, by name, and the policy that a task was made with."""

    tools: tuple[str, ...] = ()
    policy: PolicyOptions = PolicyOptions()


def narrowed(grant: Grant, current: PolicyOptions) -> PolicyOptions:
    """The policy that a task of this grant runs with while `current` is in force.

    What either denies is denied and what either asks for is asked; only what the grant allowed is allowed.
    """
    made = grant.policy
    return PolicyOptions(
        deny=_both(made.deny, current.deny),
        ask=_both(made.ask, current.ask),
        allow=made.allow,
        dry_run=made.dry_run or current.dry_run,
        local_only=made.local_only or current.local_only,
    )


def granted(grant: Grant, tools: Iterable[Tool]) -> tuple[Tool, ...]:
    """Those of the tools that the grant names, by their exact names."""
    return tuple(tool for tool in tools if tool.name in grant.tools)


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))
