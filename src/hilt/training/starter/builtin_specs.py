"""The seven built-in tools as models see them; a test holds this copy against hilt.tools.builtin."""

from typing import Any

from hilt.training.starter.tools import function_spec, parameters_schema


def _spec(name: str, about: str, properties: dict[str, dict[str, Any]], required: list[str]) -> dict[str, Any]:
    return function_spec(name, about, parameters_schema(properties, required))


BUILTIN_SPECS: dict[str, dict[str, Any]] = {
    spec["name"]: spec
    for spec in (
        _spec(
            "calculate",
            "Work out an arithmetic expression.",
            {
                "expression": {
                    "type": "string",
                    "description": "An arithmetic expression such as 0.17 * (3 + 4) or sqrt(2).",
                }
            },
            ["expression"],
        ),
        _spec(
            "current_time",
            "Tell the current date, weekday and time.",
            {
                "timezone": {
                    "type": "string",
                    "description": "IANA time zone such as Europe/Paris; the local one if left out.",
                }
            },
            [],
        ),
        _spec(
            "convert_units",
            "Convert a value from one unit of measurement to another.",
            {
                "value": {"type": "number", "description": "The value to convert."},
                "from_unit": {"type": "string", "description": "The unit of the value, such as mile."},
                "to_unit": {"type": "string", "description": "The unit to convert to, such as kilometer."},
            },
            ["value", "from_unit", "to_unit"],
        ),
        _spec(
            "list_files",
            "List the files and folders in a folder of the workspace.",
            {"path": {"type": "string", "description": "The folder, relative to the workspace.", "default": "."}},
            [],
        ),
        _spec(
            "read_file",
            "Read a text file of the workspace.",
            {"path": {"type": "string", "description": "The file, relative to the workspace."}},
            ["path"],
        ),
        _spec(
            "add_note", "Save a note.", {"text": {"type": "string", "description": "The text of the note."}}, ["text"]
        ),
        _spec(
            "search_notes",
            "Search the saved notes.",
            {
                "query": {"type": "string", "description": "Words to look for."},
                "limit": {"type": "integer", "description": "The most notes to return.", "default": 5},
            },
            ["query"],
        ),
    )
}
BUILTIN_NAMES = tuple(BUILTIN_SPECS)
