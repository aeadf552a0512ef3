"""A layout → one function from a record's bytes to a JSON value, compiled once into closures.

FILLER is left out; the members of a FILLER group appear in the group around it, since that is how a program
names them. Of the alternatives that REDEFINES gives, every one that decodes is there; when none does, the
record is undecodable.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from adapters.contract import Json
from adapters.files.copybook import numbers
from adapters.files.copybook.layout import Area, Field, Group, Layout, Node, Occurs
from adapters.files.copybook.numbers import Decode
from adapters.files.copybook.options import CodePage, CopybookOptions
from adapters.files.copybook.picture import Category
from adapters.files.undecodable import Undecodable

_CONTROL = [*range(0x20), *range(0x7F, 0xA0)]


@dataclass(slots=True)
class _Record:
    """What decoding one record must remember: the counts met so far, and the bytes that shorter tables saved."""

    counts: dict[int, Json] = field(default_factory=dict)
    saved: int = 0


_Into: TypeAlias = Callable[[bytes, int, _Record, dict[str, Json]], None]


@dataclass(frozen=True, slots=True)
class _Step:
    """One member of a group: `decode` makes the value called `name`, or `into` puts several (name None)."""

    name: str | None
    offset: int
    size: int
    partial: bool
    """A record may end inside it: texts and what consists of members."""
    decode: Any


class Decoder:
    """Decodes records of one layout. `short`: a record may be shorter than the layout (formats V and VB)."""

    def __init__(self, layout: Layout, page: CodePage, options: CopybookOptions, *, short: bool = False) -> None:
        self._layout = layout
        self._page = page
        self._options = options
        self._careful = short or options.variable_size_occurs
        self._root = self._group(layout.root)

    def __call__(self, record: bytes) -> dict[str, Json]:
        """The record's fields by JSON name; raises `Undecodable`."""
        value: dict[str, Json] = self._root(record, 0, _Record())
        return value

    def _group(self, group: Group) -> Decode:
        into = self._members(group)

        def decode(data: bytes, at: int, env: _Record) -> Json:
            out: dict[str, Json] = {}
            into(data, at, env, out)
            return out

        return decode

    def _members(self, group: Group) -> _Into:
        steps = [step for area in group.areas for step in self._steps(area)]
        return _carefully(steps) if self._careful else _quickly(steps)

    def _steps(self, area: Area) -> Iterator[_Step]:
        if len(area.nodes) == 1:
            step = self._step(area.nodes[0])
            if step is not None:
                yield step
            return
        steps = [step for node in area.nodes if (step := self._step(node)) is not None]
        if steps:
            yield _Step(None, area.offset, area.size, True, self._alternatives(steps, area.offset))

    def _alternatives(self, steps: list[_Step], offset: int) -> _Into:
        ways = [_carefully([step]) if self._careful else _quickly([step]) for step in steps]

        def into(data: bytes, at: int, env: _Record, out: dict[str, Json]) -> None:
            failed: list[Undecodable] = []
            for way in ways:
                found: dict[str, Json] = {}
                try:
                    way(data, at - offset, env, found)
                except Undecodable as error:
                    failed.append(error)
                out.update(found)
            if len(failed) == len(ways):
                raise failed[0]

        return into

    def _step(self, node: Node) -> _Step | None:
        if isinstance(node, Field):
            if node.cobol == "FILLER":
                return None
            decode, partial = self._field(node), node.occurs is not None or is_text(node)
        elif node.cobol == "FILLER" and node.occurs is None:
            return _Step(None, node.offset, node.size, True, self._members(node))
        else:
            decode, partial = self._group(node), True
        if node.occurs is not None:
            decode = self._table(decode, node, node.occurs)
        return _Step(node.name, node.offset, node.total, partial, decode)

    def _field(self, node: Field) -> Decode:
        decode = self._elementary(node)
        if node.ordinal not in self._layout.counts:
            return decode

        def counted(data: bytes, at: int, env: _Record) -> Json:
            env.counts[node.ordinal] = value = decode(data, at, env)
            return value

        return counted

    def _elementary(self, node: Field) -> Decode:
        picture = node.picture
        if picture is None:
            return numbers.floating(node, self._options)
        if node.usage == "packed":
            return numbers.packed(node, picture, self._options)
        if node.usage in ("binary", "native", "little"):
            return numbers.binary(node, picture, self._options)
        if picture.category is Category.NUMBER and node.usage == "display":
            return numbers.zoned(node, picture, self._page, self._options)
        if picture.category is Category.EDITED:
            return numbers.edited(node, picture, self._page)
        national = picture.category is Category.NATIONAL or node.usage == "national"
        return self._text(node, "utf-16-be" if national else self._page.name)

    def _text(self, node: Field, encoding: str) -> Decode:
        size, decoder, tidy = node.size, codecs.getdecoder(encoding), self._tidy(node)

        def decode(data: bytes, at: int, env: _Record) -> Json:
            try:
                return tidy(decoder(data[at : at + size], "strict")[0])
            except UnicodeDecodeError:
                raise Undecodable(f"{node.cobol} isn't text in {encoding}") from None

        return decode

    def _tidy(self, node: Field) -> Callable[[str], str]:
        """Padding is spaces, and LOW-VALUES where nothing was ever moved to the field."""
        policy = self._options.string_trimming_policy
        if node.right and policy == "right":
            policy = "both"
        trim: dict[str, Callable[[str], str]] = {
            "none": str,
            "left": lambda text: text.lstrip(" \0"),
            "right": lambda text: text.rstrip(" \0"),
            "both": lambda text: text.strip(" \0"),
        }
        trimmed = trim[policy]
        if self._options.control_characters == "keep":
            return trimmed
        table = dict.fromkeys(_CONTROL, " " if self._options.control_characters == "space" else None)
        return lambda text: trimmed(text.translate(table))

    def _table(self, decode: Decode, node: Node, occurs: Occurs) -> Decode:
        size, variable = node.size, self._options.variable_size_occurs
        careful = self._careful

        def table(data: bytes, at: int, env: _Record) -> Json:
            count = occurs.high if occurs.depends_on is None else _count(node, occurs, env)
            if not careful:
                return [decode(data, at + index * size, env) for index in range(count)]
            before = env.saved
            values = []
            for index in range(count):
                start = at + index * size - (env.saved - before)
                if start >= len(data):
                    break
                values.append(decode(data, start, env))
            if variable:
                env.saved += (occurs.high - count) * size
            return values

        return table


def is_text(node: Field) -> bool:
    """Is the field text, of which a shorter record may hold a part?"""
    return node.picture is not None and node.picture.category in (Category.TEXT, Category.NATIONAL)


def _count(node: Node, occurs: Occurs, env: _Record) -> int:
    count = env.counts.get(occurs.depends_on or 0)
    if not isinstance(count, int) or not occurs.low <= count <= occurs.high:
        raise Undecodable(f"{node.cobol} occurs {occurs.low} to {occurs.high} times, but its count is {count}")
    return count


def _quickly(steps: list[_Step]) -> _Into:
    """Every member stands at its own place and the record is whole."""
    plan = [(step.name, step.offset, step.decode) for step in steps]

    def into(data: bytes, at: int, env: _Record, out: dict[str, Json]) -> None:
        for name, offset, decode in plan:
            if name is None:
                decode(data, at + offset, env, out)
            else:
                out[name] = decode(data, at + offset, env)

    return into


def _carefully(steps: list[_Step]) -> _Into:
    """Members move up by what tables before them saved; a record that ended has no further members."""

    def into(data: bytes, at: int, env: _Record, out: dict[str, Json]) -> None:
        before = env.saved
        for step in steps:
            start = at + step.offset - (env.saved - before)
            if start >= len(data):
                continue
            if not step.partial and start + step.size > len(data):
                raise Undecodable(f"the record ends inside {step.name}")
            if step.name is None:
                step.decode(data, start, env, out)
            else:
                out[step.name] = step.decode(data, start, env)

    return into
