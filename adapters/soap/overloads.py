"""Operations of one name (WSDL 1.1 §2.4.5), told apart by the names of their inputs."""

from __future__ import annotations

from lxml import etree

from adapters.soap.resolver import WSDL


def meant(alike: list[etree._Element], node: etree._Element, *, overloaded: bool) -> etree._Element | None:
    """The operation among those of one name that the binding's `node` means; overloaded ones differ in their input."""
    if overloaded:
        wanted = _input_of(node)
        alike = [each for each in alike if _input_of(each) == wanted] or alike
    return alike[0] if alike else None


def _input_of(node: etree._Element) -> str:
    found = node.find(WSDL + "input")
    return "" if found is None else found.get("name", "").strip()


def name_of(name: str, node: etree._Element, number: int) -> str:
    """What the `number`th operation called `name` is called here: by its input's name, where that tells it apart."""
    wanted = _input_of(node)
    return f"{name}.{wanted if wanted and wanted != name else number}"
