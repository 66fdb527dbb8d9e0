"""The ten formats that are enforced, each as one pattern, so that the grammar and the final check can't disagree.

The patterns use only what `patterns` writes. A date knows its month's length and leap years. A leap second is taken
where it is written in UTC (`23:59:60Z`); with an offset it is not, because only a table of all offsets could tell. The
grammar leaves leap seconds and the year 0 out, because few readers of times know them.
"""

import re

_DAY = "(?:0[1-9]|1[0-9]|2[0-8])"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE = (
    f"(?:[0-9]{{4}}-(?:(?:0[1-9]|1[0-2])-{_DAY}|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)|{_LEAP_YEAR}-02-29)"
)
_FRACTION = r"(?:\.[0-9]+)?"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"(?:{_CLOCK}:[0-5][0-9]{_FRACTION}(?:[Zz]|[+\-]{_CLOCK})|23:59:60{_FRACTION}(?:[Zz]|[+\-]00:00))"

_TIME_PART = "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
_DAYS_PART = "(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)"
_DURATION = f"P(?:{_DAYS_PART}(?:{_TIME_PART})?|{_TIME_PART}|[0-9]+W)"

_LABEL = r"[0-9A-Za-z](?:[0-9A-Za-z\-]{0,61}[0-9A-Za-z])?"
_HOSTNAME = rf"{_LABEL}(?:\.{_LABEL})*"

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_H16 = "[0-9A-Fa-f]{1,4}"
_LS32 = f"(?:{_H16}:{_H16}|{_IPV4})"
_IPV6 = "(?:{})".format(
    "|".join(
        [
            f"(?:{_H16}:){{6}}{_LS32}",
            f"::(?:{_H16}:){{5}}{_LS32}",
            *(f"(?:{_H16}(?::{_H16}){{0,{n}}})?::(?:{_H16}:){{{4 - n}}}{_LS32}" for n in range(5)),
            f"(?:{_H16}(?::{_H16}){{0,5}})?::{_H16}",
            f"(?:{_H16}(?::{_H16}){{0,6}})?::",
        ]
    )
)

_ATEXT = r"[!#$%\&'*+\-/0-9=?A-Z\^_`a-z{|}~]".replace("$", r"\$").replace("*", r"\*").replace("+", r"\+")
_DOT_ATOM = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_DOMAIN = rf"(?:{_HOSTNAME}|\[{_IPV4}\]|\[IPv6:{_IPV6}\])"
_EMAIL = f"(?:{_DOT_ATOM}|{_QUOTED})@{_DOMAIN}"

_HEX = "[0-9A-Fa-f]"
_UUID = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"

_ESCAPED = f"%{_HEX}{{2}}"
_PLAIN = r"0-9A-Za-z\-._~!\$\&'()*+,;="
_SEGMENT = f"(?:[{_PLAIN}:@]|{_ESCAPED})"
_HOST = rf"(?:\[(?:{_IPV6}|[Vv]{_HEX}+\.[{_PLAIN}:]+)\]|(?:[{_PLAIN}]|{_ESCAPED})*)"
_AUTHORITY = f"(?:(?:[{_PLAIN}:]|{_ESCAPED})*@)?{_HOST}(?::[0-9]*)?"
_PATH = f"(?://{_AUTHORITY}(?:/{_SEGMENT}*)*|/(?:{_SEGMENT}+(?:/{_SEGMENT}*)*)?|{_SEGMENT}+(?:/{_SEGMENT}*)*)?"
_TAIL = f"(?:{_SEGMENT}|[/?])*"
_URI = rf"[A-Za-z][0-9A-Za-z+\-.]*:{_PATH}(?:\?{_TAIL})?(?:#{_TAIL})?"

_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_WRITTEN_DATE = (
    f"(?:{_YEAR}-(?:(?:0[1-9]|1[0-2])-{_DAY}|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    f"|(?:[0-9]{{2}}(?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26]|0[48])00)-02-29)"
)
_WRITTEN_TIME = rf"{_CLOCK}:[0-5][0-9]{_FRACTION}(?:[Zz]|[+\-]{_CLOCK})"

_BODIES = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}[Tt]{_TIME}",
    "duration": _DURATION,
    "email": _EMAIL,
    "hostname": _HOSTNAME,
    "ipv4": _IPV4,
    "ipv6": _IPV6,
    "uuid": _UUID,
    "uri": _URI,
}
_WRITTEN = {"date": _WRITTEN_DATE, "time": _WRITTEN_TIME, "date-time": f"{_WRITTEN_DATE}[Tt]{_WRITTEN_TIME}"}
FORMATS = {name: f"^(?:{body})$" for name, body in (_BODIES | _WRITTEN).items()}
"""The pattern of each enforced format, as a grammar has it."""
MAX_CHARS = {"hostname": 253}
"""The most characters of a text in a format that bounds them."""

_COMPILED = {name: re.compile(body) for name, body in _BODIES.items()}


def has_format(name: str, text: str) -> bool:
    """Whether `text` has the format `name`; KeyError for a format that is not enforced."""
    return len(text) <= MAX_CHARS.get(name, len(text)) and _COMPILED[name].fullmatch(text) is not None
