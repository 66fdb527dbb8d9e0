"""The one place where settings become live objects, and the only one that looks at the machine and its environment."""

from hilt.assembly.configuring import load_settings
from hilt.assembly.models import Described, Machine, describe_model, measure_machine, open_backend, prepare_machine
from hilt.assembly.places import clock, config_file, data_folder, new_call_id, tool_switch, version

__all__ = [
    "Described",
    "Machine",
    "clock",
    "config_file",
    "data_folder",
    "describe_model",
    "load_settings",
    "measure_machine",
    "new_call_id",
    "open_backend",
    "prepare_machine",
    "tool_switch",
    "version",
]
