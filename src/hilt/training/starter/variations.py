"""The same result in the many shapes that tools of other authors give it."""

from dataclasses import replace
from random import Random
from typing import Any

from hilt.training.starter.builtin_specs import BUILTIN_NAMES
from hilt.training.starter.invented import any_fields
from hilt.training.starter.lexicon import free_text, invented_word
from hilt.training.starter.phrases import ended, listed, upper_start
from hilt.training.starter.phrasing_tables import named
from hilt.training.starter.tools import Ask, camel_case, shown_value

_OTHER_KEYS = named("variations", "other_keys")
_EXTRAS = (
    ("source", ("api", "cache", "db", "live")),
    ("took_ms", (3, 12, 48, 210)),
    ("cached", (True, False)),
    ("request_id", ("a81f", "77c0", "x-19")),
    ("ok", (True,)),
    ("success", (True,)),
    ("updated", ("2026-05-01", "just now")),
    ("version", (1, 2)),
)


def varied(rng: Random, ask: Ask) -> Ask:
    """The ask with its result under other keys, nested, with extras, or as plain text; built-in tools stay exact."""
    if ask.tool in BUILTIN_NAMES or not ask.fields or "error" in ask.fields:
        return ask
    result = dict(ask.fields)
    if rng.random() < 0.1:
        return _anything(rng, ask)
    if "temperature" in result and "degrees" in ask.answer and rng.random() < 0.3:
        ask, result = _with_unit(rng, ask, result)
    if isinstance(result.get("conditions"), str) and rng.random() < 0.3:
        result["conditions"] = result["conditions"].capitalize()
        ask = replace(ask, result=result)
    if "snippet" in result and rng.random() < 0.6:
        return replace(ask, result=_hits(rng, result))
    bare = _bare(rng, ask, result)
    if bare is not None:
        return replace(ask, result=bare)
    shape = rng.random()
    if shape < 0.3:
        return ask
    if shape < 0.4:
        return replace(ask, result=_as_text(rng, ask, result))
    if rng.random() < 0.6:
        result = {_other_key(rng, key): value for key, value in result.items()}
    if rng.random() < 0.25:
        key, values = rng.choice(_EXTRAS)
        if key not in result:
            extra = {key: rng.choice(values)}
            result = {**extra, **result} if rng.random() < 0.4 else {**result, **extra}
    if rng.random() < 0.15:
        result = {camel_case(key): value for key, value in result.items()}
    if rng.random() < 0.15:
        items = list(result.items())
        rng.shuffle(items)
        result = dict(items)
    if rng.random() < 0.1:
        result = rng.choice(
            ({"result": result}, {"data": result}, {"status": "ok", "data": result}, {"output": result})
        )
    return replace(ask, result=result)


def _with_unit(rng: Random, ask: Ask, result: dict[str, Any]) -> tuple[Ask, dict[str, Any]]:
    """The temperature with its unit, as text."""
    if rng.random() < 0.35:
        unit = rng.choice(("celsius", "fahrenheit", "Celsius", "C"))
        value: Any = str(result["temperature"]) if rng.random() < 0.4 else result["temperature"]
        answer = ask.answer.replace(
            f"{result['temperature']} degrees", f"{result['temperature']} degrees {unit.capitalize()}", 1
        )
        result = {**result, "temperature": value, "unit": unit}
        return replace(ask, result=result, answer=answer), result
    shown = f"{result['temperature']}{rng.choice(('°C', '°C', ' °C', '°F', '°', 'C', ' F'))}"
    answer = ask.answer.replace(f"{result['temperature']} degrees", shown, 1)
    result = {**result, "temperature": shown}
    return replace(ask, result=result, answer=answer), result


def _bare(rng: Random, ask: Ask, result: dict[str, Any]) -> Any:
    """The one value that the answer tells, alone, or a mere "ok" where it tells nothing of the result; else None."""
    if rng.random() > 0.4 or any(isinstance(value, (list, dict)) for value in result.values()):
        return None
    arguments = [value for value in ask.arguments.values() if isinstance(value, (str, int, float))]
    told = [
        value
        for value in result.values()
        if not isinstance(value, bool) and value not in arguments and shown_value(value) in ask.answer
    ]
    if len(told) == 1 and all(
        value in arguments or value in told or shown_value(value) not in ask.answer for value in result.values()
    ):
        return told[0] if isinstance(told[0], str) else str(told[0])
    if not told and ("status" in result or "ok" in result):
        return rng.choice(("ok", "OK", "done", "Done.", "success", "true", "{}", "null", "sent", "completed"))
    return None


def _hits(rng: Random, result: dict[str, Any]) -> Any:
    """Search results as a list; the answer tells the first one's text."""
    key, count = rng.choice(("snippet", "text", "summary", "content", "description", "body")), rng.randrange(1, 4)
    hits: list[dict[str, Any]] = []
    for at in range(count):
        hit: dict[str, Any] = {
            "title": free_text(rng, 1, 5).capitalize() if at or "title" not in result else result["title"]
        }
        if "url" in result or rng.random() < 0.4:
            hit["url"] = result["url"] if at == 0 and "url" in result else f"https://{invented_word(rng)}.org"
        hit[key] = result["snippet"] if at == 0 else free_text(rng, 2, 10)
        hits.append(hit)
    return rng.choice((hits, {"results": hits}, {"results": hits}, hits[0]))


def _anything(rng: Random, ask: Ask) -> Ask:
    """A result of fields that no one foresaw, and an answer that tells them all."""
    fields = any_fields(rng, rng.choice((1, 1, 2, 2, 3, 4)))
    told = [f"the {key.replace('_', ' ')} is {shown_value(value)}" for key, value in fields.items()]
    if rng.random() < 0.2:
        text = free_text(rng, 2, 12)
        return replace(ask, result=text, answer=upper_start(ended(text)))
    answer = f"{upper_start(listed(told))}."
    return replace(ask, result=fields, answer=answer)


def _other_key(rng: Random, key: str) -> str:
    if rng.random() < 0.5:
        return key
    if key in _OTHER_KEYS:
        return rng.choice(_OTHER_KEYS[key])
    return invented_word(rng) if rng.random() < 0.1 else key


def _as_text(rng: Random, ask: Ask, result: dict[str, Any]) -> str:
    match int(rng.random() * 4):
        case 0:
            return ask.answer
        case 1:
            return ", ".join(f"{key}: {shown_value(value)}" for key, value in result.items())
        case 2:
            return "\n".join(f"{key}: {shown_value(value)}" for key, value in result.items())
        case _:
            return "; ".join(f"{key} = {shown_value(value)}" for key, value in result.items())
