"""Text as words that can be compared: folded, without accents, and told apart from those that say little."""

import re
import unicodedata

# In the scripts of South and South-East Asia the vowels behind a letter are marks, which Python takes for no letters.
_WORD = re.compile(r"(?:[^\W_]|[\u0900-\u0963\u0966-\u0e3a\u0e40-\u0e4e\u0e80-\u109f\u1780-\u17d3])+")
_ACCENTS = re.compile(r"[\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0670]+")

# Scripts that put no space between words. Each of their characters is taken as a word of its own.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")

# English words that stand in most passages and so can't tell one from another.
FREQUENT_WORDS = frozenset(
    re.findall(
        "[a-z]+",
        """a about after all also am an and any are as at be been before but by can could did do does for from get
        had has have he her here him his how i if in into is it its let ll may me might more most must my need no
        not of on one only or other our out over s shall she should so some such t than that the their them then
        there these they this those to too under up us ve very was we were what when where which while who whom
        whose why will with would you your""",
    )
)


def words(text: str) -> list[str]:
    """The words of a text in order, in lower case and without accents."""
    folded = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return _WORD.findall(_UNSPACED.sub(r" \g<0> ", unicodedata.normalize("NFC", folded)))


def telling(found: list[str]) -> list[str]:
    """The words that tell passages apart, each once; all of them where none does."""
    each = list(dict.fromkeys(found))
    return [word for word in each if word not in FREQUENT_WORDS] or each
