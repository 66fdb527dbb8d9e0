"""`allOf` is worked out: several nodes that must hold at once become one node that says the same.

Theory: a conjunction is a set of atoms (nodes without `allOf`). References among them are replaced by what they lead
to; an `anyOf` is distributed over the others; what is left are nodes of one type each, whose keywords are put
together, with the conjunction of their parts below. A conjunction that has references becomes a definition of its own,
named by its set of atoms, so that recursive schemas come to an end: only finitely many sets exist. Where a part can't
be put together, or the budget is spent, that part is left out, which only widens what is accepted.
"""

import json
from typing import Any

import jsonschema_rs

from hilt.conversation import InvalidRequest
from hilt.grammar.keywords import Node, Unenforced, step
from hilt.grammar.schemas.checking import validator
from hilt.grammar.schemas.normal_form import NormalForm, together
from hilt.grammar.schemas.numbers import both, held, numbers_of

MAX_BRANCHES = 256
MAX_MERGES = 20_000
_MAX_JOINED_DEFINITIONS = 500
_NUMERIC = ("integer", "number")


class Intersections:
    """Works out the `allOf`s of one document; `definitions` fills as references are met."""

    def __init__(self, form: NormalForm, where: str) -> None:
        self.form = form
        self.where = where
        self.definitions: dict[str, Node] = {}
        self.pending: list[tuple[str, tuple[Node, ...], str]] = []
        self.joined: dict[frozenset[str], str] = {}
        self.merges = 0
        self.matchers: dict[str, jsonschema_rs.Draft202012Validator] = {}
        self.root = self.worked_out(form.root)
        while self.pending:
            name, atoms, path = self.pending.pop()
            self.definitions[name] = self.conjunction(list(atoms), path)

    def worked_out(self, node: Node) -> Node:
        """`node` without any `allOf`."""
        if isinstance(node, bool):
            return node
        if "$ref" in node:
            return self.reference(node)
        if "anyOf" in node:
            return either([self.worked_out(part) for part in node["anyOf"]])
        if "allOf" in node:
            return self.all_of(node)
        return self.parts_worked_out(node)

    def reference(self, node: dict[str, Any]) -> Node:
        name = node["$ref"].rpartition("/")[2]
        if name not in self.definitions:
            self.definitions[name] = True
            self.pending.append((name, (self.form.definitions[name],), ""))
        return node

    def parts_worked_out(self, node: dict[str, Any]) -> Node:
        worked = dict(node)
        if wanted := dict.fromkeys([*node.get("properties", {}), *node.get("required", ())]):
            below = step(node.get("at", ""), "properties")
            worked["properties"] = {name: self.worked_out(self.member(node, name, below)) for name in wanted}
        for keyword in ("items", "additionalProperties"):
            if keyword in worked:
                worked[keyword] = self.worked_out(worked[keyword])
        if "patternProperties" in worked:
            worked["patternProperties"] = {
                name: self.worked_out(part) for name, part in worked["patternProperties"].items()
            }
        if "prefixItems" in worked:
            worked["prefixItems"] = [self.worked_out(part) for part in worked["prefixItems"]]
        return worked

    def all_of(self, node: dict[str, Any]) -> Node:
        if never(node):
            return False
        atoms = distinct(atoms_of(node))
        path = node["at"]
        if not any("$ref" in atom for atom in atoms):
            return self.conjunction(list(atoms.values()), path)
        if len(atoms) == 1:
            return self.worked_out(next(iter(atoms.values())))
        key = frozenset(atoms)
        name = self.joined.get(key)
        if name is None:
            if len(self.joined) >= _MAX_JOINED_DEFINITIONS:
                self.leave_out(path, "allOf", "there are too many schemas to put together")
                return self.worked_out(next(iter(atoms.values())))
            name = f"joined_{len(self.joined)}"
            while name in self.form.definitions:
                name += "_"
            self.joined[key] = name
            self.definitions[name] = True
            self.pending.append((name, tuple(atoms.values()), path))
        return {"$ref": f"#/$defs/{name}"}

    def leave_out(self, path: str, keyword: str, reason: str) -> None:
        self.form.unenforced.append(Unenforced(step(path, keyword), keyword, reason))

    def conjunction(self, nodes: list[Node], path: str) -> Node:
        """All of `nodes` at once."""
        if len(nodes) == 1 and isinstance(nodes[0], dict) and "$ref" in nodes[0]:
            return self.worked_out(nodes[0])
        atoms: dict[str, dict[str, Any]] = {}
        for node in nodes:
            if not self.expand(node, atoms, (), path):
                return False
        values = [atom for atom in atoms.values() if "enum" in atom]
        if values:
            return self.listed(values[0], [atom for atom in atoms.values() if atom is not values[0]], path)
        return self.distributed(list(atoms.values()), path)

    def expand(self, node: Node, atoms: dict[str, dict[str, Any]], within: tuple[str, ...], path: str) -> bool:
        """Put the atoms of `node` into `atoms`, references followed; False if one of them is False."""
        if never(node):
            return False
        for atom in atoms_of(node):
            if "$ref" not in atom:
                atoms[json.dumps(atom)] = atom
                continue
            name = atom["$ref"].rpartition("/")[2]
            if name in within:
                raise InvalidRequest(
                    f"The schema `{self.where}` refers to itself at {path or '/'} without anything between, so that no"
                    " value satisfies it. Let the reference stand in a member or an item.",
                    param=self.where + path,
                )
            if len(within) > 50:
                self.leave_out(path, "$ref", "references lead through too many others")
            elif not self.expand(self.form.definitions[name], atoms, (*within, name), path):
                return False
        return True

    def listed(self, values: dict[str, Any], others: list[dict[str, Any]], path: str) -> Node:
        """The listed values that the other atoms allow."""
        if not others:
            return values
        kept = self.form.filtered(values["enum"], {"allOf": others}, self.form.definitions, path)
        return {"enum": kept} if kept else False

    def distributed(self, atoms: list[dict[str, Any]], path: str) -> Node:
        """Conjunction of atoms without references and lists of values: every choice of branches, put together."""
        choices: list[list[Node]] = [[True]]
        for atom in sorted(atoms, key=lambda atom: "anyOf" in atom):
            branches: list[Node] = atom.get("anyOf", [atom])
            if len(choices[0]) * len(branches) > MAX_BRANCHES and len(branches) > 1:
                self.leave_out(path, "allOf", "there are too many combinations of schemas")
                continue
            self.merges += len(choices[0]) * len(branches)
            if self.merges > MAX_MERGES:
                self.leave_out(path, "allOf", "there are too many schemas to put together")
                break
            merged = [self.pair(a, b, path) for a in choices[0] for b in branches]
            choices[0] = [node for node in merged if node is not False]
        return either([self.worked_out(node) for node in choices[0]])

    def pair(self, a: Node, b: Node, path: str) -> Node:
        """Two nodes at once; nodes of one type are put together here, others are left as an `allOf`."""
        if a is True or b is True:
            return b if a is True else a
        if a is False or b is False:
            return False
        if a == b:
            return a
        if "type" not in a or "type" not in b:
            return together([a, b], path)
        if a["type"] != b["type"] and not (a["type"] in _NUMERIC and b["type"] in _NUMERIC):
            return False
        match a["type"]:
            case "string":
                return self.strings(a, b, path)
            case "integer" | "number":
                return self.numbers(a, b, path)
            case "array":
                return self.arrays(a, b, path)
            case "object":
                return self.objects(a, b, path)
            case _:
                return a

    def counts(self, a: dict[str, Any], b: dict[str, Any], least: str, most: str) -> dict[str, Any]:
        node: dict[str, Any] = {"type": a["type"]}
        if least in a or least in b:
            node[least] = max(a.get(least, 0), b.get(least, 0))
        if most in a or most in b:
            node[most] = min(part[most] for part in (a, b) if most in part)
        return node

    def strings(self, a: dict[str, Any], b: dict[str, Any], path: str) -> Node:
        node = self.counts(a, b, "minLength", "maxLength")
        patterns = {part["pattern"] for part in (a, b) if "pattern" in part}
        if patterns:
            node["pattern"] = a.get("pattern", b.get("pattern"))
        if len(patterns) > 1:
            self.leave_out(b.get("at", path), "pattern", "a grammar holds one pattern of several")
        return {**node, "at": a.get("at", path)}

    def numbers(self, a: dict[str, Any], b: dict[str, Any], path: str) -> Node:
        first = numbers_of(a, integer=a["type"] == "integer")
        second = numbers_of(b, integer=b["type"] == "integer")
        node, lost = held(both(first, second))
        for keyword in lost:
            self.leave_out(path, keyword, "a grammar can't hold this number exactly")
        return node

    def arrays(self, a: dict[str, Any], b: dict[str, Any], path: str) -> Node:
        node = self.counts(a, b, "minItems", "maxItems")
        first, second = a.get("prefixItems", []), b.get("prefixItems", [])
        rest = a.get("items", True), b.get("items", True)
        length = max(len(first), len(second))
        if length:
            padded = (
                [*first, *[rest[0]] * (length - len(first))],
                [*second, *[rest[1]] * (length - len(second))],
            )
            node["prefixItems"] = [together([x, y], path) for x, y in zip(*padded, strict=True)]
        if (items := together(list(rest), path)) is not True:
            node["items"] = items
        return {**node, "at": a.get("at", path)}

    def objects(self, a: dict[str, Any], b: dict[str, Any], path: str) -> Node:
        node = self.counts(a, b, "minProperties", "maxProperties")
        patterns: dict[str, dict[str, Node]] = {
            part: one.get("patternProperties", {}) for part, one in (("a", a), ("b", b))
        }
        rest: tuple[Node, Node] = a.get("additionalProperties", True), b.get("additionalProperties", True)
        if patterns["a"].keys() != patterns["b"].keys() and not _patterns_fit(patterns["a"], patterns["b"], rest):
            self.leave_out(b.get("at", path), "patternProperties", "patterns of names meet those of another schema")
            patterns["b"] = {}
            rest = (rest[0], True)
            b = {key: value for key, value in b.items() if key != "patternProperties"} | {"additionalProperties": True}
        properties: dict[str, Node] = {}
        for name in [*a.get("properties", {}), *b.get("properties", {})]:
            if name not in properties:
                below = step(step(path, "properties"), name)
                properties[name] = together([self.member(a, name, below), self.member(b, name, below)], below)
        if properties:
            node["properties"] = properties
        names = {**patterns["a"], **patterns["b"]}
        if names:
            node["patternProperties"] = {
                name: together([patterns["a"].get(name, rest[0]), patterns["b"].get(name, rest[1])], path)
                for name in names
            }
        if "additionalProperties" in a or "additionalProperties" in b:
            node["additionalProperties"] = together(list(rest), path)
        required = list(dict.fromkeys([*a.get("required", ()), *b.get("required", ())]))
        if required:
            node["required"] = required
        return {**node, "at": a.get("at", path)}

    def member(self, node: dict[str, Any], name: str, path: str) -> Node:
        """What `node` says of its member `name`."""
        known: dict[str, Node] = node.get("properties", {})
        parts = [known[name]] if name in known else []
        matching = [part for pattern, part in node.get("patternProperties", {}).items() if self.matches(pattern, name)]
        parts += matching
        return together(parts, path) if parts else node.get("additionalProperties", True)

    def matches(self, pattern: str, name: str) -> bool:
        if pattern not in self.matchers:
            self.matchers[pattern] = validator({"pattern": pattern})
        return self.matchers[pattern].is_valid(name)


def either(branches: list[Node]) -> Node:
    """The node of several alternatives: flat, without those that never hold, each once."""
    kept: dict[str, Node] = {}
    for branch in branches:
        for node in branch["anyOf"] if isinstance(branch, dict) and "anyOf" in branch else [branch]:
            if node is True:
                return True
            if node is not False:
                kept.setdefault(json.dumps(node), node)
    if not kept:
        return False
    return next(iter(kept.values())) if len(kept) == 1 else {"anyOf": list(kept.values())}


def atoms_of(node: Node) -> list[dict[str, Any]]:
    """The nodes without `allOf` that hold together in `node`; True and False are left out."""
    if isinstance(node, bool):
        return []
    return [atom for part in node["allOf"] for atom in atoms_of(part)] if "allOf" in node else [node]


def never(node: Node) -> bool:
    """Whether a False stands among the atoms of `node`."""
    if isinstance(node, bool):
        return not node
    return any(never(part) for part in node.get("allOf", ()))


def distinct(atoms: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The atoms by what they say."""
    return {json.dumps(atom): atom for atom in atoms}


def _patterns_fit(a: dict[str, Node], b: dict[str, Node], rest: tuple[Node, Node]) -> bool:
    """Whether patterns of names can stand side by side: each is seen by the other as one more name."""
    return not (a and b) or rest == (True, True)
