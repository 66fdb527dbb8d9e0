"""Values that were used lately, kept under a bound."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """Values by their keys, at most `limit` in size together; the one used longest ago goes first. Any thread asks."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._values: OrderedDict[bytes, tuple[V, int]] = OrderedDict()
        self._size = 0

    def get(self, key: bytes) -> V | None:
        """The value of a key, if it is kept."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def keep(self, key: bytes, value: V, size: int) -> None:
        """Keep a value of this size, unless it is larger than the bound."""
        if size > self._limit:
            return
        with self._lock:
            _, old = self._values.pop(key, (None, 0))
            self._values[key] = (value, size)
            self._size += size - old
            while self._size > self._limit:
                _, (_, gone) = self._values.popitem(last=False)
                self._size -= gone
