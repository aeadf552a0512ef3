"""SOAP encoding: arrays as WSDL 1.1 declares them, and the references between a reply's values (SOAP 1.1, section 5;
SOAP 1.2 part 2, section 3)."""

from __future__ import annotations

import re
from copy import deepcopy

from lxml import etree

from adapters.soap.form import Complex, Element, Group
from adapters.soap.resolver import WSDL, SchemaSource
from adapters.soap.values import BadValue
from adapters.soap.xsd import ENCODINGS, CannotExpress, children, local, place, type_key

ARRAYS = frozenset(f"{{{namespace}}}Array" for namespace in ENCODINGS)
ARRAY_TYPE = "arrayType"
_ITEM = re.compile(r"(.*?)((?:\[[0-9, ]*\])+)\s*")
_REFERENCES = ("href", *(f"{{{namespace}}}ref" for namespace in ENCODINGS))
_IDS = ("id", *(f"{{{namespace}}}id" for namespace in ENCODINGS))
_MOST_DIMENSIONS = 8
_MOST_ELEMENTS = 200_000
_MOST_CHARACTERS = 32 * 2**20
"""What references may add to one reply."""


def array_of(item: str, name: str, dimensions: int = 1) -> Complex:
    """The type of an array whose items are of the type called `item`; a reply's may be called anything."""
    content = Group("sequence", (Element(name, "", item, 0, None, nillable=True),))
    return Complex("", "", content=content, array=item, dimensions=dimensions)


def item_type(node: etree._Element, source: SchemaSource) -> tuple[str, list[int]]:
    """The key of the innermost items' type that `wsdl:arrayType` below `node` names, "" when nothing does, and the
    dimensions of the arrays around it, the innermost first (SOAP 1.1, section 5.4.2)."""
    for each in children(node):
        text = each.get(WSDL + ARRAY_TYPE)
        if local(each) != "attribute" or text is None:
            continue
        match = _ITEM.fullmatch(text.strip())
        if match is None:
            return type_key(text, each, source), [1]
        found = [rank.count(",") + 1 for rank in match[2].split("[")[1:]]
        if max(found) > _MOST_DIMENSIONS:
            raise CannotExpress(f"an array of more than {_MOST_DIMENSIONS} dimensions", place(source.path, each))
        return type_key(match[1], each, source), found
    return "", [1]


def resolved(nodes: list[etree._Element]) -> list[etree._Element]:
    """The root elements of an encoded message, each reference filled with what it refers to. `nodes`, the children of
    soap:Body, are changed in place; raises `BadValue` for references to nothing, to themselves, or too many."""
    targets = {each.get(name): each for node in nodes for each in node.iter() for name in _IDS if each.get(name)}
    _Filling({str(name): node for name, node in targets.items()}).fill(nodes)
    roots = [node for node in nodes if not any(node.get(name) for name in _IDS) and not _beside(node)]
    roots = roots or nodes[:1]
    for root in roots:
        _unqualify(root)
    return roots


def _unqualify(root: etree._Element) -> None:
    """SOAP::Lite declares the wrapper's namespace as the default, and so puts its parts into it."""
    space = str(root.tag).rpartition("}")[0] + "}"
    for node in root.iterdescendants() if len(space) > 1 else ():
        if str(node.tag).startswith(space):
            node.tag = str(node.tag)[len(space) :]


def _beside(node: etree._Element) -> bool:
    return any(node.get(f"{{{namespace}}}root") == "0" for namespace in ENCODINGS)


class _Filling:
    def __init__(self, targets: dict[str, etree._Element]) -> None:
        self._targets = targets
        self._elements = _MOST_ELEMENTS
        self._characters = _MOST_CHARACTERS

    def fill(self, nodes: list[etree._Element]) -> None:
        """Fills all references below `nodes`, without recursion: a chain of them may be long."""
        waiting: list[tuple[etree._Element, tuple[str, ...]]] = [(node, ()) for node in nodes]
        while waiting:
            node, path = waiting.pop()
            name = next((str(node.get(each)) for each in _REFERENCES if node.get(each)), None)
            if name is not None and not len(node):
                name = name.removeprefix("#")
                if name in path:
                    raise BadValue("holds a value that refers to itself")
                path = (*path, name)
                self._copy(name, node)
            waiting.extend((child, path) for child in node)

    def _copy(self, name: str, node: etree._Element) -> None:
        target = self._targets.get(name)
        if target is None:
            raise BadValue(f"refers to '{name[:40]}', which it doesn't hold")
        self._pay(target)
        copy = deepcopy(target)
        for key in _REFERENCES:
            if key in node.attrib:
                del node.attrib[key]
        for each, value in copy.attrib.items():
            if each not in _IDS and each not in node.attrib:
                node.set(each, value)
        node.text = copy.text
        node.extend(list(copy))

    def _pay(self, target: etree._Element) -> None:
        for each in target.iter():
            self._elements -= 1
            self._characters -= len(each.text or "") + len(each.tail or "") + sum(map(len, each.attrib.values()))
            if self._elements < 0 or self._characters < 0:
                raise BadValue("refers to too many values")
