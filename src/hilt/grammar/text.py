"""Free text that leads to marks: what a model may write before a call begins, and where the call then begins.

A mark can reach the reply as one special token, as plain text, or as a mixture of both. Plain text can't spell a mark
that is a special token: so that nothing escapes the grammar, such a spelling is not allowed at all. A mark in plain
text is found by a lexeme that ends with it as soon as it can; other text may not hold it.
"""

from collections.abc import Sequence

from msgspec import Struct

from hilt.grammar.lark import WHITE_SPACE, Rules, exactly, pattern, sequence
from hilt.grammar.vocabulary import Piece, Vocabulary, written

SPACE_LIMIT = 16
SPACE_CLASS = r"[ \t\r\n]"


class Opener(Struct, frozen=True):
    """What ends free text, and what must follow: a mark, or, where no mark begins a call, a regular expression."""

    body: str
    mark: str = ""
    regex: str = ""


class FreeText:
    """The rules of free text in which none of some marks may stand.

    `banned` are marks, `regexes` forms of text without a mark; those of `openers` are banned as well, except where
    they open what follows.
    """

    def __init__(
        self,
        rules: Rules,
        vocabulary: Vocabulary,
        openers: Sequence[Opener] = (),
        banned: Sequence[str] = (),
        regexes: Sequence[str] = (),
    ) -> None:
        self._rules = rules
        self._vocabulary = vocabulary
        self._openers = openers
        marks = [*(o.mark for o in openers if o.mark), *banned]
        split = [vocabulary.pieces(mark) for mark in marks]
        self._tokens = {p[0] for p in split if isinstance(p[0], int) and len(p) == 1}
        self._tokens |= {p[1] for p in split if isinstance(p[0], str) and len(p) > 1 and isinstance(p[1], int)}
        self._shared: dict[int, list[str]] = {}
        for first, *rest in split:
            if isinstance(first, int) and rest and first not in self._tokens:
                self._shared.setdefault(first, []).extend(r for r in rest[:1] if isinstance(r, str))
        # Spelled in plain text, a mark is refused or opens a call, whatever it is in the vocabulary.
        opening = [exactly(o.mark) for o in openers if o.mark] + [o.regex for o in openers if o.regex]
        never = [exactly(b) for b in dict.fromkeys(banned) if not any(b in o.mark for o in openers)] + [*regexes]
        self._guard = _without([*opening, *never])
        self._guard_of_opened = _without(never)

    def free(self) -> str:
        """The body of a rule: text that stays free to its end."""
        return f"{self._text()}? {self._tail()}*"

    def opened(self) -> list[str]:
        """The bodies of rules: free text, then an opener, then what must follow it."""
        return [self._up_to(opener) for opener in self._openers]

    def _text(self) -> str:
        return self._rules.terminal("text", f"{pattern('(?s:.+)')}{self._guard}")

    def _special(self) -> str:
        """One special token, with nothing behind it."""
        others = self._vocabulary.any_special_but({*self._tokens, *self._shared})
        choices = [c for c in (others, *(f"<[{token}]>" for token in self._shared)) if c]
        return self._rules.rule("special", " | ".join(choices)) if choices else ""

    def _tail(self) -> str:
        """A special token and the text behind it."""
        others = self._vocabulary.any_special_but({*self._tokens, *self._shared})
        choices = [f"{others} {self._text()}?"] if others else []
        for token, starts in self._shared.items():
            begun = "|".join(map(exactly, starts))
            other = f"{pattern('(?s:.+)')}{self._guard} & ~{pattern(f'({begun})(?s:.*)')}"
            choices.append(f"<[{token}]> {self._rules.terminal('other', other)}?")
        return self._rules.rule("tail", " | ".join(choices)) if choices else '""'

    def _up_to(self, opener: Opener) -> str:
        pieces: list[Piece] = self._vocabulary.pieces(opener.mark)
        if pieces and isinstance(pieces[0], int):
            return sequence(self._rules.rule("free", self.free()), written(pieces), opener.body)
        special = self._special()
        before = f"({self._text()}? {self._tail()}* {special})?" if special else ""
        before = self._rules.rule("before", before) if before else ""
        if len(pieces) > 1:
            text = self._rules.terminal("text_up_to", f"{pattern(f'(?s:.*){exactly(str(pieces[0]))}')}{self._guard}")
            return sequence(before, text, written(pieces[1:]), opener.body)
        end = opener.regex or exactly(opener.mark)
        return sequence(
            before, self._rules.lazy("up_to", pattern(f"(?s:.*)({end})") + self._guard_of_opened), opener.body
        )


def _without(forms: Sequence[str]) -> str:
    """What a terminal goes on with whose text may hold none of these regular expressions."""
    choices = "|".join(forms)
    return f" & ~{pattern(f'(?s:.*)({choices})(?s:.*)')}" if choices else ""


def space(rules: Rules) -> str:
    """The body of a rule: white space, which may be missing."""
    return f"{rules.terminal('space', pattern(WHITE_SPACE))}?"
