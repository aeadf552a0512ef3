"""A layout → the same with what options add to it: code pages of single fields, debugging views, groups as texts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from adapters.files.copybook.layout import Area, Field, Group, Layout, Node, plain
from adapters.files.copybook.options import CopybookOptions, DecodeOptions
from adapters.files.copybook.picture import Category, Picture

_DEBUG = {"hex": "hex", "binary": "bytes", "string": "ascii"}


def with_overlays(layout: Layout, options: CopybookOptions) -> Layout:
    """The layout as the options want it seen."""
    if isinstance(options, DecodeOptions):
        overlays = _Overlays(options, layout.counts, options)
    elif options.field_code_page or options.display_pic_always_string:
        overlays = _Overlays(options, layout.counts, None)
    else:
        return layout
    return Layout(overlays.group(layout.root), layout.counts)


def unknown_names(layout_names: Collection[str], options: CopybookOptions) -> list[str]:
    """What options name that the copybook hasn't, each as `option: name`."""
    named = [("field_code_page", name) for names in options.field_code_page.values() for name in names]
    named += [("redefine_segment_id_map", name) for name in options.redefine_segment_id_map]
    named += [("occurs_mappings", name) for name in options.occurs_mappings]
    if options.segment_field:
        named.append(("segment_field", options.segment_field))
    if isinstance(options, DecodeOptions):
        named += [("non_terminals", name) for name in options.non_terminals]
        families = [[parent, *children] for parent, children in options.segment_children.items()]
        named += [("segment_children", name) for family in families for name in family]
    known = {plain(name) for name in layout_names}
    return [f"{option}: {name}" for option, name in named if plain(name) not in known]


class _Overlays:
    def __init__(self, options: CopybookOptions, counts: frozenset[int], decode: DecodeOptions | None) -> None:
        self._encodings = {plain(name): page for page, names in options.field_code_page.items() for name in names}
        self._as_text = options.display_pic_always_string
        self._counts = counts
        self._groups = {plain(name) for name in decode.non_terminals} if decode else set()
        self._debug = _DEBUG.get(decode.debug) if decode else None
        self._hex = decode is not None and decode.binary_as_hex

    def group(self, group: Group) -> Group:
        return replace(group, areas=tuple(self._area(area) for area in group.areas))

    def _area(self, area: Area) -> Area:
        nodes = tuple(self._node(node) for node in area.nodes)
        views = tuple(view for node in area.nodes for view in self._views(node))
        return Area(area.offset, area.size, nodes, views)

    def _node(self, node: Node) -> Node:
        if isinstance(node, Group):
            return self.group(node)
        picture, usage = node.picture, node.usage
        if self._as_text and usage == "display" and node.ordinal not in self._counts:
            picture = picture and Picture(picture.text, Category.TEXT, node.size)
        if usage == "bytes" and self._hex:
            usage = "hex"
        return replace(node, picture=picture, usage=usage, encoding=self._encodings.get(plain(node.cobol)))

    def _views(self, node: Node) -> list[Field]:
        if node.shown != "named":
            return []
        if isinstance(node, Field):
            if self._debug is None:
                return []
            return [replace(node, name=f"{node.name}_debug", ordinal=-1, usage=self._debug, conditions=())]
        if plain(node.cobol) not in self._groups:
            return []
        return [_as_text(node)]


def _as_text(group: Group) -> Field:
    picture = Picture(f"X({group.total})", Category.TEXT, group.total)
    return Field(
        f"{group.name}_NT",
        group.cobol,
        group.line,
        -1,
        group.offset,
        group.total,
        None,
        "named",
        picture,
        "display",
        sign_leading=False,
        sign_separate=False,
        blank_when_zero=False,
        right=False,
        conditions=(),
    )
