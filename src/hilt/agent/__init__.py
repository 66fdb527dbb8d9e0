"""A backend and tools made into one stream of events, with limits."""

from hilt.agent.agent import Agent, RunResult, finished, new_run_id
from hilt.agent.loop import AgentRun
from hilt.agent.state import RunState

__all__ = ["Agent", "AgentRun", "RunResult", "RunState", "finished", "new_run_id"]
