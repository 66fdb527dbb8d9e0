"""Which dialect is found in what a chat template makes of the probe.

The templates are our own, in the manner of Qwen3 (hermes), Llama 3.1 and 3.2 (llama3) and Qwen3-Coder (qwen_xml).
"""

import json
from pathlib import Path
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hilt.conversation import Call
from hilt.dialects import CATALOG, PROBE, PROBE_TOOL, detect, render

TEMPLATES = Path(__file__).parent / "templates"


def probe_reply(template: str, **variables: Any) -> str:
    """What the template writes behind its generation prompt for the turn that makes the probe's call."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = json.dumps  # as transformers has it: without the escapes of HTML
    page = environment.from_string((TEMPLATES / f"{template}.jinja").read_text())
    function = {"name": PROBE_TOOL.name, "description": PROBE_TOOL.description, "parameters": PROBE_TOOL.parameters}
    tools = [{"type": "function", "function": function}]
    asked = [{"role": "user", "content": "Use the tool."}]
    made = {"name": PROBE.name, "arguments": json.loads(PROBE.arguments)}
    turn = {"role": "assistant", "content": "", "tool_calls": [{"id": PROBE.id, "type": "function", "function": made}]}
    before = page.render(messages=asked, tools=tools, add_generation_prompt=True, **variables)
    after = page.render(messages=[*asked, turn], tools=tools, add_generation_prompt=False, **variables)
    assert after.startswith(before)
    return after.removeprefix(before)


@pytest.mark.parametrize(
    ("template", "variables"),
    [("hermes", {}), ("hermes", {"thinking": True}), ("llama3", {}), ("llama3", {"marked": True}), ("qwen_xml", {})],
    ids=str,
)
def test_a_template_tells_its_dialect(template: str, variables: dict[str, Any]) -> None:
    found = detect(probe_reply(template, **variables))
    assert found.dialect == CATALOG[template]
    assert template in found.reason


def test_a_template_without_tools_has_no_dialect() -> None:
    found = detect(probe_reply("none"))
    assert found.dialect is None
    assert "no place for tool calls" in found.reason


def test_a_template_of_another_dialect_is_told_from_one_without_tools() -> None:
    found = detect(probe_reply("unheard_of"))
    assert found.dialect is None
    assert "no dialect here knows" in found.reason


@pytest.mark.parametrize("dialect", CATALOG.values(), ids=CATALOG)
@pytest.mark.parametrize("around", ["{}", "\n\n{}", "{}<|im_end|>\n", "<think>\n\n</think>\n\n{}<|eot_id|>"])
def test_every_dialect_finds_itself(dialect: Any, around: str) -> None:
    assert detect(around.format(render(dialect, [PROBE]))).dialect == dialect


@pytest.mark.parametrize("dialect", CATALOG.values(), ids=CATALOG)
def test_a_call_with_other_arguments_is_no_proof(dialect: Any) -> None:
    assert detect(render(dialect, [Call("call_0", PROBE.name, '{"text": "a probe"}')])).dialect is None
    assert detect(render(dialect, [PROBE, PROBE])).dialect is None
