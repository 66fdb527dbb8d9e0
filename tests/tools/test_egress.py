"""With only local work allowed nothing leaves the machine. Each test runs in a process of its own, as the ban stays."""

import asyncio
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilt.tools.egress import is_local
from hilt.tools.processes import run_in_process
from tests.tools import egress_attempts as attempts

# An address of the block that is kept for documents, so that nobody is reached even if the ban fails.
REMOTE = "192.0.2.1"


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        b"",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "127.0.0.1",
        b"127.0.0.1",
        bytearray(b"127.3.2.1"),
        "::1",
        "0:0:0:0:0:0:0:1",
        "::1%lo",
        "::ffff:127.0.0.1",
        "::FFFF:7f00:1",
    ],
)
def test_this_machine(host: object) -> None:
    assert is_local(host)


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "localhost.example.org",
        "a.localhost",
        "localhost..",
        " localhost",
        "127.0.0.1.nip.io",
        "10.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "::",
        "192.168.1.1",
        "8.8.8.8",
        "fe80::1%eth0",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1\0.example.org",
        "１２７.0.0.1",
        "ⓛocalhost",
        "64:ff9b::7f00:1",
        "<broadcast>",
        b"\xff",
        b"example.org",
        2130706433,
        ("127.0.0.1",),
        object(),
    ],
)
def test_other_machines_and_odd_spellings(host: object) -> None:
    assert not is_local(host)


@given(host=st.one_of(st.text(), st.ip_addresses().map(str), st.binary()))
def test_any_host_is_decided(host: object) -> None:
    assert is_local(host) in (True, False)


@given(address=st.ip_addresses())
def test_addresses_are_decided_as_the_standard_library_does(address: object) -> None:
    mapped = getattr(address, "ipv4_mapped", None)
    assert is_local(str(address)) == (mapped or address).is_loopback  # type: ignore[attr-defined]


ATTEMPTS = [
    attempts.raw_tcp,
    attempts.raw_tcp_by_name,
    attempts.raw_tcp_without_raising,
    attempts.raw_tcp6,
    attempts.udp_sendto,
    attempts.udp_sendmsg,
    attempts.udp_connect,
    attempts.icmp_like_broadcast,
    attempts.bound_to_every_network,
    attempts.bound_to_no_host,
    attempts.getaddrinfo,
    attempts.gethostbyname,
    attempts.gethostbyname_ex,
    attempts.gethostbyaddr,
    attempts.getnameinfo,
    attempts.fqdn,
    attempts.create_connection,
    attempts.asyncio_stream,
    attempts.asyncio_by_name,
    attempts.asyncio_datagram,
    attempts.asyncio_listening,
    attempts.in_a_thread,
    attempts.urllib_request,
    attempts.urllib_name,
    attempts.urllib_proxy,
    attempts.urllib_redirect,
    attempts.httpx_request,
    attempts.httpx_name,
    attempts.httpx_async,
    attempts.httpx_redirect,
    attempts.httpx_async_redirect,
    attempts.smtp,
    attempts.ftp,
    attempts.forked,
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.__name__)
def test_s4_nothing_leaves_this_machine(attempt: Callable[[str], str]) -> None:
    said = asyncio.run(run_in_process(attempt, {"remote": REMOTE}, timeout_s=120, local_only=True))
    assert "only local work is allowed" in said


@pytest.mark.parametrize(
    "attempt",
    [
        attempts.local_tcp,
        attempts.local_by_name,
        attempts.local_unix,
        attempts.local_udp,
        attempts.local_asyncio,
        attempts.local_urllib,
        attempts.local_httpx,
        attempts.local_httpx_async,
        attempts.local_http_server_name,
    ],
    ids=lambda attempt: attempt.__name__,
)
def test_this_machine_is_reached(attempt: Callable[[], str]) -> None:
    assert asyncio.run(run_in_process(attempt, {}, timeout_s=120, local_only=True)) == "reached"


@pytest.mark.parametrize("module", ["uvloop", "hf_xet", "pycurl", "grpc", "primp.client"])
def test_native_network_clients_are_not_imported(module: str) -> None:
    said = asyncio.run(run_in_process(attempts.importing, {"module": module}, timeout_s=120, local_only=True))
    assert "only local work is allowed" in said


def test_the_ban_is_for_good_and_for_all_threads() -> None:
    code = (
        "import socket, threading\n"
        "from hilt.tools.egress import RemoteForbidden, forbid_remote\n"
        "forbid_remote(); forbid_remote()\n"
        "socket._forbidden = None; socket.socket = socket.SocketType\n"
        "caught = []\n"
        "def attempt():\n"
        "    try: socket.SocketType().connect(('192.0.2.1', 9))\n"
        "    except RemoteForbidden as fault: caught.append(str(fault))\n"
        "for _ in range(2):\n"
        "    thread = threading.Thread(target=attempt); thread.start(); thread.join()\n"
        "print(*caught, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["connect to 192.0.2.1 is forbidden: only local work is allowed"] * 2
