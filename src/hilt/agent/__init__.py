"""A backend and tools made into one stream of events, with limits."""

from hilt.agent.loop import AgentRun

__all__ = ["AgentRun"]
