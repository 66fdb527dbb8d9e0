"""The formats of strings that are enforced, as regular expressions of the whole text, in Rust's syntax.

Each allows only texts that a strict check accepts too, and leaves out rare ones: leap days and leap seconds, quoted
local parts and addresses in an email, names of hosts outside of ASCII.
"""

from collections.abc import Mapping
from types import MappingProxyType

_DATE = (
    r"[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,9}})?(?:Z|[+-]{_CLOCK})"
_SPAN_OF_TIME = r"T(?:[0-9]{1,6}H(?:[0-9]{1,6}M(?:[0-9]{1,6}S)?)?|[0-9]{1,6}M(?:[0-9]{1,6}S)?|[0-9]{1,6}S)"
_SPAN_OF_DAYS = r"(?:[0-9]{1,6}Y(?:[0-9]{1,6}M(?:[0-9]{1,6}D)?)?|[0-9]{1,6}M(?:[0-9]{1,6}D)?|[0-9]{1,6}D)"
_LABEL = r"[A-Za-z0-9]{1,30}(?:-[A-Za-z0-9]{1,9}){0,3}"
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?:{_BYTE}\.){{3}}{_BYTE}"
_GROUP = r"[0-9a-fA-F]{1,4}"
_IPV6 = "|".join(
    [
        rf"(?:{_GROUP}:){{7}}{_GROUP}",
        rf"(?:{_GROUP}:){{1,7}}:",
        *(rf"(?:{_GROUP}:){{1,{7 - behind}}}(?::{_GROUP}){{1,{behind}}}" for behind in range(1, 7)),
        rf":(?:(?::{_GROUP}){{1,7}}|:)",
    ]
)
_PATH_SIGN = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL}){{0,6}}|{_IPV4})"
_QUERY = rf"(?:\?(?:{_PATH_SIGN}|[/?])*)?(?:#(?:{_PATH_SIGN}|[/?])*)?"

FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "date": _DATE,
        "time": _TIME,
        "date-time": rf"(?:{_DATE})T{_TIME}",
        "duration": rf"P(?:[0-9]{{1,6}}W|{_SPAN_OF_DAYS}(?:{_SPAN_OF_TIME})?|{_SPAN_OF_TIME})",
        "email": r"[A-Za-z0-9_%+-]{1,31}(?:\.[A-Za-z0-9_%+-]{1,15}){0,2}@"
        rf"(?:{_LABEL}\.){{1,3}}[A-Za-z]{{2,20}}",
        "hostname": rf"{_LABEL}(?:\.{_LABEL}){{0,3}}",
        "ipv4": _IPV4,
        "ipv6": _IPV6,
        "uuid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        "uri": rf"(?:[a-zA-Z][a-zA-Z0-9+.-]*://{_HOST}(?::[0-9]{{1,5}})?(?:/{_PATH_SIGN}*)*"
        rf"|(?:mailto|urn|tel|data|news|geo|magnet):{_PATH_SIGN}(?:{_PATH_SIGN}|/)*){_QUERY}",
    }
)
