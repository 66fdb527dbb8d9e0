"""From a call to its outcome: tools made from typed functions, and the one door through which every call passes."""

from hilt.tools.approval import (
    Approval,
    ApprovalRequest,
    Approved,
    Approver,
    Decided,
    Decision,
    Deferred,
    Desk,
    Later,
    Nobody,
    Refused,
)
from hilt.tools.builtin import builtin_tools
from hilt.tools.catalogue import catalogue_tokens, within
from hilt.tools.door import run_tool, unknown_tool
from hilt.tools.model_text import error_text
from hilt.tools.policy import Allow, Ask, Deny, Policy, Rule, Situation, Verdict, decide, names, policy_of, rule_of
from hilt.tools.rates import Rates
from hilt.tools.redaction import Redaction, redact
from hilt.tools.registry import Registry, offer
from hilt.tools.results import ResultStore, read_result_tool
from hilt.tools.runtime import Execution, Hook, PlannedCall, Runtime, Waiting
from hilt.tools.switch import Switch
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
    "ApprovalRequest",
    "Approved",
    "Approver",
    "Ask",
    "Capability",
    "Change",
    "Decided",
    "Decision",
    "Deferred",
    "Deny",
    "Desk",
    "Effect",
    "Execution",
    "Hook",
    "Later",
    "Nobody",
    "Normalised",
    "Normaliser",
    "PlannedCall",
    "Policy",
    "Rate",
    "Rates",
    "Redaction",
    "Refused",
    "Registry",
    "ResultStore",
    "Rule",
    "Runtime",
    "Situation",
    "Switch",
    "Tool",
    "Verdict",
    "Waiting",
    "builtin_tools",
    "catalogue_tokens",
    "decide",
    "error_text",
    "names",
    "offer",
    "policy_of",
    "read_result_tool",
    "redact",
    "rule_of",
    "run_tool",
    "tool",
    "unavailable",
    "unknown_tool",
    "within",
]
