"""What can be set: frozen options, and how files and variables become them. Nothing here reads a file by itself."""

from hilt.settings.options import (
    AgentOptions,
    EngineOptions,
    KnowledgeOptions,
    PersonalOptions,
    PolicyOptions,
    RoutingOptions,
    ScheduleOptions,
    ServerOptions,
    Settings,
    ToolOptions,
    TraceOptions,
    WebOptions,
    default_settings,
)
from hilt.settings.reading import setting_names, settings_from, variable

__all__ = [
    "AgentOptions",
    "EngineOptions",
    "KnowledgeOptions",
    "PersonalOptions",
    "PolicyOptions",
    "RoutingOptions",
    "ScheduleOptions",
    "ServerOptions",
    "Settings",
    "ToolOptions",
    "TraceOptions",
    "WebOptions",
    "default_settings",
    "setting_names",
    "settings_from",
    "variable",
]
