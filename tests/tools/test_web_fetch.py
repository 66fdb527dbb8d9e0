"""Fetching from real servers: redirects, rebinding, bombs, slow and endless bodies, TLS."""

import asyncio
import gzip
import shutil
import ssl
import subprocess
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.web_site import PUBLIC, Answer, fetched, names, page, redirect, serving

Json = dict[str, Any]
TEXT = "text/plain; charset=utf-8"
MIB = 1 << 20


def ask(pages: dict[str, Answer], path: str = "/", **made: Any) -> tuple[Json, list[str]]:
    """What fetching `path` of a site comes to, and the targets that were asked for."""

    async def asked() -> tuple[Json, list[str]]:
        async with serving({at: _placed(answer, "PORT", "") for at, answer in pages.items()}) as site:
            site.pages = {at: _placed(answer, "PORT", str(site.port)) for at, answer in pages.items()}
            result = await fetched(f"http://site.test:{site.port}{path}", **made)
            return result, [target for target, _ in site.asked]

    return asyncio.run(asked())


def _placed(answer: Answer, word: str, port: str) -> Answer:
    return answer.replace(word.encode(), port.encode()) if isinstance(answer, bytes) else answer


def test_a_page_is_read_after_redirects() -> None:
    pages = {
        "/": redirect("/two?a=b c"),
        "/two": redirect("http://SITE.test:PORT/three#part", "301 Moved"),
        "/three": page(b"<title>A title</title><p>Some words.", "text/html"),
    }
    result, asked = ask(pages)
    assert result["title"] == "A title"
    assert result["text"] == "Some words."
    assert result["truncated"] is False
    assert result["url"].endswith("/three")
    assert asked == ["/", "/two?a=b%20c", "/three"]


@pytest.mark.parametrize("target", ["/a'(b)!$*,;=:@+&", "/%5Bx%5D%7C%2F%22?y='%22%7B%7D[z]&a=b+c&d=%2B", "/~%C3%BC"])
def test_the_server_is_asked_for_the_address_as_it_is_spelled(target: str) -> None:
    result, asked = ask({}, target)
    assert "HTTP 404" in result["error"]
    assert asked == [target.replace("[", "%5B").replace("]", "%5D")]


def test_nothing_of_the_user_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine site.test login canary password canary\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    first = page(b"", status="302 Found", headers=("Location: /two", "Set-Cookie: canary=1; Path=/"))

    async def asked() -> list[dict[str, str]]:
        async with serving({"/": first, "/two": page(b"fine", TEXT)}) as site:
            result = await fetched(f"http://site.test:{site.port}/")
            assert result["text"] == "fine"
            assert site.asked[1][1]["host"] == f"site.test:{site.port}"
            return [headers for _, headers in site.asked]

    for headers in asyncio.run(asked()):
        assert set(headers) == {"host", "user-agent", "accept", "accept-encoding", "accept-language", "connection"}
        assert "canary" not in str(headers)


INSIDE = [
    "http://127.0.0.1:PORT/secret",
    "http://localhost:PORT/secret",
    "//inner.test:PORT/secret",
    "http://2130706433:PORT/secret",
    "http://0x7f.1:PORT/secret",
    "http://[::1]:PORT/secret",
    "http://[::ffff:127.0.0.1]:PORT/secret",
    "http://0.0.0.0:PORT/secret",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/",
    "http://mixed.test:PORT/secret",
]


@pytest.mark.parametrize("place", INSIDE)
def test_no_redirect_leads_inside(place: str) -> None:
    resolve = names(inner=["127.0.0.1"], localhost=["127.0.0.1"], mixed=[f"{PUBLIC} 127.0.0.1"])
    result, asked = ask({"/": redirect(place), "/secret": page(b"canary", TEXT)}, resolve=resolve)
    assert "only addresses of the public internet may be fetched" in result["error"]
    assert asked == ["/"]


@pytest.mark.parametrize("place", INSIDE)
def test_no_address_leads_inside(place: str) -> None:
    resolve = names(inner=["127.0.0.1"], localhost=["127.0.0.1"], mixed=[f"{PUBLIC} 127.0.0.1"])

    async def asked() -> None:
        async with serving({"/secret": page(b"canary", TEXT)}) as site:
            result = await fetched(place.replace("PORT", str(site.port)), resolve=resolve)
            assert "only addresses of the public internet may be fetched" in result["error"]
            assert site.asked == []

    asyncio.run(asked())


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("file:///etc/passwd", "file: addresses can't be fetched"),
        ("gopher://site.test/", "gopher: addresses can't be fetched"),
        ("http://user:word@site.test/", "user name or password"),
        ("http://site.test:0/", "is no port"),
        ("http://[::1", "redirects to what can't be fetched"),
    ],
)
def test_redirects_to_what_is_no_page(place: str, error: str) -> None:
    result, asked = ask({"/": redirect(place)})
    assert error in result["error"]
    assert asked == ["/"]


def test_redirects_end() -> None:
    circle, asked = ask({"/": redirect("/a"), "/a": redirect("/")})
    assert "in a circle" in circle["error"]
    assert asked == ["/", "/a"]
    chain, asked = ask({"/": redirect("/0"), **{f"/{step}": redirect(f"/{step + 1}") for step in range(9)}})
    assert "redirects more than 5 times" in chain["error"]
    assert len(asked) == 6
    nowhere, _ = ask({"/": page(b"", status="302 Found")})
    assert "does not say where to" in nowhere["error"]


def test_a_redirect_passes_the_policy_too() -> None:
    def forbids(url: str) -> str | None:
        return "a rule denies it" if "/forbidden" in url else None

    result, asked = ask({"/": redirect("/%66orbidden"), "/forbidden": page(b"canary", TEXT)}, forbids=forbids)
    assert result["error"].endswith("which may not be fetched: a rule denies it")
    assert asked == ["/"]


class Recorded:
    """Stands in for the network: answers by the address connected to and the target, and keeps what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: Callable[[httpx2.Request], httpx2.Response]) -> None:
        self.requests: list[httpx2.Request] = []

        async def handled(_: object, request: httpx2.Request) -> httpx2.Response:
            self.requests.append(request)
            return answer(request)

        monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", handled)


def counted(answers: Sequence[str], asked: list[str]) -> Any:
    inner = names(rebind=answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return await inner(host, port)

    return resolve


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded(
        monkeypatch, lambda request: httpx2.Response(200, headers={"content-type": TEXT}, content=b"public words")
    )
    looked_up: list[str] = []
    resolve = counted([PUBLIC, "127.0.0.1"], looked_up)
    result = asyncio.run(fetched("https://rebind.test/x", resolve=resolve))
    assert result["text"] == "public words"
    (request,) = recorded.requests
    assert request.url.host == PUBLIC
    assert request.headers["host"] == "rebind.test"
    assert request.extensions["sni_hostname"] == "rebind.test"
    assert looked_up == ["rebind.test"]


def test_a_name_that_changes_between_redirects_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded(monkeypatch, lambda request: httpx2.Response(302, headers={"location": "/next"}))
    looked_up: list[str] = []
    resolve = counted([PUBLIC, "127.0.0.1"], looked_up)
    result = asyncio.run(fetched("https://rebind.test/x", resolve=resolve))
    assert "leads to an address that is loopback" in result["error"]
    assert [request.url.host for request in recorded.requests] == [PUBLIC]
    assert looked_up == ["rebind.test", "rebind.test"]


def test_the_next_address_is_tried_where_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == PUBLIC:
            raise httpx2.ConnectError("no way there")
        return httpx2.Response(200, headers={"content-type": TEXT}, content=b"fine")

    recorded = Recorded(monkeypatch, answer)
    result = asyncio.run(fetched("https://two.test/", resolve=names(two=[f"{PUBLIC} 2606:4700::1"])))
    assert result["text"] == "fine"
    assert [request.url.host for request in recorded.requests] == [PUBLIC, "2606:4700::1"]
    assert [request.headers["host"] for request in recorded.requests] == ["two.test", "two.test"]


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")
    while True:
        writer.write(b"for ever and ever " * 1000)
        await writer.drain()


async def endless_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: and more\r\n" * 1000)
        await writer.drain()


async def stalled(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\nbegun")
    await writer.drain()
    await asyncio.Event().wait()


async def broken_off(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\nbegun")


async def nonsense(writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")


def test_an_endless_page_is_cut() -> None:
    result, _ = ask({"/": endless}, options={"max_bytes": 50_000})
    assert result["truncated"] is True
    assert len(result["text"]) == 12_000
    assert result["next_offset"] == 12_000
    last, _ = ask({"/": endless}, options={"max_bytes": 50_000}, offset=48_000)
    assert last["truncated"] is True
    assert "next_offset" not in last


@pytest.mark.parametrize(
    ("answer", "options", "error"),
    [
        (endless_head, {}, "broke off the connection"),
        (stalled, {"timeout_s": 0.2}, "did not send the page within 0.2 seconds"),
        (broken_off, {}, "broke off the connection"),
        (nonsense, {}, "broke off the connection"),
    ],
)
def test_servers_that_never_finish(answer: Answer, options: Json, error: str) -> None:
    result, _ = ask({"/": answer}, options=options)
    assert error in result["error"]


HEADS = [
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 Found\r\n", b"HTTP/1.0 200\r\n", b"HTTP/1.1 101 Switching\r\n"),
    *(b"HTTP/1.1 999 Odd\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 204 None\r\n"),
]
FIELDS = [
    *(b"Content-Type: text/html\r\n", b"Content-Type: application/pdf\r\n", b"Content-Type: \xff/\xfe;=\r\n"),
    *(b"Content-Type: text/plain; charset*=x'y'z\r\n", b"Content-Type: text/plain; charset=\x00\r\n"),
    *(b"Content-Encoding: gzip\r\n", b"Content-Encoding: deflate\r\n", b"Content-Encoding: \xff\r\n"),
    *(b"Location: /\r\n", b"Location: http://[\r\n", b"Location: \xff\x01\r\n", b"Location: ///x\r\n"),
    *(b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n", b"No colon\r\n"),
]
BODIES = [b"", b"words", b"5\r\nwords\r\n0\r\n\r\n", b"zz\r\n", b"\x1f\x8b\x08", b"\x78\x9c", b"%PDF-1.4", b"\0" * 9]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(HEADS), st.lists(st.sampled_from(FIELDS), max_size=4), st.sampled_from(BODIES))
def test_whatever_a_server_sends_is_read_or_refused(head: bytes, fields: list[bytes], body: bytes) -> None:
    result, _ = ask({"/": head + b"".join(fields) + b"\r\n" + body})
    assert isinstance(result.get("error", result.get("text")), str)


def test_a_cancelled_fetch_ends_at_once() -> None:
    async def cancelled() -> None:
        begun = asyncio.Event()

        async def begin(writer: asyncio.StreamWriter) -> None:
            begun.set()
            await stalled(writer)

        async with serving({"/": begin}) as site:
            task = asyncio.create_task(fetched(f"http://site.test:{site.port}/"))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())


def packed(body: bytes, coding: str) -> bytes:
    return page(body, TEXT, headers=(f"Content-Encoding: {coding}",))


RAW = zlib.compressobj(wbits=-15)
RAW_DEFLATED = RAW.compress(b"packed words") + RAW.flush()


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(b"packed words"), "gzip"),
        (gzip.compress(b"packed words"), "X-GZIP"),
        (zlib.compress(b"packed words"), "deflate"),
        (RAW_DEFLATED, "deflate"),
        (b"packed words", "identity"),
    ],
    ids=["gzip", "x-gzip", "zlib", "deflate", "identity"],
)
def test_packed_pages(body: bytes, coding: str) -> None:
    assert ask({"/": packed(body, coding)})[0]["text"] == "packed words"


@pytest.mark.parametrize(
    ("body", "coding", "error"),
    [
        (b"not packed at all", "gzip", "can't be unpacked"),
        (b"words", "br", "packed as 'br'"),
        (gzip.compress(gzip.compress(b"words")), "gzip, gzip", "packed as 'gzip, gzip'"),
    ],
    ids=["not packed", "brotli", "twice"],
)
def test_pages_packed_otherwise(body: bytes, coding: str, error: str) -> None:
    assert error in ask({"/": packed(body, coding)})[0]["error"]


@pytest.mark.parametrize("kind", ["gzip", "deflate"])
def test_a_bomb_is_cut_as_it_unpacks(kind: str) -> None:
    bomb = gzip.compress(b"a" * 200 * MIB) if kind == "gzip" else zlib.compress(b"a" * 200 * MIB)
    result, _ = ask({"/": packed(bomb, kind)}, options={"max_bytes": 100_000})
    assert result["truncated"] is True
    last, _ = ask({"/": packed(bomb, kind)}, options={"max_bytes": 100_000}, offset=99_999)
    assert last["text"] == "a"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("404 Not Found", "there is no page at"),
        ("410 Gone", "there is no page at"),
        ("403 Forbidden", "does not show this page to strangers"),
        ("401 Unauthorized", "does not show this page to strangers"),
        ("429 Too Many", "asks for fewer requests"),
        ("500 Oh", "answered with HTTP 500"),
        ("304 Not Modified", "answered with HTTP 304"),
    ],
)
def test_answers_that_are_no_page(status: str, error: str) -> None:
    assert error in ask({"/": page(b"canary", TEXT, status=status)})[0]["error"]


def test_nobody_listens() -> None:
    async def asked() -> Json:
        async with serving({}) as site:
            port = site.port
        return await fetched(f"http://site.test:{port}/")

    assert "can't be connected to" in asyncio.run(asked())["error"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a key and a certificate for site.test and 127.0.0.1, signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2 -subj /CN=site.test"
    names = "subjectAltName=DNS:site.test,IP:127.0.0.1"
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run([*command.split(), "-addext", names, *files], check=True, capture_output=True)
    return folder


def ask_tls(certificate: Path, name: str, *, trusted: bool = True) -> Json:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")

    def tls() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(certificate / "certificate.pem") if trusted else None)

    async def asked() -> Json:
        async with serving({"/": page(b"secure words", TEXT)}, served) as site:
            options = {"private_hosts": ("site.test", "other.test", "127.0.0.1")}
            resolve = names(other=["127.0.0.1"])
            return await fetched(f"https://{name}:{site.port}/", resolve=resolve, tls=tls, options=options)

    return asyncio.run(asked())


def test_the_certificate_is_checked_for_the_name_and_not_the_address(certificate: Path) -> None:
    assert ask_tls(certificate, "site.test")["text"] == "secure words"
    assert ask_tls(certificate, "127.0.0.1")["text"] == "secure words"


def test_a_certificate_of_another_name_or_maker_is_refused(certificate: Path) -> None:
    assert "the certificate of other.test can't be trusted" in ask_tls(certificate, "other.test")["error"]
    assert "the certificate of site.test can't be trusted" in ask_tls(certificate, "site.test", trusted=False)["error"]


def test_private_hosts_may_be_names_and_addresses() -> None:
    async def asked(host: str) -> Json:
        async with serving({"/": page(b"inside", TEXT)}) as site:
            return await fetched(
                f"http://{host}:{site.port}/",
                options={"private_hosts": ("Wiki.test", "127.0.0.1")},
                resolve=names(wiki=["127.0.0.1"], other=["127.0.0.1"]),
            )

    assert asyncio.run(asked("wiki.test"))["text"] == "inside"
    assert asyncio.run(asked("0x7f.1"))["text"] == "inside"
    assert "leads to an address that is loopback" in asyncio.run(asked("other.test"))["error"]
