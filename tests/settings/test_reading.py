"""Settings from files and variables, and what is wrong with some."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from hilt.conversation import InvalidRequest
from hilt.settings import (
    AgentOptions,
    PolicyOptions,
    Settings,
    default_settings,
    setting_names,
    settings_from,
    variable,
)

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = default_settings(Path("/data"), Path("/work"))


def read(user: str | None = None, project: str | None = None, **environment: str) -> Settings:
    return settings_from(
        DEFAULTS,
        user=None if user is None else ("own.toml", user),
        project=None if project is None else ("hilt.toml", project),
        environment=environment,
    )


def test_nothing_configured_is_the_defaults() -> None:
    assert read() == DEFAULTS
    assert read("", "") == DEFAULTS


def test_files_and_then_variables() -> None:
    own = '[agent]\nmax_iterations = 6\nmode = "answer_first"\n[policy]\nallow = ["web_*", "f(a=b, c=d)"]\n'
    settings = read(own, "[agent]\nmax_iterations = 7\n", HILT_AGENT_TOTAL_TIMEOUT_S="90", PATH="/bin", HILT_OTHER="x")
    assert settings.agent == AgentOptions(max_iterations=7, mode="answer_first", total_timeout_s=90.0)
    assert settings.policy == PolicyOptions(allow=("web_*", "f(a=b, c=d)"))


@pytest.mark.parametrize(
    ("variables", "section", "key", "value"),
    [
        ({"HILT_POLICY_ALLOW": "a, b(x=1,y=2) ,c"}, "policy", "allow", ("a", "b(x=1,y=2)", "c")),
        ({"HILT_POLICY_ALLOW": '["a, b"]'}, "policy", "allow", ("a, b",)),
        ({"HILT_POLICY_ALLOW": ""}, "policy", "allow", ()),
        ({"HILT_POLICY_DRY_RUN": "true"}, "policy", "dry_run", True),
        ({"HILT_POLICY_DRY_RUN": "0"}, "policy", "dry_run", False),
        ({"HILT_ROUTING_MODELS": '{"m": "text"}'}, "routing", "models", {"m": "text"}),
        ({"HILT_TOOLS_WORKSPACE": "/tmp/x"}, "tools", "workspace", Path("/tmp/x")),
        ({"HILT_TOOLS_FILES": "/a.py,/b.py"}, "tools", "files", (Path("/a.py"), Path("/b.py"))),
        ({"HILT_WEB_SEARCH": "brave"}, "web", "search", "brave"),
        ({"HILT_SERVER_PORT": "0"}, "server", "port", 0),
    ],
)
def test_values_of_variables(variables: dict[str, str], section: str, key: str, value: Any) -> None:
    assert getattr(getattr(read(**variables), section), key) == value


@pytest.mark.parametrize(
    ("user", "variables", "message"),
    [
        ("[agent", {}, "own.toml is no TOML"),
        ("max_iterations = 3", {}, "own.toml: 'max_iterations' stands outside of a section such as [agent]"),
        (
            "[agent]\nmax_iteration = 3",
            {},
            "there is no setting agent.max_iteration; did you mean agent.max_iterations?",
        ),
        (
            "[agnt]\nmax_iterations = 3",
            {},
            "there is no setting agnt.max_iterations; did you mean agent.max_iterations?",
        ),
        ('[agent]\nmax_iterations = "3"', {}, "own.toml: agent.max_iterations: expected `int`, got `str`"),
        ("[agent]\nmax_iterations = 0", {}, "own.toml: agent.max_iterations: expected `int` >= 1"),
        ("[tools]\ntimeout_s = -1", {}, "own.toml: tools.timeout_s: expected `float` > 0"),
        ('[routing]\nprompt_style = "yaml"', {}, "own.toml: routing.prompt_style: invalid enum value 'yaml'"),
        ("[tools]\nworkspace = 3", {}, "own.toml: tools.workspace: expected path"),
        (None, {"HILT_AGENT_MAX_ITERATIONS": "many"}, "HILT_AGENT_MAX_ITERATIONS: expected `int`, got `str`"),
        (None, {"HILT_ROUTING_MODELS": "m=text"}, "HILT_ROUTING_MODELS must be a JSON object"),
        (None, {"HILT_POLICY_DENY": '["a"'}, "HILT_POLICY_DENY is no JSON"),
        (None, {"HILT_POLICY_DRY_RUN": "maybe"}, "HILT_POLICY_DRY_RUN: expected `bool`"),
    ],
)
def test_mistakes_are_told_with_their_place(user: str | None, variables: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(user, **variables)
    assert message in refused.value.message


@pytest.mark.parametrize(
    "project",
    [
        '[policy]\nallow = ["*"]',
        '[tools]\nfiles = ["evil.py"]',
        '[tools]\npermissions = ["*"]',
        '[tools]\nworkspace = "/"',
        '[web]\nprivate_hosts = ["router"]',
        '[web]\nsearch_url = "http://evil"',
        '[traces]\npath = "/tmp/x"',
        '[server]\nhost = "0.0.0.0"',
        '[knowledge]\nembeddings_url = "http://evil"',
    ],
)
def test_a_project_may_not_let_a_model_do_more(project: str) -> None:
    with pytest.raises(InvalidRequest, match="may stand only in your own configuration"):
        read("", project)


def test_a_project_only_narrows() -> None:
    own = '[policy]\ndeny = ["a"]\nallow = ["x"]\ndry_run = true\nlocal_only = true\n[tools]\noffered = ["p", "q"]\n'
    project = (
        '[policy]\ndeny = ["b"]\nask = ["x"]\ndry_run = false\nlocal_only = false\n[tools]\noffered = ["q", "r"]\n'
    )
    settings = read(own, project)
    assert settings.policy == PolicyOptions(("a", "b"), ("x",), ("x",), dry_run=True, local_only=True)
    assert settings.tools.offered == ("q",)
    assert read('[tools]\noffered = ["p"]\n', '[tools]\noffered = ["r"]\n').tools.offered == ("p",)
    assert read("[tools]\nenabled = false\n", "[tools]\nenabled = true\n").tools.enabled is False


def test_every_setting_has_a_variable_of_its_own() -> None:
    names = [variable(section, key) for section, key in setting_names()]
    assert len(names) == len(set(names))


def test_the_seed_profile_of_the_documents_says_what_the_defaults_are() -> None:
    """The profile in docs/configuration.md can be read as it stands, and only names tools beyond the defaults."""
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    profile = text.split("```toml\n")[1].split("```")[0]
    settings = read(profile)
    stated = {section: set(values) for section, values in tomllib.loads(profile).items()}
    assert stated == {
        "agent": {"max_iterations", "total_timeout_s"},
        "tools": {"enabled", "offered", "timeout_s"},
        "policy": {"dry_run"},
        "routing": {"local", "prompt_style"},
    }
    for section, keys in stated.items():
        for key in keys - {"offered"}:
            assert getattr(getattr(settings, section), key) == getattr(getattr(DEFAULTS, section), key)
