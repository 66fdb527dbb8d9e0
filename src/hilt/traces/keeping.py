"""What of a record may be kept: every text in it is redacted, and without its consent no text is kept at all.

A secret in JSON may be spelled with escapes, as the line breaks of a key are, so a text is also looked at with its
escapes undone. What the model, the user and the tools said are texts; names, tags and warnings are labels, which are
always kept. Of a text the number of characters that it had is kept in any case.
"""

import hashlib
import math
import re
from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct, structs

from hilt.traces.records import CallRecord, Record, RunRecord, TurnRecord

Redact: TypeAlias = Callable[[str], str]

MAX_TEXT_CHARS = 1_000_000
MAX_LABEL_CHARS = 1000
MAX_ID_CHARS = 200

_CUT = "…"
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPES = str.maketrans({"\\": "\\\\", **{letter: f"\\{name}" for name, letter in _ESCAPED.items()}})
_MAX_ESCAPED = 3  # JSON in a string of JSON in a string of JSON


class Kept(Struct, frozen=True):
    """A record as it is kept, and how many characters its texts had, by the name of the field: "raw", or "calls[0]" for
    the first of several. A text that was not kept is "" in the record."""

    record: Record
    chars: dict[str, int] = {}


def keep(record: Record, redact: Redact, *, full: bool) -> Kept:
    """The part of `record` that may be kept: with `full` its texts too. Raises what `redact` raises.

    An id that `redact` would change becomes a fingerprint of itself, so that what belongs together stays so. A text is
    cut at 1,000,000 characters, a label at 1,000; a number that is not finite becomes 0.
    """
    chars: dict[str, int] = {}

    def label(text: str) -> str:
        return _cut(redacted(text, redact), MAX_LABEL_CHARS)

    def identity(text: str) -> str:
        return kept_id(text, redact)

    def said(name: str, text: str) -> str:
        chars[name] = len(text)
        return _cut(redacted(text, redact), MAX_TEXT_CHARS) if full else ""

    match record:
        case RunRecord():
            kept = structs.replace(
                record,
                run_id=identity(record.run_id),
                started_s=_finite(record.started_s),
                duration_s=_finite(record.duration_s),
                model=label(record.model),
                question=said("question", record.question),
                stop_reason=label(record.stop_reason),
            )
        case TurnRecord():
            kept = structs.replace(
                record,
                run_id=identity(record.run_id),
                started_s=_finite(record.started_s),
                duration_s=_finite(record.duration_s),
                first_token_s=None if record.first_token_s is None else _finite(record.first_token_s),
                finish=label(record.finish),
                raw=said("raw", record.raw),
                content=said("content", record.content),
                calls=tuple(
                    (label(name), said(f"calls[{place}]", arguments))
                    for place, (name, arguments) in enumerate(record.calls)
                ),
                rejected=tuple(said(f"rejected[{place}]", detail) for place, detail in enumerate(record.rejected)),
            )
        case CallRecord():
            kept = structs.replace(
                record,
                run_id=identity(record.run_id),
                call_id=identity(record.call_id),
                asked=label(record.asked),
                tool=label(record.tool),
                effect=label(record.effect),
                arguments=said("arguments", record.arguments),
                normalised=said("normalised", record.normalised),
                warnings=tuple(label(warning) for warning in record.warnings),
                verdict=label(record.verdict),
                outcome=label(record.outcome),
                reason=label(record.reason),
                text=said("text", record.text),
                started_s=_finite(record.started_s),
                phases_s={label(name): _finite(seconds) for name, seconds in record.phases_s.items()},
            )
    return Kept(kept, chars)


def redacted(text: str, redact: Redact) -> str:
    """`text` as well-formed Unicode without secrets, however they are spelled. Escapes stay as they are unless they hid
    one."""
    return _redacted(well_formed(text), redact, _MAX_ESCAPED)


def _redacted(text: str, redact: Redact, depth: int) -> str:
    clean = redact(text)
    if depth == 0 or "\\" not in text:
        return clean
    below = _redacted(_unescaped(text), redact, depth - 1)
    # If what stands below the escapes was seen above them as well, nothing was hidden.
    return clean if _unescaped(clean) == below else redact(below.translate(_ESCAPES))


def kept_id(text: str, redact: Redact) -> str:
    """The id under which something called `text` is kept."""
    return text if len(text) <= MAX_ID_CHARS and redacted(text, redact) == text else fingerprint(text)


def fingerprint(text: str) -> str:
    """A short name for an id that may not be kept as it is."""
    return "id-" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def well_formed(text: str) -> str:
    """`text` with its surrogates joined into characters, and lone ones replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") if not text.isascii() else text


def _unescaped(text: str) -> str:
    return well_formed(_ESCAPE.sub(_character, text))


def _character(escape: re.Match[str]) -> str:
    code, letter = escape.groups()
    return chr(int(code, 16)) if code else _ESCAPED.get(letter, letter)


def _cut(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[: max_chars - 1] + _CUT


def _finite(seconds: float) -> float:
    return seconds if math.isfinite(seconds) else 0.0
