"""Entries → a tree of data items, as the copybook declares them (ISO/IEC 1989, data description entry)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.files.copybook import clauses
from adapters.files.copybook.copying import Copies, Copying
from adapters.files.copybook.item import Copybook, Item
from adapters.files.copybook.source import Columns, Fault, Word, Words, entries

_IN_NAMES = str.maketrans("", "", "-_:@#$&")


def read(source: str, *, free: bool = False, columns: Columns | None = None, copies: Copies | None = None) -> Copybook:
    """All entries of a copybook; one that can't be understood is left out, or kept as far as it goes."""
    tops: list[Item] = []
    faults: list[Fault] = []
    open_items: list[Item] = []
    copying = Copying(copies, columns or Columns(free=free), faults)
    for words in entries(copying.expanded(source), faults):
        for item in _items(words, open_items, faults):
            while open_items and open_items[-1].level >= item.level:
                open_items.pop()
            (open_items[-1].children if open_items and item.level != 77 else tops).append(item)
            open_items = [item] if item.level == 77 else [*open_items, item]
    for line in copying.failed:
        _excuse(tops, line)
    if not (tops or faults):
        faults.append(Fault("the copybook declares no data item", 1))
    return Copybook(tuple(tops), tuple(faults))


def _excuse(items: Sequence[Item], line: int) -> None:
    """The last item before a line lacks nothing: it may have been in what couldn't be copied there."""
    before = [item for item in items if item.line <= line]
    if before:
        before[-1].broken = before[-1].broken or not before[-1].children
        _excuse(before[-1].children, line)


def _items(words: Sequence[Word], open_items: Sequence[Item], faults: list[Fault]) -> Iterator[Item]:
    """The items of one entry: several when periods are missing between them."""
    last = open_items[-1] if open_items else None
    while words:
        cursor = Words(words)
        words = ()
        try:
            item = _entry(cursor, last, open_items[0] if open_items else None)
        except Fault as fault:
            faults.append(fault)
            # What would have been subordinate to it may hang on the item before, which isn't to blame for that.
            if last is not None:
                last.broken = True
            continue
        if item is None:
            continue
        try:
            clauses.read(item, cursor)
        except Fault as fault:
            faults.append(fault)
            item.broken = True
            rest = cursor.rest()
            words = rest if len(rest) > 1 and rest[0].text.isdigit() else ()
        last = item
        yield item


def _entry(cursor: Words, last: Item | None, top: Item | None) -> Item | None:
    """The item that an entry begins, without its clauses; None when it declares none."""
    line = cursor.line
    if not (cursor.peek() or "").isdecimal():
        raise Fault(f"an entry must start with a level number, not '{cursor.take('the level').text}'", line)
    word = cursor.take("the level number")
    level = int(word.text) if word.text.isascii() and len(word.text) <= 4 else 0
    if level == 66:
        clauses.renames(cursor, top, line)
        return None
    if level == 88:
        clauses.condition(cursor, last, line)
        return None
    if not (1 <= level <= 49 or level == 77):
        raise Fault(f"level {word.text} isn't one of 01 to 49, 66, 77 and 88", line)
    return _item(cursor, level, line)


def _item(cursor: Words, level: int, line: int) -> Item:
    name = written = "FILLER"
    following = cursor.peek()
    if following is not None and following not in clauses.NAMES:
        word = cursor.take("the name")
        name, written = word.text, word.written
    if not name.translate(_IN_NAMES).isalnum():
        raise Fault(f"'{name}' isn't a data name", line)
    return Item(level, name, line, written)
