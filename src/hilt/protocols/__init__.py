"""Codecs between the wire and the vocabulary: bytes of a body to a `Request`, `Event`s to bytes; no input or output."""
