"""Secrets that are known by their shape: keys and tokens of providers, private keys, JWTs, headers, passwords in URLs.

A shape begins with letters that are searched for quickly. Whatever may go on without bound stands at its end, or its
start can't lie within itself; so the time is linear whatever the text.
"""

import re
from collections.abc import Iterator
from typing import TypeAlias

Span: TypeAlias = tuple[int, int, str]

# The kind, whether it must begin where a word begins, and the shape.
_SHAPES: tuple[tuple[str, bool, str], ...] = (
    ("openai-key", True, r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{16,}"),
    ("anthropic-key", False, r"sk-ant-[A-Za-z0-9_-]{16,}"),
    ("api-key", True, r"sk-(?=[A-Za-z_-]{0,80}+[0-9])[A-Za-z0-9_-]{20,}"),
    ("api-key", True, r"sk_(?=[A-Za-z_]{0,80}+[0-9])[A-Za-z0-9]{32,}"),
    ("stripe-key", False, r"(?:sk|rk|pk)_(?:live|test|prod)_[A-Za-z0-9]{8,}"),
    ("stripe-key", False, r"whsec_[A-Za-z0-9+/=]{16,}"),
    ("github-token", False, r"gh[pousr]_[A-Za-z0-9]{30,}"),
    ("github-token", False, r"github_pat_[A-Za-z0-9_]{20,}"),
    ("gitlab-token", False, r"gl(?:pat|ptt|cbt|dt|rt|rtr|soat|agent|oas|imt|ft|ffct|wt)-[A-Za-z0-9_.-]{20,}"),
    ("gitlab-token", False, r"GR1348941[A-Za-z0-9_-]{20,}"),
    ("aws-key", True, r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("aws-key", True, r"ABSK[A-Za-z0-9+/=]{60,}"),
    ("google-key", False, r"AIza[0-9A-Za-z_-]{35}"),
    ("google-key", True, r"ya29\.[0-9A-Za-z_-]{20,}"),
    ("google-key", False, r"GOCSPX-[A-Za-z0-9_-]{20,}"),
    ("google-key", True, r"1//0[A-Za-z0-9_-]{30,}"),
    ("slack-token", False, r"xox[abeoprs](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}"),
    ("slack-token", False, r"xapp-[0-9]-[A-Za-z0-9-]{10,}"),
    ("slack-webhook", False, r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{16,}"),
    ("discord-webhook", False, r"discord(?:app)?\.com/api/webhooks/[0-9]{5,25}/[A-Za-z0-9_-]{16,}"),
    ("discord-token", True, r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"),
    ("huggingface-token", True, r"hf_[A-Za-z0-9]{20,}"),
    ("huggingface-token", False, r"api_org_[A-Za-z0-9]{20,}"),
    ("npm-token", False, r"npm_[A-Za-z0-9]{36,}"),
    ("pypi-token", False, r"pypi-[A-Za-z0-9_-]{32,}"),
    ("telegram-token", False, r"(?<![0-9])[0-9]{8,10}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    ("sendgrid-key", False, r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,}"),
    ("twilio-key", True, r"(?:SK|AC)[0-9a-f]{32}(?![0-9A-Za-z])"),
    ("azure-key", False, r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,}"),
    ("mailgun-key", True, r"key-[0-9a-f]{32}(?![0-9A-Za-z])"),
    ("mailchimp-key", True, r"[0-9a-f]{32}-us[0-9]{1,2}(?![0-9A-Za-z])"),
    ("square-token", True, r"sq0[a-z]{3}-[A-Za-z0-9_-]{22,}"),
    ("shopify-token", False, r"shp(?:at|ca|pa|ss|ua)_[A-Fa-f0-9]{32,}"),
    ("digitalocean-token", False, r"do[opr]_v1_[a-f0-9]{40,}"),
    ("databricks-token", True, r"dapi[a-f0-9]{32,}"),
    ("api-key", False, r"gsk_[A-Za-z0-9]{30,}"),
    ("api-key", True, r"xai-[A-Za-z0-9]{40,}"),
    ("api-key", False, r"pplx-[A-Za-z0-9]{30,}"),
    ("api-key", True, r"r8_[A-Za-z0-9]{30,}"),
    ("api-key", True, r"fw_[A-Za-z0-9]{20,}"),
    ("api-key", False, r"nvapi-[A-Za-z0-9_-]{40,}"),
    ("api-key", False, r"tvly-[A-Za-z0-9_-]{20,}"),
    ("api-key", True, r"BSA(?=[A-Za-z_-]{0,40}+[0-9])[A-Za-z0-9_-]{27,40}(?![A-Za-z0-9_-])"),
    ("api-key", False, r"tgp_v1_[A-Za-z0-9_-]{30,}"),
    ("langsmith-key", False, r"lsv2_(?:pt|sk)_[a-f0-9]{32}[a-f0-9_]*"),
    ("linear-key", False, r"lin_(?:api|oauth)_[A-Za-z0-9]{30,}"),
    ("notion-token", False, r"ntn_[A-Za-z0-9]{30,}"),
    ("notion-token", True, r"secret_[A-Za-z0-9]{43}(?![A-Za-z0-9])"),
    ("figma-token", False, r"figd_[A-Za-z0-9_-]{30,}"),
    ("airtable-token", True, r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}"),
    ("atlassian-token", False, r"ATATT3[A-Za-z0-9_=-]{50,}"),
    ("postman-key", False, r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    ("newrelic-key", False, r"NRAK-[A-Z0-9]{27}"),
    ("grafana-token", False, r"gl(?:sa|c)_[A-Za-z0-9+/=_]{32,}"),
    ("sentry-token", False, r"sntry[su]_[A-Za-z0-9+/=_-]{40,}"),
    ("doppler-token", True, r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{40,}"),
    ("vault-token", True, r"hv[sbr]\.[A-Za-z0-9_-]{20,}"),
    ("terraform-token", True, r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,}"),
    ("docker-token", False, r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    ("pulumi-token", True, r"pul-[a-f0-9]{40}"),
    ("rubygems-key", False, r"rubygems_[a-f0-9]{48}"),
    ("supabase-key", True, r"sbp_[a-f0-9]{40,}"),
    ("supabase-key", False, r"sb_secret_[A-Za-z0-9_-]{20,}"),
    ("planetscale-token", False, r"pscale_(?:pw|tkn|oauth)_[A-Za-z0-9_.-]{30,}"),
    ("dropbox-token", True, r"sl\.[A-Za-z0-9_-]{100,}"),
    ("facebook-token", True, r"EAA[A-Za-z0-9]{80,}"),
    ("heroku-key", False, r"HRKU-[A-Za-z0-9_-]{30,}"),
    ("netlify-token", True, r"nfp_[A-Za-z0-9]{30,}"),
    ("age-key", False, r"AGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    # The start can't lie within a run of its own letters, or each place in a long run would read it to the end.
    (
        "jwt",
        False,
        r"(?:(?<![A-Za-z0-9_])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
        r"eyJ[A-Za-z0-9_-]{6,}+\.[A-Za-z0-9_-]{6,}+(?:\.[A-Za-z0-9_-]*+){0,3}",
    ),
)
_COMPILED = tuple((kind, at_word, re.compile(shape, re.ASCII)) for kind, at_word, shape in _SHAPES)

# Each finds the part before a secret, as group 1 the secret itself.
_PLACED: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "authorization",
        re.compile(
            r"(?i:authorization)[\"'\\]{0,4}\s{0,4}+[:=]\s{0,4}+[\"'\\]{0,4}(?:(?i:bearer|basic|token|digest|negotiate"
            r"|apikey|api-key|bot|aws4-hmac-sha256)[ \t]{1,4}+)?((?:(?![\"'\\])[!-~]){4,})"
        ),
    ),
    (
        "authorization",
        re.compile(r"(?i:\b(?:bearer|basic))[ \t]{1,4}+(?=[A-Za-z._~+/=-]{0,200}+[0-9=])([A-Za-z0-9._~+/=-]{8,}+)"),
    ),
    (
        "cookie",
        re.compile(r"(?im:^|[\"'\s])(?i:set-cookie|cookie)[\"']?:[ \t]{1,4}+[\"']?([\w.-]{1,60}+=[^\r\n\"'\\]+)"),
    ),
    ("password", re.compile(r"://[^\s/@:\"'<>\\]{0,100}+:([^\s/\"'<>\\]{1,300})@")),
    ("token", re.compile(r"://(?=[A-Za-z_-]{0,100}+[0-9])([A-Za-z0-9_-]{20,300}+)@")),
    ("password", re.compile(r"(?i:\blogin)\s{1,8}+\S{1,200}+\s{1,8}+(?i:password)\s{1,8}+(\S{1,300})")),
    (
        "password",
        re.compile(
            r"(?i)(?<![\w-])--?(?:pass(?:word|wd|phrase)?|pwd|(?:[a-z]{1,20}-){0,3}(?:token|secret|password|api-?key"
            r"|access-?key))[ \t]{1,4}+[\"']?(?![-\s\"'])([^\s\"']{3,300})"
        ),
    ),
    (
        "password",
        re.compile(r"(?<!\S)(?:-u|--user)[ =]?[\"']?[^\s:\"']{1,64}+:(?![0-9]{1,6}(?:\s|$))([^\s\"']{1,300})"),
    ),
    ("password", re.compile(r"(?<!\S)sshpass[ \t]{1,4}+-p[ \t]{0,4}+[\"']?([^\s\"']{1,300})")),
    (
        "signature",
        re.compile(
            r"(?i:[?&](?:amp;)?(?:sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature|key|code|auth))="
            r"([A-Za-z0-9%_.~+/=-]{12,})"
        ),
    ),
)

_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY = re.compile(r"[A-Za-z0-9+/=\s\\:,.()-]*+")
_PUTTY = re.compile(r"(?m)^Private-Lines: [0-9]{1,4}\r?\n((?:[A-Za-z0-9+/=]{1,80}(?:\r?\n|$))+)")


def shaped_secrets(text: str) -> Iterator[Span]:
    """Where secrets of known shapes stand in the text, in no order; spans may overlap."""
    yield from _private_keys(text)
    for kind, at_word, shape in _COMPILED:
        for found in shape.finditer(text):
            if not at_word or starts_word(text, found.start()):
                yield found.start(), found.end(), kind
    for kind, placed in _PLACED:
        for found in placed.finditer(text):
            yield found.start(1), found.end(1), kind


def starts_word(text: str, at: int) -> bool:
    """Whether a word begins at this place: also right after an escape such as the two characters \\n, or a %3D."""
    if at == 0 or not (text[at - 1].isalnum() or text[at - 1] == "_"):
        return True
    if at >= 2 and text[at - 2] == "\\" and text[at - 1] in "nrtbf":
        return True
    return at >= 3 and text[at - 3] == "%"


def _private_keys(text: str) -> Iterator[Span]:
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
    for found in _PUTTY.finditer(text):
        yield found.start(1), found.end(1), "private-key"
