"""The one spelling of an address, and which machines may be reached."""

import asyncio
import ipaddress
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.settings import WebOptions
from hilt.tools.builtin.web import web_tools
from hilt.tools.builtin.web.addresses import joined, read_address
from hilt.tools.builtin.web.reach import IPAddress, nearness, reachable, refusal_of, source_towards
from tests.tools.web_site import PUBLIC, names

CASES = tomllib.loads((Path(__file__).parent / "cases" / "web_addresses.toml").read_text(encoding="utf-8"))


def named(row: dict[str, Any]) -> str:
    return str(row.get("text", row.get("address")))[:60]


@pytest.mark.parametrize("row", CASES["spelling"], ids=named)
def test_one_spelling(row: dict[str, Any]) -> None:
    address, warnings = read_address(row["text"])
    assert address.url == row["url"]
    assert [row.get("warning", "")] == [*(warnings or [""])]
    assert read_address(address.url) == (address, ())


@pytest.mark.parametrize("row", CASES["refused"], ids=named)
def test_what_is_no_address_of_the_web(row: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".") as fault:
        read_address(row["text"])
    assert row["error"] in str(fault.value)


@pytest.mark.parametrize("row", CASES["redirect"], ids=named)
def test_redirects_are_read_from_where_they_stand(row: dict[str, Any]) -> None:
    assert joined(read_address("https://a.example/b/c?d")[0], row["text"]).url == row["url"]


@pytest.mark.parametrize("row", CASES["unreachable"], ids=named)
def test_addresses_that_are_not_public(row: dict[str, Any]) -> None:
    assert refusal_of(ipaddress.ip_address(row["address"])) == row["kind"]


@pytest.mark.parametrize("row", CASES["reachable"], ids=named)
def test_addresses_that_are_public(row: dict[str, Any]) -> None:
    assert refusal_of(ipaddress.ip_address(row["address"])) is None


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_an_address_that_python_holds_for_private_is_refused_in_every_form(number: int) -> None:
    inner = ipaddress.IPv4Address(number)
    refused = refusal_of(inner)
    assert refused is not None or (inner.is_global and not inner.is_multicast)
    for network in ("::ffff:0:0", "64:ff9b::"):
        assert refusal_of(ipaddress.IPv6Address(int(ipaddress.IPv6Address(network)) + number)) == refused
    tunnelled = ipaddress.IPv6Address(int(ipaddress.IPv6Address("2002::")) + (number << 80))
    assert refusal_of(tunnelled) is not None


@settings(deadline=None)
@given(st.integers(0, 2**128 - 1))
def test_an_ipv6_address_that_is_not_global_is_refused(number: int) -> None:
    address = ipaddress.IPv6Address(number)
    assert refusal_of(address) is not None or (address.is_global and not address.is_multicast)


@settings(deadline=None)
@given(st.text(max_size=30), st.text(max_size=60))
def test_the_spelling_of_a_spelling_is_itself(host: str, rest: str) -> None:
    for text in (f"{host}{rest}", f"https://{host}/{rest}", f"https://a.example/{rest}", f"http://a.example?{rest}"):
        try:
            address, _ = read_address(text)
        except ValueError:
            continue
        assert read_address(address.url) == (address, ())
        assert address.url.isascii()
        assert " " not in address.url


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "..", ".", "%2e", "%2E.", "", "b%2fc", "~"]), max_size=8))
def test_no_dot_segment_is_left(segments: list[str]) -> None:
    path = read_address("https://a.example/" + "/".join(segments))[0].target
    assert path.startswith("/")
    assert not {".", ".."} & set(path.split("/"))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_all_spellings_of_an_ipv4_address_are_one(number: int) -> None:
    plain = str(ipaddress.IPv4Address(number))
    first, *others = plain.split(".")
    for text in (str(number), hex(number), f"0{number:o}", f"0x{int(first):x}.{number & 0xFFFFFF}", f"{plain}."):
        assert read_address(f"http://{text}/")[0].host == plain
    assert read_address(f"http://[::ffff:{plain}]/")[0].host == plain
    assert read_address("http://" + ".".join([f"{int(first):#o}".replace("o", ""), *others]) + "/")[0].host == plain


@pytest.mark.parametrize(
    "addresses",
    [f"{PUBLIC} 127.0.0.1", f"10.0.0.1 {PUBLIC}", "::1", f"{PUBLIC} ::ffff:10.0.0.1", "fe80::1%eth0", "nonsense"],
)
def test_every_address_of_a_name_must_be_public(addresses: str) -> None:
    with pytest.raises(ValueError, match="leads to"):
        asyncio.run(reachable("mixed.test", 443, names(mixed=[addresses]), private=False))


@pytest.mark.parametrize(
    ("address", "source", "near"),
    [
        (PUBLIC, PUBLIC, "this machine's own"),
        (PUBLIC, "10.0.0.7", None),
        (PUBLIC, "93.184.215.15", None),
        (PUBLIC, None, None),
        ("2606:4700::1", "2606:4700::1", "this machine's own"),
        ("2606:4700::1", "2606:4700:0:0:1:2:3:4", "a neighbour's"),
        ("2606:4700::1", "2606:4700:0:1::1", None),
    ],
)
def test_public_addresses_that_are_near(address: str, source: str | None, near: str | None) -> None:
    def reached_from(_: object) -> IPAddress | None:
        return None if source is None else ipaddress.ip_address(source)

    asked = reachable("near.test", 443, names(near=[address]), private=False, source=reached_from)
    if near is None:
        assert asyncio.run(asked) == (address,)
    else:
        with pytest.raises(ValueError, match=near):
            asyncio.run(asked)


def test_this_machine_reaches_itself_from_itself() -> None:
    here = ipaddress.ip_address("127.0.0.1")
    assert nearness(here, source_towards(here)) == "this machine's own"
    assert source_towards(ipaddress.ip_address("::1%none")) is None


def test_a_name_is_reached_at_its_addresses_only() -> None:
    found = asyncio.run(reachable("ok.test", 443, names(ok=[f"{PUBLIC} {PUBLIC} 2606:4700::1"]), private=False))
    assert found == (PUBLIC, "2606:4700::1")


@pytest.mark.parametrize("answers", [[""], []], ids=["no address", "no such name"])
def test_a_name_without_address_is_unknown(answers: list[str]) -> None:
    with pytest.raises(OSError, match=r"no machine is known by the name gone\.test"):
        asyncio.run(reachable("gone.test", 443, names(gone=answers), private=False))


@pytest.mark.parametrize(
    ("arguments", "url", "warned"),
    [
        ({"url": "https://evil.example/x"}, "https://evil.example/x", ""),
        ({"url": "HTTPS://EVIL.example:443/a/../x"}, "https://evil.example/x", "written as https://evil.example/x"),
        ({"url": "evil.example/x"}, "https://evil.example/x", "no scheme"),
        ({"link": "evil.example"}, "https://evil.example/", "link was read as url"),
        ({"url": "file:///etc/passwd"}, "file:///etc/passwd", ""),
        ({"url": 5}, 5, ""),
    ],
)
def test_rules_see_the_one_spelling(arguments: dict[str, Any], url: object, warned: str) -> None:
    (fetch,) = [tool for tool in web_tools(WebOptions()) if tool.name == "web_fetch"]
    warnings: tuple[str, ...] = ()
    for normaliser in fetch.normalisers:
        normalised = normaliser(arguments)
        arguments, warnings = normalised.arguments, (*warnings, *normalised.warnings)
    assert arguments == {"url": url}
    assert bool(warnings) == bool(warned)
    assert warned in " ".join(warnings)
