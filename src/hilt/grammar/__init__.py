"""What a model may write next, from the schemas of its tools, and whether what it wrote holds to them.

`schemas` brings a client's schema into a normal form and checks finished calls. `values` writes what fits such a schema
in the notations that are not JSON. `replies` and the modules below it make one grammar of a dialect's marks and its
tools' arguments. `matching`, `ending`, `budget` and `cache` compile a grammar and say which tokens it allows.
"""

from hilt.grammar.keywords import Node, Schema, Unenforced
from hilt.grammar.schemas import Check, Prepared, prepare, prepare_arguments

__all__ = ["Check", "Node", "Prepared", "Schema", "Unenforced", "prepare", "prepare_arguments"]
