"""From a call to its outcome: tools made from typed functions, and the one door through which every call passes."""

from hilt.tools.approval import Approval, Approved, Approver, Nobody, Refused
from hilt.tools.builtin import builtin_tools
from hilt.tools.policy import Allow, Ask, Deny, Verdict, decide
from hilt.tools.registry import Registry
from hilt.tools.runtime import Runtime, error_text, run_tool, unknown_tool
from hilt.tools.tool import (
    Capability,
    Change,
    Effect,
    Normalised,
    Normaliser,
    Rate,
    Tool,
    tool,
    unavailable,
)

__all__ = [
    "Allow",
    "Approval",
    "Approved",
    "Approver",
    "Ask",
    "Capability",
    "Change",
    "Deny",
    "Effect",
    "Nobody",
    "Normalised",
    "Normaliser",
    "Rate",
    "Refused",
    "Registry",
    "Runtime",
    "Tool",
    "Verdict",
    "builtin_tools",
    "decide",
    "error_text",
    "run_tool",
    "tool",
    "unavailable",
    "unknown_tool",
]
