"""A client's JSON Schema made ready: a normal form for grammars, and an honest list of what that doesn't enforce.

A node of the normal form is one of

- `True` or `False`;
- `{"$ref": "#/$defs/NAME"}`, alone;
- `{"anyOf": [nodes]}`, alone;
- `{"enum": [values]}`, alone;
- `{"type": T, …}` with the keywords of that one type: `pattern`, `minLength`, `maxLength` (string); `minimum` or
  `exclusiveMinimum`, `maximum` or `exclusiveMaximum`, `multipleOf` (integer, number); `prefixItems`, `items`,
  `minItems`, `maxItems` (array); `properties`, `required`, `additionalProperties`, `patternProperties`,
  `minProperties`, `maxProperties` (object). Formats have become patterns; every required name is in `properties`.
  An object that says nothing of further members has no `additionalProperties`; one that allows them all has `True`.

`$defs` stand at the root. The normal form accepts all that the schema accepts, and nothing else when `unenforced` is
empty. That is said of values: the grammar made from it also fixes the order of members and how numbers are spelled.
"""

from hilt.grammar.schemas.checking import Check
from hilt.grammar.schemas.preparing import Prepared, prepare, prepare_arguments

__all__ = ["Check", "Prepared", "prepare", "prepare_arguments"]
