"""Where a reply has to stop: the first of some texts, wherever the tokens are cut."""

from hilt.dialects.cursor import Cursor, find, literals


class StopSearch:
    """Lets text through up to the first stop text; holds back only what may be the beginning of one."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._marks = literals(stops)
        self._cursor = Cursor()
        self.found = False

    def feed(self, text: str) -> str:
        """The text that may leave now; after a stop text has been found, nothing."""
        if self.found:
            return ""
        self._cursor.extend(text)
        return self._release()

    def finish(self) -> str:
        """What was held back, because the reply is over and no stop text can come."""
        self._cursor.ended = True
        return "" if self.found else self._release()

    def _release(self) -> str:
        free, stop = find(self._cursor, self._marks)
        self.found = stop is not None
        return self._cursor.take(free)
