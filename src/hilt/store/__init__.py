"""Models on disk and on the hub."""

from hilt.store.models import STARTER, find_model, names_model

__all__ = ["STARTER", "find_model", "names_model"]
