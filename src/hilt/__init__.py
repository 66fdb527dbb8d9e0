"""Hilt: a grip on tools for the models people run themselves."""

__version__ = "0.1.0"
