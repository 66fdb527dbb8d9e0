"""Whole conversations, drawn from a seed: a catalogue, then requests with their calls, results and answers."""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from hilt.training.starter import lexicon, phrases, variations, workspace
from hilt.training.starter.catalogues import draw_catalogue, draw_unfit, topics_of
from hilt.training.starter.chains import draw_chain
from hilt.training.starter.rendering import Conversation, Message, as_json
from hilt.training.starter.tools import Ask, Offer, failed


@dataclass(frozen=True)
class Talk:
    """The contents of talk.toml."""

    systems: tuple[str, ...]
    unfit: tuple[str, ...]
    unfit_bare: tuple[str, ...]
    rest_unfit: tuple[str, ...]
    near: dict[str, tuple[str, ...]]
    exchanges: tuple[dict[str, tuple[str, ...]], ...]


_NEAR = {"notes": "near_notes", "files_read": "near_files", "units": "near_units", "time": "near_time"}


@cache
def talk() -> Talk:
    """Small talk and the sentences for requests that no tool meets."""
    with Path(__file__).with_name("talk.toml").open("rb") as file:
        read = tomllib.load(file)
    exchanges = tuple({key: tuple(texts) for key, texts in entry.items()} for entry in read["talk"])
    return Talk(
        tuple(read["systems"]),
        tuple(read["unfit"]),
        tuple(read["unfit_bare"]),
        tuple(read["rest_unfit"]),
        {topic: tuple(read[key]) for topic, key in _NEAR.items()},
        exchanges,
    )


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _answer(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _called(asks: list[Ask]) -> list[Message]:
    """A turn that makes all these calls, and their results."""
    calls = [{"type": "function", "function": {"name": ask.tool, "arguments": ask.arguments}} for ask in asks]
    results = [
        {"role": "tool", "content": ask.result if isinstance(ask.result, str) else as_json(ask.result)} for ask in asks
    ]
    return [{"role": "assistant", "content": "", "tool_calls": calls}, *results]


def _request(rng: Random, clause: str) -> str:
    text = phrases.written(rng, phrases.dress(rng, clause))
    if rng.random() < 0.07:
        lead = lexicon.filled(rng, lexicon.pick(rng, "leads"))
        text = f"{lead} {text}"
    return text


def _settled(rng: Random, ask: Ask, done: list[Ask]) -> Ask:
    """The ask with the result as it came: mostly as drawn, at times a failure, for foreign tools in many shapes.

    `done` keeps it as drawn, for requests that lean on it.
    """
    if rng.random() < 0.07 and not _broke(ask):
        ask = failed(rng, ask)
    done.append(ask)
    return variations.varied(rng, ask)


def _broke(ask: Ask) -> bool:
    return "error" in ask.fields


Episode = Callable[[Random, list[Offer], list[Ask]], list[Message] | None]


def _single(rng: Random, offers: list[Offer], done: list[Ask]) -> list[Message] | None:
    ask = _settled(rng, rng.choice(offers).ask(rng), done)
    return [_user(_request(rng, ask.request)), *_called([ask]), _answer(ask.answer)]


def _parallel(rng: Random, offers: list[Offer], done: list[Ask]) -> list[Message] | None:
    count = 2 if rng.random() < 0.72 else 3
    if len(offers) == 1 or rng.random() < 0.2:
        offer = rng.choice(offers)
        pair = offer.pair(rng) if rng.random() < 0.5 else None
        if pair is not None:
            asks = [_settled(rng, ask, done) for ask in pair[1]]
            return [
                _user(_request(rng, pair[0])),
                *_called(asks),
                _answer(phrases.joined_answers(rng, [ask.answer for ask in asks])),
            ]
        asks = [offer.ask(rng) for _ in range(count)]
        elliptic = _same_tool(rng, asks)
        if elliptic is not None:
            asks = [_settled(rng, ask, done) for ask in asks]
            return [
                _user(_request(rng, elliptic)),
                *_called(asks),
                _answer(phrases.joined_answers(rng, [ask.answer for ask in asks])),
            ]
    else:
        chosen = rng.sample(offers, min(count, len(offers)))
        asks = [offer.ask(rng) for offer in chosen]
    if any(
        as_json(first.arguments) == as_json(second.arguments) and first.tool == second.tool
        for at, first in enumerate(asks)
        for second in asks[:at]
    ):
        return None
    clauses = [ask.request for ask in asks]
    if any(". " in clause or "? " in clause or ": " in clause for clause in clauses):
        text = " ".join(phrases.upper_start(phrases.ended(clause)) for clause in clauses)
    else:
        clauses[0] = phrases.dress(rng, clauses[0])
        wish = clauses[0].endswith("?") and not asks[0].request.endswith("?")
        text = phrases.joined_requests(rng, [clauses[0].rstrip("?") if wish else clauses[0], *clauses[1:]])
        text = phrases.written(rng, text)
    asks = [_settled(rng, ask, done) for ask in asks]
    return [_user(text), *_called(asks), _answer(phrases.joined_answers(rng, [ask.answer for ask in asks]))]


def _same_tool(rng: Random, asks: list[Ask]) -> str | None:
    """Asks of one tool in one breath ("the weather in Rome and Oslo"), where they differ in one spoken value."""
    if any(ask.arguments.keys() != asks[0].arguments.keys() or len(ask.arguments) != 1 for ask in asks):
        return None
    values = [next(iter(ask.arguments.values())) for ask in asks]
    if not all(isinstance(value, str) and len(value) <= 40 and "," not in value for value in values) or len(
        set(values)
    ) < len(values):
        return None
    first = asks[0].request
    bare = first.rstrip("?")
    if (
        first.count(values[0]) != 1
        or not bare.endswith(values[0])
        or any(value not in ask.request for value, ask in zip(values, asks, strict=True))
    ):
        return None
    before = bare.removesuffix(values[0]).split(" ")[-2:-1]
    again = f"{before[0]} " if before and before[0] in ("in", "for", "of", "about", "to") and rng.random() < 0.3 else ""
    link = rng.choice((" and ", " and ", ", and ", " and also "))
    middle = "".join(f", {again}{value}" for value in values[1:-1])
    return f"{bare}{middle}{link}{again}{values[-1]}{'?' if first.endswith('?') else ''}"


def _chain(rng: Random, offers: list[Offer], done: list[Ask]) -> list[Message] | None:
    chain = draw_chain(rng, offers)
    if chain is None:
        return None
    messages = [_user(_request(rng, chain.request))]
    for step in chain.steps:
        if rng.random() < 0.04:
            broken = failed(rng, step)
            return [*messages, *_called([broken]), _answer(broken.answer)]
        messages += _called([step])
    return [*messages, _answer(chain.answer)]


def _vague(rng: Random, offers: list[Offer], done: list[Ask]) -> list[Message] | None:
    vague = rng.choice(offers).vague(rng)
    if vague is None:
        return None
    messages = [_user(_request(rng, vague.request)), _answer(vague.question)]
    if rng.random() < 0.75:
        ask = _settled(rng, vague.ask, done)
        reply = vague.reply if rng.random() < 0.7 else phrases.upper_start(phrases.ended(vague.reply))
        messages += [_user(reply), *_called([ask]), _answer(ask.answer)]
    return messages


def _follow(rng: Random, offers: list[Offer], done: list[Ask]) -> list[Message] | None:
    if not done or _broke(done[-1]):
        return None
    for offer in rng.sample(offers, len(offers)):
        ask = offer.follow(rng, done[-1])
        if ask is not None:
            ask = _settled(rng, ask, done)
            return [_user(phrases.written(rng, ask.request)), *_called([ask]), _answer(ask.answer)]
    return None


def _named_tools(offers: list[Offer]) -> str:
    return phrases.listed([offer.name for offer in offers])


def _near(rng: Random, offers: list[Offer]) -> str | None:
    """A request near to what an offered built-in tool does, but beyond it; None if another tool might meet it."""
    topics = topics_of(offers)
    able = [topic for topic in talk().near if topic in topics]
    if not able or not topics <= {"math", "time", "units", "files", "files_read", "notes", "notes_search"}:
        return None
    if "notes" in topics:
        able = [topic for topic in able if topic != "time"]
    if not able:
        return None
    words = {
        "n": str(rng.choice((rng.randrange(1, 30), rng.randrange(1, 900)))),
        "q": lexicon.free_text(rng, 1, 3),
        "p": workspace.file_path(rng),
        "p2": workspace.file_path(rng),
        "folder": workspace.folder_name(rng),
    }
    words |= {
        "person": lexicon.person(rng),
        "language": lexicon.pick(rng, "languages"),
        "hour": lexicon.hour(rng),
        "city": lexicon.pick(rng, "cities"),
        "date": lexicon.day(rng),
    }
    return phrases.say(rng, rng.choice(talk().near[rng.choice(able)]), words)


def _unfit(rng: Random, offers: list[Offer], done: list[Ask]) -> list[Message] | None:
    request = _near(rng, offers) if rng.random() < 0.35 else None
    if request is None:
        ask = draw_unfit(rng, offers)
        if ask is None:
            return None
        request = ask.request
    texts = talk().unfit if offers else talk().unfit_bare
    if len(offers) > 8:
        texts = texts[:2]
    return [
        _user(_request(rng, request)),
        _answer(rng.choice(texts).replace("{tools}", _named_tools(offers) if offers else "")),
    ]


def _half_fit(rng: Random, offers: list[Offer], done: list[Ask]) -> list[Message] | None:
    other = draw_unfit(rng, offers)
    if other is None or ". " in other.request or "? " in other.request:
        return None
    ask = rng.choice(offers).ask(rng)
    if ". " in ask.request or "? " in ask.request:
        return None
    clauses = [ask.request, other.request]
    if rng.random() < 0.35:
        clauses.reverse()
    text = phrases.written(rng, phrases.joined_requests(rng, clauses))
    ask = _settled(rng, ask, done)
    return [
        _user(text),
        *_called([ask]),
        _answer(phrases.joined_sentences([ask.answer, rng.choice(talk().rest_unfit)])),
    ]


def _small_talk(rng: Random, offers: list[Offer], done: list[Ask]) -> list[Message] | None:
    exchange = rng.choice(talk().exchanges)
    if any("{tools}" in reply for reply in exchange["reply"]) and rng.random() < 0.3:
        exchange = rng.choice(talk().exchanges)
    if exchange["reply"][0].startswith("I don't know that") and any(
        offer.topics & {"search", "wiki", "news"} for offer in offers
    ):
        return None
    replies = exchange["reply"] if offers else exchange.get("bare", exchange["reply"])
    said = rng.choice(exchange["said"])
    if rng.random() < 0.2:
        said = said.lower().rstrip(".!?")
    return [_user(said), _answer(rng.choice(replies).replace("{tools}", _named_tools(offers) if offers else ""))]


_EPISODES: tuple[tuple[Episode, float], ...] = (
    (_single, 40), (_parallel, 21), (_chain, 9), (_vague, 9), (_unfit, 9), (_small_talk, 7), (_half_fit, 3),
)  # fmt: skip
_BARE: tuple[tuple[Episode, float], ...] = ((_small_talk, 60), (_unfit, 40))


def draw_conversation(rng: Random, held_out: bool = False) -> Conversation:
    """One conversation; the same `rng` state gives the same one."""
    offers = draw_catalogue(rng, held_out)
    messages: list[Message] = []
    if rng.random() < (0.2 if offers else 0.4):
        messages.append({"role": "system", "content": lexicon.filled(rng, rng.choice(talk().systems))})
    episodes = _EPISODES if offers else _BARE
    many = rng.choice((1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5))
    if rng.random() < 0.01:
        many = rng.randrange(6, 13)
    done: list[Ask] = []
    told = 0
    while told < many:
        episode = (
            _follow
            if told and rng.random() < 0.25
            else rng.choices([one for one, _ in episodes], [weight for _, weight in episodes])[0]
        )
        drawn = episode(rng, offers, done)
        if drawn is not None:
            messages.extend(drawn)
            told += 1
    tools = tuple({"type": "function", "function": offer.spec} for offer in offers)
    return Conversation(tools, tuple(messages))


def conversations(seed: int, held_out: bool = False) -> Iterator[Conversation]:
    """An endless stream of conversations, the same for the same seed."""
    rng = Random(seed)
    while True:
        yield draw_conversation(rng, held_out)


def episode_of(kind: str, rng: Random, offers: list[Offer]) -> list[Message] | None:
    """One episode of a named kind (single, parallel, chain, vague, unfit), for evaluation."""
    kinds: dict[str, Episode] = {
        "single": _single,
        "parallel": _parallel,
        "chain": _chain,
        "vague": _vague,
        "unfit": _unfit,
    }
    return kinds[kind](rng, offers, [])
