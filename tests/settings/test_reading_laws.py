"""Whatever stands in a file or a variable, it is a setting or refused in words."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from hilt.conversation import InvalidRequest
from hilt.settings import PolicyOptions, Settings, default_settings, setting_names, settings_from, variable

DEFAULTS = default_settings(Path("/data"), Path("/work"))
NAMES = st.sampled_from([f"[{section}]\n{key} = " for section, key in setting_names()])
WRITTEN = st.sampled_from(
    [
        *(
            "1",
            "-1",
            "nan",
            "inf",
            "-inf",
            "1e999",
            "true",
            '""',
            '"~nobody-here/x"',
            '"a\\u0000b"',
            "[]",
            '["x"]',
            "{}",
        ),
        *("{a = 1}", "1979-05-27", "9" * 5000, "[" * 5000, "'''x", '"native"', "99999999999999999999"),
    ]
)


def finite(options: Any) -> bool:
    return all(
        math.isfinite(value)
        for section in structs.astuple(options)
        for value in structs.astuple(section)
        if isinstance(value, float)
    )


def read(user: str | None, project: str | None, environment: dict[str, str]) -> Settings | None:
    try:
        return settings_from(
            DEFAULTS,
            user=None if user is None else ("own.toml", user),
            project=None if project is None else ("hilt.toml", project),
            environment=environment,
        )
    except InvalidRequest:
        return None


@given(head=NAMES, written=WRITTEN | st.text(max_size=20), project=st.booleans())
def test_whatever_a_file_holds(head: str, written: str, project: bool) -> None:
    text = head + written
    settings = read(None, text, {}) if project else read(text, None, {})
    assert settings is None or finite(settings)


@given(
    setting=st.sampled_from(setting_names()),
    written=WRITTEN | st.text(st.characters(exclude_characters="\0", exclude_categories=[]), max_size=20),
)
def test_whatever_a_variable_holds(setting: tuple[str, str], written: str) -> None:
    settings = read(None, None, {variable(*setting): written})
    assert settings is None or finite(settings)


RULES = st.lists(st.sampled_from(["a", "b", "effect:write"]), max_size=3).map(tuple)
POLICIES = st.builds(PolicyOptions, deny=RULES, ask=RULES, dry_run=st.booleans(), local_only=st.booleans())


def toml(policy: PolicyOptions) -> str:
    values = {name: getattr(policy, name) for name in ("deny", "ask", "dry_run", "local_only")}
    return "[policy]\n" + "\n".join(
        f"{name} = {str(value).lower() if isinstance(value, bool) else list(value)}" for name, value in values.items()
    )


@given(own=POLICIES, project=POLICIES)
def test_a_project_never_takes_a_rule_away(own: PolicyOptions, project: PolicyOptions) -> None:
    settings = read(toml(own), toml(project), {})
    assert settings is not None
    policy = settings.policy
    assert {*own.deny, *project.deny} == set(policy.deny)
    assert {*own.ask, *project.ask} == set(policy.ask)
    assert (policy.dry_run, policy.local_only) == (own.dry_run or project.dry_run, own.local_only or project.local_only)


@pytest.mark.parametrize("written", ["nan", "inf", "-inf", "1e999"])
def test_a_time_without_end_is_refused(written: str) -> None:
    with pytest.raises(InvalidRequest, match=r"agent\.total_timeout_s"):
        settings_from(DEFAULTS, user=("f", f"[agent]\ntotal_timeout_s = {written}"), project=None, environment={})
