"""`hilt serve` on the starter model, with the official client, and `hilt doctor`."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from hilt.assembly import version
from tests.cli.conftest import HILT, Hilt

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tell the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "The city."}},
            "required": ["city"],
        },
    },
}
RESULT = json.dumps({"city": "Oslo", "temperature_c": 7, "sky": "rain"})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, cache_folder: Path) -> Iterator[str]:
    """The address of a real server on the starter model."""
    home = tmp_path_factory.mktemp("home")
    server = subprocess.Popen(
        [*HILT, "serve", "--port", "0"],
        env=os.environ | {"HOME": str(home), "XDG_CACHE_HOME": str(cache_folder)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    for line in server.stderr:
        if found := re.search(r"http://\S+:\d+", line):
            yield found[0]
            break
    else:
        raise AssertionError("the server ended before it listened")
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=20) == 0
    server.stderr.close()


@pytest.fixture
def client(served: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{served}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_openai_client_completes_a_conversation_with_a_tool(client: OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Oslo?"}]
    first = client.chat.completions.create(model="starter", messages=messages, tools=[WEATHER])
    (choice,) = first.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    messages += [choice.message, {"role": "tool", "tool_call_id": call.id, "content": RESULT}]
    second = client.chat.completions.create(model="starter", messages=messages, tools=[WEATHER])
    (choice,) = second.choices
    assert choice.finish_reason == "stop"
    assert "7" in (choice.message.content or "")
    assert second.usage is not None
    assert second.usage.prompt_tokens_details is not None
    assert first.usage is not None
    cached = second.usage.prompt_tokens_details.cached_tokens
    assert cached is not None
    assert cached >= first.usage.prompt_tokens  # the whole first prompt was not read again


def test_streamed_and_whole_replies_are_the_same(client: OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Oslo?"}]
    whole = client.chat.completions.create(model="starter", messages=messages, tools=[WEATHER]).choices[0]
    name, arguments, content, reason, ids = "", "", "", None, set[str]()
    with client.chat.completions.create(model="starter", messages=messages, tools=[WEATHER], stream=True) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                reason = choice.finish_reason or reason
                content += choice.delta.content or ""
                for delta in choice.delta.tool_calls or []:
                    assert delta.index == 0
                    assert delta.function is not None
                    ids |= {delta.id} - {None}
                    name += delta.function.name or ""
                    arguments += delta.function.arguments or ""
    assert whole.message.tool_calls is not None
    (call,) = whole.message.tool_calls
    assert call.type == "function"
    assert (name, arguments, reason) == (call.function.name, call.function.arguments, whole.finish_reason)
    assert content == (whole.message.content or "")
    assert len(ids) == 1


def test_models_and_health_tell_what_is_served(client: OpenAI, served: str) -> None:
    assert [m.id for m in client.models.list()] == ["starter"]
    assert client.models.retrieve("starter").id == "starter"
    health = json.loads(client._client.get(f"{served}/health").content)
    assert (health["model"], health["device"], health["dialect"]) == ("starter", "cpu", "hermes")
    assert health["version"] == version()


def test_bad_requests_get_clear_errors_and_the_server_serves_on(client: OpenAI) -> None:
    ask: list[Any] = [{"role": "user", "content": "hi"}]
    with pytest.raises(NotFoundError, match="starter"):
        client.chat.completions.create(model="gpt-none", messages=ask)
    with pytest.raises(BadRequestError, match="context"):
        client.chat.completions.create(model="starter", messages=[{"role": "user", "content": "word " * 400_000}])
    with pytest.raises(BadRequestError):
        client.chat.completions.create(model="starter", messages=[])
    with pytest.raises(BadRequestError):
        client.chat.completions.create(model="starter", messages=ask, max_tokens=-1)
    assert client.chat.completions.create(model="starter", messages=ask, max_tokens=8).choices


def test_doctor_tells_device_blas_and_speed(hilt: Hilt) -> None:
    told = json.loads(hilt("doctor", "--json").stdout)
    assert told["version"] == version()
    assert told["device"]["kind"] in ("cpu", "cuda", "metal")
    assert {p["dtype"] for p in told["products"]} == {"float32", "bfloat16", "8-bit"}
    assert all(p["gflops"] > 0 for p in told["products"])
    if sys.platform == "linux" and told["device"]["kind"] == "cpu":
        assert told["blas"]["state"] == "loaded"


def test_a_tool_that_is_not_there_can_not_be_switched_on(hilt: Hilt) -> None:
    for name, why in [("rm_rf", "there is no such tool"), ("web_search", "no search provider is chosen")]:
        done = hilt("serve", "--port", "0", "--tools", name)
        assert (done.returncode, why in done.stderr) == (2, True)
