"""Whether a text holds what somebody looks for: words without regard to case and accents, and numbers of phones."""

import itertools
import re
import unicodedata
from collections.abc import Iterable

_MAX_QUERY_CHARS = 200
_MIN_DIGITS = 3
_MAX_PROBLEMS = 5
_MAX_PROBLEM_CHARS = 200


def plain(text: str) -> str:
    """A text in which spellings of one word are the same: small letters without accents."""
    if text.isascii():
        return text.casefold()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", "".join(each for each in apart if not unicodedata.combining(each)))


def read_query(query: str) -> tuple[str, ...]:
    """The words to look for; none for an empty query and for "*". Raises ValueError if it is too long."""
    if len(query) > _MAX_QUERY_CHARS:
        raise ValueError(f"the query is longer than {_MAX_QUERY_CHARS} characters; give a few words")
    return () if query.strip() == "*" else tuple(plain(query).split())


def matches(text: str, words: tuple[str, ...]) -> bool:
    """Whether all words are in the text."""
    searched = plain(text)
    return all(word in searched for word in words)


def matches_number(number: str, query: str) -> bool:
    """Whether the digits of a query are among those of a phone number, a leading 0 or 00 or + set aside."""
    wanted = re.sub(r"\D", "", query)
    wanted = wanted.lstrip("0")
    is_number = re.fullmatch(r"[\d\s()+./-]+", query.strip()) is not None
    return is_number and len(wanted) >= _MIN_DIGITS and wanted in re.sub(r"\D", "", number)


def shortened(text: str, most: int) -> str:
    """The text, or its beginning and a mark."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def told(problems: Iterable[str]) -> tuple[str, ...]:
    """The first of these sentences, each once, short, and without what no text may hold."""
    short = (shortened(each, _MAX_PROBLEM_CHARS).encode("utf-8", "replace").decode() for each in problems)
    return tuple(itertools.islice(dict.fromkeys(short), _MAX_PROBLEMS))
