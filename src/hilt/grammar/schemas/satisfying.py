"""Which nodes some finite value satisfies: the others become False, and a schema that is one of them is refused.

Theory: the definitions that can be satisfied are the least fixpoint of "all that must be there can be satisfied".
Starting from none and adding until nothing changes leaves out what is satisfied only by an endless value, such as an
object that requires itself.
"""

from typing import Any

import llguidance
import msgspec

from hilt.conversation import InvalidRequest
from hilt.grammar.keywords import Node, Unenforced, is_object, step
from hilt.grammar.schemas.formats import FORMATS
from hilt.grammar.schemas.intersections import Intersections, either
from hilt.grammar.schemas.reference_graph import MAX_REFERENCE_DEPTH, reference_depth

MAX_NODE_DEPTH = 24
"""How deep nodes nest before the rest is moved to `$defs`, so that every reader of the grammar stays shallow."""
_MAX_SPECIAL = 64
_LEAF = frozenset(["type", "enum", "$ref", "at", "minimum", "maximum", "minLength", "maxLength"])
_FORMAT_PATTERNS = frozenset(FORMATS.values())


class Satisfying:
    """Finishes the nodes of one document: `grammar` is the normal form with the `$defs` that it uses."""

    def __init__(self, worked: Intersections, where: str) -> None:
        self.worked = worked
        self.where = where
        self.unenforced: list[Unenforced] = []
        self.strings: dict[bytes, str] = {}
        self.blocked: dict[str, list[str]] = {}
        self.satisfied: set[str] = set()
        self.finished: dict[str, Node] = {}
        self.pending: list[str] = []
        self.moved = 0
        depth = reference_depth(worked.root, worked.definitions) if worked.definitions else 0
        self.too_deep = depth > MAX_REFERENCE_DEPTH
        self._try_strings()
        self._least_fixpoint()
        root = self.finish(worked.root, 0)
        if root is False:
            self._refuse()
        while self.pending:
            name = self.pending.pop()
            self.finished[name] = self.finish(worked.definitions[name], 0)
        self.grammar: Node = {**root, "$defs": self.finished} if isinstance(root, dict) and self.finished else root

    def _try_strings(self) -> None:
        """Ask llguidance for every kind of text with a pattern whether it can hold it and whether one exists."""
        nodes = [self.worked.root, *self.worked.definitions.values()]
        found = {_text_key(node): node for node in _patterned(nodes) if not _is_format(node)}
        for key, node in found.items():
            verdict = _verdict(node)
            if verdict:
                self.strings[key] = "never" if verdict.startswith("Unsatisfiable") else "refused"

    def _least_fixpoint(self) -> None:
        pending = list(self.worked.definitions)
        while pending:
            name = pending.pop()
            if name in self.satisfied:
                continue
            blocker = self.blocker(self.worked.definitions[name])
            if blocker is None:
                self.satisfied.add(name)
                pending.extend(self.blocked.pop(name, ()))
            else:
                for other in blocker:
                    self.blocked.setdefault(other, []).append(name)

    def blocker(self, node: Node) -> tuple[str, ...] | None:
        """None if `node` can be satisfied by what is known; else the definitions that could change that."""
        if isinstance(node, bool):
            return None if node else ()
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            return None if name in self.satisfied else (name,)
        if "anyOf" in node:
            names: list[str] = []
            for part in node["anyOf"]:
                found = self.blocker(part)
                if found is None:
                    return None
                names.extend(found)
            return tuple(names)
        match node.get("type"):
            case "string":
                return () if _never_a_text(node) or self.strings.get(_text_key(node)) == "never" else None
            case "array":
                return self.array_blocker(node)
            case "object":
                return self.object_blocker(node)
            case _:
                return None

    def array_blocker(self, node: dict[str, Any]) -> tuple[str, ...] | None:
        least = node.get("minItems", 0)
        if least > node.get("maxItems", least):
            return ()
        needed: list[Node] = node.get("prefixItems", [])[:least]
        if least > len(needed):
            needed = [*needed, node.get("items", True)]
        return self.first_blocker(needed)

    def object_blocker(self, node: dict[str, Any]) -> tuple[str, ...] | None:
        required = node.get("required", [])
        least = node.get("minProperties", 0)
        if max(len(required), least) > node.get("maxProperties", max(len(required), least)):
            return ()
        if least and (found := self.count_blocker(node, least)) is not None:
            return found
        return self.first_blocker([node["properties"][name] for name in required])

    def count_blocker(self, node: dict[str, Any], least: int) -> tuple[str, ...] | None:
        """The same for having `least` members at all."""
        others = [node.get("additionalProperties", True), *node.get("patternProperties", {}).values()]
        found = [self.blocker(part) for part in node.get("properties", {}).values()]
        rest = [self.blocker(part) for part in others]
        if None in rest or found.count(None) >= least:
            return None
        return tuple(name for names in (*found, *rest) for name in names or ())

    def first_blocker(self, nodes: list[Node]) -> tuple[str, ...] | None:
        return next((found for node in nodes if (found := self.blocker(node)) is not None), None)

    def finish(self, node: Node, depth: int) -> Node:
        """The node of the normal form: without marks of its origin, False where nothing satisfies it."""
        if isinstance(node, bool) or self.blocker(node) is not None:
            return node is True
        if "$ref" in node:
            return self.used(node["$ref"].rpartition("/")[2])
        if (
            depth > MAX_NODE_DEPTH
            and not self.too_deep
            and node.keys() & {"anyOf", "properties", "items", "prefixItems"}
        ):
            name = f"below_{self.moved}"
            while name in self.worked.definitions:
                name += "_"
            self.moved += 1
            self.worked.definitions[name] = node
            self.satisfied.add(name)
            return self.used(name)
        if "anyOf" in node:
            return either([self.finish(part, depth + 2) for part in node["anyOf"]])
        match node.get("type"):
            case "string":
                return self.string(node)
            case "array":
                return self.array(node, depth)
            case "object":
                return self.object(node, depth)
            case _:
                return {key: value for key, value in node.items() if key != "at"}

    def used(self, name: str) -> Node:
        if self.too_deep:
            self.unenforced.append(Unenforced("", "$ref", "references lead through too many definitions"))
            return True
        if name not in self.finished:
            self.finished[name] = True
            self.pending.append(name)
        return {"$ref": f"#/$defs/{name}"}

    def leave_out(self, node: dict[str, Any], keyword: str, reason: str) -> None:
        self.unenforced.append(Unenforced(step(node.get("at", ""), keyword), keyword, reason))

    def string(self, node: dict[str, Any]) -> Node:
        kept = {key: value for key, value in node.items() if key != "at"}
        if self.strings.get(_text_key(node)) == "refused":
            del kept["pattern"]
            self.leave_out(node, "pattern", "it is too large for a grammar")
        return kept

    def array(self, node: dict[str, Any], depth: int) -> Node:
        kept = {key: value for key, value in node.items() if key in ("type", "minItems", "maxItems")}
        prefix = [self.finish(part, depth + 2) for part in node.get("prefixItems", ())]
        rest = self.finish(node.get("items", True), depth + 1)
        if False in prefix:
            prefix, rest = prefix[: prefix.index(False)], False
        if rest is False:
            kept["maxItems"] = min(kept.get("maxItems", len(prefix)), len(prefix))
        prefix = prefix[: kept.get("maxItems", len(prefix))]
        if prefix:
            kept["prefixItems"] = prefix
        if rest is not True:
            kept["items"] = rest
        return kept if kept.get("minItems", 0) <= kept.get("maxItems", kept.get("minItems", 0)) else False

    def object(self, node: dict[str, Any], depth: int) -> Node:
        required = node.get("required", [])
        patterns: dict[str, Node] = node.get("patternProperties", {})
        if patterns and _verdict({"type": "object", "patternProperties": dict.fromkeys(patterns, True)}):
            self.leave_out(node, "patternProperties", "its patterns overlap or are too large for a grammar")
            node = {**node, "additionalProperties": True}
            names: dict[str, Node] = {}
        else:
            names = {name: self.finish(part, depth + 2) for name, part in patterns.items()}
        known = {name: self.finish(part, depth + 2) for name, part in node.get("properties", {}).items()}
        kept: dict[str, Any] = {"type": "object"}
        if known:
            kept["properties"] = known
        if required:
            kept["required"] = list(required)
        if names:
            kept["patternProperties"] = names
        if "additionalProperties" in node:
            kept["additionalProperties"] = self.finish(node["additionalProperties"], depth + 1)
        return self.counted(kept, node)

    def counted(self, kept: dict[str, Any], node: dict[str, Any]) -> Node:
        """`kept` with the bounds of its number of members, as far as a grammar can hold them."""
        required = kept.get("required", [])
        least = max(node.get("minProperties", 0) - len(required), 0)
        most = node["maxProperties"] - len(required) if "maxProperties" in node else None
        optional = [
            name for name, part in kept.get("properties", {}).items() if part is not False and name not in required
        ]
        closed = kept.get("additionalProperties") is False and not any(kept.get("patternProperties", {}).values())
        if most == 0:
            for name in optional:
                kept["properties"][name] = False
            kept.pop("patternProperties", None)
            kept["additionalProperties"] = False
            optional, closed = [], True
        if closed and least > len(optional):
            return False
        if closed and least and least == len(optional):
            kept.setdefault("required", []).extend(optional)
            return kept
        if most is not None and (most == 0 or (closed and most >= len(optional))):
            most = None
        special = closed and least <= 1 and most in (None, 1) and len(optional) <= _MAX_SPECIAL
        if optional and (least or most is not None) and not special:
            for keyword, count in (("minProperties", least), ("maxProperties", most)):
                if count:
                    self.leave_out(node, keyword, "a grammar can't count members where some are optional")
            return kept
        if least:
            kept["minProperties"] = node["minProperties"]
        if most is not None:
            kept["maxProperties"] = node["maxProperties"]
        return kept

    def _refuse(self) -> None:
        path, reason = _why(self.worked.root, self, "", 0)
        raise InvalidRequest(
            f"The schema `{self.where}` can never be satisfied: {path or 'as a whole,'} {reason}. Relax it there.",
            param=self.where + path,
        )


def _why(node: Node, satisfying: Satisfying, path: str, steps: int) -> tuple[str, str]:
    """The place and the reason of a node that nothing satisfies."""
    if isinstance(node, bool):
        return path, "allows nothing"
    path = node.get("at", path)
    if "$ref" in node and steps < 30:
        name = node["$ref"].rpartition("/")[2]
        return _why(satisfying.worked.definitions[name], satisfying, path, steps + 1)
    if steps >= 30:
        return path, "needs itself without end"
    if "anyOf" in node:
        return _why(node["anyOf"][0], satisfying, path, steps + 1)
    for name in node.get("required", ()):
        part = node["properties"][name]
        if satisfying.blocker(part) is not None:
            return _why(part, satisfying, step(step(path, "properties"), name), steps + 1)
    for part in [*node.get("prefixItems", ()), node.get("items", True)] if node.get("minItems") else ():
        if satisfying.blocker(part) is not None:
            return _why(part, satisfying, step(path, "items"), steps + 1)
    return path, "asks for things that exclude each other"


def _patterned(nodes: list[Node]) -> list[dict[str, Any]]:
    """The texts with patterns anywhere below `nodes`."""
    found: list[dict[str, Any]] = []
    pending: list[Any] = list(nodes)
    while pending:
        node = pending.pop()
        if not is_object(node):
            continue
        if "pattern" in node:
            found.append({key: value for key, value in node.items() if key != "at"})
            continue
        if node.keys() <= _LEAF:
            continue
        pending.extend(node[key] for key in ("items", "additionalProperties") if key in node)
        for key in ("properties", "patternProperties"):
            pending.extend(node.get(key, {}).values())
        for key in ("anyOf", "prefixItems", "allOf"):
            pending.extend(node.get(key, ()))
    return found


def _is_format(node: dict[str, Any]) -> bool:
    return node["pattern"] in _FORMAT_PATTERNS and "minLength" not in node and node.get("maxLength", 253) >= 253


def _text_key(node: dict[str, Any]) -> bytes:
    return msgspec.json.encode({key: value for key, value in node.items() if key != "at"})


def _never_a_text(node: dict[str, Any]) -> bool:
    return node.get("minLength", 0) > node.get("maxLength", node.get("minLength", 0))


def _verdict(schema: dict[str, Any]) -> str:
    """What llguidance says against a schema; "" if it takes it."""
    return llguidance.LLMatcher.validate_grammar(llguidance.LLMatcher.grammar_from_json_schema(schema))
