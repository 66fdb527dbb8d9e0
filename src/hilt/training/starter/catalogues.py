"""Which tools are offered in a conversation: the built-in ones, realistic families, invented tools, or a mixture."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from hilt.training.starter import arithmetic, clock, invented, notes, units, worded, workspace
from hilt.training.starter.builtin_specs import BUILTIN_NAMES, BUILTIN_SPECS
from hilt.training.starter.families import Family, draw_offer, families
from hilt.training.starter.phrasing_tables import named, texts
from hilt.training.starter.tools import Ask, Offer, Style, Vague, draw_style, function_spec, parameters_schema

_MAKERS: dict[str, Callable[[dict[str, Any]], Offer]] = {
    "calculate": arithmetic.offer,
    "current_time": clock.offer,
    "convert_units": units.offer,
    "list_files": workspace.offer_list,
    "read_file": workspace.offer_read,
    "add_note": notes.offer_add,
    "search_notes": notes.offer_find,
}
_OTHER_ABOUTS = named("catalogues", "other_abouts")
_OTHER_NAMES = named("catalogues", "names")
# Requests about these could be met by a search of the web, or by a look into the notes.
_SEARCHABLE = frozenset(texts("catalogues", "searchable"))
_NOTED = frozenset(("contact", "birthday"))


def draw_catalogue(rng: Random, held_out: bool = False) -> list[Offer]:
    """The offers of one conversation, none (seldom) to twelve. With `held_out`, only families kept from training."""
    if held_out:
        return _from_families(rng, _count(rng), draw_style(rng), held_out=True)
    kind = rng.random()
    if kind < 0.42:
        return _builtins(rng)
    if kind < 0.50:
        offers = _builtins(rng, rng.randrange(1, 8))
        return _shuffled(rng, offers + _from_families(rng, rng.randrange(1, 6), draw_style(rng), beside=offers))
    if kind < 0.73:
        return _from_families(rng, _count(rng), draw_style(rng))
    if kind < 0.96:
        style = draw_style(rng)
        count = _count(rng)
        offers: list[Offer] = []
        if rng.random() < 0.55:
            offers = invented.draw_offers(rng, rng.randrange(1, max(2, count)), style)
        if rng.random() < 0.3:
            offers += _from_families(rng, rng.randrange(1, 5), style)
        return _shuffled(rng, offers + _worded(rng, max(1, count - len(offers)), style, offers))
    return []


def _worded(rng: Random, count: int, style: Style, beside: list[Offer]) -> list[Offer]:
    taken = topics_of(beside)
    names = {part for offer in beside for part in offer.name.lower().replace("-", "_").split("_")}
    offers: list[Offer] = []
    for _ in range(count * 3):
        offer = worded.draw_offer(rng, style)
        if len(offers) < count and not offer.topics & taken and not {topic[5:] for topic in offer.topics} & names:
            taken |= offer.topics
            offers.append(offer)
    return offers


def _count(rng: Random) -> int:
    return rng.choice((1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 10, 12))


def _shuffled(rng: Random, offers: list[Offer]) -> list[Offer]:
    rng.shuffle(offers)
    return list({offer.name: offer for offer in offers}.values())


def _builtins(rng: Random, count: int | None = None) -> list[Offer]:
    names = list(BUILTIN_NAMES)
    if count is not None or rng.random() < 0.3:
        names = rng.sample(names, count or rng.randrange(1, 7))
        names.sort(key=BUILTIN_NAMES.index)
    order = rng.random()
    if order < 0.2:
        names.sort()
    elif order < 0.45:
        rng.shuffle(names)
    changed = rng.random()
    style = draw_style(rng) if changed < 0.25 else None
    offers: list[Offer] = []
    for name in names:
        offer = _MAKERS[name](BUILTIN_SPECS[name])
        if style is not None and rng.random() < 0.8:
            offer = restyled(rng, offer, style, rename=changed < 0.17)
        offers.append(offer)
    return offers


def restyled(rng: Random, offer: Offer, style: Style, rename: bool) -> Offer:
    """A built-in tool under another description and, with `rename`, other names; its asks are translated."""
    names, parameters = _OTHER_NAMES[offer.name], named("catalogues", "parameters", offer.name)
    name = style.naming(rng.choice(names)) if rename else offer.name
    schema = offer.spec["parameters"]
    renamed = {key: style.naming(rng.choice(parameters[key])) if rename else key for key in schema["properties"]}
    properties: dict[str, dict[str, Any]] = {}
    for key, shown in schema["properties"].items():
        kept = dict(shown)
        if rng.random() < 0.3:
            kept.pop("default", None)
        properties[renamed[key]] = kept
    required = [renamed[key] for key in schema["required"]]
    spec = function_spec(
        name,
        rng.choice((*_OTHER_ABOUTS[offer.name], offer.spec["description"])),
        parameters_schema(properties, required, style),
        style,
    )
    back = {new: old for old, new in renamed.items()}

    def there(ask: Ask) -> Ask:
        return replace(ask, tool=name, arguments={renamed[key]: value for key, value in ask.arguments.items()})

    def ask(rng: Random) -> Ask:
        return there(offer.ask(rng))

    def vague(rng: Random) -> Vague | None:
        drawn = offer.vague(rng)
        return drawn and replace(drawn, ask=there(drawn.ask))

    def follow(rng: Random, before: Ask) -> Ask | None:
        if before.tool != name or not set(before.arguments) <= set(back):
            return None
        old = replace(before, tool=offer.name, arguments={back[key]: value for key, value in before.arguments.items()})
        drawn = offer.follow(rng, old)
        return drawn and there(drawn)

    def pair(rng: Random) -> tuple[str, list[Ask]] | None:
        drawn = offer.pair(rng)
        return drawn and (drawn[0], [there(ask) for ask in drawn[1]])

    return Offer(spec, offer.topics, ask, vague, follow, pair)


def topics_of(offers: list[Offer]) -> set[str]:
    """All topics of some offers."""
    return {topic for offer in offers for topic in offer.topics}


def _from_families(
    rng: Random, count: int, style: Style, held_out: bool = False, beside: list[Offer] | None = None
) -> list[Offer]:
    taken = topics_of(beside or [])
    if taken & {"files", "files_read"}:
        taken |= {"books"}
    names = {offer.name for offer in beside or []}
    offers: list[Offer] = []
    pool = [family for family in families() if family.held_out == held_out]
    while pool and len(offers) < count:
        family = pool.pop(rng.randrange(len(pool)))
        if family.topics & taken:
            continue
        offer = draw_offer(rng, family, style)
        if offer.name in names:
            continue
        taken |= family.topics
        names.add(offer.name)
        offers.append(offer)
    if held_out:
        while len(offers) < count:
            offers.append(invented.draw_offers(rng, 1, style)[0])
    return offers


def _shares_words(offer: Offer, offers: list[Offer]) -> bool:
    """Whether a word that the tool is about stands anywhere in the other tools' names or descriptions."""
    told = " ".join(f"{other.spec}" for other in offers).lower()
    return any(topic[5:] in told for topic in offer.topics if topic.startswith("word:"))


_UNFIT_STYLE = Style(str, True, True, False, False, False, True, True)


def draw_unfit(rng: Random, offers: list[Offer]) -> Ask | None:
    """A request that none of `offers` can meet, or None if none is found soon."""
    taken = topics_of(offers)
    if "search" in taken:
        taken |= _SEARCHABLE
    if "notes_search" in taken:
        taken |= _NOTED
    if "units" in taken or "math" in taken:
        taken |= {"tax", "loan"}
    if "units" in taken and not taken & {"currency", "search"} and rng.random() < 0.06:
        money = next(family for family in families() if family.id == "currency")
        return draw_offer(rng, money, _UNFIT_STYLE).ask(rng)
    for _ in range(12):
        source = rng.random()
        if source < 0.12:
            offer = invented.draw_offers(rng, 1, _UNFIT_STYLE)[0]
        elif source < 0.36:
            offer = worded.draw_offer(rng, _UNFIT_STYLE)
            if _shares_words(offer, offers):
                continue
        elif source < 0.52:
            name = rng.choice(BUILTIN_NAMES)
            offer = _MAKERS[name](BUILTIN_SPECS[name])
            if "search" in taken and name in ("current_time", "convert_units", "calculate"):
                continue
            if name == "convert_units" and "math" in taken:
                continue
        else:
            family: Family = rng.choice(families())
            if family.held_out:
                continue
            offer = draw_offer(rng, family, _UNFIT_STYLE)
        if not offer.topics & taken and not ("notes" in taken and offer.topics & {"files"}):
            return offer.ask(rng)
    return None
