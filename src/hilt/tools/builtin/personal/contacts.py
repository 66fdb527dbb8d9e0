"""Contacts out of the user's vCard files (2.1, 3.0 and 4.0), found by name, number, address or organization."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

from msgspec import Struct

from hilt.tools.builtin.personal.files import Shelf, contents
from hilt.tools.builtin.personal.lines import Line, blocks, lines, parts, readable, unescaped
from hilt.tools.builtin.personal.matching import matches, matches_number, plain, read_query, shortened, told

MAX_LIMIT = 100
_ENDING = ".vcf"
_MAX_VALUES = 20
_MAX_CHARS = 200
_MAX_CARDS = 200_000
_MAX_SEARCH_S = 8.0
_NAMES = frozenset(
    {"FN", "N", "NICKNAME", "ORG", "TITLE", "TEL", "EMAIL", "BDAY", "KIND", "X-ADDRESSBOOKSERVER-KIND", "X-ABLABEL"}
)
_LABEL = re.compile(r"_\$!<(.*)>!\$_")
_NOT_LABELS = frozenset({"pref", "voice", "internet", "text", "x400", "msg", "uri"})
_BIRTHDAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d).*|--(\d\d)-?(\d\d)", re.ASCII)


class Reach(Struct, frozen=True, omit_defaults=True):
    """A number or an address; `label` says which, such as "home" or "work cell"."""

    value: str
    label: str = ""


class Contact(Struct, frozen=True, omit_defaults=True):
    """One card. What it doesn't say is left out; the preferred number and address come first."""

    name: str
    phones: tuple[Reach, ...] = ()
    emails: tuple[Reach, ...] = ()
    organization: str = ""
    title: str = ""
    nickname: str = ""
    birthday: str = ""


class ContactList(Struct, frozen=True, omit_defaults=True):
    """Contacts by name, those first whose name begins with what was looked for. `omitted` were found as well;
    `problems` says what couldn't be read."""

    contacts: tuple[Contact, ...]
    omitted: int = 0
    problems: tuple[str, ...] = ()


class Contacts(Struct, frozen=True):
    """Where the cards lie, a file or a folder of files, and the seconds that pass, by which long searches end."""

    path: Path
    passed_s: Callable[[], float]

    @property
    def shelf(self) -> Shelf:
        """The files."""
        return Shelf(self.path, _ENDING, "contacts.vcf")


def find_contacts(
    kept: Contacts, query: str, limit: int, *, include_phones: bool = True, include_emails: bool = True
) -> ContactList:
    """The contacts that hold all words of the query, or whose number has its digits; all for an empty query.

    At most `limit` and never more than 100. Raises ValueError if the limit is under 1.
    """
    if limit < 1:
        raise ValueError("limit must be at least 1")
    words = read_query(query)
    problems: list[str] = []
    found: dict[Contact, tuple[int, str]] = {}
    for contact in _all(kept, problems.append):
        if contact not in found and (not words or _holds(contact, words, query)):
            name = plain(contact.name)
            first = bool(words) and any(word.startswith(words[0]) for word in name.split())
            found[contact] = (0 if first else 1, name)
    ordered = sorted(found, key=lambda contact: found[contact])
    listed = tuple(
        Contact(
            contact.name,
            contact.phones if include_phones else (),
            contact.emails if include_emails else (),
            contact.organization,
            contact.title,
            contact.nickname,
            contact.birthday,
        )
        for contact in ordered[: min(limit, MAX_LIMIT)]
    )
    return ContactList(listed, len(ordered) - len(listed), told(problems))


def _all(kept: Contacts, complain: Callable[[str], None]) -> Iterator[Contact]:
    until_s = kept.passed_s() + _MAX_SEARCH_S
    number = 0
    for file in contents(kept.shelf, complain):
        text = readable(file.content)
        before = number
        for block in blocks(text):
            if block.kind != "VCARD":
                continue
            number += 1
            if number > _MAX_CARDS or (number % 64 == 0 and kept.passed_s() > until_s):
                complain("there are too many contacts to be searched in good time, so some may be missing here")
                return
            contact = _contact(lines(text[block.start : block.end], _NAMES))
            if contact is not None:
                yield contact
        if number == before and text.strip():
            complain(f"{file.name} has no contact that can be read")


def _contact(said: list[Line]) -> Contact | None:
    """What a card says; None for a group of contacts and for a card that says nothing."""
    values: dict[str, str] = {}
    labels: dict[str, str] = {}
    phones: list[tuple[int, Reach]] = []
    emails: list[tuple[int, Reach]] = []
    for line in said:
        if line.name == "X-ABLABEL" and line.group:
            labels[line.group] = _LABEL.sub(r"\1", unescaped(line.value)).strip().lower()
    for line in said:
        if line.name in ("TEL", "EMAIL"):
            reach = _reach(line, labels)
            if reach.value:
                (phones if line.name == "TEL" else emails).append((_rank(line), reach))
        else:
            values.setdefault(line.name, line.value)
    if "group" in (values.get("KIND", "").lower(), values.get("X-ADDRESSBOOKSERVER-KIND", "").lower()):
        return None
    organization = ", ".join(part.strip() for part in parts(values.get("ORG", ""), ";") if part.strip())
    nickname = _clean(unescaped(values.get("NICKNAME", "")))
    reached = [reach.value for _, reach in (*phones, *emails)]
    name = _clean(unescaped(values.get("FN", ""))) or _name(values.get("N", "")) or nickname or _clean(organization)
    if not name and not reached:
        return None
    return Contact(
        name or reached[0],
        _ordered(phones),
        _ordered(emails),
        _clean(organization),
        _clean(unescaped(values.get("TITLE", ""))),
        nickname,
        _birthday(values.get("BDAY", "")),
    )


def _holds(contact: Contact, words: tuple[str, ...], query: str) -> bool:
    said = (contact.name, contact.nickname, contact.organization, contact.title)
    reached = (reach.value for reach in (*contact.phones, *contact.emails))
    return matches("\n".join((*said, *reached)), words) or any(
        matches_number(phone.value, query) for phone in contact.phones
    )


def _reach(line: Line, labels: dict[str, str]) -> Reach:
    value = unescaped(line.value).strip()
    scheme, _, rest = value.partition(":")
    if scheme.lower() in ("tel", "mailto", "sip", "callto"):
        rest, _, more = unquote(rest).partition(";")
        extension = re.match(r"(?i)ext=(\w+)", more)
        value = rest + (f" ext. {extension[1]}" if extension else "")
    kinds = [kind.lower() for each in line.parameters.get("TYPE", ()) for kind in each.split(",")]
    label = labels.get(line.group) or " ".join(
        dict.fromkeys(kind for kind in kinds if kind not in _NOT_LABELS and not kind.startswith("x-"))
    )
    return Reach(_clean(value), _clean(label))


def _rank(line: Line) -> int:
    """1 for what is preferred most, 101 for what isn't."""
    preference = line.parameter("PREF")
    if re.fullmatch(r"\d{1,3}", preference, re.ASCII):
        return int(preference)
    kinds = [kind.lower() for each in line.parameters.get("TYPE", ()) for kind in each.split(",")]
    return 1 if "pref" in kinds or "PREF" in line.parameters else 101


def _ordered(reached: list[tuple[int, Reach]]) -> tuple[Reach, ...]:
    ordered = sorted(reached, key=lambda each: each[0])  # what is equally preferred keeps its order
    return tuple(dict.fromkeys(reach for _, reach in ordered))[:_MAX_VALUES]


def _name(value: str) -> str:
    """A name out of its parts: family, given, further, before, after."""
    family, given, further, before, after = ([part.replace(",", " ") for part in parts(value, ";")] + [""] * 5)[:5]
    return _clean(" ".join(part.strip() for part in (before, given, further, family, after) if part.strip()))


def _birthday(value: str) -> str:
    found = _BIRTHDAY.fullmatch(value.strip())
    if found is None:
        return _clean(unescaped(value))
    # Year 1604 is how some programs write a birthday whose year nobody knows.
    if found[1] and found[1] != "1604":
        return f"{found[1]}-{found[2]}-{found[3]}"
    return f"--{found[2] or found[4]}-{found[3] or found[5]}"


def _clean(text: str) -> str:
    return shortened(" ".join(text.split()), _MAX_CHARS)
