"""A reply that must be whole is brought to its end before its tokens run out.

Steering knows how many tokens a reply may still have. Now and then it asks for the ending from where the reply stands,
and once what is left is hardly more than that, it lets nothing come but the ending. Looking costs milliseconds, so it
looks again only when half of the slack that it saw is used up: a long reply is looked at a few times, and each token
only near the end.
"""

from hilt.grammar.ending import Closers, ending
from hilt.grammar.matching import Allowed, Matcher, Only

MARGIN_TOKENS = 3
LONGEST_ENDING = 512  # tokens; a search for a longer one would be given up anyway


class Steering:
    """A matcher that comes to an end in time. `left` is the number of tokens that the reply may have, the one that ends
    the turn included; it belongs to one reply, and to one thread at a time.

    Where no ending is found the reply goes on as it is. Where the reply may end as it stands nothing is done, and it
    may be cut there. `cut` says that an ending was forced.
    """

    def __init__(self, matcher: Matcher, left: int, closers: Closers) -> None:
        self._matcher = matcher
        self._left = left
        self._closers = closers
        self._plan: list[int] = []
        self._last_length: int | None = None
        self._margin = MARGIN_TOKENS
        self._wait = max(0, (left - LONGEST_ENDING) // 2)
        self.cut = False

    @property
    def accepting(self) -> bool:
        """Whether the reply may end here."""
        return self._matcher.accepting

    @property
    def over(self) -> bool:
        """Whether nothing may follow but a token that ends the turn."""
        return self._matcher.over

    def allowed(self) -> Allowed:
        """What may come next."""
        if not self._plan and not self._matcher.over and self._wait <= 0:
            self._look()
        return Only((self._plan[0],)) if self._plan else self._matcher.allowed()

    def take(self, token: int) -> None:
        """Move past a token. Raises Bug if it wasn't allowed."""
        self._matcher.take(token)
        self._left -= 1
        self._wait -= 1
        if self._plan and self._plan[0] == token:
            self._plan.pop(0)

    def forced(self) -> list[int]:
        """The tokens that have to come next whatever the model says."""
        return list(self._plan) or self._matcher.forced()

    def verify(self) -> None:
        """Raise Bug if the grammar can't go on."""
        self._matcher.verify()

    def _look(self) -> None:
        """Ask for the ending, and plan it or say when to look again.

        One token can make the ending longer by a whole object; the longest such step that was seen is kept as a margin.
        """
        found = ending(self._matcher, min(self._left - 1, LONGEST_ENDING), self._closers)
        if found is None:
            self._wait = max(1, self._left // 2)
            return
        if self._last_length is not None:
            self._margin = max(self._margin, len(found) - self._last_length)
        self._last_length = len(found)
        slack = self._left - 1 - len(found)
        if slack <= self._margin and found:
            self._plan = [*found, min(self._matcher.vocabulary.ends)]
            self.cut = True
        self._wait = max(1, (slack - self._margin) // 2)
