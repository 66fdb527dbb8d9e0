"""From the bytes of a page to what a person would read in it, as text.

Pages come from strangers, and the libraries that read HTML and PDF can be made to work for minutes. `read_page` is
therefore a plain function of plain values, which a caller can run in a process of its own and end with its time.
"""

import base64
import codecs
import html
import io
import logging
import re
import zlib
from typing import TYPE_CHECKING

from msgspec import Struct

from hilt.tools.builtin.web.client import Kind
from hilt.tools.builtin.web.words import all_words, linked_share

if TYPE_CHECKING:
    from pypdf import PdfReader

_MAX_HTML_CHARS = 2 << 20
_MAX_TEXT_CHARS = 2 << 20
_MAX_PDF_PAGES = 200
_MAX_TITLE_CHARS = 200
_MIN_SHARE = 0.03
_MIN_CHARS = 200
_LIST_SHARE = 0.5
_GUESSED_BYTES = 20_000
_FOREIGN_SHARE = 0.3

_META_CHARSET = re.compile(rb"""<meta[^>]{0,300}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9_.:-]{2,40})""", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# Python's own codecs reach from rot13 to zlib, so only those of text are taken. Browsers read the first as the second.
_READ_AS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
_LABELS = {"windows-31j": "cp932", "x-sjis": "cp932", "x-gbk": "gbk", "x-euc-jp": "euc_jp"}
_CHARSETS = frozenset(
    [
        *(f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)),
        *(f"cp{page}" for page in (437, 850, 866, 874, 932, 949, 950, *range(1250, 1259))),
        *("ascii", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic"),
        *("big5", "big5hkscs", "gb18030", "gb2312", "gbk", "euc_jp", "euc_kr", "shift_jis", "iso2022_jp", "tis-620"),
    ]
)
# Controls, and the invisible characters in which text can be hidden from people and shown to models.
_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\uffff\U000e0000-\U000e007f]"
)
# The libraries report the faults of pages to their loggers; without this they would reach the terminal.
_SILENT = logging.NullHandler()
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")
_TITLE = re.compile(r"<title\b[^>]{0,200}>([^<]{0,1000})", re.IGNORECASE)


class Readable(Struct, frozen=True):
    """What a page says. `cut` tells that some of it was left out because it is too large."""

    title: str
    text: str
    cut: bool


def read_page(content: str, kind: Kind, charset: str, url: str) -> Readable:
    """The title and text of a page: Markdown of HTML, the text of a PDF's pages, anything else as it is.

    `content` is base64, `charset` as the server named it, "" if it did not. Raises ValueError, in words for the model,
    for what has no text.
    """
    page = base64.b64decode(content)
    match kind:
        case "html":
            return _html(_decoded(page, charset, markup=True), url)
        case "pdf":
            return _pdf(page)
        case "text" | "unknown":
            return _plain(page, charset)


def shown(text: str) -> str:
    """Text without control characters, hidden ones and stretches of empty lines."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return _BLANK_LINES.sub("\n\n", _UNSHOWN.sub("", plain)).strip()


def shown_line(text: str, most: int = _MAX_TITLE_CHARS) -> str:
    """Text as one line of at most `most` characters, such as a title."""
    line = " ".join(shown(text[: 10 * most]).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _plain(page: bytes, charset: str) -> Readable:
    if b"\0" in page[:4096] and not _utf16(page, charset):
        raise ValueError("the address holds a binary file; only pages, text and PDF can be read")
    text = shown(_decoded(page, charset, markup=page.lstrip()[:5] == b"<?xml"))
    return Readable("", text[:_MAX_TEXT_CHARS], len(text) > _MAX_TEXT_CHARS)


def _html(source: str, url: str) -> Readable:
    import trafilatura  # more than half a second, so not before it is needed

    logging.getLogger("trafilatura").addHandler(_SILENT)
    kept = source[:_MAX_HTML_CHARS]
    if "<html" not in kept[:2000].lower():
        kept = f"<!DOCTYPE html><html><body>{kept}"  # what does not call itself a page is not read as one
    try:
        tree = trafilatura.load_html(kept)
        words = "" if tree is None else all_words(tree, url)
        text = (
            trafilatura.extract(kept, url=url, output_format="markdown", include_links=True, include_comments=False)
            or ""
        )
    except (SyntaxError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as fault:
        raise ValueError(f"the page can't be read ({type(fault).__name__}); try another source") from None
    # A page that is a list of links or a form has no article in it; then all of its words are better than a few.
    if len(text) < max(_MIN_CHARS, _MIN_SHARE * len(words)) or linked_share(words) > _LIST_SHARE:
        text = words or text
    text = shown(text)
    if not text:
        raise ValueError("the page shows no text; it may need a browser that runs its scripts. Try another source")
    titled = _TITLE.search(kept)
    title = html.unescape(titled[1]) if titled else ""
    return Readable(shown_line(title), text, len(source) > _MAX_HTML_CHARS)


def _pdf(page: bytes) -> Readable:
    import pypdf
    from pypdf.errors import DependencyError, PyPdfError

    logging.getLogger("pypdf").addHandler(_SILENT)
    try:
        reader = pypdf.PdfReader(io.BytesIO(page))
        if reader.is_encrypted and not reader.decrypt(""):
            raise ValueError("it is protected by a password")
        title = (reader.metadata.title if reader.metadata is not None else None) or ""
        pieces, cut = _sheets(reader)
    except (PyPdfError, DependencyError, RecursionError) as fault:
        raise ValueError(f"the PDF can't be read: {shown_line(str(fault)) or type(fault).__name__}") from None
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, zlib.error) as fault:
        raise ValueError(f"the PDF is broken and can't be read: {shown_line(str(fault))}") from None
    text = shown("\n\n".join(pieces))
    if not text:
        raise ValueError("the PDF holds no text, only pictures; try another source")
    return Readable(shown_line(title), text[:_MAX_TEXT_CHARS], cut)


def _sheets(reader: "PdfReader") -> tuple[list[str], bool]:
    """The text of the pages, and whether there are more."""
    pieces: list[str] = []
    left = _MAX_TEXT_CHARS
    for sheet in reader.pages[:_MAX_PDF_PAGES]:
        pieces.append(sheet.extract_text())
        left -= len(pieces[-1])
        if left < 0:
            return pieces, True
    return pieces, len(reader.pages) > _MAX_PDF_PAGES


def _decoded(page: bytes, charset: str, *, markup: bool) -> str:
    """The text: a byte order mark counts most, then what the server says, then the page itself, then a good guess."""
    for mark, codec in _BOMS:
        if page.startswith(mark):
            return page[len(mark) :].decode(codec, "replace")
    named = _codec(charset)
    if named is None and markup:
        found = _META_CHARSET.search(page[:4096]) or _XML_CHARSET.search(page[:1024])
        named = _codec(found[1].decode("ascii")) if found else None
        # A page whose ASCII could be read to here is not UTF-16, whatever it says.
        named = "utf-8" if named is not None and named.startswith("utf-16") else named
    return page.decode(named or _guessed(page), "replace")


def _codec(charset: str) -> str | None:
    """The codec of a charset by one of its names; None for what is none, or none of text."""
    try:
        label = charset.strip().strip("\"'")[:40].lower()
        name = codecs.lookup(_LABELS.get(label, label)).name
    except (LookupError, ValueError):
        return None
    return _READ_AS.get(name, name) if name in _CHARSETS else None


def _guessed(page: bytes) -> str:
    """UTF-8 where it is, Windows-1252 for text with a few accents as browsers do, and else what is likeliest."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(page)
    except UnicodeDecodeError:
        start = page[:_GUESSED_BYTES]
        if sum(byte >= 0x80 for byte in start) < _FOREIGN_SHARE * len(start):
            return "cp1252"
        from trafilatura.utils import detect_encoding

        return next((codec for guess in detect_encoding(start) if (codec := _codec(guess))), "cp1252")
    return "utf-8"


def _utf16(page: bytes, charset: str) -> bool:
    return page.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or (_codec(charset) or "").startswith("utf-16")
