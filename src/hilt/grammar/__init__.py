"""What a model may write next, from the schemas of its tools, and whether what it wrote holds to them."""

from hilt.grammar.checking import Check
from hilt.grammar.keywords import Node, Schema, Unenforced
from hilt.grammar.schemas import Prepared, prepare, prepare_arguments

__all__ = ["Check", "Node", "Prepared", "Schema", "Unenforced", "prepare", "prepare_arguments"]
