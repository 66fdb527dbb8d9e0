"""Secrets that are known by their name: what is assigned to a password, a token or a key, however that is written."""

import re
from collections.abc import Iterator

from hilt.tools.secret_shapes import Span

# A name that says so. "tokens" and "tokenizer" are about text, and "secretary" is a person.
_STRONG = (
    r"pass(?:word|wd|phrase|code)|passwort|\bpwd|_pwd|secret(?!ar)|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|account[_-]?key|auth[_-]?key|signing[_-]?key|encryption[_-]?key|master[_-]?key|shared[_-]?key|subscription[_-]?key"
    r"|(?:access|refresh|auth|id|session|bearer|bot|csrf|xsrf|personal|deploy|oauth|api|security|github|gitlab|slack|hf"
    r"|npm|pypi|jwt|device|push|private|admin|user|service|login)[_-]?token(?!s|iz)|credentials?\b|pgpass"
)
_WEAK = r"token(?!s|iz)|session[_-]?(?:id|key)|\bauth\b|\bsid\b"
_NAME = re.compile(rf"(?i)(?:({_STRONG})|{_WEAK})([\w.-]{{0,40}}+)")
_ASSIGNED = re.compile(r"[\"'`\\\]]{0,4}[ \t]{0,8}+(?:=>|:=|=(?!=)|:(?!:))[ \t]{0,8}+")

# A name that goes on like this is of something about the secret, and not of the secret.
_ABOUT = re.compile(
    r"(?i)(?:^|[_.-])(?:count|policy|length|len|type|name|names|url|uri|file|path|hint|field|reset|expires|expiry|ttl|limit"
    r"|max|min|required|enabled|at|in|endpoint|label|prompt|input|manager|rules|strength|format|usage|budget|index|idx"
    r"|env|var|id|ids|s|ring|chain|less|ized|izer)$|^(?:Name|Type|Id|Count|Url|File|Path|Policy|Length|Expires|Hint)"
)
_NO_SECRET = re.compile(
    r"(?i)(?:none|null|nil|true|false|undefined|str|string|bytes|int|integer|bool|boolean|object|any|number|char|text"
    r"|required|optional|yes|no|on|off|unset|empty|missing|invalid|valid|expired|wrong|incorrect|[*x•.…_-]+|\?+"
    r"|<[^<>\n]{0,80}>|\{\{?[^{}\n]{0,80}\}\}?|\$\{?\(?[A-Za-z_][\w.:-]{0,80}\)?\}?|%[A-Za-z_]{1,80}%"
    r"|optional\[[\w. |]{1,40}\]|your[_ -]?[\w -]{0,40}|\[redacted:[a-z-]{1,40}\]?)"
)
_CODE = re.compile(
    r"(?:os|self|cls|this|args|config|settings|env|environ|process|request|req|options|opts|params|ctx|cfg|event|secrets"
    r"|context|kwargs|getpass|credentials|st|app|props|state|user|data|await|new|lambda|func|def|return)\b[.\s\[(]?"
)
_BARE = re.compile(r"[^\s\"'`,;&<>(){}\[\]|\\]{1,256}+|\[redacted:[a-z-]{1,40}\][^\s\"'`,;&<>(){}\[\]|\\]*")
_MORE = re.compile(r"[^\s\"'`,;&<>(){}\[\]|\\]++")
_LINE = re.compile(r"[^\r\n]{1,300}")
_LINE_START = re.compile(r"(?:^|\n)[ \t]*(?:export[ \t]+|-[ \t]+|set[ \t]+)?[\"']?[\w.-]{0,60}\Z")
_QUOTED = {
    '"': re.compile(r'((?:[^"\\\r\n]|\\[^\r\n]){0,4096}+)"'),
    "'": re.compile(r"((?:[^'\\\r\n]|\\[^\r\n]){0,4096}+)'"),
    "`": re.compile(r"((?:[^`\\\r\n]|\\[^\r\n]){0,4096}+)`"),
    '\\"': re.compile(r'((?:[^"\\\r\n]|\\[^"\r\n]){0,4096}+)\\"'),
}


def named_secrets(text: str) -> Iterator[Span]:
    """Where a text assigns something to a name of a secret, as ini files, YAML, JSON, shells, queries and programs do.
    The spans are the values, without their quotes."""
    place = 0
    while named := _NAME.search(text, place):
        place = named.end()
        assigned = _ASSIGNED.match(text, place)
        if assigned is None or _is_about(named):
            continue
        is_strong = named.group(1) is not None
        span = _value(text, named.start(), assigned.end(), is_strong=is_strong)
        if span is not None:
            yield (*span, _kind(named.group()))
            place = max(place, span[1])


def named_kind(name: str, value: str) -> str | None:
    """The kind of secret that a member of this name and value is; None if it is none."""
    found = None
    for named in _NAME.finditer(name[-200:]):
        if not _is_about(named):
            found = named
    if found is None or not value.strip() or _NO_SECRET.fullmatch(value.strip()):
        return None
    return _kind(found.group()) if found.group(1) is not None or _looks_random(value, quoted=True) else None


def _kind(name: str) -> str:
    lowered = name.lower()
    if lowered.startswith(("pass", "pwd", "_pwd", "pgpass")):
        return "password"
    return "token" if "token" in lowered else "secret"


def _is_about(named: re.Match[str]) -> bool:
    return _ABOUT.search(named.group(2)) is not None


def _value(text: str, name_at: int, at: int, *, is_strong: bool) -> tuple[int, int] | None:
    opening = text[at : at + 2] if text.startswith('\\"', at) else text[at : at + 1]
    if quoted := _QUOTED.get(opening):
        found = quoted.match(text, at + len(opening))
        if found is not None:
            value = found.group(1)
            is_secret = bool(value.strip()) and not _NO_SECRET.fullmatch(value.strip())
            return found.span(1) if is_secret and (is_strong or _looks_random(value, quoted=True)) else None
        at += len(opening)
    found = _BARE.match(text, at)
    if found is None or not _is_bare_secret(text, found, is_strong=is_strong):
        return None
    start, end = found.span()
    if (more := _MORE.match(text, end)) is not None:
        end = more.end()
    if is_strong and _starts_line(text, name_at) and (line := _LINE.match(text, at)):
        rest = text[end : line.end()]
        # A passphrase has spaces; a comment, another assignment or the rest of a program is no part of it.
        if rest.strip() and re.fullmatch(r"(?: [\w!?.,'-]+){1,12}\s*", rest):
            end += len(rest.rstrip())
    return start, end


def _is_bare_secret(text: str, found: re.Match[str], *, is_strong: bool) -> bool:
    value = found.group().rstrip(".:")
    follows = text[found.end() : found.end() + 1]
    if not value or _NO_SECRET.fullmatch(value) or follows in {"(", "["}:
        return False
    if _CODE.match(value) and not any(letter.isdigit() for letter in value):
        return False
    if re.fullmatch(r"[A-Za-z_][\w.]*", value) and _NAME.search(value) and not re.search(r"\d", value):
        return False  # password=password, as programs hand it on
    return is_strong or _looks_random(value, quoted=False)


def _looks_random(value: str, *, quoted: bool) -> bool:
    if len(value) < 8 or any(letter.isspace() for letter in value):
        return False
    return quoted or any(letter.isdigit() for letter in value)


def _starts_line(text: str, at: int) -> bool:
    return _LINE_START.search(text, max(0, at - 100), at) is not None
