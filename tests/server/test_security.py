"""The door: foreign hosts, foreign origins, the key, and where the server may listen."""

import asyncio

import pytest

from hilt.backends import ScriptedBackend
from hilt.conversation import InvalidRequest, Unavailable
from hilt.server import listen, url_of
from hilt.settings import ServerOptions
from tests.server.fakes import GREETING, app_of, ask, chat_body

PATHS = [("GET", "/"), ("GET", "/health"), ("GET", "/v1/models"), ("POST", "/v1/chat/completions"), ("GET", "/nowhere")]


def status_of(headers: list[tuple[str, str]], method: str = "GET", path: str = "/health", **options: str) -> int:
    scripted = ScriptedBackend([GREETING])
    answer = asyncio.run(ask(app_of(scripted, **options), method, path, chat_body(), headers))
    if answer.status == 403:
        assert scripted.requests == []
        assert answer.error["type"] == "permission_error"
    return answer.status


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:80", "localhost.:80", "127.0.0.1", "127.0.0.1:11435", "127.9.9.9", "[::1]", "[::1]:11435"],
)
def test_own_hosts(host: str) -> None:
    assert status_of([("host", host)]) == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:11435",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "localhost:80:80",
        "localhost:port",
        "localhost/",
        "localhost\n",
        " localhost",
        "192.168.1.5",
        "10.0.0.1:11435",
        "0.0.0.0",
        "[::2]",
        "[::1",
        "2130706433",
        "127.1",
        "0x7f000001",
    ],
)
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_foreign_hosts(host: str, method: str, path: str) -> None:
    assert status_of([("host", host)], method, path) == 403


def test_two_hosts_are_refused() -> None:
    assert status_of([("host", "localhost"), ("host", "evil.example")]) == 403


@pytest.mark.parametrize(
    ("bound", "host", "status"),
    [
        ("192.168.1.5", "192.168.1.5:11435", 200),
        ("192.168.1.5", "192.168.1.6:11435", 403),
        ("192.168.1.5", "evil.example", 403),
        ("studio.local", "Studio.local:11435", 200),
        ("0.0.0.0", "192.168.1.6:11435", 200),
        ("0.0.0.0", "evil.example", 403),
        ("::", "[fe80::1]:11435", 200),
    ],
)
def test_hosts_of_a_server_bound_elsewhere(bound: str, host: str, status: int) -> None:
    assert status_of([("host", host)], host=bound) == status


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost",
        "http://localhost:3000",
        "http://127.0.0.1:11436",
        "http://evil.example:11435",
        "null",
        "",
        "file://",
        "http://127.0.0.1:11435.evil.example",
    ],
)
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_foreign_origins(origin: str, method: str, path: str) -> None:
    assert status_of([("host", "127.0.0.1:11435"), ("origin", origin)], method, path) == 403


def test_a_foreign_page_sending_a_simple_request() -> None:
    headers = [("host", "127.0.0.1:11435"), ("origin", "https://evil.example"), ("content-type", "text/plain")]
    assert status_of(headers, "POST", "/v1/chat/completions") == 403


@pytest.mark.parametrize("origin", ["http://127.0.0.1:11435", "https://127.0.0.1:11435"])
def test_the_own_origin(origin: str) -> None:
    assert status_of([("host", "127.0.0.1:11435"), ("origin", origin)]) == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 401),
        ([("authorization", "Bearer wrong")], 401),
        ([("authorization", "Bearer ")], 401),
        ([("authorization", "secret")], 401),
        ([("x-api-key", "wrong\xff")], 401),
        ([("authorization", "Bearer secret")], 200),
        ([("authorization", "bearer  secret")], 200),
        ([("x-api-key", "secret")], 200),
    ],
)
def test_the_key(headers: list[tuple[str, str]], status: int) -> None:
    assert status_of([("host", "localhost"), *headers], api_key="secret") == status


def test_a_key_is_taken_where_none_is_asked() -> None:
    assert status_of([("host", "localhost"), ("authorization", "Bearer whatever")]) == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com"])
def test_other_machines_need_a_key(host: str) -> None:
    with pytest.raises(InvalidRequest, match="API key") as caught:
        listen(ServerOptions(host=host, port=0))
    assert caught.value.param == "host"


def test_a_free_port_is_found() -> None:
    with listen(ServerOptions(port=0)) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
    with listen(ServerOptions(host="0.0.0.0", port=0, api_key="k")) as listener:
        assert listener.getsockname()[1] != 0


@pytest.mark.parametrize("port", [-1, 70_000])
def test_ports_that_are_none(port: int) -> None:
    with pytest.raises(InvalidRequest, match=f"{port} is no port"):
        listen(ServerOptions(port=port))


def test_a_taken_port_is_told() -> None:
    with listen(ServerOptions(port=0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port}.*another port"):
            listen(ServerOptions(port=port))
