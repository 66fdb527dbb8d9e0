"""What users ask of a unit converter, with the units' names as pint knows them and the factors to work results out."""

from dataclasses import dataclass
from random import Random
from typing import Any

from hilt.training.starter import phrases
from hilt.training.starter.phrasing_tables import named, rows, texts
from hilt.training.starter.tools import Ask, Offer, Vague, shown_value
from hilt.training.starter.values import some_number, spoken_number


@dataclass(frozen=True)
class Unit:
    """A unit: its canonical name, the ways to say it after a number, and its size in the base unit of its kind."""

    name: str
    said: tuple[str, ...]
    size: float


KINDS: dict[str, tuple[Unit, ...]] = {
    "length": (
        Unit("mile", ("miles", "miles", "mi"), 1609.344),
        Unit("kilometer", ("kilometers", "km", "kilometres", "km"), 1000.0),
        Unit("meter", ("meters", "m", "metres"), 1.0),
        Unit("centimeter", ("centimeters", "cm", "centimetres", "cm"), 0.01),
        Unit("millimeter", ("millimeters", "mm"), 0.001),
        Unit("inch", ("inches", "inches", "in"), 0.0254),
        Unit("foot", ("feet", "feet", "ft"), 0.3048),
        Unit("yard", ("yards", "yd"), 0.9144),
        Unit("nautical_mile", ("nautical miles",), 1852.0),
        Unit("light_year", ("light years",), 9.4607304725808e15),
    ),
    "mass": (
        Unit("kilogram", ("kilograms", "kg", "kilos", "kg"), 1.0),
        Unit("gram", ("grams", "g"), 0.001),
        Unit("pound", ("pounds", "pounds", "lbs", "lb"), 0.45359237),
        Unit("ounce", ("ounces", "oz"), 0.028349523125),
        Unit("stone", ("stone", "stones"), 6.35029318),
        Unit("milligram", ("milligrams", "mg"), 1e-6),
        Unit("metric_ton", ("tonnes", "metric tons", "tons"), 1000.0),
    ),
    "volume": (
        Unit("liter", ("liters", "litres", "l"), 1.0),
        Unit("milliliter", ("milliliters", "ml"), 0.001),
        Unit("gallon", ("gallons", "gal"), 3.785411784),
        Unit("cup", ("cups",), 0.2365882365),
        Unit("pint", ("pints",), 0.473176473),
        Unit("quart", ("quarts",), 0.946352946),
        Unit("tablespoon", ("tablespoons", "tbsp"), 0.01478676478125),
        Unit("teaspoon", ("teaspoons", "tsp"), 0.00492892159375),
        Unit("fluid_ounce", ("fluid ounces", "fl oz"), 0.0295735295625),
    ),
    "time": (
        Unit("second", ("seconds", "s"), 1.0),
        Unit("minute", ("minutes", "min"), 60.0),
        Unit("hour", ("hours", "h"), 3600.0),
        Unit("day", ("days",), 86400.0),
        Unit("week", ("weeks",), 604800.0),
        Unit("year", ("years",), 31557600.0),
        Unit("millisecond", ("milliseconds", "ms"), 0.001),
    ),
    "data": (
        Unit("byte", ("bytes",), 1.0),
        Unit("kilobyte", ("kilobytes", "kB", "KB"), 1e3),
        Unit("megabyte", ("megabytes", "MB", "megs"), 1e6),
        Unit("gigabyte", ("gigabytes", "GB", "gigs"), 1e9),
        Unit("terabyte", ("terabytes", "TB"), 1e12),
        Unit("bit", ("bits",), 0.125),
    ),
    "speed": (
        Unit("kilometer/hour", ("km/h", "kilometers per hour", "kph", "km per hour"), 1 / 3.6),
        Unit("mile/hour", ("mph", "miles per hour", "miles an hour"), 0.44704),
        Unit("meter/second", ("m/s", "meters per second"), 1.0),
        Unit("knot", ("knots",), 1852 / 3600),
        Unit("foot/second", ("feet per second",), 0.3048),
    ),
    "area": (
        Unit("meter ** 2", ("square meters", "square metres", "m2"), 1.0),
        Unit("foot ** 2", ("square feet", "sq ft"), 0.09290304),
        Unit("hectare", ("hectares", "ha"), 10000.0),
        Unit("acre", ("acres",), 4046.872609874252),
        Unit("kilometer ** 2", ("square kilometers", "km2"), 1e6),
    ),
    "energy": (
        Unit("joule", ("joules", "J"), 1.0),
        Unit("kilojoule", ("kilojoules", "kJ"), 1000.0),
        Unit("calorie", ("calories",), 4.184),
        Unit("kilocalorie", ("kilocalories", "kcal"), 4184.0),
        Unit("kilowatt_hour", ("kilowatt hours", "kWh"), 3.6e6),
    ),
    "power": (
        Unit("watt", ("watts", "W"), 1.0),
        Unit("kilowatt", ("kilowatts", "kW"), 1000.0),
        Unit("horsepower", ("horsepower", "hp"), 745.69987158227),
    ),
    "pressure": (
        Unit("bar", ("bar",), 1e5),
        Unit("psi", ("psi",), 6894.757293168),
        Unit("pascal", ("pascals", "Pa"), 1.0),
        Unit("atmosphere", ("atmospheres", "atm"), 101325.0),
    ),
    "angle": (Unit("degree", ("degrees",), 0.017453292519943295), Unit("radian", ("radians", "rad"), 1.0)),
    "temperature": (
        Unit("celsius", ("Celsius", "celsius", "degrees Celsius", "°C", "C", "degrees C"), 1.0),
        Unit("fahrenheit", ("Fahrenheit", "fahrenheit", "degrees Fahrenheit", "°F", "F", "degrees F"), 5 / 9),
        Unit("kelvin", ("kelvin", "K", "Kelvin"), 1.0),
    ),
}
_WEIGHTS = (30, 18, 12, 12, 8, 8, 5, 3, 2, 2, 1, 18)
_SHORT = frozenset(("m", "g", "l", "s", "h", "in", "mi", "C", "F", "K", "J", "W", "min"))

_ASKS = texts("units", "asks")
_STORIES = named("units", "stories")


def converted(value: float, source: Unit, target: Unit, kind: str) -> float:
    """`value` of one unit in another, with 12 significant digits."""
    if kind == "temperature":
        kelvin = {"celsius": value + 273.15, "fahrenheit": (value + 459.67) * 5 / 9, "kelvin": value}[source.name]
        result = {"celsius": kelvin - 273.15, "fahrenheit": kelvin * 9 / 5 - 459.67, "kelvin": kelvin}[target.name]
        return float(f"{round(result, 9):.12g}")
    return float(f"{value * source.size / target.size:.12g}")


def ask(rng: Random) -> Ask:
    """One conversion."""
    kind = rng.choices(tuple(KINDS), _WEIGHTS)[0]
    source, target = (
        rng.sample(KINDS[kind], 2) if kind != "length" or rng.random() < 0.4 else rng.sample(KINDS[kind][:8], 2)
    )
    number = rng.choice((1, 2, 5, 10, 100)) if rng.random() < 0.15 else some_number(rng)
    if kind == "temperature" and rng.random() < 0.8:
        number = rng.choice((rng.randrange(-30, 240), rng.randrange(200, 1100) / 10))
    spoken = spoken_number(rng, number) if number >= 0 else str(number)
    texts = _STORIES[kind] if kind in _STORIES and rng.random() < 0.3 else _ASKS
    return _asked(rng, rng.choice(texts), number, spoken, source, target, kind)


def _said(rng: Random, unit: Unit, alone: bool) -> str:
    words = [word for word in unit.said if not (alone and word in _SHORT)]
    return rng.choice(words)


def _asked(rng: Random, text: str, number: float, spoken: str, source: Unit, target: Unit, kind: str) -> Ask:
    source_said, target_said = (
        _said(rng, source, False),
        _said(rng, target, "How many {t}" in text or "many {t}" in text),
    )
    if number == 1 and source_said == f"{source.name}s":
        source_said = source.name
    request = phrases.say(rng, text, {"v": spoken, "f": source_said, "t": target_said})
    if (
        spoken[0].isdigit()
        and source_said in ("km", "kg", "cm", "mm", "g", "lbs", "ml", "mph", "°C", "°F", "F", "C", "GB", "MB", "m")
        and rng.random() < 0.25
    ):
        request = request.replace(f"{spoken} {source_said}", f"{spoken}{source_said}", 1)
    arguments = {"value": number, "from_unit": source.name, "to_unit": target.name}
    value = converted(number, source, target, kind)
    result = {
        "value": float(number) if rng.random() < 0.7 else number,
        "from_unit": source.name,
        "to_unit": target.name,
        "result": value,
    }
    answer = f"{shown_value(number)} {_plain(source)} is {shown_value(value)} {_plain(target)}."
    return Ask(request, "convert_units", arguments, result, answer)


def _plain(unit: Unit) -> str:
    match unit.name:
        case "celsius":
            return "degrees Celsius"
        case "fahrenheit":
            return "degrees Fahrenheit"
        case _:
            return unit.said[0]


def follow(rng: Random, before: Ask) -> Ask | None:
    """The same value in another unit, or another value."""
    if before.tool != "convert_units" or "result" not in before.result:
        return None
    names = before.arguments
    for kind, units in KINDS.items():
        by_name = {unit.name: unit for unit in units}
        if names["from_unit"] in by_name:
            source, target = by_name[names["from_unit"]], by_name[names["to_unit"]]
            number = names["value"]
            if rng.random() < 0.5:
                others = [unit for unit in units if unit not in (source, target)]
                if not others:
                    return None
                text = rng.choice(("And in {t}?", "What about {t}?", "And how many {t}?"))
                return _asked(rng, text, number, str(number), source, rng.choice(others), kind)
            number = some_number(rng)
            return _asked(
                rng,
                rng.choice(("And {v}?", "And {v} {f}?", "What about {v} {f}?", "And for {v} {f}?")),
                number,
                str(number),
                source,
                target,
                kind,
            )
    return None


_LEFT_OUT = rows("units", "left_out")


def vague(rng: Random) -> Vague | None:
    """A conversion without its value or one of its units."""
    kind = rng.choices(tuple(KINDS), _WEIGHTS)[0]
    source, target = rng.sample(KINDS[kind], 2)
    number = some_number(rng)
    text, question = rng.choice(_LEFT_OUT)
    if "{t}" not in text:
        text = text.replace("{f}", _said(rng, source, False))
    words = {"v": str(number), "f": source.said[0], "t": target.said[0], "T": target.said[0]}
    asked = _asked(rng, "{v} {f} to {t}", number, str(number), source, target, kind)
    if question in ("To which unit?", "In which unit?"):
        reply = f"{rng.choice(('', '', 'to ', 'in '))}{target.said[0]}"
    elif "In which unit is" in question:
        reply = source.said[0]
    elif "What should I convert to" in question:
        reply = f"{number} {source.said[0]}"
    else:
        reply = asked.request
    return Vague(text.format(**words), question.format(**words), reply, asked)


def offer(spec: dict[str, Any]) -> Offer:
    """The unit converter."""
    return Offer(spec, frozenset({"units", "currency"}), ask, vague, follow)
