"""Where a reply has to stop: the first of some texts that is complete, wherever the tokens are cut."""


class StopSearch:
    """Lets text through up to the first stop text; holds back only what may be the beginning of one."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.found = False

    def feed(self, text: str) -> str:
        """The text that may leave now; after a stop text has been found, nothing."""
        if self.found:
            return ""
        self._held += text
        spans = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if spans:
            self.found = True
            return self._let_go(min(spans)[1])
        return self._let_go(min((self._begun(stop) for stop in self._stops), default=len(self._held)))

    def finish(self) -> str:
        """What was held back, because the reply is over and no stop text can come."""
        return "" if self.found else self._let_go(len(self._held))

    def _begun(self, stop: str) -> int:
        """Where a stop text may have begun at the end of the text that is held."""
        first = max(0, len(self._held) - len(stop) + 1)
        places = range(first, len(self._held))
        return next((at for at in places if stop.startswith(self._held[at:])), len(self._held))

    def _let_go(self, count: int) -> str:
        text, self._held = self._held[:count], self._held[count:]
        return text
