"""Ways to reach another machine, and ways to reach this one, tried in children with only local work allowed.

Each way to another machine gives the words of the fault that stopped it with those behind it, or "went through".
"""

import asyncio
import ftplib
import os
import smtplib
import socket
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx2

NAME = "hilt.example.org"


def _refusal(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except Exception as fault:  # noqa: BLE001 - clients wrap what stopped them in errors of their own
        said: list[str] = []
        found: BaseException | None = fault
        while found is not None:
            said.append(f"{type(found).__name__}: {found}")
            found = found.__cause__ or found.__context__ or getattr(found, "reason", None)
            if not isinstance(found, BaseException):
                break
        return "; ".join(said)
    return "went through"


def _over(kind: socket.SocketKind, step: Callable[[socket.socket], object], family: int = socket.AF_INET) -> str:
    with socket.socket(family, kind) as used:
        return _refusal(lambda: step(used))


def raw_tcp(remote: str) -> str:
    return _over(socket.SOCK_STREAM, lambda used: used.connect((remote, 80)))


def raw_tcp_by_name(remote: str) -> str:
    return _over(socket.SOCK_STREAM, lambda used: used.connect((NAME, 80)))


def raw_tcp_without_raising(remote: str) -> str:
    return _over(socket.SOCK_STREAM, lambda used: used.connect_ex((remote, 80)))


def raw_tcp6(remote: str) -> str:
    return _over(socket.SOCK_STREAM, lambda used: used.connect(("2001:db8::1", 80)), socket.AF_INET6)


def udp_sendto(remote: str) -> str:
    return _over(socket.SOCK_DGRAM, lambda used: used.sendto(b"secret", (remote, 53)))


def udp_sendmsg(remote: str) -> str:
    return _over(socket.SOCK_DGRAM, lambda used: used.sendmsg([b"secret"], [], 0, (remote, 53)))


def udp_connect(remote: str) -> str:
    return _over(socket.SOCK_DGRAM, lambda used: used.connect((remote, 53)))


def icmp_like_broadcast(remote: str) -> str:
    return _over(socket.SOCK_DGRAM, lambda used: used.sendto(b"secret", ("<broadcast>", 9)))


def bound_to_every_network(remote: str) -> str:
    return _over(socket.SOCK_STREAM, lambda used: used.bind(("0.0.0.0", 0)))


def bound_to_no_host(remote: str) -> str:
    return _over(socket.SOCK_STREAM, lambda used: used.bind(("", 0)))


def getaddrinfo(remote: str) -> str:
    return _refusal(lambda: socket.getaddrinfo(f"secret.{NAME}", 80))


def gethostbyname(remote: str) -> str:
    return _refusal(lambda: socket.gethostbyname(f"secret.{NAME}"))


def gethostbyname_ex(remote: str) -> str:
    return _refusal(lambda: socket.gethostbyname_ex(f"secret.{NAME}"))


def gethostbyaddr(remote: str) -> str:
    return _refusal(lambda: socket.gethostbyaddr(remote))


def getnameinfo(remote: str) -> str:
    return _refusal(lambda: socket.getnameinfo((remote, 80), 0))


def fqdn(remote: str) -> str:
    assert socket.getfqdn(NAME) == NAME
    return _refusal(lambda: socket.gethostbyaddr(NAME))


def create_connection(remote: str) -> str:
    return _refusal(lambda: socket.create_connection((remote, 80), timeout=5))


def asyncio_stream(remote: str) -> str:
    return _refusal(lambda: asyncio.run(_opened(remote)))


def asyncio_by_name(remote: str) -> str:
    return _refusal(lambda: asyncio.run(_opened(NAME)))


async def _opened(host: str) -> None:
    await asyncio.open_connection(host, 80)


def asyncio_datagram(remote: str) -> str:
    async def sent() -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(remote, 53))

    return _refusal(lambda: asyncio.run(sent()))


def asyncio_listening(remote: str) -> str:
    async def listening() -> None:
        await asyncio.start_server(lambda reader, writer: None, "0.0.0.0", 0)

    return _refusal(lambda: asyncio.run(listening()))


def in_a_thread(remote: str) -> str:
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(raw_tcp(remote)))
    thread.start()
    thread.join()
    return said[0]


def urllib_request(remote: str) -> str:
    return _refusal(lambda: urllib.request.urlopen(f"http://{remote}/", timeout=5))


def urllib_name(remote: str) -> str:
    return _refusal(lambda: urllib.request.urlopen(f"http://{NAME}/", timeout=5))


def urllib_proxy(remote: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://{remote}:3128"}))
    return _refusal(lambda: opener.open("http://127.0.0.1/", timeout=5))


def urllib_redirect(remote: str) -> str:
    with serving(f"http://{remote}/") as address:
        return _refusal(lambda: urllib.request.urlopen(address, timeout=5))


def httpx_request(remote: str) -> str:
    return _refusal(lambda: httpx2.get(f"http://{remote}/", timeout=5))


def httpx_name(remote: str) -> str:
    return _refusal(lambda: httpx2.get(f"http://{NAME}/", timeout=5))


def httpx_redirect(remote: str) -> str:
    with serving(f"http://{remote}/") as address:
        return _refusal(lambda: httpx2.get(address, timeout=5, follow_redirects=True))


async def _got(address: str) -> str:
    async with httpx2.AsyncClient(timeout=5, follow_redirects=True) as client:
        return (await client.get(address)).text


def httpx_async(remote: str) -> str:
    return _refusal(lambda: asyncio.run(_got(f"http://{remote}/")))


def httpx_async_redirect(remote: str) -> str:
    with serving(f"http://{NAME}/") as address:
        return _refusal(lambda: asyncio.run(_got(address)))


def smtp(remote: str) -> str:
    return _refusal(lambda: smtplib.SMTP(remote, timeout=5))


def ftp(remote: str) -> str:
    return _refusal(lambda: ftplib.FTP(remote, timeout=5))


def forked(remote: str) -> str:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, raw_tcp(remote).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        return said.read()


def importing(module: str) -> str:
    return _refusal(lambda: __import__(module))


class _Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        target: str | None = self.server.target  # type: ignore[attr-defined]
        self.send_response(302 if target else 200)
        if target:
            self.send_header("Location", target)
        self.end_headers()
        self.wfile.write(b"reached")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(target: str | None = None) -> Iterator[str]:
    """A server on loopback that redirects to `target`, or answers "reached"; its address."""
    with HTTPServer(("127.0.0.1", 0), _Answering) as server:
        server.target = target  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def local_tcp() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        taken, _ = server.accept()
        with taken:
            client.sendall(b"reached")
            return taken.recv(20).decode()


def local_by_name() -> str:
    with serving() as address:
        return urllib.request.urlopen(address.replace("127.0.0.1", "localhost"), timeout=60).read().decode()


def local_unix() -> str:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/s")
        server.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{folder}/s")
            taken, _ = server.accept()
            with taken:
                client.sendall(b"reached")
                return taken.recv(20).decode()


def local_udp() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"reached", server.getsockname())
            return server.recv(20).decode()


def local_asyncio() -> str:
    async def exchanged() -> str:
        async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"reached")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(answering, "localhost", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            said = await reader.read()
            writer.close()
            return said.decode()

    return asyncio.run(exchanged())


def local_urllib() -> str:
    with serving() as address:
        return urllib.request.urlopen(address, timeout=60).read().decode()


def local_httpx() -> str:
    with serving() as address:
        return httpx2.get(address, timeout=60).text


def local_httpx_async() -> str:
    with serving() as address:
        return asyncio.run(_got(address))


def local_http_server_name() -> str:
    with serving() as first, serving(first) as second:
        return urllib.request.urlopen(second, timeout=60).read().decode()
