"""Three-way merge of a YAML file: what was generated last time, what people made of it, what is generated now.

What only one side changed is taken from it; what both changed otherwise stays as people have it, and is told. Text that
needn't change stays as it is, comments and all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from gateway.importing.blocks import Member, inner_indent, is_nothing, items, members
from gateway.importing.emit import entry, item

Lines: TypeAlias = list[str]
Place: TypeAlias = tuple[str, ...]


class _Missing:
    """Stands for a member that isn't there."""


MISSING = _Missing()


@dataclass
class Merged:
    """What came of it. `kept` are places where both sides changed something and people's text was kept."""

    text: str = ""
    kept: list[str] = field(default_factory=list)


def merge(text: str, mine: Mapping[str, Any], base: Mapping[str, Any], new: Mapping[str, Any]) -> Merged:
    """`text`, whose value is `mine`, with what is in `new` otherwise than in `base`."""
    merged = Merged()
    # A reader of YAML sees line breaks where `splitlines` sees some more.
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    start, end = _marked(lines)
    made = _mapping(lines, start, end, 0, (mine, base, new), (), merged)
    if made is not None:
        made = [*lines[:start], *made, *lines[end:]]
    if made is None:
        if mine == base and base != new:
            made = [line for key, value in new.items() for line in entry(key, value, 0)]
        else:
            made = lines
            merged.kept.append("the whole file, whose form isn't plain blocks")
    merged.text = "".join(f"{line}{ending}" for line in made)
    return merged


def _marked(lines: Sequence[str]) -> tuple[int, int]:
    """Where the document stands between its marks `---` and `...`, if it has them."""
    start = next((at + 1 for at, line in enumerate(lines) if line.rstrip() == "---"), 0)
    end = next((at for at, line in enumerate(lines) if line.rstrip() == "..."), len(lines))
    return start if all(is_nothing(line) for line in lines[: start - 1]) else 0, end


_Three: TypeAlias = tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]


def _mapping(
    lines: Sequence[str], start: int, end: int, indent: int, three: _Three, place: Place, merged: Merged
) -> Lines | None:
    mine, base, new = three
    found = members(lines, start, end, indent, mine)
    if found is None:
        return None
    added = _additions(mine, base, new)
    made = [line for key in added.get(None, ()) for line in entry(key, new[key], indent)]
    for member in found:
        key, values = member.key, (mine[member.key], base.get(member.key, MISSING), new.get(member.key, MISSING))
        made += _member(lines, member, indent, values, (*place, key), merged)
        for each in added.get(key, ()):
            made += entry(each, new[each], indent)
    for key in base:
        if key not in mine and key in new and new[key] != base[key]:
            merged.kept.append(f"{_told((*place, key))}: removed here, changed at the source")
    made += lines[found[-1].end if found else start : end]
    return made


def _additions(mine: Mapping[str, Any], base: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str | None, list[str]]:
    """Member of `mine` → the new members that come behind it, in their order; None stands for the start."""
    added: dict[str | None, list[str]] = {}
    behind: str | None = None
    for key in new:
        if key in mine:
            behind = key
        elif key not in base:
            added.setdefault(behind, []).append(key)
    if None in added and mine:
        # Nothing that is there comes before them: they go to the end, where people look for what is new.
        added.setdefault(list(mine)[-1], []).extend(added.pop(None))
    return added


def _member(
    lines: Sequence[str], member: Member, indent: int, values: tuple[Any, Any, Any], place: Place, merged: Merged
) -> Lines:
    mine, base, new = values
    as_is = list(lines[member.lead : member.end])
    if new is MISSING:
        if base is MISSING:
            return as_is
        if mine == base:
            return []
        merged.kept.append(f"{_told(place)}: changed here, gone at the source")
        return as_is
    if new in (base, mine):
        return as_is
    lead = list(lines[member.lead : member.start])
    if mine is None and base is MISSING:  # a key with nothing behind it, as templates have them
        return [*lead, *entry(member.key, new, indent), *_notes(lines, member)]
    deeper = _deeper(lines, member, values, place, merged)
    if deeper is not None:
        return [*lead, lines[member.start], *deeper]
    kept: list[str] = []
    value = merged_value(mine, base, new, place, kept.append)
    merged.kept += kept
    return as_is if value == mine else [*lead, *entry(member.key, value, indent), *_notes(lines, member)]


def _notes(lines: Sequence[str], member: Member) -> Lines:
    """The comments below a value that stands on its key's line."""
    below = list(lines[member.start + 1 : member.end])
    return below if all(is_nothing(line) for line in below) else []


def _deeper(
    lines: Sequence[str], member: Member, values: tuple[Any, Any, Any], place: Place, merged: Merged
) -> Lines | None:
    """The lines below a member's first, merged one by one; None where its text has no such lines, or comes to none: a
    key with nothing behind it would be null."""
    mine, base, new = values
    start, end = member.start + 1, member.end
    if isinstance(mine, Mapping) and isinstance(new, Mapping):
        indent = inner_indent(lines, member)
        three = (mine, base if isinstance(base, Mapping) else {}, new)
        return None if indent is None or not new else _mapping(lines, start, end, indent, three, place, merged) or None
    if isinstance(mine, list) and isinstance(new, list) and not member.rest:
        return _list(lines, start, end, (mine, base if isinstance(base, list) else [], new), place, merged) or None
    return None


def _list(
    lines: Sequence[str],
    start: int,
    end: int,
    three: tuple[list[Any], list[Any], list[Any]],
    place: Place,
    merged: Merged,
) -> Lines | None:
    mine, base, new = three
    scanned = items(lines, start, end, len(mine))
    keyed = _keyed(mine), _keyed(base), _keyed(new)
    if scanned is None or None in keyed:
        return None
    indent, found = scanned
    own, old, now = (each or {} for each in keyed)
    texts = dict(zip(own, found, strict=True))
    made: Lines = []
    for key in _order(own, old, now, place, merged.kept.append):
        if key not in own:
            made += item(now[key], indent)
            continue
        member = texts[key]
        as_is = list(lines[member.lead : member.end])
        if key not in now or now[key] in (old.get(key, MISSING), own[key]):
            made += as_is
            continue
        inner = _item(lines, member, indent, (own[key], old.get(key, MISSING), now[key]), place, merged)
        made += [*lines[member.lead : member.start], *inner]
    return made


def _item(
    lines: Sequence[str], member: Member, indent: int, values: tuple[Any, Any, Any], place: Place, merged: Merged
) -> Lines:
    mine, base, new = values
    place = (*place, str(mine.get("name", "")) if isinstance(mine, Mapping) else "")
    if isinstance(mine, Mapping) and isinstance(new, Mapping) and not member.rest.startswith("{"):
        # An item's first member stands behind its dash.
        own = [" " * (indent + 2) + lines[member.start][indent + 2 :], *lines[member.start + 1 : member.end]]
        three = (mine, base if isinstance(base, Mapping) else {}, new)
        made = _mapping(own, 0, len(own), indent + 2, three, place, merged)
        if made:
            return [" " * indent + "- " + made[0][indent + 2 :], *made[1:]]
    value = merged_value(mine, base, new, place, merged.kept.append)
    return list(item(value, indent))


# Values alone


def merged_value(mine: Any, base: Any, new: Any, place: Place, say: Callable[[str], None]) -> Any:
    """The value of all three; where both sides changed the same thing it is people's, and `say` is told."""
    if new in (base, mine):
        return mine
    if mine == base or (mine is None and base is MISSING):
        return new
    if isinstance(mine, Mapping) and isinstance(new, Mapping):
        return _merged_mapping(mine, base if isinstance(base, Mapping) else {}, new, place, say)
    if isinstance(mine, list) and isinstance(new, list):
        own, old, now = _keyed(mine), _keyed(base if isinstance(base, list) else []), _keyed(new)
        if own is not None and old is not None and now is not None:
            return [
                merged_value(own[key], old.get(key, MISSING), now.get(key, own[key]), place, say)
                if key in own
                else now[key]
                for key in _order(own, old, now, place, say)
            ]
    say(f"{_told(place)}: changed here and at the source")
    return mine


def _merged_mapping(
    mine: Mapping[str, Any], base: Mapping[str, Any], new: Mapping[str, Any], place: Place, say: Callable[[str], None]
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key in [*mine, *(key for key in new if key not in mine and key not in base)]:
        inner = (*place, key)
        if key not in mine:
            made[key] = new[key]
        elif key in new:
            made[key] = merged_value(mine[key], base.get(key, MISSING), new[key], inner, say)
        elif key not in base or mine[key] != base[key]:
            made[key] = mine[key]
            if key in base:
                say(f"{_told(inner)}: changed here, gone at the source")
    return made


def _order(
    mine: Mapping[str, Any], base: Mapping[str, Any], new: Mapping[str, Any], place: Place, say: Callable[[str], None]
) -> list[str]:
    """The keys of a merged list: people's order, without what only the source had and dropped, then what is new."""
    kept = []
    for key, value in mine.items():
        if key in new or key not in base or value != base[key]:
            kept.append(key)
            if key not in new and key in base:
                say(f"{_told(place)}: an item is changed here, gone at the source")
    return [*kept, *(key for key in new if key not in mine and key not in base)]


def _keyed(values: list[Any]) -> dict[str, Any] | None:
    """A list's items by what names them; None where two have one name."""
    found = {_item_key(each): each for each in values}
    return found if len(found) == len(values) else None


def _item_key(value: Any) -> str:
    if isinstance(value, Mapping):
        if "$ref" in value:
            return f"ref {value['$ref']}"
        if "name" in value:
            return f"name {value.get('in', '')} {value['name']}"
    return orjson.dumps(value).decode()


def _told(place: Place) -> str:
    return ".".join(place)
