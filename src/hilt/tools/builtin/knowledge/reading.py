"""A file's bytes as a document: what it is, told by its content before its name, and the text in it.

PDF and HTML are read by large libraries that were not written for hostile files, so that happens in a process of its
own (`parsing.py`), which has little memory, little time and nothing of this process's environment but its language.
"""

import codecs
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from hilt.tools.builtin.knowledge import parsing

Kind: TypeAlias = Literal["text", "markdown", "html", "pdf"]

PARSE_TIMEOUT_S = 60.0
PARSE_MEMORY_BYTES = 1536 << 20

_SNIFFED_BYTES = 8192
_MAX_TITLE_CHARS = 200
_MAX_CONTROL_SHARE = 0.02
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "PYTHONPATH")
_HTML = re.compile(
    rb"\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?>.*?-->)\s*+)*+<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_FIRST_HEADING = re.compile(r"\s*#{1,6} +(\S.*)")
_NUMBER_SIGNS = re.compile(r" {0,3}(#{1,6})(?:[ \t]|\Z)")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
# Logs are text although they hold escape sequences; other control characters are no sign of text.
_GARBLE = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARKDOWN_NAMES = (".md", ".markdown", ".mdown", ".mdx")
_HTML_NAMES = (".html", ".htm", ".xhtml")
_PROSE_NAMES = ("", ".txt", ".text")


class Document(Struct, frozen=True):
    """What was read. `pages` are the pages of a PDF, else one text; the text of HTML is Markdown."""

    title: str
    kind: Kind
    pages: tuple[str, ...]


class Unread(Struct, frozen=True):
    """A file that holds nothing to read (it is skipped), or is `broken`."""

    reason: str
    broken: bool = False


class _Parsed(Struct, frozen=True):
    title: str = ""
    pages: tuple[str, ...] = ()
    error: str = ""


def read_document(
    name: str, content: bytes, environment: Mapping[str, str], *, timeout_s: float = PARSE_TIMEOUT_S
) -> Document | Unread:
    """Read a file of that name. `environment` is this process's; only the allowed part of it reaches the parser."""
    kind = kind_of(name, content)
    match kind:
        case "pdf" | "html":
            parsed = _parse_apart(kind, content, environment, timeout_s)
            if isinstance(parsed, Unread):
                return parsed
            title, pages = parsed.title, parsed.pages
        case "text" | "markdown":
            text = _decoded(content)
            title, pages = (_heading_in(text) if kind == "markdown" else ""), (text,)
        case Unread():
            return kind
    if not any(page.strip() for page in pages):
        why = "it holds no text; scanned pages need text recognition first" if kind == "pdf" else "it holds no text"
        return Unread(why)
    return Document(one_line(title) or PurePosixPath(name).name, kind, tuple(clean(page) for page in pages))


def kind_of(name: str, content: bytes) -> Kind | Unread:
    """What the content is; the name decides only between kinds of text."""
    start = content[:_SNIFFED_BYTES]
    if not content.strip():
        return Unread("it is empty")
    if b"%PDF-" in start[:1024]:
        return "pdf"
    marked = any(content.startswith(bom) for bom, _ in _BOMS)
    if not marked and (b"\0" in start or b"\0" in content or _garbled(start)):
        return Unread("it is binary")
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _HTML_NAMES or _HTML.match(start):
        return "html"
    if suffix in _MARKDOWN_NAMES or (suffix in _PROSE_NAMES and _FIRST_HEADING.match(_decoded(start))):
        return "markdown"
    return "text"


def one_line(text: str) -> str:
    """A title as it may be shown: one line, no control characters, not too long."""
    return " ".join(_CONTROL.sub("", text).split())[:_MAX_TITLE_CHARS]


def _garbled(start: bytes) -> bool:
    return len(_GARBLE.findall(start)) > _MAX_CONTROL_SHARE * len(start)


def _decoded(content: bytes) -> str:
    """By its mark, else UTF-8, else Windows-1252, which is what most other text in the West is."""
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            return content.decode(encoding, "replace")
    try:
        return content.decode()
    except UnicodeDecodeError as fault:
        cut_at_the_end = fault.end >= len(content) - 3 and fault.reason == "unexpected end of data"
        return content.decode("utf-8" if cut_at_the_end else "cp1252", "replace")


def clean(text: str) -> str:
    """Text that can be stored and shown: no control characters and no halves of characters."""
    return _CONTROL.sub(" ", text).encode("utf-8", "replace").decode()


def heading(line: str) -> tuple[int, str] | None:
    """Level and title of a Markdown heading that begins with number signs; None if the line is none."""
    marked = _NUMBER_SIGNS.match(line)
    if marked is None:
        return None
    title = line[marked.end() :].strip()
    unclosed = title.rstrip("#")
    if unclosed[-1:] in ("", " ", "\t"):
        title = unclosed.rstrip()
    return (len(marked[1]), title) if title else None


def _heading_in(text: str) -> str:
    """The first heading of the first level near the beginning; "" if there is none."""
    found = (heading(line) for line in text[:_SNIFFED_BYTES].splitlines())
    return next((each[1] for each in found if each is not None and each[0] == 1), "")


def _parse_apart(kind: str, content: bytes, environment: Mapping[str, str], timeout_s: float) -> _Parsed | Unread:
    """Parse in a process of its own, which is killed with all that it started when its time is over."""
    kept = {name: value for name, value in environment.items() if name in _KEPT_VARIABLES or name.startswith("LC_")} | {
        "PYTHONIOENCODING": "utf-8"
    }
    # Run by its path, so that nothing of Hilt has to be imported there; -P keeps its folder off the import path.
    command = [
        sys.executable,
        "-P",
        str(Path(parsing.__file__)),
        kind,
        str(PARSE_MEMORY_BYTES),
        str(int(timeout_s) + 1),
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=kept,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(content, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return Unread(f"reading it takes longer than {timeout_s:g} s", broken=True)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    try:
        parsed = msgspec.json.decode(output, type=_Parsed)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Unread(f"its reader broke off (status {process.returncode})", broken=True)
    return Unread(parsed.error, broken=True) if parsed.error else parsed
