"""Where the references of a schema lead: by JSON pointer, by anchor, or by the `$id` of an embedded schema.

Nothing is ever fetched.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urljoin

from msgspec import Struct

from hilt.conversation import InvalidRequest
from hilt.grammar.keywords import LISTS, MAPS, ONE, is_list, is_object, step


class Place(Struct, frozen=True):
    """One subschema: its JSON pointer in the document, the base URI that its references start from, and itself."""

    pointer: str
    base: str
    schema: Any


class Addresses:
    """What can be referred to in one document, found out at the first reference, in time linear in its size."""

    def __init__(self, document: dict[str, Any], where: str) -> None:
        self.where = where
        self.document = document
        self.id_words = ("$id", "id") if "draft-04" in str(document.get("$schema")) else ("$id",)
        self.resources: dict[str, Place] = {}
        self.anchors: dict[tuple[str, str], Place] = {}
        self.dynamic: dict[str, list[Place]] = {}
        self.root = Place("", self.base_within(document, ""), document)
        self.known = False

    def _find(self) -> None:
        self.known = True
        self.resources[""] = self.root
        pending = [Place("", "", self.document)]
        while pending:
            place = pending.pop()
            base = self.base_within(place.schema, place.base)
            here = Place(place.pointer, base, place.schema)
            if base != place.base:
                self.resources.setdefault(base, here)
            self._name(here)
            pending.extend(Place(here.pointer + path, base, schema) for path, schema in _subschemas(here.schema))

    def base_within(self, schema: dict[str, Any], base: str) -> str:
        """The base URI inside `schema`, which stands where it is `base`."""
        for word in self.id_words:
            identifier = schema.get(word)
            if isinstance(identifier, str) and not identifier.startswith("#"):
                return _joined(base, identifier.removesuffix("#"))
        return base

    def _name(self, place: Place) -> None:
        for word in ("$anchor", "$dynamicAnchor", *self.id_words):
            name = place.schema.get(word)
            if not isinstance(name, str) or (word in self.id_words and not name.startswith("#")):
                continue
            self.anchors.setdefault((place.base, name.removeprefix("#")), place)
            if word == "$dynamicAnchor":
                self.dynamic.setdefault(name, []).append(place)

    def resolve(self, reference: str, base: str, path: str, *, dynamic: bool = False) -> Place:
        """The place that `reference`, written at `path`, leads to; InvalidRequest if it leads to none."""
        if not self.known:
            self._find()
        url = base + reference if reference.startswith("#") else _joined(base, reference)
        resource, _, fragment = url.partition("#")
        place = self.resources.get(resource)
        if place is None:
            if "://" in resource or resource.startswith("urn:"):
                raise self._fault(path, f"refers to {reference!r}, another document; references are never fetched")
            raise self._fault(path, f"refers to {reference!r}, which is not in this schema")
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            found = self.anchors.get((place.base if resource else self.root.base, fragment))
            if found is None:
                raise self._fault(path, f"refers to the anchor {fragment!r}, which is not in this schema")
            if dynamic and len(self.dynamic.get(fragment, ())) > 1:
                raise self._fault(path, f"refers to {fragment!r} dynamically, and several anchors could answer")
            return found
        return self._below(place, fragment, path, reference)

    def _below(self, place: Place, fragment: str, path: str, reference: str) -> Place:
        pointer, base, found = place.pointer, place.base, place.schema
        for token in fragment.split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            if is_object(found) and key in found:
                found = found[key]
            elif is_list(found) and key.isascii() and key.isdigit() and int(key[:9]) < len(found):
                found = found[int(key[:9])]
            else:
                raise self._fault(path, f"refers to {reference!r}, which is not in this schema")
            pointer = step(pointer, key)
            if is_object(found):
                base = self.base_within(found, base)
        if not (isinstance(found, bool) or is_object(found)):
            raise self._fault(path, f"refers to {reference!r}, which is not a schema")
        return Place(pointer, base, found)

    def _fault(self, path: str, what: str) -> InvalidRequest:
        return InvalidRequest(
            f"`{self.where}{path}` {what}. Put what is referred to into `$defs` of this schema.",
            param=self.where + path,
        )


def _subschemas(schema: dict[str, Any]) -> "Iterator[tuple[str, dict[str, Any]]]":
    for key, value in schema.items():
        if is_object(value) and key in ONE:
            yield step("", key), value
        elif is_object(value) and key in MAPS:
            yield from ((step(f"/{key}", name), inner) for name, inner in value.items() if is_object(inner))
        elif is_list(value) and key in LISTS:
            yield from ((f"/{key}/{index}", inner) for index, inner in enumerate(value) if is_object(inner))


def _joined(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference) if base else reference
    except ValueError:
        return reference
