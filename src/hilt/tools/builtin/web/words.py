"""All the words of an HTML page with its links, for pages that hold no article: lists, forms, front pages."""

import re
from typing import Any
from urllib.parse import urljoin

_SKIPPED = frozenset(
    [
        *("script", "style", "noscript", "template", "head", "title", "svg", "math"),
        *("iframe", "object", "canvas", "audio", "video"),
    ]
)
_BLOCKS = frozenset(
    [
        *("address", "article", "aside", "blockquote", "body", "br", "center", "dd", "details", "div", "dl"),
        *("dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header"),
        *("hr", "li", "main", "nav", "ol", "option", "p", "pre", "section", "summary", "table", "tbody", "tfoot"),
        *("thead", "tr", "ul"),
    ]
)
_CELLS = frozenset(["td", "th"])
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_MAX_HREF_CHARS = 1000
_SPACES = re.compile(r"\s+")
_LINK = re.compile(r"\[([^\]\n]*)\]\([^()\s]*\)")
_EMPTY_LINK = re.compile(r"\[ ?\]\([^()\s]*\)")


def all_words(tree: Any, url: str) -> str:
    """The words of an lxml tree in the manner of Markdown, links made absolute against `url`.

    Hidden elements are left out. The walk keeps its own stack, so no depth of nesting is too deep.
    """
    pieces: list[str] = []
    stack: list[tuple[Any, bool]] = [(tree, False)]
    while stack:
        element, leaving = stack.pop()
        if leaving:
            pieces.append(_end(element, url))
        elif isinstance(element.tag, str) and element.tag not in _SKIPPED and not _hidden(element):
            pieces.append(_start(element, url))
            pieces.append(_SPACES.sub(" ", element.text or ""))
            stack.append((element, True))
            stack.extend((child, False) for child in reversed(element))
            continue
        pieces.append(_SPACES.sub(" ", element.tail or "") if element is not tree else "")
    lines = (" ".join(line.split()) for line in _EMPTY_LINK.sub("", "".join(pieces)).split("\n"))
    return "\n".join(line for line in lines if line.strip("-# "))


def linked_share(words: str) -> float:
    """How much of the words of `all_words` is the text of links, 0 to 1."""
    linked = sum(len(found[1]) for found in _LINK.finditer(words))
    return linked / max(1, len(_LINK.sub(r"\1", words)))


def _start(element: Any, url: str) -> str:
    before = "\n" if element.tag in _BLOCKS else ""
    if element.tag == "li":
        return f"{before}- "
    if element.tag == "a" and _target(element, url):
        return "["
    return before + _HEADINGS.get(element.tag, "")


def _end(element: Any, url: str) -> str:
    if element.tag in _CELLS:
        return " | "
    if element.tag == "a" and (target := _target(element, url)):
        return f"]({target})"
    return "\n" if element.tag in _BLOCKS else ""


def _target(element: Any, url: str) -> str:
    """Where a link leads, "" if it leads to no page."""
    try:
        target = urljoin(url, (element.get("href") or "#").strip()[:_MAX_HREF_CHARS])
    except ValueError:
        return ""
    return target if target.startswith(("http://", "https://")) and target.partition("#")[0] != url else ""


def _hidden(element: Any) -> bool:
    return element.get("hidden") is not None or bool(_HIDDEN_STYLE.search(element.get("style") or ""))
