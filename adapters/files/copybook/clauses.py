"""The clauses of a data description entry, each read into its item (ISO/IEC 1989, data description entry)."""

from __future__ import annotations

from collections.abc import Callable

from adapters.files.copybook.item import Condition, Item, Renames
from adapters.files.copybook.picture import parse
from adapters.files.copybook.source import LITERAL, Fault, Words


def _usages(usage: str, *numbers: str) -> dict[str, str]:
    return {f"{name}-{number}" if number else name: usage for name in ("COMP", "COMPUTATIONAL") for number in numbers}


USAGES = {
    **_usages("binary", "", "0", "4"),
    **_usages("float", "1"),
    **_usages("double", "2"),
    **_usages("packed", "3"),
    **_usages("unsigned packed", "3U", "6"),
    **_usages("native", "5"),
    **_usages("little", "9"),
    **_usages("shortest", "X"),
    "BINARY": "binary",
    "PACKED-DECIMAL": "packed",
    "DISPLAY": "display",
    "DISPLAY-1": "dbcs",
    "NATIONAL": "national",
    "FLOAT-SHORT": "float",
    "FLOAT-LONG": "double",
    "INDEX": "index",
    "POINTER": "pointer",
    "FUNCTION-POINTER": "pointer",
    "PROCEDURE-POINTER": "pointer",
    **{f"BINARY-{name}": f"binary-{name.lower()}" for name in ("CHAR", "SHORT", "LONG", "DOUBLE")},
}
_WORDS = """
    REDEFINES PIC PICTURE USAGE SIGN LEADING TRAILING OCCURS DEPENDING ASCENDING DESCENDING INDEXED VALUE VALUES
    JUST JUSTIFIED BLANK EXTERNAL GLOBAL SYNC SYNCHRONIZED SIGNED UNSIGNED
"""
NAMES = frozenset(_WORDS.split()) | USAGES.keys()
"""The words that begin a clause, so that an entry may lack its name."""

_FIGURATIVE = {
    **dict.fromkeys(("SPACE", "SPACES"), " "),
    **dict.fromkeys(("ZERO", "ZEROS", "ZEROES"), "0"),
}


def read(item: Item, cursor: Words) -> None:
    """Reads all clauses of an entry; raises `Fault` at the first that can't be understood."""
    while (word := cursor.peek()) is not None:
        clause = _HANDLERS.get(word)
        if word not in USAGES and clause is None:
            raise Fault(_unknown(word, item.name), cursor.line)
        cursor.take("a clause")
        if clause is not None:
            clause(item, cursor)
        else:
            item.usage = USAGES[word]


def _unknown(word: str, name: str) -> str:
    if word.isdigit():
        return f"'{word}' isn't expected in the entry of {name}; is a period missing before it?"
    return f"'{word}' isn't a clause known here, in the entry of {name}"


def _picture(item: Item, cursor: Words) -> None:
    cursor.accept("IS")
    word = cursor.take("the picture")
    try:
        item.picture = parse(word.text)
    except ValueError as error:
        raise Fault(str(error), word.line) from None


def _usage(item: Item, cursor: Words) -> None:
    cursor.accept("IS")
    word = cursor.take("the usage")
    if word.text not in USAGES:
        raise Fault(f"USAGE {word.text} isn't supported", word.line)
    item.usage = USAGES[word.text]


def _sign(item: Item, cursor: Words) -> None:
    cursor.accept("IS")
    word = cursor.take("LEADING or TRAILING")
    if word.text not in ("LEADING", "TRAILING"):
        raise Fault(f"SIGN must be LEADING or TRAILING, not '{word.text}'", word.line)
    _sign_position(item, cursor, leading=word.text == "LEADING")


def _sign_position(item: Item, cursor: Words, *, leading: bool) -> None:
    item.sign_leading = leading
    item.sign_separate = cursor.accept("SEPARATE")
    cursor.accept("CHARACTER")


def _synchronized(item: Item, cursor: Words) -> None:
    if not cursor.accept("LEFT"):
        cursor.accept("RIGHT")
    item.synchronized = True


def _signedness(item: Item, cursor: Words, *, signed: bool) -> None:
    if not (item.usage or "").startswith("binary-"):
        raise Fault(f"SIGNED and UNSIGNED are for BINARY-CHAR to BINARY-DOUBLE only, not for {item.name}", item.line)
    item.usage = item.usage if signed else f"unsigned {item.usage}"


def _occurs(item: Item, cursor: Words) -> None:
    item.occurs = True
    item.low = item.high = cursor.integer("the number of occurrences")
    if cursor.accept("TO"):
        item.high = cursor.integer("the highest number of occurrences")
    cursor.accept("TIMES")
    if item.high < 1 or item.high < item.low:
        raise Fault(f"{item.name} must occur at least once, and not fewer times than its lowest number", item.line)


def _depending(item: Item, cursor: Words) -> None:
    cursor.accept("ON")
    item.depends = _qualified(cursor, "the name of the count")
    if item.low == item.high:
        item.low = 0


def _names(item: Item, cursor: Words) -> None:
    cursor.accept("KEY")
    cursor.accept("IS", "BY")
    while (word := cursor.peek()) is not None and word not in NAMES:
        cursor.take(f"a name for {item.name}")


def _redefines(item: Item, cursor: Words) -> None:
    item.redefines = cursor.take("the redefined name").text


def _value(item: Item, cursor: Words) -> None:
    cursor.accept("IS", "ARE")
    cursor.accept("ALL")
    cursor.take(f"the value of {item.name}")
    while cursor.peek() == LITERAL or cursor.accept("THRU", "THROUGH"):
        cursor.take(f"the value of {item.name}")


def _blank(item: Item, cursor: Words) -> None:
    cursor.accept("WHEN")
    cursor.take("ZERO")
    item.blank_when_zero = True


def _right(item: Item, cursor: Words) -> None:
    cursor.accept("RIGHT")
    item.right = True


def _nothing(item: Item, cursor: Words) -> None:
    """EXTERNAL and GLOBAL say nothing about bytes."""


_HANDLERS: dict[str, Callable[[Item, Words], None]] = {
    "PIC": _picture,
    "PICTURE": _picture,
    "USAGE": _usage,
    "SIGN": _sign,
    "LEADING": lambda item, cursor: _sign_position(item, cursor, leading=True),
    "TRAILING": lambda item, cursor: _sign_position(item, cursor, leading=False),
    "OCCURS": _occurs,
    "DEPENDING": _depending,
    "ASCENDING": _names,
    "DESCENDING": _names,
    "INDEXED": _names,
    "REDEFINES": _redefines,
    "VALUE": _value,
    "VALUES": _value,
    "BLANK": _blank,
    "JUST": _right,
    "JUSTIFIED": _right,
    "EXTERNAL": _nothing,
    "GLOBAL": _nothing,
    "SYNC": _synchronized,
    "SYNCHRONIZED": _synchronized,
    "SIGNED": lambda item, cursor: _signedness(item, cursor, signed=True),
    "UNSIGNED": lambda item, cursor: _signedness(item, cursor, signed=False),
}


def renames(cursor: Words, top: Item | None, line: int) -> None:
    """A level 66, into the record that it follows."""
    name = cursor.take("the other name").text
    if top is None:
        raise Fault(f"{name} renames items, but follows no record", line)
    if not cursor.accept("RENAMES"):
        raise Fault(f"level 66 {name} must say what it RENAMES", line)
    first = last = _qualified(cursor, "the renamed item")
    if cursor.accept("THRU", "THROUGH"):
        last = _qualified(cursor, "the last renamed item")
    top.renames.append(Renames(name, first, last, line))


def _qualified(cursor: Words, what: str) -> tuple[str, ...]:
    """A name with the names of the groups around it, from inside out."""
    path = [cursor.take(what).text]
    while cursor.accept("OF", "IN"):
        path.append(cursor.take("the qualifying name").text)
    return tuple(path)


def condition(cursor: Words, last: Item | None, line: int) -> None:
    """A level 88, into the item that it follows."""
    name = cursor.take("the condition's name").text
    if last is None:
        raise Fault(f"condition {name} follows no data item", line)
    if not cursor.accept("VALUE", "VALUES"):
        raise Fault(f"condition {name} has no VALUE", line)
    cursor.accept("IS", "ARE")
    values: list[str] = []
    through: list[tuple[str, str]] = []
    while cursor.peek() is not None and not _false(cursor):
        if cursor.accept("THRU", "THROUGH"):
            if not values:
                raise Fault(f"THRU in {name} follows no value", line)
            through.append((values.pop(), _constant(cursor)))
        else:
            values.append(_constant(cursor))
    if not values and not through:
        raise Fault(f"condition {name} has no VALUE", line)
    last.conditions.append(Condition(name, tuple(values), tuple(through)))


def _false(cursor: Words) -> bool:
    """WHEN SET TO FALSE IS …: what makes the condition false says nothing about the data."""
    at = cursor.accept("WHEN")
    if not (cursor.accept("SET") or at):
        return False
    cursor.accept("SET")
    cursor.accept("TO")
    if not cursor.accept("FALSE"):
        raise Fault("WHEN must go on with SET TO FALSE", cursor.line)
    cursor.accept("IS")
    cursor.take("the value for false")
    return True


def _constant(cursor: Words) -> str:
    cursor.accept("ALL")
    word = cursor.take("a value")
    return word.text if word.literal else _FIGURATIVE.get(word.text, word.text)
