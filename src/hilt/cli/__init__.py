"""The command line: one small module a command."""

from hilt.cli.app import main

__all__ = ["main"]
