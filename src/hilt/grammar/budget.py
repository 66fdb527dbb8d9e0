"""A reply that must be whole is brought to its end before its tokens run out.

Steering knows how many tokens a reply may still have. Now and then it asks for the ending from where the reply stands,
and once what is left is hardly more than that, it lets nothing come but the ending. Looking costs milliseconds, so it
looks again only when half of the slack that it saw is used up: a long reply is looked at a few times, and each token
only near the end.

A single token can make the ending longer by a whole object: the comma after the last item of a list. So near the end,
where few tokens may follow, those behind which no ending fits are left out.
"""

import numpy as np

from hilt.grammar.ending import Closers, Kind, bits_of, ending, is_wide
from hilt.grammar.matching import Allowed, Matched, Matcher, Only

MARGIN_TOKENS = 3
NEAR_TOKENS = 32
LONGEST_ENDING = 512  # tokens; the search for a longer one would be given up anyway
MOST_TRIED = 24  # tokens at one place whose endings are looked for


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
        self._near = NEAR_TOKENS
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
        if self._plan:
            return Only((self._plan[0],))
        if self._matcher.over or self._wait > 0:
            return self._matcher.allowed()
        return self._look()

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

    def _look(self) -> Allowed:
        """Ask for the ending: what may come next under it, and when to look again."""
        found = ending(self._matcher, min(self._left - 1, LONGEST_ENDING), self._closers)
        if found is None:
            self._wait = max(1, self._left // 2)
            return self._matcher.allowed()
        slack = self._left - 1 - len(found)
        if found and slack <= MARGIN_TOKENS:
            self._plan = [*found, min(self._matcher.vocabulary.ends)]
            self.cut = True
            return Only((self._plan[0],))
        self._near = max(self._near, len(found) + MARGIN_TOKENS)
        self._wait = max(1, min(slack // 2, self._left - self._near))
        if not found or self._left > self._near + 1:
            return self._matcher.allowed()
        return Matched(self._matcher, tuple(token for token in self._too_long() if token != found[0]))

    def _too_long(self) -> tuple[int, ...]:
        """Tokens behind which the reply couldn't be ended in time, as far as a few trials show.

        In a text, tokens that hold a quote and more go without a trial: the quote alone does as well.
        """
        bits = bits_of(self._matcher.mask(), self._matcher.vocabulary.size)
        if is_wide(bits):
            return self._closers.behind_quotes
        tokens = np.flatnonzero(bits)
        if len(tokens) > MOST_TRIED:
            kinds = self._closers.kinds[tokens]
            tokens = tokens[(kinds == Kind.PUNCTUATION) | (kinds == Kind.OTHER)][:MOST_TRIED]
        return tuple(int(token) for token in tokens if not self._fits(int(token)))

    def _fits(self, token: int) -> bool:
        if token in self._matcher.vocabulary.ends:
            return True
        behind = self._matcher.copy()
        behind.take(token)
        return ending(behind, self._left - 2, self._closers) is not None
