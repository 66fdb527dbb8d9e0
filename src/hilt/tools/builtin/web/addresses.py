"""Web addresses in one spelling, so that a rule written for an address can't be dodged by writing it otherwise.

The spelling is that of browsers (the WHATWG rules for http and https), narrowed where browsers are lenient about
things that only serve to mislead: user names, control characters, zones.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import unquote_to_bytes, urljoin

import idna
from msgspec import Struct

from hilt.tools.tool import Normalised

_MAX_CHARS = 4000
_MAX_HOST_CHARS = 253
_MAX_LABEL_CHARS = 63
_PORTS = {"http": 80, "https": 443}

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# What means the same to servers encoded or not; "+", ";" and "&" in a query are not among it.
_PATH_DECODED = _UNRESERVED | frozenset("!$'()*,:=@&")
_QUERY_DECODED = _UNRESERVED | frozenset("!$'()*,:@/?")
_PATH_PLAIN = _PATH_DECODED | frozenset("+;/")
_QUERY_PLAIN = _QUERY_DECODED | frozenset("+;&=")

_PIECE = re.compile(r"%[0-9A-Fa-f]{2}|.", re.DOTALL)
_SCHEME = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>.*)", re.DOTALL)
_PORT_FOLLOWS = re.compile(r"[0-9]{1,5}(?:[/?#]|\Z)")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\Z")
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z")


class WebAddress(Struct, frozen=True):
    """An address as it is asked for: `host` is an ASCII name in lower case or an IP address without brackets, `target`
    the path and query, percent-encoded."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as they stand in an address and in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole address."""
        return f"{self.scheme}://{self.authority}{self.target}"


def read_address(text: str) -> tuple[WebAddress, tuple[str, ...]]:
    """The address that `text` means, and a sentence for each thing that had to be guessed.

    Raises ValueError, in words for the model, for what is no address of the web.
    """
    text = text.strip()
    if not text:
        raise ValueError("the address is empty; give one such as https://example.org/page")
    if len(text) > _MAX_CHARS:
        raise ValueError(f"the address is longer than {_MAX_CHARS} characters")
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text):
        raise ValueError("the address holds a line break or another control character")
    if any(0xD800 <= ord(character) < 0xE000 for character in text):
        raise ValueError("the address holds half of a surrogate pair, which is no character")
    scheme, rest, warnings = _scheme(text)
    rest, _, _ = rest.partition("#")
    before, _, query = rest.partition("?")
    if "\\" in before:
        before = before.replace("\\", "/")
        warnings = (*warnings, "a backslash in the address was read as /")
    authority, slash, path = before.partition("/")
    host, port = _host_and_port(authority, _PORTS[scheme])
    target = _path(slash + path) + (f"?{_recoded(query, _QUERY_PLAIN, _QUERY_DECODED)}" if query else "")
    return WebAddress(scheme, host, port, target), warnings


def joined(base: WebAddress, location: str) -> WebAddress:
    """Where a redirect from `base` leads. Raises ValueError like `read_address`."""
    address, _ = read_address(urljoin(base.url, location.strip()))
    return address


def read_host(text: str) -> str:
    """A host in the spelling of `WebAddress.host`. Raises ValueError for what is none."""
    host, _ = _host_and_port(text.strip(), 0)
    return host


def canonical_url(arguments: Mapping[str, Any]) -> Normalised:
    """The arguments with `url` in its one spelling; an address that can't be read is left for the tool to refuse."""
    given = arguments.get("url")
    if not isinstance(given, str):
        return Normalised(dict(arguments))
    try:
        address, warnings = read_address(given)
    except ValueError:
        return Normalised(dict(arguments))
    if address.url == given:
        return Normalised(dict(arguments))
    return Normalised({**arguments, "url": address.url}, warnings or (f"the address was written as {address.url}",))


def _scheme(text: str) -> tuple[Literal["http", "https"], str, tuple[str, ...]]:
    """The scheme, what follows its slashes, and warnings. Without a scheme it is https."""
    found = _SCHEME.match(text)
    if (
        found is None
        or ("." in found["name"] or found["name"].lower() == "localhost")
        or (_PORT_FOLLOWS.match(found["rest"]))
    ):
        guessed = "the address had no scheme, so https:// was put before it"
        return "https", text.lstrip("/\\"), (guessed,)
    rest = found["rest"].lstrip("/\\")
    match found["name"].lower():
        case "https":
            return "https", rest, ()
        case "http":
            return "http", rest, ()
        case other:
            raise ValueError(f"{other[:40]}: addresses can't be fetched; only http and https ones can")


def _host_and_port(authority: str, default: int) -> tuple[str, int]:
    if "@" in authority:
        raise ValueError("the address holds a user name or password, which is never sent; leave out what is before @")
    if authority.startswith("["):
        host, bracket, after = authority[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise ValueError("the address holds an unclosed bracket")
        return _ipv6(host), _port(after[1:], default)
    host, _, port = authority.partition(":")
    return _host(host), _port(port, default)


def _port(text: str, default: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:6]) < 65536 or len(text.lstrip("0")) > 5:
        raise ValueError(f"{text[:40]!r} is no port; it must be a number from 1 to 65535")
    return int(text)


def _ipv6(text: str) -> str:
    if "%" in text:
        raise ValueError("an address with a zone, such as %eth0, can't be fetched")
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError(f"[{text[:60]}] is no IPv6 address") from None
    return str(address.ipv4_mapped or address)


def _host(text: str) -> str:
    """A name in ASCII and lower case, or an IPv4 address in its four decimal parts."""
    try:
        name = unquote_to_bytes(text).decode("utf-8")
        name = idna.uts46_remap(name, std3_rules=False, transitional=False)
        name = name.removesuffix(".")
        ascii_name = ".".join(_label(label) for label in name.split("."))
    except (UnicodeError, ValueError):
        raise ValueError(f"{text[:80]!r} is no name of a host") from None
    if not ascii_name or len(ascii_name) > _MAX_HOST_CHARS:
        raise ValueError(f"{text[:80]!r} is no name of a host" if text else "the address names no host")
    if _NUMBER.match(ascii_name.rpartition(".")[2]):
        return _ipv4(ascii_name)
    return ascii_name


def _label(label: str) -> str:
    if label.isascii():
        if len(label) > _MAX_LABEL_CHARS or not _LABEL.match(label):
            raise ValueError(label)
        return label
    return idna.encode(label).decode("ascii")


def _ipv4(name: str) -> str:
    """The address that browsers and C libraries read in decimal, octal and hexadecimal numbers of one to four parts."""
    parts = name.split(".")
    numbers = [_number(part, name) for part in parts]
    *leading, last = numbers
    if len(parts) > 4 or any(number > 255 for number in leading) or last >= 256 ** (5 - len(parts)):
        raise ValueError(f"{name[:80]!r} is no IPv4 address")
    value = sum(number << (8 * (3 - place)) for place, number in enumerate(leading)) + last
    return str(ipaddress.IPv4Address(value))


def _number(part: str, name: str) -> int:
    try:
        if not _NUMBER.match(part):
            raise ValueError(part)
        if part.startswith("0x"):
            return int(part[2:] or "0", 16)
        return int(part, 8 if part.startswith("0") and len(part) > 1 else 10)
    except ValueError:
        raise ValueError(f"{name[:80]!r} is no IPv4 address") from None


def _path(text: str) -> str:
    """The path, never empty, without "." and ".." segments."""
    segments = _recoded(text, _PATH_PLAIN, _PATH_DECODED).split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    folder = bool(segments) and segments[-1] in (".", "..") and bool(kept)
    return "/" + "/".join(kept) + ("/" if folder else "")


def _recoded(text: str, plain: frozenset[str], decoded: frozenset[str]) -> str:
    """Percent-encoding where it is needed and nowhere else."""

    def piece(found: re.Match[str]) -> str:
        character = found[0]
        if len(character) == 3:
            meant = chr(int(character[1:], 16))
            return meant if meant in decoded else character.upper()
        if character in plain:
            return character
        return "".join(f"%{byte:02X}" for byte in character.encode("utf-8"))

    return _PIECE.sub(piece, text)
