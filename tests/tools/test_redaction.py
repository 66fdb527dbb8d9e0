"""Secrets go out of text however they are written; all other text stays as it was. None of these secrets is real."""

import base64
import html
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hilt.tools import named_secrets, personal_facts, redaction, secret_shapes
from hilt.tools.redaction import Redaction, redact

SECRETS = Redaction()
PERSONAL = Redaction(secrets=False, personal=True)
PATHS = Redaction(secrets=False, paths=True)
ALL = Redaction(personal=True, paths=True, known=("open sesame/1+ü",))


def made(size: int, letters: str = "aZ3kQ9xW7bR2") -> str:
    """A part of a key. Whole ones are not written here, so that nobody's scanner takes this file for a leak."""
    return (letters * (size // len(letters) + 1))[:size]


HEX = "0a1b2c3d4e5f6789"
SHAPES = [
    ("openai-key", f"sk-proj-{made(48)}"),
    ("api-key", f"sk-{made(48)}"),
    ("anthropic-key", f"sk-ant-api03-{made(80)}-{made(8)}"),
    ("stripe-key", f"sk_live_{made(24)}"),
    ("stripe-key", f"whsec_{made(32)}"),
    ("github-token", f"ghp_{made(36)}"),
    ("github-token", f"github_pat_{made(22)}_{made(59)}"),
    ("gitlab-token", f"glpat-{made(20)}"),
    ("aws-key", f"AKIA{made(16, 'ABCD2345')}"),
    ("google-key", f"AIza{made(35)}"),
    ("google-key", f"GOCSPX-{made(28)}"),
    ("google-key", f"ya29.{made(60)}"),
    ("slack-token", f"xoxb-{made(12, '123')}-{made(24)}"),
    ("slack-token", f"xapp-1-{made(40)}"),
    ("discord-token", f"M{made(25)}.{made(6)}.{made(38)}"),
    ("huggingface-token", f"hf_{made(34)}"),
    ("npm-token", f"npm_{made(36)}"),
    ("pypi-token", f"pypi-AgEIcHlwaS5vcmc{made(60)}"),
    ("telegram-token", f"123456789:{made(35)}"),
    ("sendgrid-key", f"SG.{made(22)}.{made(43)}"),
    ("twilio-key", f"SK{made(32, HEX)}"),
    ("azure-key", "aB1" + "8Q~" + made(34)),
    ("mailgun-key", f"key-{made(32, HEX)}"),
    ("mailchimp-key", f"{made(32, HEX)}-us12"),
    ("shopify-token", f"shpat_{made(32, HEX)}"),
    ("digitalocean-token", f"dop_v1_{made(64, HEX)}"),
    ("databricks-token", f"dapi{made(32, HEX)}"),
    ("api-key", f"gsk_{made(52)}"),
    ("api-key", f"xai-{made(80)}"),
    ("vault-token", f"hvs.{made(24)}"),
    ("jwt", f"eyJ{made(20)}.eyJ{made(40)}.{made(43)}"),
    ("private-key", f"-----BEGIN RSA PRIVATE KEY-----\n{made(64)}\n{made(30)}==\n-----END RSA PRIVATE KEY-----"),
    ("private-key", f"-----BEGIN OPENSSH PRIVATE KEY-----\n{made(64)}\n{made(30)}"),
]
AROUND = ["{}", "see {} there", "({})", '"{}"', "a\n{}\nb", "x={}", "line\\n{}\\nline", "<b>{}</b>", "q%3D{}"]


@pytest.mark.parametrize(("kind", "secret"), SHAPES, ids=[f"{kind}-{text[:6]}" for kind, text in SHAPES])
def test_shapes_of_providers(kind: str, secret: str) -> None:
    for around in AROUND:
        shown = redact(around.format(secret), SECRETS)
        assert secret[-12:].strip("-=\n") not in shown
        assert shown.startswith(around.partition("{}")[0])
        assert f"[redacted:{kind}]" in shown or around == "x={}"


NAMED = [
    ("password=hunter2", "password=[redacted:password]"),
    ("PASSWORD = hunter2 ; comment", "PASSWORD = [redacted:password] ; comment"),
    ("password: correct horse battery staple", "password: [redacted:password]"),
    ("PASSWORD=ab,c{d", "PASSWORD=[redacted:password]"),
    ("  password: abc,", "  password: [redacted:password],"),
    ("DB_PASSWORD='two words'", "DB_PASSWORD='[redacted:password]'"),
    ("export API_KEY=abc", "export API_KEY=[redacted:secret]"),
    ("api_key: abc123", "api_key: [redacted:secret]"),
    ("apiKey = `abc`", "apiKey = `[redacted:secret]`"),
    ("aws_secret_access_key = wJalr/XUtn+FEMI=", "aws_secret_access_key = [redacted:secret]"),
    ("GITHUB_TOKEN=abcdef", "GITHUB_TOKEN=[redacted:token]"),
    ("token: abcdef0123", "token: [redacted:token]"),
    ("  secret: s3cr3t", "  secret: [redacted:secret]"),
    ("client_secret=abc&grant=code", "client_secret=[redacted:secret]&grant=code"),
    ("https://x.test/a?api_key=abc&n=1", "https://x.test/a?api_key=[redacted:secret]&n=1"),
    ("https://x.test/a?sig=abcdefghijkl%2Bm&n=1", "https://x.test/a?sig=[redacted:signature]&n=1"),
    ('log {"password": "a \\" b", "n": 1} end', 'log {"password": "[redacted:password]", "n": 1} end'),
    ('say "{\\"token\\": \\"abcdefgh\\"}" end', 'say "{\\"token\\": \\"[redacted:token]\\"}" end'),
    ("Server=db;User Id=sa;Password=p@ss!;Port=1", "Server=db;User Id=sa;Password=[redacted:password];Port=1"),
    ("AccountName=a;AccountKey=abc+/d==;x=1", "AccountName=a;AccountKey=[redacted:secret];x=1"),
    ("postgres://bob:pa@ss@db/x", "postgres://bob:[redacted:password]@db/x"),
    ("redis://:pass@db:6379/0", "redis://:[redacted:password]@db:6379/0"),
    ("Authorization: Bearer abcd", "Authorization: Bearer [redacted:authorization]"),
    ("authorization: Basic Ym9iOnB3", "authorization: Basic [redacted:authorization]"),
    ("-H 'Authorization: token abcdef'", "-H 'Authorization: token [redacted:authorization]'"),
    ("X-Api-Key: abcdef", "X-Api-Key: [redacted:secret]"),
    ("Cookie: session=abc; other=def", "Cookie: [redacted:cookie]"),
    ("machine h login bob password s3", "machine h login bob password [redacted:password]"),
    ("machine h\n  login bob\n  password s3\n", "machine h\n  login bob\n  password [redacted:password]\n"),
    ("curl -u bob:s3cret http://x", "curl -u bob:[redacted:password] http://x"),
    ("tool --password hunter2 go", "tool --password [redacted:password] go"),
    ("tool --api-key=hunter2 go", "tool --api-key=[redacted:secret] go"),
]


@pytest.mark.parametrize(("text", "wanted"), NAMED, ids=[text[:25] for text, _ in NAMED])
def test_secrets_with_a_name(text: str, wanted: str) -> None:
    assert redact(text, SECRETS) == wanted
    assert redact(wanted, SECRETS) == wanted


HARMLESS = [
    "The token in this sentence is a word, and so is the secret of the secretary.",
    "max_tokens=512, total_tokens: 1234, token_count: 99, tokenizer: gpt2, tokens = 12345678",
    "123e4567-e89b-12d3-a456-426614174000",
    "commit 5204298f1bdb77b3c49a3a89e26870de749f0e1a2b3c4d5 and sha256:" + made(64, HEX),
    "ISBN 978-3-16-148410-0, version 10.15.7.1, v1.2.3.4, release 1.2.3.4, 2026-11-21T15:31:35Z",
    "password: str = None, token: str | None = None, secret=None, api_key=os.environ['KEY']",
    "login(password=password, token=self.token, api_key=get_key())",
    "password=${PASSWORD} token=$TOKEN api_key=<your-api-key> secret=**** key={{ key }}",
    "PWD=/home/anna OLDPWD=/tmp",
    "a bearer authentication scheme and basic authentication",
    "see https://example.com:8080/users/@me and git@github.com:a/b.git and http://host/?q=a:b@c",
    "task-0123456789abcdef0123 disk-partition-0123456789 scikit sk-learn risk-averse",
    "docker run -u 1000:1000 image; std::key == value; dict[key] = 1; primary_key=True; keyboard: us",
    "password_policy: strict\npassword_length = 12\npassword-reset: no",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n-----BEGIN PUBLIC KEY-----\nMIIB\n",
    "temperatures 1234567890123456, order 4111111111111112, 12:30:45, 1,234,567.89",
    "0.1 0.12345678901 1e-10 1700000000 1700000000000 3.141592653589793 127.0.0.1 ::1",
    "The meeting on 2026-11-21 costs 1200-1500 in room 12-34, see pages 100-200 and 5551234.",
    "Secret: The best of them; the password: at least 8 letters; password: too short; password: must have a digit",
    "and/or 1/2 w/o https://x.test/home/anna/a a//b </p> // comment",
]


@pytest.mark.parametrize("text", HARMLESS, ids=[text[:25] for text in HARMLESS])
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text, SECRETS) == text
    assert redact(json.dumps({"a": [text]}), SECRETS) == json.dumps({"a": [text]})


PERSONAL_FACTS = [
    ("mail anna.b+c@mail.example.co.uk!", "mail [redacted:email]!"),
    ("<jürgen@müller.de>", "<[redacted:email]>"),
    ("call +49 170 1234567 or +1 (212) 555-0123", "call [redacted:phone] or [redacted:phone]"),
    ("(212) 555-0123, 212-555-0123, 089/1234567", "[redacted:phone], [redacted:phone], [redacted:phone]"),
    ("card 4111 1111 1111 1111, 378282246310005.", "card [redacted:card], [redacted:card]."),
    ("5555-5555-5555-4444", "[redacted:card]"),
    ("IBAN DE89 3704 0044 0532 0130 00 AND GB82WEST12345698765432", "IBAN [redacted:iban] AND [redacted:iban]"),
    ("ssn 123-45-6789", "ssn [redacted:ssn]"),
    ("from 203.0.113.7:80 and 2001:db8::1, fe80::1", "from [redacted:ip]:80 and [redacted:ip], [redacted:ip]"),
]


@pytest.mark.parametrize(("text", "wanted"), PERSONAL_FACTS, ids=[text[:25] for text, _ in PERSONAL_FACTS])
def test_personal_facts(text: str, wanted: str) -> None:
    assert redact(text, PERSONAL) == wanted
    assert redact(text, SECRETS) == text


@pytest.mark.parametrize(
    "text",
    [text for text in HARMLESS if "@github" not in text] + ["DE88 3704 0044 0532 0130 00", "000-12-3456", "4111"],
)
def test_numbers_are_not_personal_by_themselves(text: str) -> None:
    assert redact(text, PERSONAL) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("in /home/anna/notes.txt:12", "in [redacted:path]:12"),
        ("/Users/Anna Smith/Doc.txt", "[redacted:path]"),
        (r"C:\Users\Anna\x.txt and D:/work/x", "[redacted:path] and [redacted:path]"),
        (r"\\server\share\x", "[redacted:path]"),
        ("file:///etc/passwd", "file://[redacted:path]"),
        ("~anna/x", "[redacted:path]"),
        ('{"path": "/home/anna/a b/c"}', '{"path": "[redacted:path]"}'),
        ("src/hilt/a.py ./b ../c ~/d", "src/hilt/a.py ./b ../c ~/d"),
        (HARMLESS[-1], HARMLESS[-1]),
    ],
)
def test_paths(text: str, wanted: str) -> None:
    assert redact(text, PATHS) == wanted


KNOWN = 'open "sesame"/1+ü'


@pytest.mark.parametrize(
    "text",
    [
        KNOWN,
        json.dumps(KNOWN),
        json.dumps(KNOWN, ensure_ascii=False),
        json.dumps({"a": json.dumps([KNOWN])}),
        "broken {" + json.dumps(KNOWN),
        "twice {" + json.dumps(json.dumps(KNOWN)),
        quote(KNOWN),
        quote(KNOWN, safe=""),
        quote(KNOWN, safe="").lower(),
        html.escape(KNOWN),
        KNOWN.encode().hex(),
        repr({"a": KNOWN}),
    ],
)
def test_a_known_secret_is_found_however_it_is_written(text: str) -> None:
    shown = redact(text, Redaction(secrets=False, known=("abcd", KNOWN)))
    assert "[redacted:known]" in shown
    assert "sesame" not in shown


@pytest.mark.parametrize("before", ["", "x", "xy", "user:"])
@pytest.mark.parametrize("after", ["", "z", "zz"])
@pytest.mark.parametrize("coded", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_known_secret_is_found_within_base64(before: str, after: str, coded: Any) -> None:
    text = coded(f"{before}{KNOWN}{after}".encode()).decode()
    shown = redact(f"blob {text} end", Redaction(secrets=False, known=(KNOWN,)))
    assert "[redacted:known]" in shown
    assert text[8:20] not in shown


def test_short_known_secrets_and_parts_of_markers_are_left_alone() -> None:
    what = Redaction(known=("", "a", "redacted", "password"))
    assert redact("a password=hunter2", what) == "a [redacted:known]=[redacted:password]"
    assert redact("a [redacted:known]=[redacted:password]", what) == "a [redacted:known]=[redacted:password]"


def test_json_keeps_its_form_where_nothing_goes() -> None:
    text = '{ "a" : [1.50, "\\u00fc\\/", null],\n "password" : "x1" , "pins": {"secret": 12}}'
    wanted = text.replace('"x1"', '"[redacted:password]"').replace("12", '"[redacted:secret]"')
    assert redact(text, SECRETS) == wanted


@pytest.mark.parametrize("inner", ['{"password": "a\\"b"}', '{"secret": 12}', "[4111111111111111]"])
def test_json_of_any_depth_stays_json(inner: str) -> None:
    opening, closing = "[" * 50_000, "]" * 50_000
    shown = redact(opening + inner + closing, ALL)
    assert shown.startswith(opening)
    assert shown.endswith(closing)
    assert "[redacted:" in json.dumps(json.loads(shown[50_000:-50_000]))
    assert redact(f"[{'9' * 5000}, {inner}]", ALL).startswith("[999")


@pytest.mark.parametrize("end", ["", "]", "}" * 60_000, '"\\q"' + "]" * 50_000, 'nonsense,"' + "]" * 50_000, "\0"])
def test_broken_json_is_text(end: str) -> None:
    assert redact("[" * 50_000 + " password=hunter2 " + end, SECRETS).count("[redacted:password]") == 1


PIECES = st.sampled_from(
    [secret for _, secret in SHAPES]
    + [text for text, _ in NAMED + PERSONAL_FACTS]
    + [
        "/home/anna/x",
        "open sesame/1+ü",
        "[redacted:a]",
        "[redacted:",
        "]",
        '"',
        "\\",
        "\\n",
        "\n",
        "\0",
        " ",
        ":",
        "=",
        "@",
        "-",
    ]
    + ["password", "token", "sk-", "eyJ", "://", "4", "+", "{", "}", "[", "'", "&", ".", ",", "AKIA", "\ud800"]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=8).map("".join)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.just(4111111111111111)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(TEXTS, st.sampled_from(["password", "token", "n"])), inner, max_size=4),
        inner.map(json.dumps),
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=300)
@given(text=TEXTS)
@example(text="AKIAABCD2345ABCD2345AKIAABCD2345ABCD2345")
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redact(text, ALL)
    assert redact(once, ALL) == once


def shape_of(value: Any) -> Any:
    """The value without what redaction may change: its strings, numbers and names."""
    match value:
        case dict():
            return [shape_of(member) for member in value.values()]
        case list():
            return [shape_of(member) for member in value]
        case None | bool():
            return value
        case _:
            return "scalar"


@settings(deadline=None, max_examples=300)
@given(value=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_json_stays_json(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps([value], ensure_ascii=ascii_only, indent=indent)
    once = redact(text, ALL)
    names: list[str] = []

    def noted(pairs: list[tuple[str, Any]]) -> list[Any]:
        names.extend(name for name, _ in pairs)
        return [shape_of(member) for _, member in pairs]

    assert shape_of(json.loads(once, object_pairs_hook=noted)) == shape_of([value])
    assert redact(once, ALL) == once


@settings(deadline=None)
@given(secret=st.sampled_from([secret for _, secret in SHAPES]), before=st.text(), after=st.text())
def test_no_neighbour_in_json_saves_a_secret(secret: str, before: str, after: str) -> None:
    text = json.dumps([before, {"a": f"x {secret} y"}, after])
    assert secret not in json.loads(redact(text, SECRETS))[1]["a"]


@settings(deadline=None)
@given(text=st.text(st.characters(categories=["L", "Zs", "Po"]), max_size=200))
def test_text_of_letters_alone_stays(text: str) -> None:
    spaced = " ".join(text.replace("@", "").replace("/", "").replace(":", "").replace("\\", "").split())
    assert redact(spaced, SECRETS) == spaced


def ungated(text: str, what: Redaction) -> str:
    """The text as it is redacted where everything is searched for in every text."""
    everywhere = [(kind, pattern) for kind, _, pattern in secret_shapes._PLACED]
    all_held = personal_facts._Holds(*[True] * len(personal_facts._Holds.__struct_fields__))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_is_clean", lambda *_: False)
        patch.setattr(secret_shapes, "_shapes_for", lambda _: secret_shapes._SHAPES)
        patch.setattr(secret_shapes, "_placed_for", lambda _: everywhere)
        patch.setattr(personal_facts, "_holds", lambda _: all_held)
        patch.setattr(named_secrets, "_starts", lambda small: range(len(small)))
        patch.setattr(named_secrets, "_HEADS", ("",))
        patch.setattr(named_secrets, "_SIGNS", ("",))
        return redact(text, what)


ROWS = [around.format(secret) for _, secret in SHAPES for around in AROUND]
ROWS += [text for row in NAMED + PERSONAL_FACTS for text in row] + HARMLESS
ROWS += [
    "ba\u017fic abcd1234=",
    "coo\u212aie: a=b",
    "author\u0131zation: abcdef",
    "https://x.test/?\u017fig=abcdefghijklm",
]
ROWS += [
    '{"max_tokens": 5, "token": null}',
    '["a", {"secrets": [["x", "y1"]]}]',
    '{"a": "{\\"tokens\\": [\\"abcdefgh\\"]}"}',
]
ROWS += ['["login", "password x"]', '{"\\u0070assword": "\\u0078"}', '["s\\u006b-' + made(40) + '", ":\\/\\/a:b@c"]']
ROWS += ["2001:db8:1:2:3:4:5:6", "64:ff9b:1:2:3:4:192.0.2.1", "NO9386011117947", "123 45 6789", "0049 170 1234567"]
ROWS += ["+4912345678", "089 123456", "1.212.555.0123", "1 (212) 555-0123", "066-12-3456", "660-12-3456"]


@pytest.mark.parametrize("what", [SECRETS, PERSONAL, PATHS, ALL], ids=["secrets", "personal", "paths", "all"])
def test_looking_for_letters_first_changes_nothing(what: Redaction) -> None:
    for row in ROWS:
        for text in (row, row.upper(), json.dumps({"a": [row], row: 1})):
            assert redact(text, what) == ungated(text, what)


@settings(deadline=None, max_examples=300)
@given(text=st.one_of(TEXTS, VALUES.map(json.dumps)), what=st.sampled_from([SECRETS, PERSONAL, PATHS, ALL]))
def test_looking_for_letters_first_changes_nothing_in_any_text(text: str, what: Redaction) -> None:
    assert redact(text, what) == ungated(text, what)


SHAPE_IDS = [f"{shape.kind}-{shape.holds[0]}" for shape in secret_shapes._SHAPES]


@pytest.mark.parametrize("shape", secret_shapes._SHAPES, ids=SHAPE_IDS)
@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(drawn=st.data())
def test_a_text_with_a_secret_is_searched_for_its_shape(shape: Any, drawn: st.DataObject) -> None:
    assert shape in secret_shapes._shapes_for(drawn.draw(st.from_regex(shape.pattern)))


@pytest.mark.parametrize("place", range(len(secret_shapes._PLACED)))
@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(drawn=st.data())
def test_a_text_with_a_placed_secret_is_searched_for_it(place: int, drawn: st.DataObject) -> None:
    kind, _, pattern = secret_shapes._PLACED[place]
    assert (kind, pattern) in list(secret_shapes._placed_for(drawn.draw(st.from_regex(pattern))))


@settings(deadline=None)
@given(text=st.from_regex(named_secrets._NAME))
def test_a_text_with_a_name_of_a_secret_is_searched_for_it(text: str) -> None:
    found = named_secrets._NAME.search(text)
    assert found is not None
    assert found.start() in named_secrets._starts(text)


FACTS = {"ssn": "_SSN", "iban": "_IBAN", "ipv4": "_IPV4", "card": "_CARD", "phone": "_PHONE", "ipv6": "_IPV6"}


@pytest.mark.parametrize("fact", FACTS)
@settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
@given(drawn=st.data())
def test_a_text_with_a_personal_fact_is_searched_for_it(fact: str, drawn: st.DataObject) -> None:
    text = drawn.draw(st.from_regex(getattr(personal_facts, FACTS[fact])))
    assert redact(text, PERSONAL) == ungated(text, PERSONAL)


NASTY = [
    "a",
    "1",
    "-",
    "1-",
    "/a",
    "/a ",
    "a@",
    "eyJ",
    "eyJa.",
    "sk-",
    "token=",
    "password='",
    "pwd='\"",
    "://a:",
    '{"a":',
]
NASTY += [
    "-----BEGIN PRIVATE KEY-----",
    "authorization:",
    "login a password ",
    "--a-",
    "[redacted:",
    '["',
    "\\",
    '\\"',
    "0:",
]
NASTY += ["4111 ", "C:\\a\\", "AKIA", "cookie: a=", "0Q~", "\n", " \t", "password: a b\n", "\ud800"]


@pytest.mark.parametrize("unit", NASTY)
def test_no_text_takes_more_than_linear_time(unit: str) -> None:
    # Were the time of one search quadratic, this would run into the limit of the whole test.
    text = (unit * 300_000)[:300_000]
    once = redact(text, ALL)
    assert len(once) <= 12 * len(text)
