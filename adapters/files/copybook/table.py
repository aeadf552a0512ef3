"""The columns of decoded records, as a tree: what a CSV file's header and a Parquet file's schema are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adapters.files.copybook import texts
from adapters.files.copybook.layout import Area, Field, Group, Node, plain
from adapters.files.copybook.options import DecodeOptions
from adapters.files.copybook.picture import Category, Picture

Kind = Literal["text", "bytes", "integer", "decimal", "float", "double", "group"]
_BINARY_DIGITS = {1: 3, 2: 5, 4: 10, 8: 20}
_INT64 = 18


@dataclass(frozen=True, slots=True)
class Column:
    """One column: of a group its members, of a table (`many`) what one occurrence is."""

    name: str
    kind: Kind
    many: bool = False
    precision: int = 0
    scale: int = 0
    members: tuple[Column, ...] = ()
    field: Field | None = None


def columns(root: Group, options: DecodeOptions) -> tuple[Column, ...]:
    """The columns of records, those that are generated in front."""
    return (*_generated(options), *_Tree(options).members(root))


def _generated(options: DecodeOptions) -> list[Column]:
    found: list[Column] = []
    if options.generate_record_id:
        found += [Column(name, "integer") for name in ("File_Id", "Record_Id", "Record_Byte_Length")]
    if options.generate_record_bytes:
        found.append(Column("Record_Bytes", "bytes"))
    if options.with_input_file_name_col:
        found.append(Column(options.with_input_file_name_col, "text"))
    if not options.segment_children:
        found += [Column(f"Seg_Id{level}", "text") for level in range(len(options.segment_id_levels))]
    return found


class _Tree:
    def __init__(self, options: DecodeOptions) -> None:
        self._ieee = options.floating_point_format.startswith("IEEE")
        self._strict_integers = options.strict_integral_precision
        self._children = {plain(name): [plain(child) for child in children]
                          for name, children in options.segment_children.items()}  # fmt: skip
        self._below = {child for children in self._children.values() for child in children}

    def members(self, group: Group) -> tuple[Column, ...]:
        """The columns of a group's members; segments that belong to a parent stand in it instead."""
        nodes = [node for area in group.areas for node in _nodes(area)]
        found: list[Column] = []
        for node in nodes:
            found += self._columns(node)
        return tuple(self._with_children(column, nodes) for column in found)

    def _with_children(self, column: Column, nodes: list[Node]) -> Column:
        named = {node.name: node for node in nodes}
        node = named.get(column.name)
        if not isinstance(node, Group) or plain(node.cobol) not in self._children:
            return column
        return self._family(node, nodes)

    def _family(self, node: Group, nodes: list[Node]) -> Column:
        groups = {plain(each.cobol): each for each in nodes if isinstance(each, Group)}
        children = [groups[name] for name in self._children.get(plain(node.cobol), ()) if name in groups]
        inner = [self._family(child, nodes) for child in children]
        many = plain(node.cobol) in self._below
        return Column(node.name, "group", many, members=(*self.members(node), *inner))

    def _columns(self, node: Node) -> list[Column]:
        if node.shown == "hidden" or plain(node.cobol) in self._below:
            return []
        if isinstance(node, Field):
            return [self._field(node)]
        if node.shown == "lifted":
            return list(self.members(node))
        return [Column(node.name, "group", node.occurs is not None, members=self.members(node))]

    def _field(self, node: Field) -> Column:
        many, picture = node.occurs is not None, node.picture
        if texts.is_shown(node):
            return Column(node.name, "bytes" if node.usage == "bytes" else "text", many, field=node)
        if picture is None:
            single = node.usage == "float" and self._ieee  # IBM's singles reach farther than IEEE's
            return Column(node.name, "float" if single else "double", many, field=node)
        if picture.category in (Category.TEXT, Category.NATIONAL):
            return Column(node.name, "text", many, field=node)
        precision = _precision(node, picture)
        whole = picture.scale <= 0 and picture.digits <= _INT64 and precision <= _INT64 + 1
        if whole and not self._strict_integers:
            return Column(node.name, "integer", many, field=node)
        return Column(node.name, "decimal", many, precision, max(picture.scale, 0), field=node)


def _nodes(area: Area) -> list[Node]:
    return [*area.nodes, *area.overlays]


def _precision(node: Field, picture: Picture) -> int:
    """The digits that the field's bytes can really hold, which may be more than its picture's."""
    shift = picture.digits - picture.stored
    if node.usage in ("binary", "native", "little"):
        limit = _BINARY_DIGITS.get(node.size, picture.stored + 3)
        # Eight signed bytes are an int64, whatever they hold.
        return _INT64 + 1 + shift if node.size == 8 and picture.signed else limit + shift
    if node.usage == "packed":
        return node.size * 2 - 1 + shift
    return picture.digits
