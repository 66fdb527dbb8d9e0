"""Which machines the web tools may reach: those of the public internet, and never this one or its neighbours.

The tables are the IANA registries of special-purpose addresses, and the places where clouds tell their machines'
secrets. Of IPv6 only what is given out for global use is let through, so a range that is put to a new use later is
refused until somebody has looked at it. A public address may still be this machine's own, or in IPv6 that of a
neighbour behind the same firewall; the system's choice of a source address tells.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from hilt.threads import run_in_thread

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Source: TypeAlias = Callable[[IPAddress], IPAddress | None]

_IPV4_REFUSED = tuple(
    (ipaddress.IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "a carrier's private one"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's metadata service"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarking"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_IPV6_GLOBAL = ipaddress.IPv6Network("2000::/3")
_IPV6_REFUSED = tuple(
    (ipaddress.IPv6Network(network), kind)
    for network, kind in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved or tunnelled"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "a 6to4 tunnel"),
        ("3fff::/20", "for documentation"),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# What stands before the IPv4 address to which an ISATAP tunnel carries a packet.
_ISATAP = (0x00005EFE, 0x02005EFE)


def refusal_of(address: IPAddress) -> str | None:
    """What kind of address it is that must not be reached, such as "private"; None where it may."""
    match address:
        case ipaddress.IPv4Address():
            return next((kind for network, kind in _IPV4_REFUSED if address in network), None)
        case ipaddress.IPv6Address():
            pass
    inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped is not None or address in _NAT64:
        return refusal_of(inner)
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP and (refused := refusal_of(inner)) is not None:
        return refused
    if address.scope_id is not None:
        return "link-local"
    listed = next((kind for network, kind in _IPV6_REFUSED if address in network), None)
    return listed or (None if address in _IPV6_GLOBAL else "reserved")


def nearness(address: IPAddress, source: IPAddress | None) -> str | None:
    """What makes an address near to this machine, which would reach it from `source`; None where nothing does."""
    if source is None:
        return None
    if address == source:
        return "this machine's own"
    same_network = address.version == 6 == source.version and int(address) >> 64 == int(source) >> 64
    return "a neighbour's" if same_network else None


def source_towards(address: IPAddress) -> IPAddress | None:
    """The address from which this machine would reach another; None if it has no way there. Nothing is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return ipaddress.ip_address(probe.getsockname()[0])
    except (OSError, ValueError):
        return None


async def reachable(
    host: str, port: int, resolve: Resolve, *, private: bool, source: Source = source_towards
) -> tuple[str, ...]:
    """The addresses of `host`, each checked unless it may be `private`; connect to these and to nothing else.

    Raises ValueError, in words for the model, if any of them must not be reached, OSError if there is none.
    """
    addresses = [_parsed(text) for text in await _resolved(host, port, resolve)]
    if not private:
        for address in addresses:
            refused = refusal_of(address) or nearness(address, source(address))
            if refused is not None:
                raise ValueError(
                    f"{host} leads to an address that is {refused}; only addresses of the public internet may be "
                    "fetched"
                )
    return tuple(dict.fromkeys(str(address) for address in addresses))


async def system_resolve(host: str, port: int) -> tuple[str, ...]:
    """The addresses that the system gives for a name. Raises OSError if it knows none."""

    def looked_up() -> tuple[str, ...] | OSError:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as fault:
            return OSError(socket.EAI_NONAME, str(fault))
        return tuple(str(entry[4][0]) for entry in found)

    answer = await run_in_thread(looked_up, name="look up a host")
    if isinstance(answer, OSError):
        raise answer
    return answer


async def _resolved(host: str, port: int, resolve: Resolve) -> Sequence[str]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return (host,)
    try:
        found = await resolve(host, port)
    except OSError:
        found = ()
    if not found:
        raise OSError(socket.EAI_NONAME, f"no machine is known by the name {host}; check the address")
    return found


def _parsed(text: str) -> IPAddress:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"the name leads to {text[:60]!r}, which is no address") from None
