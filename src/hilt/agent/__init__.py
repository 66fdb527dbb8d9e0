"""A backend and tools made into one stream of events, with limits."""

from hilt.agent.agent import Agent, RunResult, finished, new_run_id
from hilt.agent.completing import run_with_completion, run_with_completion_sync
from hilt.agent.loop import AgentRun
from hilt.agent.serving import ServerTools, ToolRunningBackend, not_switched_on
from hilt.agent.state import RunState

__all__ = [
    "Agent",
    "AgentRun",
    "RunResult",
    "RunState",
    "ServerTools",
    "ToolRunningBackend",
    "finished",
    "new_run_id",
    "not_switched_on",
    "run_with_completion",
    "run_with_completion_sync",
]
