"""Who may speak to a server on this machine: no foreign web page, and no stranger without the key.

A page of any site can make the user's browser send requests here. Two facts give it away. Its own origin comes with
every request that could do something, in Origin. And where it has bent the name of its site to 127.0.0.1 (DNS
rebinding), so that to the browser both are one origin, the site's name still stands in Host. Both are checked before
routing, on the raw headers; nothing is ever decided on a URL built from Host.
"""

import hmac
import ipaddress
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hilt.protocols.replies import Reply
from hilt.server.answers import refusal, response_of

_AUTHORITY = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::\d{1,5})?")


def guarded(app: ASGIApp, *, bound_host: str, api_key: str | None) -> ASGIApp:
    """`app` behind the checks. `bound_host` is the name or address that the server listens on."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refused := refused_entry(Headers(scope=scope), bound_host, api_key)):
            await response_of(refused)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return guard


def refused_entry(headers: Headers, bound_host: str, api_key: str | None) -> Reply | None:
    """Why a request with these headers is turned away, or None if it may come in."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not is_own_host(hosts[0], bound_host):
        return refusal(
            403,
            f"The Host header must name this machine (localhost, 127.0.0.1 or {bound_host}); it is"
            f" {', '.join(hosts)[:200]!r}.",
            code="host_not_allowed",
        )
    for origin in headers.getlist("origin"):
        if origin.lower() not in (f"http://{hosts[0].lower()}", f"https://{hosts[0].lower()}"):
            return refusal(
                403,
                f"Requests from web pages of another origin are refused; this one comes from {origin[:200]!r}.",
                code="origin_not_allowed",
            )
    if api_key is not None and not _has_key(headers, api_key):
        return refusal(
            401,
            "The API key is missing or wrong; send it as Authorization: Bearer KEY.",
            code="invalid_api_key",
            headers=(("WWW-Authenticate", "Bearer"),),
        )
    return None


def is_own_host(authority: str, bound_host: str) -> bool:
    """Whether the value of a Host header names this machine.

    A server bound to all addresses can't know its own, but a bare address is safe: rebinding needs a name.
    """
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return False
    name = (match["ipv6"] or match["name"]).lower().removesuffix(".")
    if name in ("localhost", bound_host.lower()):
        return True
    address = _address(name)
    if address is None:
        return False
    bound = _address(bound_host)
    return address.is_loopback or (bound is not None and bound.is_unspecified)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _has_key(headers: Headers, api_key: str) -> bool:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    offered = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
    return hmac.compare_digest(offered.encode("latin-1"), api_key.encode())
