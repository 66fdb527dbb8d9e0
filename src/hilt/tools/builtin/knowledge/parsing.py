"""The program that reads one PDF or HTML file apart from everything else: bytes in on standard input, JSON out.

It is run by its path with what it is to read, its memory in bytes and its CPU seconds, and imports nothing of Hilt.
"""

import html
import io
import json
import re
import sys
from contextlib import suppress
from typing import Any

_MAX_CHARS = 20_000_000
_MAX_PAGES = 20_000
_LITTLE_CHARS = 200
_MAX_EXTRACTED_BYTES = 2 << 20
_LINE_END_HYPHEN = re.compile(r"(?<=[^\W\d_])-\n(?=[a-zß-ÿ])")

# What the libraries raise for files that are not as they should be.
_BROKEN = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RecursionError,
    NotImplementedError,
    AssertionError,
    EOFError,
    OSError,
    MemoryError,
)


def parse_pdf(content: bytes) -> dict[str, Any]:
    """Title and pages of a PDF; a page that can't be read is an empty one."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(content), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            return {"error": "it is encrypted; save it without a password first"}
        count = len(reader.pages)
    except (PyPdfError, *_BROKEN) as fault:
        return {"error": f"it is no readable PDF ({type(fault).__name__}: {str(fault)[:100]})"}
    pages: list[str] = []
    broken = 0
    room = _MAX_CHARS
    for number in range(min(count, _MAX_PAGES)):
        try:
            text = _LINE_END_HYPHEN.sub("", reader.pages[number].extract_text())
        except (PyPdfError, *_BROKEN):
            text = ""
            broken += 1
        pages.append(text[:room])
        room -= len(pages[-1])
        if room <= 0:
            break
    if broken and broken == len(pages):
        return {"error": "none of its pages can be read"}
    try:
        title = str(reader.metadata.title or "") if reader.metadata else ""
    except (PyPdfError, *_BROKEN):
        title = ""
    return {"title": title, "pages": pages}


def parse_html(content: bytes) -> dict[str, Any]:
    """Title and main text of a page, as Markdown; all of its text where no main part is found, or where finding it
    would take too long."""
    import trafilatura
    from trafilatura.utils import load_html

    try:
        tree: Any = load_html(content)
    except _BROKEN as fault:
        return {"error": f"it is no readable HTML ({type(fault).__name__})"}
    if tree is None:
        return {"title": "", "pages": [_tagless(content)]}
    title = "".join(tree.xpath("string((//title)[1])")).strip()
    plain = _plain(tree)
    text = ""
    if len(content) <= _MAX_EXTRACTED_BYTES:
        with suppress(*_BROKEN):
            text = (
                trafilatura.extract(content, output_format="markdown", favor_recall=True, include_comments=False) or ""
            )
    if len(text) < _LITTLE_CHARS and len(plain) > 2 * len(text):
        text = plain
    # Elements nested too deeply are left out of the tree.
    text = text or _tagless(content)
    return {"title": title or "".join(tree.xpath("string((//h1)[1])")).strip(), "pages": [text[:_MAX_CHARS]]}


def _plain(tree: Any) -> str:
    """All text that a reader sees, a line for each block."""
    pieces = tree.xpath("//body//text()[not(ancestor::script or ancestor::style or ancestor::noscript)]")
    pieces = pieces or tree.xpath("//text()[not(ancestor::script or ancestor::style or ancestor::title)]")
    return "\n\n".join(line for piece in pieces if (line := " ".join(str(piece).split())))


def _tagless(content: bytes) -> str:
    text = re.sub(r"(?is)<(script|style)\b.*?(</\1\s*>|\Z)", " ", content.decode("utf-8", "replace"))
    return html.unescape(re.sub(r"<[^<>]{0,2000}>", " ", text))[:_MAX_CHARS]


def _confine(memory_bytes: int, cpu_s: int) -> None:
    import resource

    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        try:
            resource.setrlimit(limit, (value, value))
        except (ValueError, OSError):
            continue  # macOS doesn't know every limit; the time limit holds all the same


def main() -> None:
    """Read, write, end."""
    kind, memory_bytes, cpu_s = sys.argv[1:4]
    content = sys.stdin.buffer.read()
    _confine(int(memory_bytes), int(cpu_s))
    try:
        parsed = parse_pdf(content) if kind == "pdf" else parse_html(content)
    except MemoryError:
        parsed = {"error": "reading it takes too much memory"}
    # PDFs can hold halves of characters, which no UTF-8 can.
    text = json.dumps(parsed, ensure_ascii=False)
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
