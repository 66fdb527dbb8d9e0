"""Secrets that are known by their name: what is assigned to a password, a token or a key, however that is written."""

import re
from collections.abc import Iterator

from msgspec import Struct

from hilt.tools.secret_shapes import Span, in_small_letters

# The part of a name that says so, in small letters. "tokens" and "tokenizer" are about text, a secretary is a person.
_NAME = re.compile(
    r"(pass(?:word|wd|phrase|code|wort)|pgpass|pwd|secret(?!ar)|credentials?(?![a-z])|(?:token|key)(?!s|iz)"
    r"|session[_-]?id|auth(?![a-z])|sid(?![a-z]))([\w.-]{0,40}+)"
)
_KEY_OF = re.compile(
    r"(?:api|access|private|account|auth|signing|signature|encryption|master|shared|subscription|service|session|license"
    r"|app|application|client|storage|hmac|crypto|deploy|ssh|webhook)[_-]?\Z"
)
_TOKEN_OF = re.compile(
    r"(?:access|refresh|auth|id|session|bearer|bot|csrf|xsrf|personal|deploy|oauth|api|security|github|gitlab|slack|hf|npm"
    r"|pypi|jwt|device|push|private|admin|user|service|login|gh|vault|ci|registration)[_-]?\Z"
)
# How the parts begin, and the signs without which nothing is assigned.
_HEADS = (
    "passw",
    "passphrase",
    "passcode",
    "pgpass",
    "pwd",
    "secret",
    "credential",
    "token",
    "key",
    "session",
    "auth",
    "sid",
)
_SIGNS = ("=", ":")
_ASSIGNED = re.compile(r"[\"'`\\\]]{0,4}[ \t]{0,8}+(?:=>|:=|=(?!=)|:(?!:))[ \t]{0,8}+")

# A name that goes on like this is of something about the secret, and not of the secret.
_ABOUT = re.compile(
    r"(?:^|[_.-])(?:count|policy|length|len|type|name|names|url|uri|file|path|hint|field|reset|expires|expiry|ttl|limit"
    r"|max|min|required|enabled|at|in|endpoint|label|prompt|input|manager|rules|strength|format|usage|budget|index|idx"
    r"|env|var|id|ids|s|ring|chain|less|ized)$"
)
_NO_SECRET = re.compile(
    r"(?i)(?:none|null|nil|true|false|undefined|str|string|bytes|int|integer|bool|boolean|object|any|number|char|text"
    r"|required|optional|yes|no|on|off|unset|empty|missing|invalid|valid|expired|wrong|incorrect"
    r"|a|an|and|are|at|be|can|cannot|do|enter|for|has|have|in|is|it|may|must|never|not|of|or|please|see|should|that|the|this"
    r"|to|too|use|was|we|were|you|your|[*x•.…_-]+|\?+"
    r"|<[^<>\n]{0,80}>|\{\{?[^{}\n]{0,80}\}\}?|\$\{?\(?[A-Za-z_][\w.:-]{0,80}\)?\}?|%[A-Za-z_]{1,80}%"
    r"|optional\[[\w. |]{1,40}\]|your[_ -][a-z_ -]{0,40}|\[redacted:[a-z-]{1,40}\]?)"
)
_CODE = re.compile(
    r"(?:os|self|cls|this|args|config|settings|env|environ|process|request|req|options|opts|params|ctx|cfg|event|secrets"
    r"|context|kwargs|getpass|credentials|st|app|props|state|user|data|await|new|lambda|func|def|return)\b[.\s\[(]?"
)
_PLACEHOLDER = re.compile(
    r"\$\{[^{}\n]{0,80}\}|\$\([^()\n]{0,80}\)|\$\w{1,80}|[{#$]?\{[^{}\n]{0,80}\}\}?|<[^<>\n]{1,80}>|%\w{1,80}%"
)
_IN_MARKER = re.compile(r"\[redacted:[a-z-]{0,40}\Z")
_SPACE = re.compile(r"\s")
_DIGIT = re.compile(r"[0-9]")
_BARE = re.compile(r"[^\s\"'`,;&<>(){}\[\]|\\]{1,128}+|\[redacted:[a-z-]{1,40}\][^\s\"'`,;&<>(){}\[\]|\\]*")
_MORE = re.compile(r"[^\s\"'`,;&<>(){}\[\]|\\]++")
_MORE_WORDS = re.compile(r"(?: [\w!?.,'-]+){1,12}[ \t]*")
_MORE_SIGNS = re.compile(r"[,<>{}|][^\s&;\"']*[A-Za-z0-9][^\s&;\"']*[ \t]*")
_LINE = re.compile(r"[^\r\n]{1,300}")
_LINE_START = re.compile(r"(?:^|\n)[ \t]*(?:export[ \t]+|-[ \t]+|set[ \t]+)?[\"']?[\w.-]{0,60}\Z")
_QUOTED = {
    '"': re.compile(r'((?:[^"\\\r\n]|\\[^\r\n]){0,4096}+)"'),
    "'": re.compile(r"((?:[^'\\\r\n]|\\[^\r\n]){0,4096}+)'"),
    "`": re.compile(r"((?:[^`\\\r\n]|\\[^\r\n]){0,4096}+)`"),
    '\\"': re.compile(r'((?:[^"\\\r\n]|\\[^"\r\n]){0,4096}+)\\"'),
}


class _Named(Struct, frozen=True):
    """A name of a secret in a text. A weak one, such as "token", is only believed where its value looks like one."""

    start: int
    end: int
    kind: str
    is_strong: bool


def named_secrets(text: str) -> Iterator[Span]:
    """Where a text assigns something to a name of a secret, as ini files, YAML, JSON, shells, queries and programs do.
    The spans are the values, without their quotes."""
    if not any(sign in text for sign in _SIGNS):
        return
    small = in_small_letters(text)
    place = 0
    for start in _starts(small):
        if start < place or (found := _NAME.match(small, start)) is None:
            continue
        place = found.end()
        assigned = _ASSIGNED.match(text, place)
        if assigned is None or (named := _named(small, found)) is None:
            continue
        span = _value(text, named, assigned.end())
        if span is not None:
            yield (*span, named.kind)
            place = max(place, span[1])


def named_kind(name: str, value: str) -> str | None:
    """The kind of secret that a member of this name and value is; None if it is none."""
    named = _in_name(name)
    if not named or not value.strip() or _NO_SECRET.fullmatch(value.strip()):
        return None
    return named[-1].kind if named[-1].is_strong or _looks_random(value, quoted=True) else None


def may_name_secret(name: str) -> bool:
    """Whether a member of this name is a secret for some value."""
    return bool(_in_name(name))


def _in_name(name: str) -> list[_Named]:
    small = in_small_letters(name[-200:]).rstrip("s")
    return [
        known
        for found in (_NAME.finditer(small) if any(head in small for head in _HEADS) else ())
        if (known := _named(small, found)) is not None
    ]


def _starts(small: str) -> list[int]:
    """Where a name may start in a text of small letters. A text is searched far faster for the heads of the names than
    for the names."""
    starts: list[int] = []
    for head in _HEADS:
        at = small.find(head)
        while at >= 0:
            starts.append(at)
            at = small.find(head, at + 1)
    return sorted(starts)


def _named(small: str, found: re.Match[str]) -> _Named | None:
    """What a name is of, in a text of small letters; None if it only is about a secret, or the name of a marker."""
    start, end = found.span()
    if _ABOUT.search(found.group(2)) or _IN_MARKER.search(small, max(0, start - 60), start):
        return None
    word = found.group(1)
    before = max(0, start - 20)
    if word == "key":
        return _Named(start, end, "secret", is_strong=True) if _KEY_OF.search(small, before, start) else None
    if word == "token":
        is_strong = _TOKEN_OF.search(small, before, start) is not None
        return _Named(start, end, "token", is_strong=is_strong)
    if word.startswith(("pass", "pwd", "pgpass")):
        return _Named(start, end, "password", is_strong=True)
    return _Named(start, end, "secret", is_strong=word.startswith(("secret", "cred")))


def _value(text: str, named: _Named, at: int) -> tuple[int, int] | None:
    opening = text[at : at + 2] if text.startswith('\\"', at) else text[at : at + 1]
    if quoted := _QUOTED.get(opening):
        found = quoted.match(text, at + len(opening))
        if found is not None:
            value = found.group(1)
            is_secret = bool(value.strip()) and not _NO_SECRET.fullmatch(value.strip())
            return found.span(1) if is_secret and (named.is_strong or _looks_random(value, quoted=True)) else None
        at += len(opening)
    if _PLACEHOLDER.match(text, at):
        return None
    found = _BARE.match(text, at)
    if found is None or not _is_bare_secret(text, found, named):
        return None
    start, end = found.span()
    if (more := _MORE.match(text, end)) is not None:
        end = more.end()
    if named.is_strong and _starts_line(text, named.start) and (line := _LINE.match(text, at)):
        rest = text[end : line.end()]
        # A passphrase has spaces, a password signs; a comment, an assignment or the rest of a program is no part of it.
        if _MORE_WORDS.fullmatch(rest) or _MORE_SIGNS.fullmatch(rest):
            end += len(rest.rstrip())
    return start, end


def _is_bare_secret(text: str, found: re.Match[str], named: _Named) -> bool:
    value = found.group().rstrip(".:")
    follows = text[found.end() : found.end() + 1]
    if not value or _NO_SECRET.fullmatch(value) or follows in {"(", "["}:
        return False
    if _CODE.match(value) and not _DIGIT.search(value):
        return False
    if re.fullmatch(r"[A-Za-z_.]+", value) and _NAME.search(in_small_letters(value)):
        return False  # password=password, as programs hand it on
    if named.kind == "password" and value.startswith(("/", "~/")) and text.startswith(("PWD", "pwd"), named.start):
        return False  # the shell's folder of work
    return named.is_strong or _looks_random(value, quoted=False)


def _looks_random(value: str, *, quoted: bool) -> bool:
    if len(value) < 8 or _SPACE.search(value):
        return False
    return quoted or _DIGIT.search(value) is not None


def _starts_line(text: str, at: int) -> bool:
    return _LINE_START.search(text, max(0, at - 100), at) is not None
