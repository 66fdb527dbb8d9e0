"""What is read in a page: HTML, PDF, text and JSON in all charsets, and pages made to break their reader."""

import asyncio
import base64
import json
import threading
import tomllib
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilt.conversation import InvalidRequest, Source
from hilt.settings import WebOptions
from hilt.tools.builtin.web import Page, web_tools
from hilt.tools.builtin.web.apart import in_thread
from hilt.tools.builtin.web.pages import Readable, read_page, shown, shown_line
from tests.tools.web_site import fetched, page, serving

CASES = tomllib.loads((Path(__file__).parent / "cases" / "web_pages.toml").read_text(encoding="utf-8"))["page"]
Json = dict[str, Any]


def read(content: bytes, kind: Any = "html", charset: str = "") -> Readable:
    return read_page(base64.b64encode(content).decode(), kind, charset, "https://site.test/a/b")


def read_or_refused(content: bytes, kind: Any) -> str:
    """The text of a page, or why it can't be read."""
    try:
        return read(content, kind).text
    except ValueError as fault:
        return str(fault)


def served(body: bytes, kind: str, **asked: Any) -> Json:
    async def answered() -> Json:
        async with serving({"/a/b": page(body, kind)}) as site:
            return await fetched(f"http://site.test:{site.port}/a/b", **asked)

    return asyncio.run(answered())


def row_name(row: Json) -> str:
    return row["name"]


@pytest.mark.parametrize("row", CASES, ids=row_name)
def test_pages(row: Json) -> None:
    result = served(row["body"].encode(row.get("encoded", "utf-8")), row["type"])
    if "error" in row:
        assert row["error"] in result["error"]
    else:
        site = result["url"].removesuffix("/a/b")
        assert result["text"] == row["text"].strip().replace("{site}", site)
        assert result["title"] == row.get("title", "")
        assert result["truncated"] is False


CHARSETS = [
    ("text/html; charset=windows-1251", "Привет", "cp1251"),
    ("text/html; charset=KOI8-R", "Привет", "koi8-r"),
    ('text/plain; charset="Shift_JIS"', "日本語①", "cp932"),
    ("text/plain; charset=windows-31j", "日本語①", "cp932"),
    ("text/plain; charset=iso-8859-1", "“quoted” €", "cp1252"),
    ("text/plain; charset=gb2312", "中文龍", "gb18030"),
    ("text/plain; charset=nonsense", "café", "utf-8"),
    ("text/plain; charset=zlib", "café", "utf-8"),
    ("text/plain; charset=utf-7", "+ADw-script+AD4-", "utf-8"),
    ("text/plain; charset=unicode_escape", "\\u0041", "utf-8"),
    ("text/plain", "café", "utf-8"),
    ("text/plain", "café, noté, élève, déjà, à côté de la forêt", "cp1252"),
    ("text/plain; charset=windows-1252", "\ufeffcafé", "utf-8"),
    ("text/plain; charset=utf-16", "café", "utf-16"),
    ("text/plain", "café", "utf-16"),
    ("text/plain", "日本語の文章がここにあります。" * 20, "shift_jis"),
]


@pytest.mark.parametrize(("kind", "text", "codec"), CHARSETS)
def test_charsets(kind: str, text: str, codec: str) -> None:
    wanted = text.removeprefix("\ufeff")
    assert wanted in served(text.encode(codec), kind)["text"]


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        ('<html><meta charset="windows-1251">', "cp1251"),
        ('<html><meta http-equiv="Content-Type" content="text/html; charset=koi8-r">', "koi8-r"),
        ('<?xml version="1.0" encoding="iso-8859-5"?><html>', "iso8859-5"),
        ("<html><meta charset=utf-16>", "utf-8"),
        ("<html><meta charset=zlib>", "utf-8"),
    ],
)
def test_charsets_that_the_page_names(head: str, codec: str) -> None:
    assert served(f"{head}<body><p>Привет".encode(codec), "text/html")["text"] == "Привет"


def pdf(*sheets: str, title: str = "", packed: bool = False) -> bytes:
    """A small PDF with one page a text, written by hand."""
    kids = " ".join(f"{4 + 2 * place} 0 R" for place in range(len(sheets)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(sheets)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for place, text in enumerate(sheets):
        drawn = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
        stream = zlib.compress(drawn) if packed else drawn
        coding = b"/Filter /FlateDecode " if packed else b""
        font = "/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 612 792]"
        objects.append(f"<< /Type /Page /Parent 2 0 R {font} /Contents {5 + 2 * place} 0 R >>".encode())
        objects.append(b"<< %b/Length %d >>\nstream\n%b\nendstream" % (coding, len(stream), stream))
    objects.append(f"<< /Title ({title}) >>".encode())
    written = bytearray(b"%PDF-1.4\n")
    places: list[int] = []
    for number, body in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    written += b"".join(b"%010d 00000 n \n" % place for place in places)
    written += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\n" % (len(objects) + 1, len(objects))
    return bytes(written + b"startxref\n%d\n%%%%EOF\n" % table)


@pytest.mark.parametrize("kind", ["application/pdf", "application/octet-stream", ""])
@pytest.mark.parametrize("packed", [False, True])
def test_a_pdf_is_read_page_by_page(kind: str, packed: bool) -> None:
    result = served(pdf("First words.", "Second words.", title="A paper", packed=packed), kind)
    assert result["text"] == "First words.\n\nSecond words."
    assert result["title"] == "A paper"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"%PDF-1.7 nothing else", "the PDF can't be read"),
        (b"", "the PDF can't be read"),
        (pdf(""), "holds no text, only pictures"),
        (pdf("words")[:200], "the PDF can't be read"),
        (pdf("words").replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]"), "the PDF"),
    ],
    ids=["head", "empty", "pictures", "cut", "circle"],
)
def test_pdfs_that_hold_no_text(body: bytes, error: str) -> None:
    assert error in served(body, "application/pdf")["error"]


@given(st.integers(0, 600), st.binary(max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_broken_pdf_is_read_or_refused(place: int, junk: bytes) -> None:
    whole = pdf("Some words.", "More.", packed=True)
    said = read_or_refused(whole[:place] + junk + whole[place + len(junk) :], "pdf")
    assert "words" in said or "More" in said or "PDF" in said


PIECES = [
    "<p>",
    "</p>",
    "<div>",
    "</table>",
    "<td>",
    "<a href='//[x'>",
    "<!--",
    "]]>",
    "<li>",
    "\0",
    "&#xD800;",
    "é",
    "<",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@settings(max_examples=100, deadline=None)
def test_broken_html_is_read_or_refused(source: str) -> None:
    said = read_or_refused(source.encode(), "html")
    assert said == shown(said) != ""


HOSTILE = {
    "deep": "<div>" * 100_000 + "words",
    "deep inline": "<b><i>" * 50_000 + "words",
    "deep lists": "<ul><li>" * 50_000 + "words",
    "deep tables": "<table><tr><td>" * 30_000 + "words",
    "angles": "<" * 200_000,
    "references": "&amp;&#0;&#xFFFFFF;" * 20_000,
    "comments": "<!--" * 100_000,
    "spaces": "<p>" + " \n" * 200_000 + "</p>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_pages_made_to_break_their_reader_end(name: str) -> None:
    result = served(f"<html><body>{HOSTILE[name]}".encode(), "text/html")
    assert "no text" in result["error"] if "error" in result else len(result["text"]) <= 12_000


@pytest.mark.parametrize("fault", [TimeoutError("late"), OSError(5, "the page could not be read in time")])
def test_a_reader_that_does_not_end_is_given_up(fault: OSError) -> None:
    async def apart(function: object, arguments: Json, timeout_s: float) -> object:
        assert json.loads(json.dumps(arguments)) == arguments
        assert timeout_s > 0
        raise fault

    assert "the page could not be read" in served(b"<p>words", "text/html", apart=apart)["error"]


def test_a_reader_in_a_thread_is_given_up() -> None:
    never = threading.Event()
    try:
        with pytest.raises(OSError, match="could not be read within") as fault:
            asyncio.run(in_thread(never.wait, {"timeout": None}, 0.05))
        assert not isinstance(fault.value, TimeoutError)
    finally:
        never.set()


def test_a_reader_in_another_process_may_give_plain_values() -> None:
    async def apart(function: Any, arguments: Json, timeout_s: float) -> object:
        readable = function(**arguments)
        return {"title": readable.title, "text": readable.text, "cut": readable.cut}

    assert served(b"<p>words", "text/html", apart=apart)["text"] == "words"


def test_a_long_text_is_read_on() -> None:
    body = "".join(f"{number:09d}\n" for number in range(2500))
    pieces: list[str] = []
    offset = 0
    while True:
        result = served(body.encode(), "text/plain", offset=offset)
        pieces.append(result["text"])
        assert result["truncated"] is ("next_offset" in result)
        if not result["truncated"]:
            break
        assert len(result["text"]) == 12_000
        offset = result["next_offset"]
    assert "".join(pieces) == body.strip()
    assert "has 24999 characters" in served(body.encode(), "text/plain", offset=24_999)["error"]


@given(st.text(alphabet='"\\\n\t aé😀', min_size=1).map(lambda text: text * (60_000 // len(text))))
@settings(max_examples=20, deadline=None)
def test_a_result_never_outgrows_what_a_model_is_shown(text: str) -> None:
    whole = shown(text)
    if not whole:
        return

    async def apart(function: object, arguments: Json, timeout_s: float) -> Readable:
        return Readable("", whole, False)

    async def answered() -> None:
        async with serving({"/": page(b"x", "text/plain")}) as site:
            offset: int | None = 0
            while offset is not None:
                result = await fetched(f"http://site.test:{site.port}/", apart=apart, offset=offset)
                assert len(json.dumps(result, ensure_ascii=False)) < 15_000
                assert whole[offset:].startswith(result["text"])
                end = offset + len(result["text"])
                offset = result.get("next_offset")
                assert end == (len(whole) if offset is None else offset)

    asyncio.run(answered())


@settings(deadline=None)
@given(st.text())
def test_what_is_shown_has_no_hidden_characters(text: str) -> None:
    line = shown(text)
    assert shown(line) == line
    assert not set(line) & {"\x00", "\x1b", "\r", "\u202e", "\u2066", "\U000e0041"}
    assert line.encode().decode() == line
    assert "\n" not in shown_line(text)
    assert len(shown_line(text * 100, 50)) <= 50


def test_a_page_is_cited_by_its_title_and_address() -> None:
    (fetch,) = [tool for tool in web_tools(WebOptions()) if tool.name == "web_fetch"]
    assert fetch.sources is not None
    assert fetch.sources(Page("https://a.example/", "A", "text", False)) == (Source("A", "https://a.example/"),)
    assert fetch.sources(Page("https://a.example/", "", "", False)) == (
        Source("https://a.example/", "https://a.example/"),
    )


def test_the_tools_say_what_they_do() -> None:
    for made in web_tools(WebOptions()):
        assert (made.effect, made.untrusted, made.domain, made.permission) == ("external", True, "web", "web:read")
        assert len(made.spec.examples) == 2


def test_a_private_host_that_is_none() -> None:
    with pytest.raises(InvalidRequest, match="private hosts") as fault:
        web_tools(WebOptions(private_hosts=("a b",)))
    assert fault.value.param == "private_hosts"
