"""A result as people see it: text for a terminal or a pipe, and HTML in which nothing of the result is markup."""

import html
import json
from typing import Any, cast

from hilt.conversation import Card

_MAX_ROWS = 40


def card_of(title: str, text: str) -> Card:
    """A card for a result that has none of its own, from the JSON `text` that the model reads."""
    try:
        value = json.loads(text)
    except ValueError:
        return Card(title, text=text)
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return Card(title, tuple((name, _shown(member)) for name, member in list(members.items())[:_MAX_ROWS]))
    return Card(title, text=_shown(value))


def as_text(card: Card) -> str:
    """The card as lines of plain text."""
    lines = [card.title, *(f"  {label}: {value}" for label, value in card.rows)]
    return "\n".join([*lines, card.text] if card.text else lines)


def as_html(card: Card) -> str:
    """The card as one HTML element. Everything of it is escaped; it loads nothing."""
    rows = "".join(f"<dt>{html.escape(label)}</dt><dd>{html.escape(value)}</dd>" for label, value in card.rows)
    parts = [f"<h3>{html.escape(card.title)}</h3>"]
    if rows:
        parts.append(f"<dl>{rows}</dl>")
    if card.text:
        parts.append(f"<pre>{html.escape(card.text)}</pre>")
    return f'<section class="tool-card">{"".join(parts)}</section>'


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
