"""Local work only: from a point on, this process can reach nothing beyond its own machine.

Python reports every step of its sockets to audit hooks, and a hook that raises stops the step. A hook can't be taken
back, so what is forbidden stays so for the life of the process. It sees all that goes through Python's `socket`:
asyncio, urllib, httpx, proxies, redirects, UDP, and the asking for names. It does not see extensions that open sockets
of their own, so the import of the common ones is refused too; nor sockets that were connected before, nor what other
programs do that this process starts.

Given a name, a socket asks for its address before it reports that it connects. So the methods of `socket.socket` that
take an address look at it first as well.
"""

import socket
import sys
from collections.abc import Callable
from functools import wraps
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any, cast

# They speak to the network in native code. Programs that can do without them, such as uvicorn, then do.
_NATIVE_CLIENTS = frozenset({"curl_cffi", "grpc", "hf_transfer", "hf_xet", "primp", "pycurl", "rnet", "uvloop", "zmq"})
_LOCAL_NAMES = frozenset({"localhost", "localhost."})
_LOCAL_FAMILIES = frozenset(
    getattr(socket, name) for name in ("AF_UNIX", "AF_NETLINK", "AF_SYSTEM") if hasattr(socket, name)
)
# The methods that take an address, as the last of at least so many arguments.
_STEPS = {"connect": 1, "connect_ex": 1, "bind": 1, "sendto": 2, "sendmsg": 4}


class RemoteForbidden(OSError):
    """Something tried to reach beyond this machine while only local work is allowed."""


def forbid_remote() -> None:
    """Forbid, for good and in every thread, to connect, send or bind beyond loopback and to ask for other names than
    localhost. What is tried raises RemoteForbidden, and importing a native network client raises ImportError."""
    sys.addaudithook(_refuse)
    for step in _STEPS:
        setattr(socket.socket, step, _looking_first(step, getattr(socket.socket, step)))


def is_local(host: object) -> bool:
    """Whether a host as sockets take it is this machine: no host, localhost, or an address of loopback in its usual
    form. A name that happens to lead to loopback is not, since asking for it already tells others."""
    match host:
        case None | "" | b"":
            return True
        case str():
            name = host.lower()
        case bytes() | bytearray():
            name = bytes(host).decode("ascii", "replace").lower()
        case _:
            return False
    return name in _LOCAL_NAMES or _is_loopback(name)


def _is_loopback(address: str) -> bool:
    try:
        return IPv4Address(address).is_loopback
    except AddressValueError:
        pass  # it may be the other kind
    try:
        found = IPv6Address(address)
    except AddressValueError:
        return False
    return found.is_loopback if found.ipv4_mapped is None else found.ipv4_mapped.is_loopback


def _looking_first(step: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """The method of a socket, with a look at the address that it is given."""
    least = _STEPS[step]

    @wraps(original)
    def looked(used: socket.socket, *arguments: Any) -> Any:
        if len(arguments) >= least:
            _refuse_address(step, used, arguments[-1])
        return original(used, *arguments)

    return looked


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """The hook. Everything that the interpreter does passes here, so the common case comes first."""
    if event == "import":
        _refuse_native(str(arguments[0]))
    if not event.startswith("socket."):
        return
    match event:
        case "socket.connect" | "socket.sendto" | "socket.sendmsg" | "socket.bind":
            _refuse_address(event.removeprefix("socket."), arguments[0], arguments[1])
        case "socket.getaddrinfo" | "socket.gethostbyname" | "socket.gethostbyaddr":
            if not is_local(arguments[0]):
                raise _forbidden(f"asking for the address of {_shown(arguments[0])}")
        case "socket.getnameinfo":
            if not is_local(arguments[0][0]):
                raise _forbidden(f"asking for the name of {_shown(arguments[0][0])}")
        case _:
            pass


def _refuse_address(step: str, used: socket.socket, address: object) -> None:
    if address is None or used.family in _LOCAL_FAMILIES:
        return
    if used.family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
        raise _forbidden(f"{step} to {_shown(address)}")
    host = cast("tuple[object, ...]", address)[0] if address else None
    # No host means every network for a socket that listens; for one that connects it is this machine.
    if not is_local(host) or (step == "bind" and not host):
        raise _forbidden(f"{step} to {_shown(host) if host else 'every network'}")


def _refuse_native(module: str) -> None:
    name = module.partition(".")[0]
    if name in _NATIVE_CLIENTS:
        raise ImportError(f"{name} opens sockets of its own, and only local work is allowed", name=name)


def _forbidden(what: str) -> RemoteForbidden:
    return RemoteForbidden(f"{what} is forbidden: only local work is allowed")


def _shown(value: object) -> str:
    text = value.decode("ascii", "replace") if isinstance(value, bytes | bytearray) else str(value)
    return text[:100]
