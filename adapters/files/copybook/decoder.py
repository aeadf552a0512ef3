"""A layout → one function from a record's bytes to a JSON value, compiled once into closures.

FILLER is left out; the members of a lifted group appear in the group around it, since that is how a program
names them. Of the alternatives that REDEFINES gives, every one that decodes is there; when none does, the
record is undecodable. Where segments are told apart, only the one that the record is. Not strict, as Cobrix: what
doesn't decode, or lies behind the end of a shorter record, is null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from adapters.contract import Json
from adapters.files.copybook import numbers, texts
from adapters.files.copybook.code_pages import CodePage
from adapters.files.copybook.layout import Area, Field, Group, Layout, Node, Occurs, find, plain
from adapters.files.copybook.numbers import Decode
from adapters.files.copybook.options import CopybookOptions
from adapters.files.copybook.picture import Category
from adapters.files.copybook.plans import Into, Progress, Step, carefully, count_of, leniently, or_null, quickly
from adapters.files.undecodable import Undecodable


@dataclass(slots=True)
class Decoded:
    """One record: its value, the bytes that it really took, and how many values are null as they're no values."""

    value: dict[str, Json]
    size: int
    wrong: int


class Decoder:
    """Decodes records of one layout. `short`: a record may be shorter than the layout (formats V and VB)."""

    def __init__(self, layout: Layout, page: CodePage, options: CopybookOptions, *, short: bool = False) -> None:
        self._layout = layout
        self._page = page
        self._options = options
        self._careful = short or options.variable_size_occurs
        self._mappings = {plain(name): mapping for name, mapping in options.occurs_mappings.items()}
        self._segments = {id: plain(name) for name, ids in options.redefine_segment_id_map.items() for id in ids}
        self._redefines = frozenset(self._segments.values())
        self._segment_id = self._segment_decoder()
        self._root = self._group(layout.root)

    def __call__(self, record: bytes) -> dict[str, Json]:
        """The record's fields by JSON name; raises `Undecodable`."""
        value: dict[str, Json] = self._root(record, 0, Progress(segment=self.segment_of(record)))
        return value

    def decode(self, record: bytes, segment: str | None = None) -> Decoded:
        """The same with what is known of it; raises `Undecodable`."""
        env = Progress(segment=self.segment_of(record) if segment is None else segment)
        value = self._root(record, 0, env)
        return Decoded(value, self._layout.size - env.saved, env.wrong)

    def elementary(self, node: Field) -> Callable[[bytes, int, Progress], Json]:
        """The decoder of one field alone: of a record, at an offset, counting what is wrong."""
        return self._elementary(node)

    def segment_id(self, record: bytes) -> str:
        """The text of the segment field; empty where there is none, or nothing in it."""
        if self._segment_id is None:
            return ""
        try:
            found = self._segment_id(record, Progress())
        except Undecodable:
            return ""
        return "" if found is None else str(found).strip()

    def segment_of(self, record: bytes) -> str:
        """The group that shows this record's segment, as `plain` has its name; empty when none does."""
        return self._segments.get(self.segment_id(record), "") if self._segments else ""

    def _segment_decoder(self) -> Callable[[bytes, Progress], Json] | None:
        if self._options.segment_field is None:
            return None
        found = find(self._layout.root, self._options.segment_field)
        if found is None or not isinstance(found[0], Field):
            return None
        decode, at = self._elementary(found[0]), found[1]
        return lambda record, env: decode(record, at, env)

    def _group(self, group: Group) -> Decode:
        into = self._members(group)

        def decode(data: bytes, at: int, env: Progress) -> Json:
            out: dict[str, Json] = {}
            into(data, at, env, out)
            return out

        return decode

    def _members(self, group: Group) -> Into:
        return self._plan([step for area in group.areas for step in self._steps(area)])

    def _plan(self, steps: list[Step]) -> Into:
        if self._careful:
            return carefully(steps) if self._options.strict else leniently(steps)
        return quickly(steps)

    def _steps(self, area: Area) -> Iterator[Step]:
        for overlay in area.overlays:
            yield self._step(overlay, overlay=True)
        if len(area.nodes) == 1:
            yield self._step(area.nodes[0])
            return
        ways = [(node, self._step(node)) for node in area.nodes]
        yield Step(None, area.offset, area.size, True, self._alternatives(ways, area.offset))

    def _alternatives(self, nodes: list[tuple[Node, Step]], offset: int) -> Into:
        segments = [plain(node.cobol) if plain(node.cobol) in self._redefines else None for node, _ in nodes]
        names = [step.name for _, step in nodes]
        ways = list(zip([self._plan([step]) for _, step in nodes], segments, names, strict=True))
        strict = self._options.strict

        def into(data: bytes, at: int, env: Progress, out: dict[str, Json]) -> None:
            failed: Undecodable | None = None
            decoded, saved = 0, env.saved
            for way, segment, name in ways:
                if segment is not None and segment != env.segment:
                    if name is not None and not strict:
                        out[name] = None
                    continue
                found: dict[str, Json] = {}
                try:
                    way(data, at - offset, env, found)
                    decoded += 1
                except Undecodable as error:
                    failed = failed or error
                out.update(found)
                env.saved = saved  # what shares bytes has the place of the largest
            if failed is not None and not decoded:
                raise failed

        return into

    def _step(self, node: Node, *, overlay: bool = False) -> Step:
        if isinstance(node, Field):
            if node.shown == "hidden":
                return self._unseen(node, self._counting(node) if node.ordinal in self._layout.counts else None)
            decode, partial = self._counting(node), node.occurs is not None or texts.is_text(node)
        elif node.shown == "lifted":
            return Step(None, node.offset, node.size, True, self._members(node))
        else:
            decode, partial = self._group(node), True
        if node.occurs is not None:
            decode = self._table(decode, node, node.occurs, overlay=overlay)
        if node.shown == "hidden":
            return self._unseen(node, decode)
        return Step(node.name, node.offset, node.total, partial, decode)

    def _unseen(self, node: Node, decode: Decode | None) -> Step:
        """What isn't shown may still hold a count, or a table that varies in size."""
        needed = decode is not None and (isinstance(node, Field) or bool(self._layout.counts))

        def into(data: bytes, at: int, env: Progress, out: dict[str, Json]) -> None:
            if decode is not None and needed:
                decode(data, at, env)

        return Step(None, node.offset, node.total, True, into)

    def _counting(self, node: Field) -> Decode:
        decode = self._elementary(node)
        if node.ordinal not in self._layout.counts:
            return decode

        def counted(data: bytes, at: int, env: Progress) -> Json:
            env.counts[node.ordinal] = value = decode(data, at, env)
            return value

        return counted

    def _elementary(self, node: Field) -> Decode:
        decode = self._strictly(node)
        return decode if self._options.strict else or_null(decode, node.size, texts.is_text(node))

    def _strictly(self, node: Field) -> Decode:
        picture = node.picture
        if texts.is_shown(node):
            return texts.shown(node)
        if picture is None:
            return numbers.floating(node, self._options)
        if node.usage == "packed":
            return numbers.packed(node, picture, self._options)
        if node.usage == "unsigned packed":
            return numbers.unsigned_packed(node, picture, self._options)
        if node.usage in ("binary", "native", "little"):
            return numbers.binary(node, picture, self._options)
        if picture.category is Category.NUMBER and node.usage == "display":
            return numbers.zoned(node, picture, self._page, self._options)
        if picture.category is Category.EDITED:
            return numbers.edited(node, picture, self._page, self._options)
        return texts.text(node, self._page, self._options)

    def _table(self, decode: Decode, node: Node, occurs: Occurs, *, overlay: bool) -> Decode:
        size, variable = node.size, self._options.variable_size_occurs
        careful, strict = self._careful, self._options.strict
        mapping = self._mappings.get(plain(node.cobol))

        def table(data: bytes, at: int, env: Progress) -> Json:
            count = occurs.high if occurs.depends_on is None else count_of(node, occurs, env, mapping, strict=strict)
            if not careful:
                return [decode(data, at + index * size, env) for index in range(count)]
            before = env.saved
            values = []
            for index in range(count):
                start = at + index * size - (env.saved - before)
                if strict and start >= len(data):
                    break
                values.append(decode(data, start, env))
            env.saved = env.saved + (occurs.high - count) * size if variable and not overlay else before
            return values

        return table
