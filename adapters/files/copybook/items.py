"""Entries → a tree of data items, as the copybook declares them (ISO/IEC 1989, data description entry)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from adapters.files.copybook.picture import Picture, parse
from adapters.files.copybook.source import Fault, Word, Words, entries

_BINARY = ("BINARY", "COMP", "COMP-0", "COMP-4", "COMPUTATIONAL", "COMPUTATIONAL-0", "COMPUTATIONAL-4")
_USAGES = {
    **dict.fromkeys(_BINARY, "binary"),
    **dict.fromkeys(("COMP-1", "COMPUTATIONAL-1"), "float"),
    **dict.fromkeys(("COMP-2", "COMPUTATIONAL-2"), "double"),
    **dict.fromkeys(("COMP-3", "COMPUTATIONAL-3", "PACKED-DECIMAL"), "packed"),
    **dict.fromkeys(("COMP-5", "COMPUTATIONAL-5"), "native"),
    **dict.fromkeys(("COMP-9", "COMPUTATIONAL-9"), "little"),
    "DISPLAY": "display",
    "NATIONAL": "national",
}
_CLAUSES = {
    "REDEFINES", "PIC", "PICTURE", "USAGE", "SIGN", "LEADING", "TRAILING", "OCCURS", "DEPENDING", "ASCENDING",
    "DESCENDING", "INDEXED", "VALUE", "VALUES", "JUST", "JUSTIFIED", "BLANK", "EXTERNAL", "GLOBAL", *_USAGES,
}  # fmt: skip
_FIGURATIVE = {
    **dict.fromkeys(("SPACE", "SPACES"), " "),
    **dict.fromkeys(("ZERO", "ZEROS", "ZEROES"), "0"),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A level 88: a name for some values; `through` holds (first, last) pairs."""

    name: str
    values: tuple[str, ...]
    through: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Item:
    """One data description entry with what is subordinate to it."""

    level: int
    name: str
    line: int
    picture: Picture | None = None
    usage: str | None = None
    sign_leading: bool | None = None
    sign_separate: bool = False
    low: int = 1
    high: int = 1
    occurs: bool = False
    depends: tuple[str, ...] = ()
    redefines: str | None = None
    blank_when_zero: bool = False
    right: bool = False
    conditions: list[Condition] = field(default_factory=list)
    children: list[Item] = field(default_factory=list)
    broken: bool = False
    """Its entry has a fault that is told already: it isn't told what else it lacks."""


@dataclass(frozen=True, slots=True)
class Copybook:
    """The top items (levels 01 and 77, or what stands highest) of a copybook, and what was wrong on the way there."""

    tops: tuple[Item, ...]
    faults: tuple[Fault, ...]


def read(source: str, *, free: bool = False) -> Copybook:
    """All entries of a copybook; one that can't be understood is left out, or kept as far as it goes."""
    tops: list[Item] = []
    faults: list[Fault] = []
    open_items: list[Item] = []
    for words in entries(source, faults, free=free):
        for item in _items(words, open_items[-1] if open_items else None, faults):
            while open_items and open_items[-1].level >= item.level:
                open_items.pop()
            (open_items[-1].children if open_items and item.level != 77 else tops).append(item)
            open_items = [item] if item.level == 77 else [*open_items, item]
    if not (tops or faults):
        faults.append(Fault("the copybook declares no data item", 1))
    return Copybook(tuple(tops), tuple(faults))


def _items(words: Sequence[Word], last: Item | None, faults: list[Fault]) -> Iterator[Item]:
    """The items of one entry: several when periods are missing between them."""
    while words:
        cursor = Words(words)
        words = ()
        try:
            item = _entry(cursor, last)
        except Fault as fault:
            faults.append(fault)
            # What would have been subordinate to it may hang on the item before, which isn't to blame for that.
            if last is not None:
                last.broken = True
            continue
        if item is None:
            continue
        try:
            _clauses(item, cursor)
        except Fault as fault:
            faults.append(fault)
            item.broken = True
            rest = cursor.rest()
            words = rest if len(rest) > 1 and rest[0].text.isdigit() else ()
        last = item
        yield item


def _entry(cursor: Words, last: Item | None) -> Item | None:
    """The item that an entry begins, without its clauses; None when it declares none."""
    line = cursor.line
    if not (cursor.peek() or "").isdecimal():
        raise Fault(f"an entry must start with a level number, not '{cursor.take('the level').text}'", line)
    word = cursor.take("the level number")
    level = int(word.text) if word.text.isascii() and len(word.text) <= 4 else 0
    if level == 66:
        return None
    if level == 88:
        _condition(cursor, last, line)
        return None
    if not (1 <= level <= 49 or level == 77):
        raise Fault(f"level {word.text} isn't one of 01 to 49, 66, 77 and 88", line)
    return _item(cursor, level, line)


def _item(cursor: Words, level: int, line: int) -> Item:
    name = "FILLER"
    following = cursor.peek()
    if following is not None and following not in _CLAUSES:
        name = cursor.take("the name").text
    if not name.replace("-", "").replace("_", "").replace(":", "").isalnum():
        raise Fault(f"'{name}' isn't a data name", line)
    return Item(level, name, line)


def _clauses(item: Item, cursor: Words) -> None:
    while (word := cursor.peek()) is not None:
        clause = _HANDLERS.get(word)
        if word not in _USAGES and clause is None:
            raise Fault(_unknown(word, item.name), cursor.line)
        cursor.take("a clause")
        if clause is not None:
            clause(item, cursor)
        else:
            item.usage = _USAGES[word]


def _unknown(word: str, name: str) -> str:
    if word.isdigit():
        return f"'{word}' isn't expected in the entry of {name}; is a period missing before it?"
    if word in ("SYNC", "SYNCHRONIZED"):
        return f"{word} on {name} isn't supported: its slack bytes depend on the compiler; declare them as FILLER"
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
    if word.text not in _USAGES:
        raise Fault(f"USAGE {word.text} isn't supported", word.line)
    item.usage = _USAGES[word.text]


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
    path = [cursor.take("the name of the count").text]
    while cursor.accept("OF", "IN"):
        path.append(cursor.take("the qualifying name").text)
    item.depends = tuple(path)
    if item.low == item.high:
        item.low = 0


def _names(item: Item, cursor: Words) -> None:
    cursor.accept("KEY")
    cursor.accept("IS", "BY")
    while (word := cursor.peek()) is not None and word not in _CLAUSES:
        cursor.take(f"a name for {item.name}")


def _redefines(item: Item, cursor: Words) -> None:
    item.redefines = cursor.take("the redefined name").text


def _value(item: Item, cursor: Words) -> None:
    cursor.accept("IS", "ARE")
    cursor.accept("ALL")
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
}


def _condition(cursor: Words, last: Item | None, line: int) -> None:
    name = cursor.take("the condition's name").text
    if last is None:
        raise Fault(f"condition {name} follows no data item", line)
    if not cursor.accept("VALUE", "VALUES"):
        raise Fault(f"condition {name} has no VALUE", line)
    cursor.accept("IS", "ARE")
    values: list[str] = []
    through: list[tuple[str, str]] = []
    while cursor.peek() is not None:
        if cursor.accept("THRU", "THROUGH"):
            if not values:
                raise Fault(f"THRU in {name} follows no value", line)
            through.append((values.pop(), _constant(cursor)))
        else:
            values.append(_constant(cursor))
    if not values and not through:
        raise Fault(f"condition {name} has no VALUE", line)
    last.conditions.append(Condition(name, tuple(values), tuple(through)))


def _constant(cursor: Words) -> str:
    cursor.accept("ALL")
    word = cursor.take("a value")
    return word.text if word.literal else _FIGURATIVE.get(word.text, word.text)
