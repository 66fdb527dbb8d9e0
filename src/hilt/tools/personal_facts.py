"""What tells who somebody is: addresses of mail and machines, numbers of phones, cards, accounts and insurance; paths.

Numbers are everywhere, so one counts only if it holds its check digits, or is written as only its kind is.
"""

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from msgspec import Struct

from hilt.tools.secret_shapes import Span

_LOCAL = re.compile(r"[\w.%+'-]{1,64}")
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_MIN_PHONE_DIGITS = 9
_MIN_GLOBAL_PHONE_DIGITS = 8
# Each of these begins with the letters that it may begin with, and only then looks back: so a text is searched fast.
_PHONE = re.compile(
    r"[+(0-9](?<![\w.+-][+(0-9])(?<![0-9] [+(0-9])(?:(?<=\+)[1-9](?:[ .()/-]{0,2}[0-9]){6,14}"
    r"|(?<=0)0[1-9][0-9]?(?:[ .()/-]{1,2}[0-9]{1,5}){2,6}"
    r"|(?:(?<=1)[ .-](?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])|(?<=\()[2-9][0-9]{2}\) ?|(?<=[2-9])[0-9]{2}[ .-])"
    r"[2-9][0-9]{2}[ .-][0-9]{4}"
    r"|(?:(?<=\()0[1-9]|(?<=0)[1-9])[0-9]{0,4}\)?(?:[ /-][0-9]{2,8}){1,5})(?![\w-]|\.[0-9])"
)
_CARD = re.compile(r"[2-6](?<![\w.-][2-6])[0-9]{3}(?:[ -]?[0-9]){9,15}(?![\w-]|\.[0-9])")
_IBAN = re.compile(r"([A-Z](?<![A-Za-z0-9][A-Z])[A-Z])[0-9]{2}(?: ?[A-Z0-9]){11,30}")
_SSN = re.compile(
    r"[0-8](?<![\w.-][0-8])(?!(?<=0)00|(?<=6)66)[0-9]{2}([- ])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}(?![\w-]|\.[0-9])"
)
_IPV4 = re.compile(r"[0-9](?<![\w.][0-9])[0-9]{0,2}\.(?:[0-9]{1,3}\.){2}[0-9]{1,3}(?![\w-]|\.[0-9])")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:.]{3,45}+(?![\w:])")
_DIGITS = bytes(ord("0") if chr(letter) in "0123456789" else letter for letter in range(256))
_ACCOUNT_LETTERS = bytes(
    ord("A") if letter < 128 and (chr(letter).isupper() or chr(letter).isdigit()) else ord(" ") for letter in range(256)
)
_VERSION = re.compile(r"(?i)(?:\bv|version|release|build|==|>=|<=|~=)[ :=]{0,3}\Z")

# How long the account numbers of each country are.
_IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ DZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
_IBAN_CHARS = {country: length for length, countries in _IBAN_COUNTRIES.items() for country in countries.split()}

_PART = r"[^\s/\\\"'<>|:;,*?()\[\]{}`]"
_PATHS = (
    re.compile(
        rf"/(?<![\w.:/~\]-]/)(?:{_PART}{{1,255}}+/|{_PART}{{1,100}} {_PART}{{1,100}}/){{1,40}}(?:{_PART}{{1,255}}+)?"
    ),
    re.compile(r"/(?<![\w.:/~\]-]/)(?:home|Users|root|etc|var|tmp|opt|usr|private|mnt|media|srv|Volumes)(?![\w/-])"),
    re.compile(rf"/(?<=file:///){_PART}{{1,255}}+(?:/{_PART}{{0,255}}+){{0,40}}"),
    re.compile(rf"~(?<!\w~)[\w.-]{{1,32}}+/(?:{_PART}{{1,255}}+/?){{0,40}}"),
    re.compile(
        rf"[A-Za-z](?<!\w[A-Za-z]):(?:\\{{1,4}}|/)(?!/)"
        rf"(?:{_PART}{{1,255}}+(?: {_PART}{{1,100}})?(?:\\{{1,4}}|/)){{0,40}}(?:{_PART}{{1,255}}+)?"
    ),
    re.compile(rf"\\(?<![\\\w]\\)\\{_PART}{{1,100}}+\\{_PART}{{1,100}}+(?:\\{_PART}{{0,255}}+){{0,40}}"),
)


def personal_facts(text: str) -> Iterator[Span]:
    """Where personal facts stand in the text, in no order."""
    yield from _emails(text)
    holds = _holds(text)
    if holds.ssn:
        yield from ((*found.span(), "ssn") for found in _SSN.finditer(text))
    if holds.card:
        yield from ((*found.span(), "card") for found in _CARD.finditer(text) if is_card(found.group()))
    if holds.phone:
        yield from ((*found.span(), "phone") for found in _PHONE.finditer(text) if _is_phone(found.group()))
    if holds.iban:
        yield from _ibans(text)
    if holds.ipv4:
        yield from ((*found.span(), "ip") for found in _IPV4.finditer(text) if _is_ipv4(text, found))
    if holds.ipv6:
        yield from _ipv6(text)


class _Holds(Struct, frozen=True):
    """What a text may hold, by what each such fact can't be without."""

    ssn: bool
    card: bool
    phone: bool
    iban: bool
    ipv4: bool
    ipv6: bool


def _holds(text: str) -> _Holds:
    coded = text.encode("ascii", "replace")
    zeros = coded.translate(_DIGITS)
    # The digits of a phone number, with nothing between them but what may stand within one.
    phones = coded.translate(_DIGITS, b" .()/-")
    return _Holds(
        ssn=b"000-00-0000" in zeros or b"000 00 0000" in zeros,
        card=b"0" * 13 in coded.translate(_DIGITS, b" -"),
        phone=b"0" * _MIN_PHONE_DIGITS in phones or ("+" in text and b"0" * _MIN_GLOBAL_PHONE_DIGITS in phones),
        iban=b"A" * 15 in coded.translate(_ACCOUNT_LETTERS, b" "),
        # Three points with digits between them; two colons together, or six with no more than hexadecimal between them.
        ipv4=b"..." in coded.translate(None, b"0123456789"),
        ipv6="::" in text or b":" * 6 in coded.translate(None, b"0123456789ABCDEFabcdef."),
    )


def _ipv6(text: str) -> Iterator[Span]:
    for found in _IPV6.finditer(text):
        address = found.group().rstrip(".:") if not found.group().endswith("::") else found.group()
        if _is_ipv6(address):
            yield found.start(), found.start() + len(address), "ip"


def file_paths(text: str) -> Iterator[Span]:
    """Where absolute paths and those in home folders stand in the text; an address of the web holds none."""
    for shape in _PATHS:
        yield from ((*found.span(), "path") for found in shape.finditer(text))


def is_card(number: str) -> bool:
    """Whether this is the number of a payment card: of a known length for its first digits, with a right last one."""
    digits = [int(digit) for digit in number if digit.isdigit()]
    lengths = _card_lengths(int("".join(map(str, digits[:4]))))
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return len(digits) in lengths and sum(doubled) % 10 == 0


def _card_lengths(first: int) -> tuple[int, ...]:
    """The lengths of card numbers that begin with these four digits."""
    if 4000 <= first < 5000:
        return (13, 16, 19)
    if 3400 <= first < 3500 or 3700 <= first < 3800:
        return (15,)
    if 3000 <= first < 3060 or 3600 <= first < 3700 or 3800 <= first < 4000:
        return (14, 16)
    if 5000 <= first < 5100 or 5600 <= first < 6000 or 6200 <= first < 6400:
        return (16, 17, 18, 19)
    is_known = 5100 <= first < 5600 or 2221 <= first <= 2720 or 3528 <= first < 3590 or 6000 <= first < 7000
    return (16,) if is_known else ()


def _emails(text: str) -> Iterator[Span]:
    at = -1
    while (at := text.find("@", at + 1)) >= 0:
        local = _LOCAL.match(text[max(0, at - 64) : at][::-1])
        domain = _DOMAIN.match(text, at + 1)
        if local is not None and domain is not None and any(letter.isalnum() for letter in local.group()):
            yield at - local.end(), domain.end(), "email"


def _ibans(text: str) -> Iterator[Span]:
    for found in _IBAN.finditer(text):
        length = _IBAN_CHARS.get(found.group(1))
        places = [place for place, letter in enumerate(found.group()) if letter != " "]
        if length is None or len(places) < length:
            continue
        end = places[length - 1] + 1
        account = found.group()[:end].replace(" ", "")
        digits = "".join(str(int(letter, 36)) for letter in account[4:] + account[:4])
        follows = text[found.start() + end : found.start() + end + 1]
        if int(digits) % 97 == 1 and not follows.isalnum():
            yield found.start(), found.start() + end, "iban"


def _is_phone(number: str) -> bool:
    digits = sum(letter.isdigit() for letter in number)
    least = _MIN_GLOBAL_PHONE_DIGITS if number.startswith("+") else _MIN_PHONE_DIGITS
    return least <= digits <= 15


def _is_ipv4(text: str, found: re.Match[str]) -> bool:
    try:
        address = IPv4Address(found.group())
    except AddressValueError:
        return False
    is_version = _VERSION.search(text, max(0, found.start() - 20), found.start()) is not None
    return not (address.is_loopback or address.is_unspecified or is_version)


def _is_ipv6(text: str) -> bool:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)
