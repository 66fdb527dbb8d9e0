"""Secrets that are known by their shape: keys and tokens of providers, private keys, JWTs, headers, passwords in URLs.

A pattern costs far more than a look whether some letters stand in a text at all. So each shape is searched for only in
a text that holds the letters which it can't be without, and most texts hold none of them. Whatever may go on without
bound stands at the end of a shape, or its start can't lie within itself; so the time is linear whatever the text.
"""

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from msgspec import Struct, structs

Span: TypeAlias = tuple[int, int, str]

# Of these letters are all shapes made, but those of private keys and of what stands at a known place.
_KEY_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+/=.:~-"
_RUNS = bytes(ord("a") if letter in _KEY_LETTERS else ord(" ") for letter in range(256))
_LEAST_RUN = 15


class _Shape(Struct, frozen=True):
    """The shape of a secret. Each that matches holds one of the texts `holds`, and so many key letters in a run; some
    must begin where a word begins."""

    kind: str
    at_word: bool
    holds: tuple[str, ...]
    run: int
    pattern: re.Pattern[str]


def _begins(kind: str, heads: str, rest: str, run: int = _LEAST_RUN) -> _Shape:
    """The shape that begins with one of the heads, wherever that stands."""
    holds = tuple(heads.split())
    pattern = re.compile(f"(?:{'|'.join(map(re.escape, holds))}){rest}", re.ASCII)
    return _Shape(kind, at_word=False, holds=holds, run=run, pattern=pattern)


def _word(kind: str, heads: str, rest: str, run: int = _LEAST_RUN) -> _Shape:
    """The shape that begins with one of the heads, where a word begins."""
    return structs.replace(_begins(kind, heads, rest, run), at_word=True)


def _holding(kind: str, text: str, run: int, pattern: str, *, at_word: bool = False) -> _Shape:
    """The shape that holds a text at another place than its start."""
    return _Shape(kind, at_word=at_word, holds=(text,), run=run, pattern=re.compile(pattern, re.ASCII))


_STRIPE_HEADS = "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_ pk_live_ pk_test_ pk_prod_"
_SHAPES = (
    _word("openai-key", "sk-proj- sk-svcacct- sk-admin- sk-None-", r"[A-Za-z0-9_-]{16,}"),
    _begins("anthropic-key", "sk-ant-", r"[A-Za-z0-9_-]{16,}"),
    _word("api-key", "sk-", r"(?=[A-Za-z_-]{0,80}+[0-9])[A-Za-z0-9_-]{20,}"),
    _word("api-key", "sk_", r"(?=[A-Za-z_]{0,80}+[0-9])[A-Za-z0-9]{32,}"),
    _begins("stripe-key", _STRIPE_HEADS, r"[A-Za-z0-9]{8,}"),
    _begins("stripe-key", "whsec_", r"[A-Za-z0-9+/=]{16,}"),
    _begins("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", r"[A-Za-z0-9]{30,}"),
    _begins("github-token", "github_pat_", r"[A-Za-z0-9_]{20,}"),
    _begins(
        "gitlab-token",
        "glpat- glptt- glcbt- gldt- glrt- glrtr- glsoat- glagent- gloas- glimt- glft- glffct- glwt-",
        r"[A-Za-z0-9_.-]{20,}",
    ),
    _begins("gitlab-token", "GR1348941", r"[A-Za-z0-9_-]{20,}", 29),
    _word("aws-key", "AKIA ASIA ABIA ACCA", r"[A-Z0-9]{16}(?![A-Za-z0-9])", 20),
    _word("aws-key", "ABSK", r"[A-Za-z0-9+/=]{60,}", 64),
    _begins("google-key", "AIza", r"[0-9A-Za-z_-]{35}", 39),
    _word("google-key", "ya29.", r"[0-9A-Za-z_-]{20,}"),
    _begins("google-key", "GOCSPX-", r"[A-Za-z0-9_-]{20,}"),
    _word("google-key", "1//0", r"[A-Za-z0-9_-]{30,}", 34),
    _begins("slack-token", "xox", r"[abeoprs](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}"),
    _begins("slack-token", "xapp-", r"[0-9]-[A-Za-z0-9-]{10,}"),
    _begins("slack-webhook", "hooks.slack.com/", r"(?:services|workflows|triggers)/[A-Za-z0-9/_-]{16,}"),
    _begins(
        "discord-webhook",
        "discord.com/api/webhooks/ discordapp.com/api/webhooks/",
        r"[0-9]{5,25}/[A-Za-z0-9_-]{16,}",
    ),
    _holding(
        "discord-token",
        ".",
        59,
        r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}",
        at_word=True,
    ),
    _word("huggingface-token", "hf_", r"[A-Za-z0-9]{20,}"),
    _begins("huggingface-token", "api_org_", r"[A-Za-z0-9]{20,}"),
    _begins("npm-token", "npm_", r"[A-Za-z0-9]{36,}"),
    _begins("pypi-token", "pypi-", r"[A-Za-z0-9_-]{32,}"),
    _holding("telegram-token", ":", 44, r"[0-9](?<![0-9][0-9])[0-9]{7,9}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    _begins("sendgrid-key", "SG.", r"[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,}"),
    _word("twilio-key", "SK AC", r"[0-9a-f]{32}(?![0-9A-Za-z])", 34),
    _holding("azure-key", "Q~", 37, r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,}"),
    _word("mailgun-key", "key-", r"[0-9a-f]{32}(?![0-9A-Za-z])"),
    _holding("mailchimp-key", "-us", 36, r"[0-9a-f]{32}-us[0-9]{1,2}(?![0-9A-Za-z])", at_word=True),
    _word("square-token", "sq0", r"[a-z]{3}-[A-Za-z0-9_-]{22,}", 29),
    _begins("shopify-token", "shpat_ shpca_ shppa_ shpss_ shpua_", r"[A-Fa-f0-9]{32,}"),
    _begins("digitalocean-token", "doo_v1_ dop_v1_ dor_v1_", r"[a-f0-9]{40,}"),
    _word("databricks-token", "dapi", r"[a-f0-9]{32,}", 36),
    _begins("api-key", "gsk_", r"[A-Za-z0-9]{30,}"),
    _word("api-key", "xai-", r"[A-Za-z0-9]{40,}"),
    _begins("api-key", "pplx-", r"[A-Za-z0-9]{30,}"),
    _word("api-key", "r8_", r"[A-Za-z0-9]{30,}"),
    _word("api-key", "fw_", r"[A-Za-z0-9]{20,}"),
    _begins("api-key", "nvapi-", r"[A-Za-z0-9_-]{40,}"),
    _begins("api-key", "tvly-", r"[A-Za-z0-9_-]{20,}"),
    _word("api-key", "BSA", r"(?=[A-Za-z_-]{0,40}+[0-9])[A-Za-z0-9_-]{27,40}(?![A-Za-z0-9_-])", 30),
    _begins("api-key", "tgp_v1_", r"[A-Za-z0-9_-]{30,}"),
    _begins("langsmith-key", "lsv2_pt_ lsv2_sk_", r"[a-f0-9]{32}[a-f0-9_]*"),
    _begins("linear-key", "lin_api_ lin_oauth_", r"[A-Za-z0-9]{30,}"),
    _begins("notion-token", "ntn_", r"[A-Za-z0-9]{30,}"),
    _word("notion-token", "secret_", r"[A-Za-z0-9]{43}(?![A-Za-z0-9])"),
    _begins("figma-token", "figd_", r"[A-Za-z0-9_-]{30,}"),
    _holding("airtable-token", "pat", 82, r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}", at_word=True),
    _begins("atlassian-token", "ATATT3", r"[A-Za-z0-9_=-]{50,}", 56),
    _begins("postman-key", "PMAK-", r"[a-f0-9]{24}-[a-f0-9]{34}"),
    _begins("newrelic-key", "NRAK-", r"[A-Z0-9]{27}"),
    _begins("grafana-token", "glsa_ glc_", r"[A-Za-z0-9+/=_]{32,}"),
    _begins("sentry-token", "sntrys_ sntryu_", r"[A-Za-z0-9+/=_-]{40,}"),
    _word("doppler-token", "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", r"[A-Za-z0-9._-]{40,}"),
    _word("vault-token", "hvs. hvb. hvr.", r"[A-Za-z0-9_-]{20,}"),
    _holding("terraform-token", ".atlasv1.", 63, r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,}", at_word=True),
    _begins("docker-token", "dckr_pat_ dckr_oat_", r"[A-Za-z0-9_-]{20,}"),
    _word("pulumi-token", "pul-", r"[a-f0-9]{40}"),
    _begins("rubygems-key", "rubygems_", r"[a-f0-9]{48}"),
    _word("supabase-key", "sbp_", r"[a-f0-9]{40,}"),
    _begins("supabase-key", "sb_secret_", r"[A-Za-z0-9_-]{20,}"),
    _begins("planetscale-token", "pscale_pw_ pscale_tkn_ pscale_oauth_", r"[A-Za-z0-9_.-]{30,}"),
    _word("dropbox-token", "sl.", r"[A-Za-z0-9_-]{100,}"),
    _word("facebook-token", "EAA", r"[A-Za-z0-9]{80,}", 83),
    _begins("heroku-key", "HRKU-", r"[A-Za-z0-9_-]{30,}"),
    _word("netlify-token", "nfp_", r"[A-Za-z0-9]{30,}"),
    _begins("age-key", "AGE-SECRET-KEY-", r"1[0-9A-Z]{50,}"),
    # The start can't lie within a run of its own letters, or each place in a long run would read it to the end.
    _begins(
        "jwt",
        "eyJ",
        r"(?:(?<![A-Za-z0-9_]eyJ)|(?<=\\[nrt]eyJ)|(?<=%[0-9A-Fa-f]{2}eyJ))"
        r"[A-Za-z0-9_-]{6,}+\.[A-Za-z0-9_-]{6,}+(?:\.[A-Za-z0-9_-]*+){0,3}",
    ),
)

# The kind; texts in small letters, all of one row of which a match holds; and what finds the part before a secret, and
# as group 1 the secret itself.
_PLACED: tuple[tuple[str, tuple[tuple[str, ...], ...], re.Pattern[str]], ...] = (
    (
        "authorization",
        (("authorization",),),
        re.compile(
            r"(?i:authorization)[\"'\\]{0,4}\s{0,4}+[:=]\s{0,4}+[\"'\\]{0,4}(?:(?i:bearer|basic|token|digest|negotiate"
            r"|apikey|api-key|bot|aws4-hmac-sha256)[ \t]{1,4}+)?((?:(?![\"'\\])[!-~]){4,})"
        ),
    ),
    (
        "authorization",
        (("bearer",), ("basic",)),
        re.compile(
            r"[Bb](?<!\w[Bb])(?i:earer|asic)[ \t]{1,4}+(?=[A-Za-z._~+/=-]{0,200}+[0-9=])([A-Za-z0-9._~+/=-]{8,}+)"
        ),
    ),
    (
        "cookie",
        (("cookie", ":", "="),),
        re.compile(r"(?im:^|[\"'\s])(?i:set-cookie|cookie)[\"']?:[ \t]{1,4}+[\"']?([\w.-]{1,60}+=[^\r\n\"'\\]+)"),
    ),
    ("password", (("://", "@"),), re.compile(r"://[^\s/@:\"'<>\\]{0,100}+:([^\s/\"'<>\\]{1,300})@")),
    ("token", (("://", "@"),), re.compile(r"://(?=[A-Za-z_-]{0,100}+[0-9])([A-Za-z0-9_-]{20,300}+)@")),
    (
        "password",
        (("login", "password"),),
        re.compile(r"[Ll](?<!\w[Ll])(?i:ogin)\s{1,8}+\S{1,200}+\s{1,8}+(?i:password)\s{1,8}+(\S{1,300})"),
    ),
    (
        "password",
        (("-",),),
        re.compile(
            r"(?i)-(?<![\w-]-)-?(?:pass(?:word|wd|phrase)?|pwd|(?:[a-z]{1,20}-){0,3}(?:token|secret|password|api-?key"
            r"|access-?key))[ \t]{1,4}+[\"']?(?![-\s\"'])([^\s\"']{3,300})"
        ),
    ),
    (
        "password",
        (("-", ":"),),
        re.compile(r"-(?<!\S-)(?:u|-user)[ =]?[\"']?[^\s:\"']{1,64}+:(?![0-9]{1,6}(?:\s|$))([^\s\"']{1,300})"),
    ),
    ("password", (("sshpass",),), re.compile(r"(?<!\S)sshpass[ \t]{1,4}+-p[ \t]{0,4}+[\"']?([^\s\"']{1,300})")),
    *(
        (
            "signature",
            (("=", sign),),
            re.compile(
                rf"(?i:[{sign}](?:amp;)?(?:sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature|key|code"
                r"|auth))=([A-Za-z0-9%_.~+/=-]{12,})"
            ),
        )
        for sign in "?&"
    ),
)

_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY = re.compile(r"[A-Za-z0-9+/=\s\\:,.()-]*+")
_PUTTY = re.compile(r"(?m)^Private-Lines: [0-9]{1,4}\r?\n((?:[A-Za-z0-9+/=]{1,80}(?:\r?\n|$))+)")

# The letters beside those of ASCII that a pattern without case takes for one of them.
_TAKEN_FOR = (("\u0130", "i"), ("\u0131", "i"), ("\u017f", "s"), ("\u212a", "k"))

# What a text may hold is told by few looks at it: a head that ends in one of these signs is only searched for if its
# last letters stand before such a sign, and all others only if some run of key letters is long enough.
_SIGNS = "-_."
_HEADS = tuple((head, place) for place, shape in enumerate(_SHAPES) for head in shape.holds)
_SIGNED = {
    sign: {
        end: tuple((head, place) for head, place in _HEADS if head.endswith(end + sign))
        for end in {head[-3:-1] for head, _ in _HEADS if head.endswith(sign) and len(head) > 2}
    }
    for sign in _SIGNS
}
_UNSIGNED = {
    run: tuple(
        (head, place)
        for head, place in _HEADS
        if _SHAPES[place].run == run and (head[-1] not in _SIGNS or len(head) <= 2)
    )
    for run in sorted({shape.run for shape in _SHAPES})
}


def shaped_secrets(text: str) -> Iterator[Span]:
    """Where secrets of known shapes stand in the text, in no order; spans may overlap."""
    yield from _private_keys(text)
    for shape in _shapes_for(text):
        for found in shape.pattern.finditer(text):
            if not shape.at_word or starts_word(text, found.start()):
                yield found.start(), found.end(), shape.kind
    for kind, placed in _placed_for(text):
        for found in placed.finditer(text):
            yield found.start(1), found.end(1), kind


def in_small_letters(text: str) -> str:
    """The text with the letters of ASCII in small, and all others as they are."""
    if text.isascii():
        return text.lower()
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def _shapes_for(text: str) -> Iterable[_Shape]:
    """The shapes that may match somewhere in the text."""
    places: set[int] = set()
    for sign, heads_by_end in _SIGNED.items():
        for end in heads_by_end.keys() & {piece[-2:] for piece in text.split(sign)}:
            places.update(place for head, place in heads_by_end[end] if head in text)
    runs = text.encode("ascii", "replace").translate(_RUNS)
    for run, heads in _UNSIGNED.items():
        if b"a" * run not in runs:
            break
        places.update(place for head, place in heads if head in text)
    return [_SHAPES[place] for place in sorted(places)]


def _placed_for(text: str) -> Iterable[tuple[str, re.Pattern[str]]]:
    """The kinds and patterns of `_PLACED` that may match somewhere in the text."""
    small = in_small_letters(text)
    if not small.isascii():
        for letter, taken_for in _TAKEN_FOR:
            small = small.replace(letter, taken_for)
    for kind, holds, pattern in _PLACED:
        if any(all(literal in small for literal in row) for row in holds):
            yield kind, pattern


def starts_word(text: str, at: int) -> bool:
    """Whether a word begins at this place: also right after an escape such as the two characters \\n, or a %3D."""
    if at == 0 or not (text[at - 1].isalnum() or text[at - 1] == "_"):
        return True
    if at >= 2 and text[at - 2] == "\\" and text[at - 1] in "nrtbf":
        return True
    return at >= 3 and text[at - 3] == "%"


def _private_keys(text: str) -> Iterator[Span]:
    if "PRIVATE KEY" in text:
        yield from _armoured_keys(text)
    if "Private-Lines: " in text:
        for found in _PUTTY.finditer(text):
            yield found.start(1), found.end(1), "private-key"


def _armoured_keys(text: str) -> Iterator[Span]:
    end = 0
    ends_left = True
    while begun := _KEY_BEGINS.search(text, end):
        ended = _KEY_ENDS.search(text, begun.end()) if ends_left else None
        ends_left = ended is not None
        if ended is None or "\0" in text[begun.end() : ended.start()]:
            # A key that was cut off is a key all the same.
            body = _KEY_BODY.match(text, begun.end())
            end = begun.end() if body is None else body.end()
        else:
            end = ended.end()
        yield begun.start(), end, "private-key"
