"""Arguments under the other names that models give them, taken for what they are."""

from collections.abc import Mapping
from typing import Any

from hilt.tools.tool import Normalised, Normaliser


def also_named(**others: tuple[str, ...]) -> Normaliser:
    """A normaliser: where a parameter is missing, the one argument under another of its names is taken for it.

    Where there are several of them, nothing is done, since any could be the one that is meant.
    """

    def normalise(arguments: Mapping[str, Any]) -> Normalised:
        meant = dict(arguments)
        warnings: list[str] = []
        for parameter, names in others.items():
            given = [name for name in names if name in meant]
            if parameter not in meant and len(given) == 1:
                meant[parameter] = meant.pop(given[0])
                warnings.append(f"{given[0]} was taken as {parameter}")
        return Normalised(meant, tuple(warnings))

    return normalise
